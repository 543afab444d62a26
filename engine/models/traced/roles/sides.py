"""Queries, keys and values: from what a product in attention takes back to the matrix that made it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from .dimensions import Dimensions, core, is_feature
from .flow import CASTS, DROPOUT, MOVES, PARTS, Chain, Flow, operand, operands
from .projections import projection
from .regions import Rotation, rotation


@dataclass(frozen=True)
class Reading:
    """What all rules ask of a graph."""

    flow: Flow
    dims: Mapping[str, Dimensions]
    norms: Mapping[str, Chain]


@dataclass(frozen=True)
class Side:
    """One of the three that go into attention.

    Attributes:
        source: what was projected, before it was moved; of what was not projected, itself.
        projected: the matrix's product; "" where there is none.
        part: the third of a joint product that is this side's; "" where it has one of its own.
        heads: in heads, before it is turned or scaled; "" where it never is or they were never split.
        scaled, rotated: those steps; "" where there are none.
        unbiased: in heads, before a bias was added that is not the matrix's own; "" where none was.
        before: of a part, what it is a part of, in heads; "" where heads were split after.
        tables: what it was turned by.
        steps: every call between the source and the product, in order, with those that are part of a step -> that step.
        inner: calls that are part of one of the steps -> that step.
    """

    source: str
    projected: str = ""
    part: str = ""
    heads: str = ""
    scaled: str = ""
    rotated: str = ""
    unbiased: str = ""
    before: str = ""
    tables: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    inner: Mapping[str, str] = field(default_factory=dict[str, str])


def side_of(known: Reading, name: str) -> Side:
    """The side that ends in an operand of a product."""
    flow, path = known.flow, list[tuple[str, str]]()
    inner: dict[str, str] = {}
    tables: tuple[str, ...] = ()
    made: Chain | None = None
    current = name
    while (made := projection(flow, current)) is None:
        kind, before, steps = _step(known, current)
        if not kind:
            break
        if isinstance(steps, Rotation):
            tables = steps.tables
            inner.update(dict.fromkeys(steps.steps, current))
        elif steps is not None:
            inner.update(dict.fromkeys(steps.steps, current))
        path.append((current, kind))
        current = before
    if made is None and any(kind != "moved" for _, kind in path):  # half known: what is before it may be anything
        return Side(flow.root(current))
    if made is None:
        return Side(flow.root(name), steps=tuple(step for step, _ in reversed(path)))
    inner.update(dict.fromkeys(made.steps, made.result))
    return _named(known, made, tuple(reversed(path)), tables, inner)


def _step(known: Reading, name: str) -> tuple[str, str, Chain | Rotation | None]:
    """What kind of step gives a value, what it was before, and the step's own calls; "" for what is no step on the way."""
    flow = known.flow
    call = flow.call(name)
    if call is None:
        return "", name, None
    first = operand(call, 0)
    if call.word in MOVES | CASTS | DROPOUT and first:
        return "moved", first, None
    if call.word in PARTS and _is_part_of_features(known, name, first):
        return "part", first, None
    if call.word in ("mul", "div") and is_by_number(flow, call.name):
        return "scaled", live_operand(flow, call.name), None
    if name in known.norms:
        return "normed", known.norms[name].source, known.norms[name]
    if call.word == "add" and _by_features(known, name):
        return "shifted", live_operand(flow, name), None
    if call.word in ("add", "cat", "view_as_real", "sub"):
        turned = rotation(flow, name)
        if turned is not None:
            return "rotated", turned.entry, turned
    return "", name, None


def is_by_number(flow: Flow, name: str) -> bool:
    """Whether a product or quotient is with a single number."""
    call = flow.call(name)
    assert call is not None
    others = [part for part in operands(call) if not flow.is_live(part)]
    live = [part for part in operands(call) if flow.is_live(part)]
    return (
        len(live) == 1 and operand(call, 0) in ("", live[0], *others) and all(_size(flow, part) == 1 for part in others)
    )


def live_operand(flow: Flow, name: str) -> str:
    """The one operand that is live."""
    call = flow.call(name)
    assert call is not None
    return next(part for part in operands(call) if flow.is_live(part))


def _by_features(known: Reading, name: str) -> bool:
    """Whether a sum is with a bias: the same for each text and token."""
    call = known.flow.call(name)
    assert call is not None
    live = [part for part in operands(call) if known.flow.is_live(part)]
    others = [part for part in operands(call) if part not in live]
    if len(live) != 1 or len(others) != 1 or not known.flow.is_fixed(others[0]) or call.options:
        return False
    shape, dims = known.flow.shape(others[0]), known.dims[name]
    places = range(-len(shape), 0)
    return (
        len(shape) <= len(dims)
        and any(shape[at] > 1 for at in places)
        and all(shape[at] == 1 or is_feature(dims[at]) for at in places)
    )


def _size(flow: Flow, name: str) -> int:
    return math.prod(flow.shape(name))


def _is_part_of_features(known: Reading, name: str, first: str) -> bool:
    """Whether what a split took apart counts features."""
    before, after = known.dims[first], known.dims[name]
    if len(before) == len(after):
        return all(is_feature(one) for one, other in zip(before, after, strict=True) if core(one) != core(other))
    gone = Counter(before) - Counter(after)
    return bool(gone) and all(is_feature(dim) for dim in gone)


def _named(
    known: Reading,
    made: Chain,
    path: tuple[tuple[str, str], ...],
    tables: tuple[str, ...],
    inner: Mapping[str, str],
) -> Side:
    """The steps of a side by what they are."""
    flow = known.flow
    kinds = {kind: value for value, kind in reversed(path)}  # of each the first
    part = [value for value, kind in path if kind == "part"][-1:]
    base = part[0] if part else made.result
    places = [value for value, _ in path]
    after = path[places.index(base) + 1 :] if part else path
    chain = [base]
    for value, kind in after:
        if kind not in ("moved", "shifted") or _size(flow, value) != _size(flow, base):
            break
        chain.append(value)
    steps = (made.result, *places)
    heads = next((value for value in reversed(chain) if value != made.result and _in_heads(known, value)), "")
    if not heads and len(chain) == len(after) + 1 and chain[-1] != base and _side_by_side(known, chain[-1]):
        heads = chain[-1]
    rotated = kinds.get("rotated", "")
    turned = flow.call(rotated)
    if turned is not None and turned.word == "view_as_real":  # pairs side by side again
        rotated = next((value for value, kind in path[places.index(rotated) + 1 :] if kind == "moved"), rotated)
    of_part = ([made.result, *places][places.index(base)]) if part else ""
    return Side(
        flow.root(made.source), made.result, part[0] if part else "", heads, _in_order(known, kinds.get("scaled", "")),
        rotated, base if "shifted" in kinds and _after_heads(known, base) else "",
        of_part if of_part and _after_heads(known, of_part) and _after_heads(known, base) else "", tables, steps, inner,
    )  # fmt: skip


def _in_order(known: Reading, name: str) -> str:
    """A value of which features come last; "" of one that has been turned over for the product."""
    return name if name and is_feature(known.dims[name][-1]) else ""


def _in_heads(known: Reading, name: str) -> bool:
    """Whether a value is (..., token, head_dim), with the heads before."""
    dims = known.dims[name]
    if len(dims) < 3 or not is_feature(dims[-1]) or is_feature(dims[-2]):
        return False
    return len(dims) > 3 or any(is_feature(dim) for dim in dims[:-2])


def _after_heads(known: Reading, name: str) -> bool:
    """Whether a value is in heads of which there are several: of one it is not said whether they were split."""
    return _in_heads(known, name) and any(is_feature(dim) for dim in known.dims[name][:-2])


def _side_by_side(known: Reading, name: str) -> bool:
    """Whether a value is (..., token, head, head_dim)."""
    dims = known.dims[name]
    return len(dims) > 3 and is_feature(dims[-1]) and not is_feature(dims[-3])


def features_come_last(known: Reading, name: str) -> bool:
    """Whether no token is counted after the features are: (batch, token, hidden), or with the heads still side by side."""
    features = [is_feature(dim) for dim in known.dims[name]]
    return any(features) and features == sorted(features)
