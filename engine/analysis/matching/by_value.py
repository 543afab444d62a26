"""Tensors matched to stages by their numbers, along the program.

A port agrees with ours before its fault, and after it computes from other numbers what ours would compute from them. So what a stage is
looked for by is what ours gives from what has been matched before it, not what ours gives by itself: behind a fault as well the numbers
are then those of theirs to rounding. A match needs that no other tensor and no other stage comes near as close.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, cast

import numpy as np
import torch

from ...program.stage import Stage
from ...program.torch_calls import from_numpy
from ...program.trace import LiveTrace
from ...traces.arrangement import Arrangement
from ...traces.matched import Match
from ...traces.tensors import to_numpy
from .likeness import SAME, Candidate, Likeness
from .samples import FAR, Sample

if TYPE_CHECKING:
    from ...ops import Op
    from ...traces.run import Run

TIGHT = 2e-3  # nearer than this no margin is asked for
CLOSE = 0.03  # nearer than this a margin is asked for: half precision is so far
FAR_OFF = 0.25  # further apart than this nothing is known by numbers alone, when all else has been tried
MARGIN = 4.0  # by how much nearer a match is than the next
AHEAD = 6  # stages that a match is tried by, of those computed from it
TRIALS = 1000  # how often that is tried
FEW_LAYOUTS = 3


def by_value(
    likeness: Likeness, before: Mapping[str, Match], free: Iterable[str], stopped: Callable[[], bool] = lambda: False
) -> dict[str, Match]:
    """Match free tensors to stages that have none.

    Args:
        before: matches that stand.
        free: names of tensors.

    Returns:
        The new matches.
    """
    walk = _Walk(likeness, dict(before), list(free))
    start: int | None = 0
    while start is not None and not stopped():
        for stage in likeness.ours.program.stages[start:]:
            walk.pass_by(stage)
        if walk.close == TIGHT:  # all that is certain stands before anything less is looked for
            walk.close, start = CLOSE, 0
            continue
        start = walk.cross_over()
        if start is None and walk.close < FAR_OFF:
            walk.close, start = FAR_OFF, 0
    return {name: match for name, match in walk.matches.items() if name not in before}


class _Walk:
    """The program from its first stage to its last, with what has been matched put in its place."""

    def __init__(self, likeness: Likeness, matches: dict[str, Match], free: list[str]) -> None:
        self.likeness, self.matches, self.free = likeness, matches, free
        self.fork: Run | None = None
        self.moved: set[str] = set()  # stages whose value is another than ours, for what was put in its place before it
        self.still = self._still()
        self.trials, self.close = TRIALS, TIGHT

    def _still(self) -> dict[str, dict[str, float]]:
        """How far each free tensor is from what ours gives at each stage: tensor -> stage -> distance."""
        apart: dict[str, dict[str, float]] = {name: {} for name in self.free}
        for stage, sample in self.likeness.samples.items():
            for candidate in self.likeness.candidates(stage, sample, self.free):
                apart[candidate.name][stage] = candidate.apart
        return apart

    def pass_by(self, stage: Stage) -> None:
        """Match a stage, and put what was matched in its place."""
        name = stage.name
        moved = not self.moved.isdisjoint(stage.inputs)
        if moved:
            self.moved.add(name)
        if name not in self.likeness.samples:
            return
        if name not in self.matches:
            candidate = self._best(name, self._expected(name) if moved else self.likeness.samples[name])
            if candidate is None:
                return
            self._take(Match(name, candidate.name, "value", candidate.layout, candidate.apart))
        self._put(self.matches[name], moved)

    def _take(self, match: Match) -> None:
        """Have a match stand. A tensor that holds several stages side by side is free for the others."""
        self.matches[match.stage] = match
        if not any(isinstance(cut, int) for cut in match.layout.window):
            self.free.remove(match.theirs)

    def _expected(self, name: str) -> Sample:
        """What ours gives at a stage from what was matched before it."""
        assert self.fork is not None
        return Sample.of(self.fork.value(name).read(), self.likeness.samples[name].places)

    def _best(self, name: str, sample: Sample) -> Candidate | None:
        """The tensor that is a stage, if one certainly is."""
        candidates = self.likeness.candidates(name, sample, self.free)
        if not candidates or candidates[0].apart > self.close:
            return None
        best = candidates[0]
        twins = self._twins(best.name)
        rival = next((each.apart for each in candidates[1:] if each.name not in twins), FAR)
        elsewhere = min(
            (
                apart
                for stage, apart in self.still[best.name].items()
                if self.likeness.alike[stage] != self.likeness.alike[name]
            ),
            default=FAR,
        )
        margin = 1.0 if best.apart < TIGHT else MARGIN
        if best.apart > 2 * self._nearest_alike(name) + SAME:
            return None
        if best.apart >= TIGHT and self._goes_on(name, best.apart / MARGIN):
            return None  # a product without its bias, say: what follows is computed from what ours gives
        if best.apart * margin > rival or best.apart * margin > max(elsewhere, SAME):
            return None
        alike = [
            each
            for each in candidates
            if each.name == best.name or (each.name in twins and each.apart <= best.apart + 1e-9)
        ]
        return min(alike, key=lambda each: each.layout.steps)

    def _nearest_alike(self, name: str) -> float:
        """How far the match is of a stage with the same numbers: another tensor that is further is a step before it."""
        alike = self.likeness.alike
        known = [
            match.apart
            for stage, match in self.matches.items()
            if alike.get(stage) == alike[name] and match.apart is not None
        ]
        return max(known, default=FAR)

    def _goes_on(self, name: str, apart: float) -> bool:
        """Whether theirs of what is computed from a stage is known, and nearer than so far, without anything put in its place."""
        return any(
            each.name in self.matches and (self.matches[each.name].apart or 0.0) < apart
            for each in self._below(self.likeness.ours.program[name])
        )

    def _twins(self, name: str) -> set[str]:
        """Tensors with the numbers of another: either may stand for it."""
        here = self.still[name]
        return {other for other in self.free if other != name and _same(here, self.still[other])}

    def _put(self, match: Match, moved: bool) -> None:
        """Have what follows computed from a match, where it is not what is computed there anyway."""
        ours = self.likeness.ours
        if not isinstance(ours, LiveTrace) or (not moved and match.apart is not None and match.apart < SAME):
            return
        if self.fork is None:
            self.fork = cast("Run", ours.fork())
        if not self.fork.is_windowed(match.stage):
            self._override(self.fork, match.stage, match.theirs, match.layout)
            self.moved.add(match.stage)

    def _override(self, run: Run, stage: str, name: str, layout: Arrangement) -> None:
        run.override(stage, self._tensor(run, stage, name, layout))

    def _tensor(self, run: Run, stage: str, name: str, layout: Arrangement) -> torch.Tensor:
        """A tensor of theirs as the value of a stage; where it holds no number, ours."""
        array = np.array(self.likeness.array(name, layout, stage))
        tensor = from_numpy(array).to(run.device, run.dtype(stage))
        return torch.where(tensor.isfinite(), tensor, run.tensor(stage))

    # -- over a fault --------------------------------------------------------------------------------------------------

    def cross_over(self) -> int | None:
        """Match the first stage that is known by nothing but by what is computed from it: behind a fault that leaves no likeness.

        A tensor is put in its place; it is the stage where what ours computes from it then is among theirs, which it was not before.

        Returns:
            The place behind it in the program; None where there is none.
        """
        ours = self.likeness.ours
        if not isinstance(ours, LiveTrace):
            return None
        for place, stage in enumerate(ours.program):
            after = self._after(stage) if stage.name in self.likeness.samples and stage.name not in self.matches else []
            if not after or ours.is_windowed(stage.name) or self.trials <= 0:
                continue
            candidate = self._by_what_follows(stage.name, after)
            if candidate is not None:
                match = Match(stage.name, candidate.name, "follows", candidate.layout, candidate.apart)
                self._take(match)
                self._put(match, True)
                return place + 1
        return None

    def _after(self, stage: Stage) -> list[Stage]:
        """The next stages that are computed from one, moves included; none where theirs of one of them is known by its numbers: nothing is amiss."""
        after = self._below(stage)
        for at, each in enumerate(after):
            match = self.matches.get(each.name)
            if (
                match is not None
                and match.apart is not None
                and match.apart < CLOSE
                and self._says(stage, after[: at + 1])
            ):
                return []
        return after if self._says(stage, after) else []

    def _below(self, stage: Stage) -> list[Stage]:
        """The next stages that are computed from one, moves included."""
        program = self.likeness.ours.program
        below = program.downstream(stage.name)
        after: list[Stage] = []
        told = 0
        for each in program:
            if each.name in below:
                after.append(each)
                told += each.name in self.likeness.samples and not each.card.moves
                if told == AHEAD:
                    break
        return after

    def _says(self, stage: Stage, after: Sequence[Stage]) -> bool:
        """Whether the last of some stages tells which layer the first is of: something of that layer's own has gone into it."""
        inside = {stage.name, *(each.name for each in after)}
        own = self.likeness.ours.program
        return any(
            each.weights or any(name not in inside and own[name].layer is not None for name in each.inputs)
            for each in after
        )

    def _by_what_follows(self, name: str, after: Sequence[Stage]) -> Candidate | None:
        """The one tensor from which ours computes others of theirs."""
        if self.fork is None:
            self.fork = cast("Run", self.likeness.ours.fork())  # pyright: ignore
        told = [
            each.name
            for at, each in enumerate(after)
            if each.name in self.likeness.samples and self._says(self.likeness.ours.program[name], after[: at + 1])
        ]
        before = {each: self._known_at(each, self.fork.tensor(each)) for each in told}
        expected = self._expected(name)
        scores: list[tuple[int, Candidate]] = []
        for other, layout in self._trials(name):
            self.trials -= 1
            now = {name: self._tensor(self.fork, name, other, layout)}
            for each in after:
                self._compute(each, now)
            hits = {
                hit
                for each in told
                for hit, apart in self._known_at(each, now[each]).items()
                if hit != other and apart < TIGHT and before[each].get(hit, FAR) > 10 * apart
            }
            if hits:
                scores.append((len(hits), Candidate(other, layout, self.likeness.apart(other, layout, expected))))
        scores.sort(key=lambda score: (-score[0], score[1].layout.steps))
        if not scores:
            return None
        most, best = scores[0]
        twins = self._twins(best.name)
        rivals = [
            candidate for count, candidate in scores[1:] if count == most and candidate.name not in {*twins, best.name}
        ]
        return None if rivals else best

    def _compute(self, stage: Stage, now: dict[str, torch.Tensor]) -> None:
        """A stage from what is put in the place of others, and from the fork."""
        assert self.fork is not None
        run = self.fork
        inputs = [now[name] if name in now else run.tensor(name) for name in stage.inputs]
        now[stage.name] = cast("Op", stage.op).compute(
            inputs, [run.weights[name] for name in stage.weights], lambda: None
        )

    def _known_at(self, stage: str, value: torch.Tensor) -> dict[str, float]:
        """How far each free tensor is from a value of a stage."""
        sample = Sample.of(to_numpy(value), self.likeness.samples[stage].places)
        return {candidate.name: candidate.apart for candidate in self.likeness.candidates(stage, sample, self.free)}

    def _trials(self, name: str) -> Iterator[tuple[str, Arrangement]]:
        """What may be put in the place of a stage: free tensors, as like ones lay, or else as the fewest steps lay them."""
        sizes = self.likeness.sizes[name]
        for other in list(self.free):
            shape = self.likeness.tensors[other].shape
            fitting = self.likeness.layouts_of(name, self.likeness.tensors[other])
            known = [
                match.layout for match in self.matches.values()
                if self.likeness.sizes.get(match.stage) == sizes and self.likeness.tensors.get(match.theirs) is not None
                and self.likeness.tensors[match.theirs].shape == shape
            ]  # fmt: skip
            for layout in dict.fromkeys(known) or fitting[:FEW_LAYOUTS]:
                if self.trials > 0:
                    yield other, layout


def _same(one: Mapping[str, float], other: Mapping[str, float]) -> bool:
    """Whether two tensors are as far from every stage."""
    return (
        one.keys() == other.keys()
        and bool(one)
        and all(abs(apart - other[stage]) < 1e-9 for stage, apart in one.items())
    )
