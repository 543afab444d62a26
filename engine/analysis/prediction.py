"""What a head says: the likeliest words, or labels, of one place, and the way that leads to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from ..program.trace import Trace

LONGEST_WAY = 12


@dataclass(frozen=True, slots=True)
class Guess:
    """A word, or a label, and how likely it is."""

    word: str
    share: float


@dataclass(frozen=True, slots=True)
class Prediction:
    """What is said of one place.

    Attributes:
        best: the likeliest, in order; equally likely ones in the order of their ids.
        rest: what all the others have together; NaN where each is a probability of its own.
        count: how many words or labels there are.
    """

    best: tuple[Guess, ...]
    rest: float
    count: int


def prediction_of(trace: Trace, shares: str, place: Sequence[int], count: int = 10) -> Prediction:
    """The likeliest words or labels of a place, in float64.

    Args:
        shares: the stage of the probabilities.
        place: an int for each of its axes but the last.
    """
    value = trace.value(shares)
    row = np.asarray(value.read(tuple(place))).astype(np.float64).reshape(-1)
    order = places_of_largest(row, count)
    called = trace.reader(trace.program[shares])
    together = trace.program[shares].card.shares
    rest = float(row.sum() - row[order].sum()) if together else float("nan")
    return Prediction(
        tuple(Guess(called(int(at)), float(row[at])) for at in order), max(rest, 0.0) if together else rest, len(row)
    )


def places_of_largest(row: npt.NDArray[np.float64], count: int) -> npt.NDArray[np.intp]:
    """Where the largest numbers are, in order; equal ones in that of their places, and NaN after all others.

    A vocabulary is not sorted for ten words of it.
    """
    if 0 < count < len(row):
        last = -np.partition(-row, count - 1)[count - 1]
        places = np.flatnonzero(row >= last)
        if len(places) >= count:  # else there are fewer numbers, and the last is NaN
            return places[np.argsort(-row[places], kind="stable")[:count]]
    return np.argsort(-row, kind="stable")[:count]


def way_to(trace: Trace, shares: str) -> tuple[tuple[str, int], ...]:
    """The stages from what goes into a head to its probabilities, each with how many numbers a token has there."""
    program = trace.program
    way = [shares]
    while len(way) < LONGEST_WAY and (inputs := program[way[0]].inputs):
        way.insert(0, inputs[0])
        if program[way[0]].room != program[shares].room:
            break
    return tuple((name, trace.value(name).shape[-1]) for name in way)
