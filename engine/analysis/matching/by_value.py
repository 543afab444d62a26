"""Tensors matched to stages by their numbers, along the program.

A port agrees with ours before its fault, and after it computes from other numbers what ours would compute from them. So what a stage is
looked for by is what ours gives from what has been matched before it, not what ours gives by itself: behind a fault as well the numbers
are then those of theirs to rounding. A match needs that no other tensor and no other stage comes near as close.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, cast

import numpy as np

from ...program.arrays import Array
from ...program.stage import Stage
from ...program.torch_calls import from_numpy
from ...program.trace import LiveTrace, Trace
from ...traces.arrangement import Arrangement
from ...traces.matched import ForeignTensor, Match
from .layouts import StageSizes, heads_of, layouts, sizes_of_stage
from .samples import FAR, Sample, sample_places, taken

if TYPE_CHECKING:
    from ...traces.run import Run

SAME = 1e-6  # nearer than this numbers are the same but for rounding
TIGHT = 2e-3  # nearer than this no margin is asked for
CLOSE = 0.25  # further apart than this nothing is known by its numbers alone
MARGIN = 3.0  # by how much nearer a match is than the next
FLOATS = ("float16", "bfloat16", "float32", "float64")


@dataclass(slots=True)
class Candidate:
    """A tensor in one layout, and how far it is from a stage."""

    name: str
    layout: Arrangement
    apart: float


@dataclass
class Likeness:
    """What is compared: stages' samples and tensors' numbers at the same places.

    Args:
        ours: whose stages.
        tensors: theirs that are floating numbers.
        padded: how many tokens theirs has, where that is another number; 0 for as many.
    """

    ours: Trace
    tensors: Mapping[str, ForeignTensor]
    padded: int = 0
    samples: dict[str, Sample] = field(default_factory=dict[str, Sample])
    sizes: dict[str, StageSizes] = field(default_factory=dict[str, StageSizes])
    alike: dict[str, str] = field(default_factory=dict[str, str])
    _taken: dict[tuple[str, Arrangement, int], Array] = field(default_factory=dict[tuple[str, Arrangement, int], Array])

    def __post_init__(self) -> None:
        heads = heads_of(self.ours)
        at: dict[object, Array] = {}
        for stage in self.ours.program:
            if not comparable(self.ours, stage):
                continue
            shape = self.ours.shapes[stage.name]
            key = (shape, stage.axes, stage.sequences)
            if key not in at:
                at[key] = sample_places(self.ours, stage)
            sample = Sample.of(self.ours.value(stage.name).read(), at[key])
            if sample.says:
                self.samples[stage.name] = sample
                self.sizes[stage.name] = sizes_of_stage(stage, shape, heads)
        self.alike = self._alike()
        self._array = lru_cache(maxsize=16)(self._read)

    def _read(self, name: str) -> Array:
        return self.tensors[name].read()

    def _alike(self) -> dict[str, str]:
        """The first stage with the same numbers as each, in whatever order: a tensor that is one is as near to the others."""
        first: dict[str, str] = {}
        lengths: dict[tuple[int, float], list[str]] = {}
        for name, sample in self.samples.items():
            stage = self.ours.program[name]
            source = stage.inputs[0] if stage.card.moves and stage.inputs else ""
            if source in first and math.prod(self.ours.shapes[source]) == math.prod(self.ours.shapes[name]):
                first[name] = first[source]
                continue
            alike = lengths.setdefault((id(sample.places), float(f"{sample.length:.4g}")), [])
            twin = next((other for other in alike if self.samples[other].apart_from(sample.numbers) < SAME), None)
            first[name] = first[twin] if twin is not None else name
            alike.append(name)
        return first

    def candidates(self, stage: str, sample: Sample, names: Iterable[str]) -> list[Candidate]:
        """Tensors in the layout in which they are nearest to a stage, nearest first; those of no fitting shape are left out."""
        each: list[Candidate] = []
        for name in names:
            best = self.nearest(stage, sample, name)
            if best is not None:
                each.append(best)
        return sorted(each, key=lambda candidate: candidate.apart)

    def nearest(self, stage: str, sample: Sample, name: str) -> Candidate | None:
        """A tensor in the layout in which it is nearest to a stage; None where none fits. Of layouts as near that which does least."""
        best: Candidate | None = None
        for layout in layouts(self.sizes[stage], self.tensors[name].shape, self.padded):
            apart = sample.apart_from(self._numbers(name, layout, sample))
            if best is None or apart < best.apart * 0.5 - 1e-9:
                best = Candidate(name, layout, apart)
        return best

    def _numbers(self, name: str, layout: Arrangement, sample: Sample) -> Array:
        key = (name, layout, id(sample.places))
        if key not in self._taken:
            self._taken[key] = taken(self._array(name), layout, sample.places)
        return self._taken[key]

    def array(self, name: str, layout: Arrangement, stage: str) -> Array:
        """A tensor as the stage's value."""
        return layout.arranged(self._array(name)).reshape(self.ours.shapes[stage])


def comparable(trace: Trace, stage: Stage) -> bool:
    """Whether a stage has numbers to be known by."""
    return trace.has(stage.name) and stage.name not in trace.program.shown and trace.value(stage.name).dtype in FLOATS


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
    for stage in likeness.ours.program:
        if stopped():
            break
        walk.pass_by(stage)
    return {name: match for name, match in walk.matches.items() if name not in before}


class _Walk:
    """The program from its first stage to its last, with what has been matched put in its place."""

    def __init__(self, likeness: Likeness, matches: dict[str, Match], free: list[str]) -> None:
        self.likeness, self.matches, self.free = likeness, matches, free
        self.fork: Run | None = None
        self.moved: set[str] = set()  # stages whose value is another than ours, for what was put in its place before it
        self.still = self._still()

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
        if name not in self.likeness.samples:
            return
        moved = not self.moved.isdisjoint(stage.inputs)
        if moved:
            self.moved.add(name)
        if name not in self.matches:
            candidate = self._best(name, self._expected(name) if moved else self.likeness.samples[name])
            if candidate is None:
                return
            self.matches[name] = Match(name, candidate.name, "value", candidate.layout, candidate.apart)
            self.free.remove(candidate.name)
        self._put(self.matches[name], moved)

    def _expected(self, name: str) -> Sample:
        """What ours gives at a stage from what was matched before it."""
        assert self.fork is not None
        return Sample.of(self.fork.value(name).read(), self.likeness.samples[name].places)

    def _best(self, name: str, sample: Sample) -> Candidate | None:
        """The tensor that is a stage, if one certainly is."""
        candidates = self.likeness.candidates(name, sample, self.free)
        if not candidates or candidates[0].apart > CLOSE:
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
        if best.apart * margin > rival or best.apart * margin > max(elsewhere, SAME):
            return None
        alike = [
            each
            for each in candidates
            if each.name == best.name or (each.name in twins and each.apart <= best.apart + 1e-9)
        ]
        return min(alike, key=lambda each: each.layout.steps)

    def _twins(self, name: str) -> set[str]:
        """Tensors with the numbers of another: either may stand for it."""
        here = self.still[name]
        return {other for other in self.free if other != name and _same(here, self.still[other])}

    def _put(self, match: Match, moved: bool) -> None:
        """Have what follows computed from a match, where it is not what is computed there anyway."""
        ours = self.likeness.ours
        if not isinstance(ours, LiveTrace) or (not moved and match.apart is not None and match.apart < SAME):
            return
        import torch

        if self.fork is None:
            self.fork = cast("Run", ours.fork())
        array = np.array(self.likeness.array(match.theirs, match.layout, match.stage))
        tensor = from_numpy(array).to(self.fork.device, self.fork.dtype(match.stage))
        own = self.fork.tensor(match.stage)
        tensor = torch.where(tensor.isfinite(), tensor, own)
        self.fork.override(match.stage, tensor)
        self.moved.add(match.stage)


def _same(one: Mapping[str, float], other: Mapping[str, float]) -> bool:
    """Whether two tensors are as far from every stage."""
    return (
        one.keys() == other.keys()
        and bool(one)
        and all(abs(apart - other[stage]) < 1e-9 for stage, apart in one.items())
    )
