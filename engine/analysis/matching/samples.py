"""A few numbers of a stage, of real tokens alone, and the same of arrays of somebody's: what they are told apart by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...program.arrays import Array
from ...program.index import TOKEN_AXES
from ...program.stage import Stage
from ...program.trace import Trace
from ...traces.arrangement import Arrangement
from ..compare.hidden_keys import HIDES

MOST = 2048  # numbers of a stage that are looked at
FEWEST = 12  # and of which fewer say nothing
FAR = 9.0  # what two samples are apart that cannot be compared


def sample_places(trace: Trace, stage: Stage, seed: int = 7) -> Array:
    """Places of a stage's value, counted in C's order: all that are of real tokens, or so many of them by chance, but the same ones each time."""
    shape = trace.shapes[stage.name]
    if 0 in shape:
        return np.zeros(0, np.int64)
    random = np.random.default_rng(seed)
    batch = random.integers(0, shape[0], 2 * MOST) if "batch" in stage.axes else np.zeros(2 * MOST, np.int64)
    places: list[Array] = []
    real = np.ones(2 * MOST, bool)
    for axis, size in zip(stage.axes, shape, strict=True):
        at = batch if axis == "batch" else random.integers(0, size, 2 * MOST)
        if axis in TOKEN_AXES:
            mask = trace.original_inputs.sequences[stage.sequence_along(axis)].mask
            if size == mask.shape[1]:
                real &= mask[np.minimum(batch, len(mask) - 1), at] != 0
        places.append(at)
    flat = np.ravel_multi_index(tuple(places), shape)[real][:MOST]
    return np.unique(flat)


@dataclass(frozen=True, slots=True)
class Sample:
    """Numbers of a stage at places of it.

    Attributes:
        places: in C's order.
        numbers: there, as float64; 0 where a mask hides them or they are none.
        told: where there are numbers; None for everywhere.
        length: the root of the sum of their squares.
    """

    places: Array
    numbers: Array
    told: Array | None
    length: float

    @classmethod
    def of(cls, value: Array, places: Array) -> Sample:
        """Of a stage's whole value."""
        numbers = np.asarray(value).reshape(-1)[places].astype(np.float64)
        told = np.isfinite(numbers) & (np.abs(numbers) < -HIDES)
        numbers = np.where(told, numbers, 0.0)
        return cls(places, numbers, None if told.all() else told, float(np.linalg.norm(numbers)))

    @property
    def says(self) -> bool:
        """Whether there is enough in it to know a stage by."""
        return len(self.numbers) >= FEWEST and len(np.unique(self.numbers[:256])) >= FEWEST // 2

    def apart_from(self, others: Array) -> float:
        """How far numbers at the same places are: the length of the difference as a share of the longer of both; 0 for the same."""
        mine, told = self.numbers, np.isfinite(others)
        told = told if self.told is None else told & self.told
        if told.all():
            longer = max(self.length, float(np.linalg.norm(others)))
        else:
            if told.sum() < max(FEWEST, len(told) // 4):
                return FAR
            mine, others = mine[told], others[told]
            longer = max(float(np.linalg.norm(mine)), float(np.linalg.norm(others)))
        return float(np.linalg.norm(mine - others)) / longer if longer else FAR


def taken(array: Array, layout: Arrangement, places: Array) -> Array:
    """The numbers of an array that come to lie at places of the stage."""
    arranged = layout.arranged(array)
    at = np.unravel_index(places % arranged.size, arranged.shape)  # one for all texts
    return np.asarray(arranged[at]).astype(np.float64)
