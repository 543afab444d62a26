"""How like stages of ours and tensors of somebody's are: samples of the ones, the others' numbers at the same places."""

from __future__ import annotations

import math
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from ...program.arrays import Array
from ...program.stage import Stage
from ...program.trace import Trace
from ...traces.arrangement import Arrangement
from ...traces.matched import ForeignTensor
from .layouts import StageSizes, heads_of, layouts, sizes_of_stage, told_layouts
from .samples import Sample, sample_places, taken

NEAR = 1e-4
SAME = 1e-6  # nearer than this numbers are the same but for rounding
FLOATS = ("float16", "bfloat16", "float32", "float64")


@dataclass(slots=True)
class Candidate:
    """A tensor in one layout, and how far it is from a stage."""

    name: str
    layout: Arrangement
    apart: float


class LaidOut:
    """Tensors in layouts, at places of stages of one shape, one a row.

    Args:
        laid: the tensor and layout of each row.
        numbers: (row, place).
    """

    def __init__(self, laid: list[tuple[str, Arrangement]], numbers: Array) -> None:
        self.laid, self.numbers = laid, numbers
        with np.errstate(over="ignore", invalid="ignore"):
            self._squares = (numbers * numbers).sum(axis=1)

    def apart(self, sample: Sample) -> Array:
        """How far each row is from a stage; see `Sample.apart_from`."""
        if sample.told is not None or not self.laid:
            return np.array([sample.apart_from(row) for row in self.numbers])
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            own = sample.length**2
            squares = np.maximum(self._squares + own - 2 * (self.numbers @ sample.numbers), 0.0)
            apart = np.sqrt(squares / np.maximum(self._squares, own))
        for at in np.flatnonzero(~np.isfinite(apart) | (apart < NEAR)):  # near ones cancel
            apart[at] = sample.apart_from(self.numbers[at])
        return apart


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
    _laid: dict[tuple[StageSizes, int], LaidOut] = field(default_factory=dict[tuple[StageSizes, int], "LaidOut"])

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

    def candidates(self, stage: str, sample: Sample, names: Container[str]) -> list[Candidate]:
        """Tensors in the layout in which they are nearest to a stage, nearest first; those of no fitting shape are left out.

        Of layouts as near that which does least.
        """
        rows = self._rows(stage, sample.places)
        best: dict[str, Candidate] = {}
        for (name, layout), apart in zip(rows.laid, rows.apart(sample).tolist(), strict=True):
            if name in names and (name not in best or apart < best[name].apart * 0.5 - 1e-7):
                best[name] = Candidate(name, layout, apart)
        return sorted(best.values(), key=lambda candidate: candidate.apart)

    def apart(self, name: str, layout: Arrangement, sample: Sample) -> float:
        """How far a tensor in a layout is from a stage."""
        return sample.apart_from(taken(self._array(name), layout, sample.places))

    def _rows(self, stage: str, places: Array) -> LaidOut:
        """Every tensor in every layout in which it may be a stage, at places of it."""
        key = (self.sizes[stage], id(places))
        if key not in self._laid:
            laid = [
                (name, layout) for name, tensor in self.tensors.items() for layout in self.layouts_of(stage, tensor)
            ]
            numbers = np.empty((len(laid), len(places)))
            for at, (name, layout) in enumerate(laid):
                numbers[at] = taken(self._array(name), layout, places)
            self._laid[key] = LaidOut(laid, numbers)
        return self._laid[key]

    def layouts_of(self, stage: str, tensor: ForeignTensor) -> list[Arrangement]:
        """Every layout by which a tensor may be a stage, as far as its axes are told."""
        every = layouts(self.sizes[stage], tensor.shape, self.padded)
        return told_layouts(self.ours.program[stage], tensor.axes, every, tensor.shape)

    def array(self, name: str, layout: Arrangement, stage: str) -> Array:
        """A tensor as the stage's value."""
        return layout.laid(self._array(name), self.ours.shapes[stage])


def comparable(trace: Trace, stage: Stage) -> bool:
    """Whether a stage has numbers to be known by."""
    return trace.has(stage.name) and stage.name not in trace.program.shown and trace.value(stage.name).dtype in FLOATS
