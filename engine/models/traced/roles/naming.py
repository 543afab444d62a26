"""From what was seen to names: each value has one, each name is one value's, and a step is part of one stage."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field

from .blocks import LayerSteps
from .dimensions import is_feature
from .flow import Flow
from .layers import Unit
from .sides import Reading, Side, features_come_last

ROLES = ("query", "key", "value")


@dataclass
class Names:
    """Names that were given, and taken back where two values claim one.

    Attributes:
        of: value -> name.
        inner: call -> the call it is part of.
        heads: name -> values, of heads that are computed one by one.
    """

    of: dict[str, str] = field(default_factory=dict[str, str])
    inner: dict[str, str] = field(default_factory=dict[str, str])
    heads: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])

    def give(self, value: str, name: str) -> None:
        """A name to a value that has none yet; a name that several values claim is nobody's (`settled`)."""
        self.of.setdefault(value, name)

    def fold(self, calls: Mapping[str, str]) -> None:
        """Calls that are part of others."""
        self.inner.update(calls)


def name_attention(known: Reading, names: Names, unit: Unit, block: str) -> None:
    """The steps of an attention under `block`: `layers.0.attention`."""
    if unit.beside:
        _name_heads(known, names, unit, block)
        return
    one = unit.whole
    joint = {side.projected for _, side in one.sides}
    shared = len(joint) == 1 and all(side.part for _, side in one.sides)
    if shared:
        names.give(one.query.projected, f"{block}.qkv")
        before = {side.before for _, side in one.sides}
        if len(before) == 1 and "" not in before:
            names.give(before.pop(), f"{block}.qkv_heads")
    for role, value in one.steps.items():
        names.give(value, f"{block}.{role}")
    names.fold(one.inner)
    target = {"query": one.steps.get("scores", ""), "key": one.steps.get("scores", ""), "value": one.result}
    first = first_product(one.steps) or one.result
    for role, side in one.sides:
        _name_side(known, names, f"{block}.{role}", side, alone=side.projected not in _others(one.sides, role))
        names.fold(folded(names.of, side, (target[role] or first) if role != "value" else one.result))


def first_product(steps: Mapping[str, str]) -> str:
    """What the product of queries and keys gives."""
    return steps.get("scores") or steps.get("scaled") or steps.get("biased") or steps.get("masked") or ""


def _others(sides: tuple[tuple[str, Side], ...], role: str) -> set[str]:
    return {side.projected for other, side in sides if other != role}


def _name_side(known: Reading, names: Names, name: str, side: Side, *, alone: bool) -> None:
    base = side.part or (side.projected if alone else "")
    dims = known.dims.get(base, ())
    whole = bool(base) and features_come_last(known, base)
    apart = sum(is_feature(dim) for dim in dims) > 1  # (batch, token, head, head_dim)
    of_one_head = len(dims) > 3 and bool(side.part)
    if whole and (base != side.heads and bool(side.heads) if apart else not of_one_head):
        names.give(base, name)
    elif (apart or of_one_head) and not side.heads:
        names.give(base, f"{name}_heads")
    for suffix, value in (
        ("unbiased", side.unbiased),
        ("heads", side.heads),
        ("scaled", side.scaled),
        ("rotated", side.rotated),
    ):
        if value:
            names.give(value, f"{name}_{suffix}")


def folded(named: Container[str], side: Side, end: str) -> dict[str, str]:
    """Unnamed steps of a side are part of the next that has a name, or of the product that they end in."""
    inner, after = dict(side.inner), end
    for value in reversed(side.steps):
        if value in named:
            after = value
        elif value != after:
            inner[value] = after
    return inner


def _name_heads(known: Reading, names: Names, unit: Unit, block: str) -> None:
    """Heads that are computed one by one: their values belong together under one name."""
    steps = {role: tuple(part.steps.get(role, "") for part in unit.parts) for role in unit.whole.steps}
    for at, role in enumerate(ROLES):
        sides = tuple(part.sides[at][1] for part in unit.parts)
        for suffix, values in (
            ("heads", tuple(side.part or side.projected for side in sides)),
            ("scaled", tuple(side.scaled for side in sides)),
            ("rotated", tuple(side.rotated for side in sides)),
        ):
            steps[f"{role}_{suffix}"] = values
    for role, values in steps.items():
        if all(values) and len(set(values)) == len(values):
            names.heads[f"{block}.{role}"] = values
    held = {value for values in names.heads.values() for value in values}
    for part in unit.parts:
        names.fold(part.inner)
        for role, side in part.sides:
            end = part.result if role == "value" else first_product(part.steps) or part.result
            names.fold(folded(held, side, end))


def name_layer(names: Names, layer: LayerSteps, number: int) -> None:
    """What stands around the attention of a layer."""
    for role, value in layer.names.items():
        names.give(value, f"layers.{number}.{role}")
    names.fold(layer.inner)


def settled(flow: Flow, names: Names) -> tuple[dict[str, str], dict[str, str]]:
    """Names that one value alone has, and the calls that are part of others, each with what takes all it gives.

    A call whose result is given back, or taken by something else than what it is part of, stays a stage of its own.
    """
    claims: dict[str, list[str]] = {}
    for value, name in names.of.items():
        claims.setdefault(name, []).append(value)
    of = {
        values[0]: name for name, values in claims.items() if len(values) == 1 and values[0] not in flow.graph.weights
    }
    held = {value for values in names.heads.values() for value in values}
    inner: dict[str, str] = {}
    for call in reversed(flow.graph.calls):
        end = names.inner.get(call.name)
        if end is None or call.name in of or call.name in held or call.name in flow.outputs:
            continue
        end = inner.get(end, end)
        if flow.users(call.name) and all(
            user.name == end or inner.get(user.name) == end for user in flow.users(call.name)
        ):
            inner[call.name] = end
    return of, inner
