"""What stands around attention and feed-forward: the sums with what went in, and the norms before or after."""

from __future__ import annotations

from dataclasses import dataclass, field

from .feed_forward import feed_forward
from .flow import CASTS, DROPOUT, MOVES, operands
from .layers import Unit, output_of
from .sides import Reading


@dataclass
class LayerSteps:
    """One layer: roles of what is in it, `attention.residual` -> value.

    Attributes:
        names: role within the layer -> value.
        inner: calls that are part of one of the steps -> that step.
        entry: what went into the layer; "" where that cannot be told.
        result: what leaves it; "" where that cannot be told.
    """

    names: dict[str, str] = field(default_factory=dict[str, str])
    inner: dict[str, str] = field(default_factory=dict[str, str])
    entry: str = ""
    result: str = ""


def layer_of(known: Reading, unit: Unit) -> LayerSteps:
    """The layer around an attention, as far as it is known."""
    layer = LayerSteps()
    concat, output, between = output_of(known, unit)
    if not output:
        return layer
    layer.inner.update(dict.fromkeys(between, concat or output))
    layer.names.update(
        {f"attention.{role}": value for role, value in (("concat", concat), ("output", output)) if value}
    )
    flow, source = known.flow, unit.source
    normed = flow.root(known.norms[source].source) if source in known.norms else ""
    residual, other, passed = _sum(known, output, {name for name in (source, normed) if name})
    if not residual:
        return layer
    layer.inner.update(dict.fromkeys(passed, residual))
    layer.names["attention.residual"] = residual
    layer.entry = other
    if other == normed:
        layer.names["attention.norm"] = source
    _feed(known, layer, flow.onward(residual, CASTS), after=other == source)
    return layer


def _sum(known: Reading, output: str, entries: set[str]) -> tuple[str, str, tuple[str, ...]]:
    """Where what a block gives is added to what went into it.

    Args:
        output: what the block gives, before it is moved, dropped out of, normed or scaled by a weight for each feature.
        entries: what may have gone in, before it was moved.

    Returns:
        The sum, what went in of `entries`, and the calls between; "" where there is none.
    """
    flow, passed, current = known.flow, list[str](), output
    for _ in range(8):
        users = [user for user in flow.users(current) if not _only_looks(known, user.name)]
        if len(users) == 1 and users[0].word == "add" and not users[0].options:
            others = [name for name in operands(users[0]) if name != current]
            if len(others) == 1 and flow.root(others[0]) in entries:
                return users[0].name, flow.root(others[0]), tuple(passed)
            return "", "", ()
        norm = next((norm for norm in known.norms.values() if norm.source == current), None)
        if norm is not None and all(user.name == norm.result or user.name in norm.steps for user in users):
            following = norm.result
        elif len(users) == 1 and (
            users[0].word in MOVES | CASTS | DROPOUT or _by_feature(known, users[0].name, current)
        ):
            following = users[0].name
        else:
            return "", "", ()
        passed.append(following)
        current = following
    return "", "", ()


def _only_looks(known: Reading, name: str) -> bool:
    """Whether a call leads nowhere."""
    return name not in known.flow.outputs and not known.flow.users(name)


def _by_feature(known: Reading, name: str, current: str) -> bool:
    """Whether a call multiplies with a weight for each feature, as LayerScale does (Touvron et al. 2021)."""
    call = known.flow.call(name)
    if call is None or call.word != "mul":
        return False
    others = [part for part in operands(call) if part != current]
    return len(others) == 1 and known.flow.is_fixed(others[0])


def _feed(known: Reading, layer: LayerSteps, residual: str, *, after: bool) -> None:
    """The feed-forward network that follows the sum `residual`, its own sum and its norm.

    Args:
        after: whether no norm stood before attention, so that one after it may be attention's.
    """
    norms = [norm for norm in known.norms.values() if norm.source == residual]
    if len(norms) > 1:
        return
    normed = norms[0].result if norms else ""
    network = feed_forward(known, normed or residual)
    if network is None:
        return
    total, other, passed = _sum(known, network.result, {name for name in (normed, residual) if name})
    if not total:
        return
    if normed and other == normed and not after:  # the norm is before the network, and yet what went in: not known
        return
    names = {f"ffn.{role}": value for role, value in network.steps.items()}
    if normed:
        names["attention.norm" if other == normed else "ffn.norm"] = normed
    layer.names.update(names)
    layer.names["ffn.residual"] = total
    layer.inner.update(network.inner)
    layer.inner.update(dict.fromkeys(passed, total))
    layer.result = known.flow.onward(total, CASTS)
    if normed and other == normed:
        _last_norm(known, layer, layer.result)


def _last_norm(known: Reading, layer: LayerSteps, total: str) -> None:
    """Of a layer whose first norm stands after its sum, the second as well."""
    norms = [norm for norm in known.norms.values() if norm.source == total]
    users = {user.name for user in known.flow.users(total)}
    if len(norms) == 1 and all(_is_norms(known, name) for name in users):
        layer.names["ffn.norm"] = layer.result = norms[0].result


def _is_norms(known: Reading, name: str) -> bool:
    """Whether a call is a step of some norm, or its last."""
    return any(name == norm.result or name in norm.steps for norm in known.norms.values())
