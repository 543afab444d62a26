"""Where a mask hides keys: read from the mask itself, so that nothing else, an overflow say, is taken for hidden."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...program.arrays import Array
from ...program.index import Index
from ...program.stage import MAIN, Shape, Stage
from ...program.trace import Trace
from ...program.value import Value
from .align import Indices, picked

# Below this a number in a mask, or what became of a score, is meant to hide a key: half of the -10000 of the first BERT.
HIDES = -5000.0


def may_hide(stage: Stage) -> bool:
    """Whether a stage's own numbers tell of hidden keys: a mask that is added, or scores with one put on them."""
    return stage.card.hides or (_is_added(stage) and stage.axes[-1:] == ("key",))


def _is_added(stage: Stage) -> bool:
    """Whether it is a mask of numbers that are added to scores, rather than of zeros and ones."""
    return stage.card.mask and not stage.card.whole_numbers


class Hidden:
    """Where one side of a comparison has keys hidden at a stage.

    Args:
        trace: the side.
        stage: as the other side calls it as well.
        other: the other side, whose mask serves where this is a recording that lacks its own; None where tokens are not
            at the same places.
    """

    def __init__(self, trace: Trace, stage: Stage, other: Trace | None = None) -> None:
        self.stage = stage
        self.mask: Value | None = None
        for side in (trace, other):
            if self.mask is None and side is not None:
                self.mask = mask_of(side, stage)
        keys = stage.sequence_along("key") if "key" in stage.axes else MAIN
        self._padded = trace.original_inputs.sequences[keys].mask == 0  # (batch, key), for a recording without its mask

    def places(self, numbers: Array, index: Index, picks: Sequence[tuple[int, Indices]] = ()) -> Array:
        """True of the places of a window that the mask hides.

        Args:
            numbers: the window.
            index: of it, with an entry for each axis; what is an int has no axis in the window.
            picks: what was kept of them; see `Piece`.
        """
        low = np.asarray(numbers < HIDES)
        if _is_added(self.stage):
            return np.asarray(low)
        if self.mask is not None:
            sizes = self.mask.shape
            put = np.asarray(self.mask.read(clipped_index(index, sizes)))
            put = picked(put, [(axis, kept) for axis, kept in picks if sizes[axis] > 1])
            return np.asarray(low & (put == 0 if self.mask.dtype.startswith("int") else put < HIDES))
        padded = self._padded[:, None, None, :]  # (batch, head, query, key)
        there: Array = padded[clipped_index(index, padded.shape)]
        return np.asarray(low & picked(there, [(axis, kept) for axis, kept in picks if axis == len(index) - 1]))


def beside_lost_rows(a: Array, b: Array, ours: Array, theirs: Array) -> tuple[Array, Array]:
    """Where masks hide keys, but that what one side hides of a row that is NaN on both says nothing.

    One side adds the mask, so that NaN stays NaN, the other writes its number over them: of a row that had come in as NaN neither
    knows anything, and the softmax makes all of it NaN.

    Args:
        a, b: a window of either side, whose last axis is keys.
        ours, theirs: where masks hide them.
    """
    nans = np.isnan(a), np.isnan(b)
    if not a.ndim or not (nans[0].any() and nans[1].any()):
        return ours, theirs
    lost = np.ones((*a.shape[:-1], 1), dtype=bool)
    for nan, hidden in zip(nans, (ours, theirs), strict=True):
        lost &= nan.any(axis=-1, keepdims=True) & (nan | hidden).all(axis=-1, keepdims=True)
    either = (ours | theirs) & lost
    return ours | either, theirs | either


def mask_of(trace: Trace, stage: Stage) -> Value | None:
    """The mask that is put on scores at a stage; None where there is none, or a recording lacks it."""
    if (
        not stage.card.hides
        or len(stage.inputs) < 2
        or stage.inputs[1] not in trace.program
        or not trace.has(stage.inputs[1])
    ):
        return None
    mask = trace.value(stage.inputs[1])
    return mask if len(mask.shape) == len(stage.axes) else None


def clipped_index(index: Index, shape: Shape) -> Index:
    """The same window of a value some of whose axes are one for all: the mask, which is the same for every head."""
    only = (
        (0 if isinstance(part, int) else slice(0, 1)) if size == 1 else part
        for part, size in zip(index, shape, strict=True)
    )
    return tuple(only)
