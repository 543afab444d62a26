"""Where in a value a number stands."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .faces import faces_along
from .index import WORD_AXES, texts_of, token_in
from .per_text import Index, element_of
from .value import Value

# An int for each axis of a value; None for an axis along which no one place is meant.
Place = tuple[int | None, ...]
Matches = Callable[[npt.NDArray[Any]], npt.NDArray[np.bool_]]


def first_place(value: Value, wanted: Matches, index: Index | str = ()) -> Place | None:
    """The first element that is wanted, of a value or a window of it: a place for each axis of the value; None if none is."""
    bound = value.bind(index)
    seen = 0
    for block in value.blocks(bound):
        hits = np.flatnonzero(wanted(block))
        if hits.size:
            within = np.unravel_index(seen + int(hits[0]), value.window_shape(bound))
            return element_of(bound, value.shape, [int(at) for at in within])
        seen += block.size
    return None


def word_at(value: Value, axis: str, at: int, rows: Iterable[int]) -> str:
    """What a place along an axis of a value is called: a token, the word of an id, a label; "" where it has no name.

    Args:
        rows: the texts that are meant.
    """
    return value.word(at) if axis in WORD_AXES else token_in(value.tokens, axis, at, rows)


def face_at(value: Value, axis: str, at: int, rows: Iterable[int]) -> str:
    """`word_at` where it is read by people: an unknown token is called by what the text has there, `?猫` for `[UNK]`."""
    if axis in WORD_AXES:
        return value.word(at)
    return token_in({axis: faces_along(value.tokens[axis])}, axis, at, rows) if axis in value.tokens else ""


def text_of(value: Value, place: Sequence[int]) -> int:
    """The text that an element belongs to; the first where it belongs to none alone."""
    return place[0] if value.axes[:1] == ("batch",) and place[0] < texts_of(value.tokens) else 0


def write_place(axes: Sequence[str], place: Place) -> str:
    """`[batch=0, token=3, hidden=7]`."""
    return f"[{', '.join(f'{axis}={at}' for axis, at in zip(axes, place, strict=True) if at is not None)}]"
