"""A feed-forward network: a matrix, something that is no straight line, a matrix; or two of the first, of which one gates the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .flow import BENT, CASTS, DROPOUT, MOVES, PARTS, STRAIGHT, Chain, operand, operands
from .layers import whole_product
from .projections import projection
from .regions import region
from .sides import Reading

WITHIN = BENT | STRAIGHT | CASTS | MOVES | DROPOUT


@dataclass(frozen=True)
class FeedForward:
    """One network.

    Attributes:
        steps: role -> value: up, gate, up_gate, activation, gated, down.
        inner: calls that are part of one of the steps -> that step.
    """

    steps: Mapping[str, str]
    inner: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def result(self) -> str:
        """What the second matrix gives."""
        return self.steps["down"]


def feed_forward(known: Reading, source: str) -> FeedForward | None:
    """The network that takes a value; None where none is seen."""
    flow = known.flow
    firsts: dict[str, Chain] = {}
    for user in flow.users(flow.onward(source)):
        made = projection(flow, user.name)
        if made is not None and made.source == flow.onward(source):
            firsts[user.name] = made
    for name, made in tuple(firsts.items()):  # a product whose bias is added after, or rows that are laid out again
        for user in flow.users(name):
            longer = projection(flow, user.name)
            if longer is not None and longer.source == made.source:
                firsts.pop(name, None)
                firsts[user.name] = longer
    firsts = {name: made for name, made in firsts.items() if not any(name in other.steps for other in firsts.values())}
    ends = _ends(known, set(firsts))
    if len(ends) != 1:
        return None
    middle, down = ends[0]
    inner = {step: name for name, made in (*firsts.items(), (down, _made(known, down))) for step in made.steps}
    steps = _plain(known, middle, firsts) if len(firsts) == 1 else None
    steps = steps or _gated(known, middle, firsts)
    if steps is None:
        return None
    names, parts = steps
    return FeedForward({**names, "down": down}, {**inner, **parts})


def _made(known: Reading, name: str) -> Chain:
    made = projection(known.flow, name)
    assert made is not None
    return made


def _ends(known: Reading, firsts: set[str]) -> list[tuple[str, str]]:
    """What is multiplied with a second matrix, and that product: the first ones that are reached from the first matrices."""
    flow = known.flow
    left, seen, ends = sorted(firsts, key=lambda name: flow.order[name]), set(firsts), list[tuple[str, str]]()
    while left and len(seen) < 60:
        current = left.pop(0)
        made = whole_product(known, current)
        if made:
            ends.append((current, made))
            continue
        for user in flow.users(current):
            if user.word not in WITHIN | PARTS:
                return []
            if user.name not in seen:
                seen.add(user.name)
                left.append(user.name)
    return ends


def _bent(known: Reading, name: str, starts: set[str]) -> tuple[str, dict[str, str]] | None:
    """The value that an activation was taken of, and its steps; None where there is none, or more than one goes in."""
    flow, words, calls = known.flow, set[str](), list[str]()
    current = name
    while current not in starts:
        span = region(flow, current, WITHIN)
        if span is None or any(call.name in starts for call in span.calls):
            return None
        words |= span.words
        calls += [call.name for call in span.calls]
        current = span.entry
    if not words & BENT or any(not _only_numbers(known, call) for call in calls):
        return None
    return current, {call: name for call in calls if call != name}


def _only_numbers(known: Reading, name: str) -> bool:
    """Whether nothing but numbers, and tensors of one, go into a step besides what is live."""
    call = known.flow.call(name)
    assert call is not None
    return all(known.flow.is_live(part) or not known.flow.shape(part) for part in operands(call))


def _undropped(known: Reading, name: str) -> tuple[str, list[str]]:
    """A value before what training drops of it, and the calls passed."""
    passed: list[str] = []
    while (call := known.flow.call(name)) is not None and call.word in DROPOUT | CASTS:
        passed.append(name)
        name = operand(call, 0)
    return name, passed


def _plain(known: Reading, middle: str, firsts: Mapping[str, Chain]) -> tuple[dict[str, str], dict[str, str]] | None:
    name, _ = _undropped(known, middle)
    bent = _bent(known, name, set(firsts))
    if bent is None:
        return None
    return {"up": bent[0], "activation": name}, bent[1]


def _gated(known: Reading, middle: str, firsts: Mapping[str, Chain]) -> tuple[dict[str, str], dict[str, str]] | None:
    """activation(up) · gate, from two matrices or from the two halves of what one gives."""
    flow = known.flow
    name, _ = _undropped(known, middle)
    call = flow.call(name)
    if call is None or call.word != "mul" or len(set(operands(call))) != 2:
        return None
    halves = {
        user.name for first in firsts for user in flow.users(first) if user.word in PARTS and operand(user, 0) == first
    }
    if len(firsts) == 1:
        starts = halves
    elif len(firsts) == 2 and not halves:
        starts = set(firsts)
    else:
        return None
    if len(starts) != 2:
        return None
    for active, gate in (operands(call), operands(call)[::-1]):
        bent = _bent(known, active, starts)
        if bent is not None and gate in starts and gate != bent[0]:
            names = {"up": bent[0], "gate": gate, "activation": active, "gated": name}
            if halves:
                names["up_gate"] = next(iter(firsts))
            return names, bent[1]
    return None
