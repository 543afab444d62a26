"""The fewest weights of theirs that, put into ours, close a gap; and the fewest rows or columns of those."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import torch

from ...messages.errors import InputError
from ...program.trace import LiveTrace, Trace
from ..compare.align import Alignment, align_traces
from ..compare.first_apart import first_apart
from ..compare.gaps import StageGap
from ..diagnose.edit import Edit, edited
from .ddmin import ddmin

if TYPE_CHECKING:
    from ...traces.run import Run

MOST = 1000  # edits that are tried for tensors
MOST_OF_ONE = 200  # edits that are tried for the rows of a tensor, and for its columns
SAMPLED = 8  # of so many lines each is left out alone, before a weight of many is cut
LINES = ("row", "column")
NamedTensors = Mapping[str, torch.Tensor]


@dataclass(frozen=True)
class NeededWeight:
    """A weight of theirs that ours needs.

    Attributes:
        name: as ours calls it.
        line: what it was cut into: `row`, `column`, `place` (of a vector); "" where all of it is needed, or as good as all: leaving out any of
            some that were drawn opens the gap again.
        places: which of those.
        count: how many of those there are.
        words: the tokens that these rows are of, where it is the table of them; () else.
        minimal: whether without any one of them the gap stays; False where so many edits had been tried that no more were.
    """

    name: str
    line: str = ""
    places: tuple[int, ...] = ()
    count: int = 0
    words: tuple[str, ...] = ()
    minimal: bool = True


@dataclass(frozen=True)
class LeastWeights:
    """Which weights make the difference.

    Attributes:
        paired: how many both sides have, of one shape.
        differing: how many of those are not the same.
        needed: the fewest of them that bring ours as far as all of them do; () where they are not it.
        then: the first stage that is apart with all of theirs in ours; "" where none is.
        passages: how many edits of ours were tried.
        minimal: as of a needed weight.
    """

    paired: int
    differing: int
    needed: tuple[NeededWeight, ...] = ()
    then: str = ""
    passages: int = 0
    minimal: bool = True


def paired_weights(ours: Run, theirs: Trace) -> dict[str, torch.Tensor]:
    """Theirs by our names, of those that both have in one shape: of the same name, else of the same stage; {} where theirs has none."""
    origin = getattr(theirs, "origin", None)
    live = next((trace for trace in (theirs, origin) if isinstance(trace, LiveTrace)), None)
    if live is None:
        return {}
    paired: dict[str, torch.Tensor] = {}
    for stage in ours.program:
        called = _called(theirs, stage.name)
        of_stage = live.program[called].weights if called in live.program else ()
        for at, name in enumerate(stage.weights):
            other = name if name in live.weights else of_stage[at] if at < len(of_stage) else ""
            if other and live.weights[other].shape == ours.weights[name].shape:
                like = ours.weights[name]
                paired.setdefault(name, live.weights[other].detach().to(like.device, like.dtype))
    return paired


def _called(theirs: Trace, name: str) -> str:
    """What the passage that theirs is of calls a stage of ours."""
    by_stage = getattr(theirs, "by_stage", {})
    return by_stage[name].theirs if name in by_stage else getattr(theirs, "called", {}).get(name, name)


@dataclass
class _Edits:
    """Edits of our weights tried: how far each brings ours, counted."""

    ours: Run
    theirs: Trace
    alignment: Alignment
    now: StageGap
    tolerance: float | None
    stopped: Callable[[], bool]
    wanted: float = 0.0  # the position that is to be reached
    passages: int = 0

    def reaches(self, weights: NamedTensors) -> bool:
        """Whether ours with these is together as far as with all of them."""
        return _position(self.first(weights)) >= self.wanted

    def first(self, weights: NamedTensors) -> StageGap | None:
        """Where ours with these is apart."""
        if self.stopped():
            raise InputError(f"minimise was interrupted at edit {self.passages + 1} of weights")
        self.passages += 1
        edit = Edit(weights=weights)
        touched = edit.touched(self.ours.program)
        alike = {
            stage.name for stage in self.ours.program.stages[: self.now.position] if stage.name not in touched
        }  # as they were
        return first_apart(
            edited(self.ours, edit), self.theirs, tolerance=self.tolerance, alignment=self.alignment, known=alike
        )


def _position(first: StageGap | None) -> float:
    return math.inf if first is None else first.position


def least_weights(
    ours: Run,
    theirs: Trace,
    now: StageGap,
    *,
    tolerance: float | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> LeastWeights:
    """Put theirs into ours, in ever smaller parts.

    Args:
        ours: what is edited; it is left as it is.
        theirs: what it is held against.
        now: where they are apart.
        tolerance: as of `compare`.
        stopped: asked before each edit; True ends it.

    Raises:
        InputError: it was stopped.
    """
    paired = paired_weights(ours, theirs)
    other = {name: weight for name, weight in paired.items() if not torch.equal(weight, ours.weights[name])}
    if not other:
        return LeastWeights(len(paired), 0)
    edits = _Edits(ours, theirs, align_traces(ours, theirs), now, tolerance, stopped)
    then = edits.first(other)
    edits.wanted, said = _position(then), then.name if then is not None else ""
    if edits.wanted <= now.position:
        return LeastWeights(len(paired), len(other), (), said, edits.passages)
    names = ddmin(
        list(other), lambda chosen: edits.passages < MOST and edits.reaches({name: other[name] for name in chosen})
    )
    minimal = edits.passages < MOST
    needed: list[NeededWeight] = []
    put = {name: other[name] for name in names}
    for name in names:
        weight, put[name] = _least_lines(edits, name, put)  # the others need no more than is left of this one
        needed.append(weight)
    return LeastWeights(len(paired), len(other), tuple(needed), said, edits.passages, minimal)


def _least_lines(edits: _Edits, name: str, put: NamedTensors) -> tuple[NeededWeight, torch.Tensor]:
    """The fewest rows or columns of a weight, whichever are the smaller part of it; and ours with those of theirs in it."""
    mine, other = edits.ours.weights[name], put[name]
    best, least = NeededWeight(name), other
    for axis, line in enumerate((("place",) if mine.ndim == 1 else LINES) if mine.ndim else ()):
        count, apart = mine.shape[axis], _differing(mine, other, axis)
        if len(best.places) == 1:
            break
        before, reaches = edits.passages, partial(_closes, edits, put, name, axis, edits.passages + MOST_OF_ONE)
        if len(apart) > 4 * SAMPLED and not any(reaches(rest) for rest in _each_left_out(apart)):
            continue
        left = ddmin(apart, reaches)
        if len(left) * (best.count or 1) < max(1, len(best.places)) * count:  # the smaller share of it
            sure = edits.passages - before < MOST_OF_ONE
            best, least = (
                NeededWeight(name, line, left, count, _words(edits.ours, name, axis, left), sure),
                _mixed(mine, other, axis, left),
            )
    return best, least


def _each_left_out(lines: list[int]) -> Iterator[tuple[int, ...]]:
    """All lines but one, for some of them that stand evenly among all."""
    for at in range(len(lines) // (2 * SAMPLED), len(lines), max(1, len(lines) // SAMPLED)):
        yield (*lines[:at], *lines[at + 1 :])


def _closes(edits: _Edits, put: NamedTensors, name: str, axis: int, end: int, chosen: tuple[int, ...]) -> bool:
    """Whether some lines of one of the weights that are put into ours are enough; no more is tried after so many edits."""
    mixed = _mixed(edits.ours.weights[name], put[name], axis, chosen)
    return edits.passages < end and edits.reaches({**put, name: mixed})


def _differing(mine: torch.Tensor, other: torch.Tensor, axis: int) -> list[int]:
    """The places along an axis at which anything differs."""
    lines = (mine != other).movedim(axis, 0).reshape(mine.shape[axis], -1).any(1)
    return [int(place) for place in lines.nonzero()]


def _mixed(mine: torch.Tensor, other: torch.Tensor, axis: int, places: tuple[int, ...]) -> torch.Tensor:
    """Ours, with theirs at some places along an axis."""
    mixed, at = mine.clone(), torch.tensor(places, dtype=torch.long, device=mine.device)
    return mixed.index_copy_(axis, at, other.index_select(axis, at))


def _words(ours: Run, name: str, axis: int, rows: tuple[int, ...]) -> tuple[str, ...]:
    """The tokens of rows of the table that ids are looked up in."""
    looked_up = any(name in stage.weights and "tokens.ids" in stage.inputs for stage in ours.program)
    return tuple(ours.word(row) for row in rows) if looked_up and not axis and ours.knows_words else ()
