"""Values as plain text, for the console, for batch mode and for whoever pipes it on."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..messages.translation import tr
from .element import word_at
from .index import PLACE_AXIS, Along, offset, texts_of
from .per_text import Index, PerText, is_rectangle, of_text, rows_of
from .value import Value


@dataclass(frozen=True, slots=True)
class Layout:
    """How `print` writes tables; `set` changes it.

    Attributes:
        digits: significant digits of a number in a table.
        rows, columns: the most a table has; the rest is said to be there.
        tables: the most tables for leading axes.
    """

    digits: int = 5
    rows: int = 64
    columns: int = 16
    tables: int = 4


def write_number(number: float | int | bool | np.generic) -> str:
    """One number as short as still tells it from its float32 neighbours: up to 9 significant digits."""
    if isinstance(number, np.generic):
        number = number.item()
    if isinstance(number, bool):
        return str(number)
    return str(number) if isinstance(number, int) else f"{number:.9g}"


def write_stats(title: str, value: Value, index: Index) -> str:
    """Shape and statistics of a value or a window of it, a line each."""
    stats = value.stats(index)
    shape = value.window_shape(index)
    axes = [axis for axis, part in zip(value.axes, index, strict=True) if isinstance(part, slice)]
    sizes = ", ".join(f"{axis}={size}" for axis, size in zip(axes, shape, strict=True))
    facts = {
        "shape": f"[{sizes}] {value.dtype}",
        "count": f"{stats.count:,}",
        "nan": f"{stats.nan:,}",
        "inf": f"{stats.inf:,}",
        "zeros": f"{stats.zeros:,} ({stats.sparsity:.1%})",
    }
    if not is_rectangle(index):
        facts["places"] = write_texts(value.axes, index, value.tokens)
    facts |= {name: f"{getattr(stats, name):.9g}" for name in ("min", "max", "mean", "std", "absmax", "norm")}
    return "\n".join([title, *(f"  {name:<8}{fact}" for name, fact in facts.items())])


def write_value(value: Value, index: Index, layout: Layout = Layout()) -> str:
    """A window as a labelled table (the last two of its axes), or a number alone.

    Leading axes become one table each, and so do texts whose tokens the table names and differ; what does not fit the
    layout is cut and said.
    """
    shape = value.window_shape(index)
    place = _place(value, index)
    if not shape:
        return f"{place} = {write_number(value.read(index).item())}"
    if 0 in shape:
        return f"{place} selects nothing"
    axes = [axis for axis, part in enumerate(index) if isinstance(part, slice)]
    if len(axes) <= 2 and not _of_unlike_texts(value, index, axes):
        return "\n".join([place, *_table(value, index, axes, layout)])
    first = axes[0]
    part = index[first]
    assert isinstance(part, slice)
    places = range(*part.indices(value.shape[first]))
    tables = [write_value(value, _at(index, first, at), layout) for at in places[: layout.tables]]
    left = len(places) - layout.tables
    if left > 0:
        tables.append(
            f"... {left} more along {value.axes[first]}; print [{value.axes[first]}={places[layout.tables]}] to see the next"
        )
    return "\n\n".join(tables)


def write_texts(axes: Sequence[str], index: Index, along: Along, most: int = 6) -> str:
    """Where the tokens stand that an index names, text by text: `text 0 key=5 [SEP], text 1 key=8 [SEP]`."""
    rows = rows_of(index, texts_of(along))
    texts = [f"{tr('text')} {row} {_named(axes, index, along, row)}" for row in rows[:most]]
    return ", ".join(texts) + ", …" * (len(rows) > most)


def _named(axes: Sequence[str], index: Index, along: Along, row: int) -> str:
    """The tokens of one text that an index names: `query=4 it, key=7 [SEP]`."""
    named = [(axis, part.of(row)) for axis, part in zip(axes, index, strict=True) if isinstance(part, PerText)]
    return ", ".join(f"{axis}={at} {along[axis][row][at]}" for axis, at in named)


def _at(index: Index, axis: int, at: int) -> Index:
    """The index with one place along an axis that was open; a text's tokens are where they are in it."""
    return of_text(index, at) if axis == 0 else (*index[:axis], at, *index[axis + 1 :])


def _of_unlike_texts(value: Value, index: Index, axes: Sequence[int]) -> bool:
    """Whether the table would name places by tokens, and has texts in it that are not of the same tokens."""
    if value.axes[0] != "batch" or axes[0] != 0:
        return False
    named = [strings for axis in axes if (strings := value.tokens.get(value.axes[axis]))]
    rows = rows_of(index, value.shape[0])
    return any(len({tuple(strings[row]) for row in rows if row < len(strings)}) > 1 for strings in named)


def _place(value: Value, index: Index) -> str:
    parts: list[str] = []
    for axis, part, size in zip(value.axes, index, value.shape, strict=True):
        if isinstance(part, int):
            word = _token(value, index, axis, part)
            parts.append(f"{axis}={part}" + (f" {word!r}" if word else ""))
        elif isinstance(part, PerText):
            words = dict.fromkeys(value.tokens[axis][row][part.of(row)] for row in rows_of(index, value.shape[0]))
            parts.append(f"{axis}={'|'.join(map(repr, words))}")
        else:
            whole = part.indices(size) == (0, size, 1)
            step = f":{part.step}" if part.step not in (None, 1) else ""
            parts.append(f"{axis}" if whole else f"{axis}={part.start}:{'' if part.stop is None else part.stop}{step}")
    return f"{value.name}[{', '.join(parts)}]"


def _token(value: Value, index: Index, axis: str, at: int) -> str:
    if axis == PLACE_AXIS:
        return f"{offset(at, value.shape[value.axes.index(axis)]):+d}"
    rows = rows_of(index, value.shape[0]) if value.axes[0] == "batch" else range(texts_of(value.tokens))
    return word_at(value, axis, at, rows)


def _table(value: Value, index: Index, axes: Sequence[int], layout: Layout) -> list[str]:
    ranges: list[tuple[int, range, int]] = []  # an axis, its places, the most of them that are written
    by_text = not is_rectangle(index)  # then each text has a row, with the tokens that are named before it
    most_of_each = (layout.rows, layout.columns) if by_text or len(axes) == 2 else (layout.columns,)
    for axis, most in zip(axes, most_of_each, strict=False):
        part = index[axis]
        assert isinstance(part, slice)
        ranges.append((axis, range(*part.indices(value.shape[axis])), most))
    cut = list(index)
    for axis, places, most in ranges:
        kept = places[:most]
        cut[axis] = slice(kept.start, kept.stop if kept.stop >= 0 else None, kept.step)
    numbers = np.atleast_2d(value.read(tuple(cut)))
    labels = [
        [f"{at} {_label(value, index, axis, at)}".strip() for at in places[:most]] for axis, places, most in ranges
    ]
    if by_text and len(axes) == 1:
        rows, table, numbers = labels[0], [], numbers.T
    else:
        rows, table = labels[0] if len(axes) == 2 else [""], [["", *labels[-1]]]

    def short(number: np.generic) -> str:
        return f"{number} {value.word(int(number))}" if value.holds_ids else write_short(number, layout.digits)

    table += [[row, *map(short, line)] for row, line in zip(rows, numbers, strict=True)]
    widths = [max(map(cells, column)) for column in zip(*table, strict=True)]
    lines = ["  ".join([_left(line[0], widths[0]), *map(_right, line[1:], widths[1:])]).rstrip() for line in table]
    for axis, places, most in ranges:
        if len(places) > most:
            lines.append(f"... {len(places) - most} more along {value.axes[axis]}")
    return lines


def _label(value: Value, index: Index, axis: int, at: int) -> str:
    """What a place of an axis is called in a table: a token, or in a row of one text those that the index names."""
    if axis == 0 and not is_rectangle(index):
        return _named(value.axes, index, value.tokens, at)
    return _token(value, index, value.axes[axis], at)


def write_short(number: np.generic, digits: int) -> str:
    """A number in a table, to so many significant digits."""
    return str(number.item()) if not isinstance(number, np.inexact) else f"{number:.{digits}g}"


def cells(text: str) -> int:
    """How many terminal cells a text takes: two for wide characters, none for combining ones."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _left(text: str, width: int) -> str:
    return text + " " * (width - cells(text))


def _right(text: str, width: int) -> str:
    return " " * (width - cells(text)) + text
