"""The figures of the statistics view."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..state.plane import Plane
from ..state.subject import Subject

if TYPE_CHECKING:
    from ...engine.commands.session import Session
    from ...engine.program.stats import Stats

BLOCK = 1 << 20
_BYTES = {"bool": 1, "int8": 1, "uint8": 1, "int16": 2, "float16": 2, "bfloat16": 2, "int32": 4, "float32": 4}


@dataclass(frozen=True, slots=True)
class Figures:
    """Statistics of a value and of the plane of it that is shown.

    Attributes:
        whole, plane: the same figures of both; `plane` is None where the plane is all there is.
        bytes: how much memory the whole value takes.
        entropies: of attention weights, for each head the mean entropy of a query's row in nats.
        queries: how many rows that mean was taken over.
    """

    whole: Stats
    plane: Stats | None
    bytes: int
    entropies: tuple[float, ...] = ()
    queries: int = 0


def read_figures(session: Session, subject: Subject, plane: Plane) -> Figures:
    """Gather the figures block by block. Runs on the engine's thread."""
    value = session.trace[subject.stage]
    whole = value.stats()
    part = value.stats(plane.window(slice(None), slice(None))) if plane.size < math.prod(subject.shape) else None
    size = math.prod(subject.shape) * _BYTES.get(subject.dtype, 8)
    if not (is_attention(subject) and whole.min >= 0):
        return Figures(whole, part, size)
    entropies, queries = _entropies(session, plane)
    return Figures(whole, part, size, entropies, queries)


def is_attention(subject: Subject) -> bool:
    """Whether the rows of this value are probabilities over keys."""
    return subject.stage.endswith(".weights") and subject.axes[-3:] == ("head", "query", "key")


def _entropies(session: Session, plane: Plane) -> tuple[tuple[float, ...], int]:
    """Mean entropy of each head over the tokens of the text that is shown; padding asks nothing and is left out."""
    value, trace = session.trace[plane.stage], session.trace
    asking = trace.inputs.tokens_along(trace.program[plane.stage], "query")
    mask = asking.mask if asking is not None else trace.tokens.mask
    text = plane.text(0)
    real = np.flatnonzero(mask[text]) if text < len(mask) and mask.shape[1] == plane.rows else np.arange(plane.rows)
    if not len(real):
        return (), 0
    step = max(1, BLOCK // max(1, plane.columns))
    means: list[float] = []
    for head in range(plane.shape[-3]):
        total = 0.0
        for start in range(0, plane.rows, step):
            stop = min(plane.rows, start + step)
            index = (*plane.fixed[:-1], head, slice(start, stop), slice(None))
            rows = value.read(index)[real[(real >= start) & (real < stop)] - start].astype(np.float64)
            logs = np.log(rows, out=np.zeros_like(rows), where=rows > 0)
            total -= float((rows * logs).sum())
        means.append(total / len(real))
    return tuple(means), len(real)
