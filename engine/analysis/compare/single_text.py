"""One text of a batch by itself: the same tokens without the padding the others brought."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from ...program.inputs import Inputs
from ...program.stage import MAIN
from ...program.tokens import Tokens
from .align import Alignment, Pair


def alone(inputs: Inputs, row: int) -> Inputs:
    """What goes in of one text, without what padded it; see `_alone`."""
    others = {name: _alone(sequence, row) for name, sequence in inputs.others.items()}
    return Inputs(_alone(inputs.tokens, row), others)


def _alone(tokens: Tokens, row: int) -> Tokens:
    """The tokens of one text, cut to those that are not padding; positions that only say where they stand begin at 0 again."""
    kept = np.flatnonzero(tokens.mask[row])
    arrays: dict[str, Any] = {
        name: getattr(tokens, name)[row : row + 1, kept] for name in ("ids", "mask", "segments", "positions")
    }
    if (arrays["positions"][0] == kept).all():
        arrays["positions"] = np.arange(len(kept), dtype=np.int64)[None]
    strings = (tuple(tokens.strings[row][at] for at in kept),)
    places = (tuple(tokens.places[row][at] for at in kept),) if row < len(tokens.places) else ()
    arrays["arrays"] = {
        name: array[row : row + 1, kept]
        if array.ndim == 3 and array.shape[:2] == tokens.shape
        else array[row : row + 1]
        for name, array in tokens.arrays.items()
    }
    second = (tuple(tokens.second[row][at] for at in kept),) if row < len(tokens.second) else ()
    return dataclasses.replace(
        tokens, texts=(tokens.texts[row],), strings=strings, places=places, second=second, **arrays
    )


def alone_alignment(inputs: Inputs, row: int, single: Inputs) -> Alignment:
    """The text in its batch beside the text alone."""
    every = {name: _beside(sequence, row, single.sequences[name]) for name, sequence in inputs.sequences.items()}
    return dataclasses.replace(every.pop(MAIN), others=every)


def _beside(tokens: Tokens, row: int, single: Tokens) -> Alignment:
    kept = np.flatnonzero(tokens.mask[row])
    return Alignment(False, (Pair(row, 0, kept, np.arange(len(kept)), 0, (), ()),), tokens, single)
