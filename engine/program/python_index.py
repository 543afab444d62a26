"""Indices as numpy's users write them, `value[0, ..., -1]`, with the command line's names among them: `value[0, "head=3"]`."""

from __future__ import annotations

import operator
from typing import cast

from ..messages.errors import InputError
from .index import Selector, Written, parse_index

WHOLE_ARRAY = "np.asarray(value)[...] takes what numpy takes"


def written_index(key: object) -> Written:
    """What stands between the brackets, as an index that is not matched to a value yet.

    Args:
        key: an int, a slice, `...`, text in the index language (`"head=3"`, `"2:5"`, `"cat"`), or a tuple of them. A text that
            is no index, such as `"[CLS]"`, is the name of a token; one that would be read as something else is quoted within:
            `'"3"'`.

    Raises:
        InputError: anything else, a plain index after a named one, or a text with `=` that cannot be read.
    """
    positional: list[Selector | None] = []
    named: list[tuple[str, Selector]] = []
    parts = cast("tuple[object, ...]", key) if isinstance(key, tuple) else (key,)
    for part in parts:
        one = _written(part)
        if one.positional and named:
            raise InputError(f"index {part!r} is a plain one after a named one; put plain ones first")
        if None in one.positional and None in positional:
            raise InputError("an index can have one ellipsis ('...')")
        positional += one.positional
        named += one.named
    return Written(tuple(positional), tuple(named))


def _written(part: object) -> Written:
    if isinstance(part, str):
        return _read(part)
    if part is Ellipsis:
        return Written((None,))
    if isinstance(part, slice):
        return Written((_whole_numbers(cast("slice[object, object, object]", part)),))
    return Written((_whole_number(part),))


def _read(text: str) -> Written:
    try:
        return parse_index(text)
    except InputError:
        if "=" in text:
            raise
        return Written((text,))


def _whole_numbers(part: slice[object, object, object]) -> slice:
    ends = [None if end is None else _whole_number(end) for end in (part.start, part.stop, part.step)]
    if ends[2] == 0:
        raise InputError("index has a step of 0")
    return slice(*ends)


def _whole_number(part: object) -> int:
    """An int, numpy's included; True is a mask to numpy, and none here."""
    if not isinstance(part, bool):
        try:
            return operator.index(part)  # type: ignore[arg-type]
        except TypeError:
            pass
    raise InputError(f"index {part!r} is neither a number, a slice, ... nor text; {WHOLE_ARRAY}")
