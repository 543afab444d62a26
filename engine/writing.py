"""Values as plain text, for the console, for batch mode and for whoever pipes it on."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .debugger import Stop
from .index import PLACE_AXIS, TOKEN_AXES, WORD_AXES, Index, offset
from .places import write_place
from .program import Shape, write_shape
from .translation import tr
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


def write_stop(stop: Stop, shapes: Mapping[str, Shape]) -> str:
    """Where the cursor came to rest, in a line: the reason, the stage, its shape, and the condition that held."""
    if stop.stage is None:
        return tr("at the start, before the first stage")
    place = f"{stop.stage.name} {write_shape(shapes[stop.stage.name])} ({', '.join(stop.stage.axes)})"
    if stop.breakpoint is not None:
        return tr("breakpoint {number} at {place}", number=stop.breakpoint.number, place=place) + write_held(stop)
    return tr("at the end, {place}", place=place) if stop.reason == "end" else tr("at {place}", place=place)


def write_held(stop: Stop) -> str:
    """What made the condition of a stop true, and which number: `: nan = 3, at [batch=0, token=2, hidden=7]`."""
    if not stop.held or stop.stage is None:
        return ""
    at = write_place(stop.stage.axes, stop.place) if stop.place and None not in stop.place else ""
    return f": {stop.held}, {tr('at {place}', place=at)}" if at and at not in stop.held else f": {stop.held}"


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
    facts |= {name: f"{getattr(stats, name):.9g}" for name in ("min", "max", "mean", "std", "absmax", "norm")}
    return "\n".join([title, *(f"  {name:<8}{fact}" for name, fact in facts.items())])


def write_value(value: Value, index: Index, layout: Layout = Layout()) -> str:
    """A window as a labelled table (the last two of its axes), or a number alone.

    Leading axes become one table each; what does not fit the layout is cut and said.
    """
    shape = value.window_shape(index)
    place = _place(value, index)
    if not shape:
        return f"{place} = {write_number(value.read(index).item())}"
    if 0 in shape:
        return f"{place} selects nothing"
    axes = [axis for axis, part in enumerate(index) if isinstance(part, slice)]
    if len(axes) <= 2:
        return "\n".join([place, *_table(value, index, axes, layout)])
    first = axes[0]
    part = index[first]
    assert isinstance(part, slice)
    places = range(*part.indices(value.shape[first]))
    tables = [write_value(value, (*index[:first], at, *index[first + 1 :]), layout) for at in places[: layout.tables]]
    left = len(places) - layout.tables
    if left > 0:
        tables.append(
            f"... {left} more along {value.axes[first]}; print [{value.axes[first]}={places[layout.tables]}] to see the next"
        )
    return "\n\n".join(tables)


def _place(value: Value, index: Index) -> str:
    parts = []
    for axis, part, size in zip(value.axes, index, value.shape, strict=True):
        if isinstance(part, int):
            word = _token(value, index, axis, part)
            parts.append(f"{axis}={part}" + (f" {word!r}" if word else ""))
        else:
            whole = part.indices(size) == (0, size, 1)
            step = f":{part.step}" if part.step not in (None, 1) else ""
            parts.append(f"{axis}" if whole else f"{axis}={part.start}:{'' if part.stop is None else part.stop}{step}")
    return f"{value.name}[{', '.join(parts)}]"


def _token(value: Value, index: Index, axis: str, at: int) -> str:
    if axis in WORD_AXES:
        return value.word(at)
    if axis == PLACE_AXIS:
        return f"{offset(at, value.shape[value.axes.index(axis)]):+d}"
    if axis not in TOKEN_AXES or not value.tokens:
        return ""
    row = index[0] if value.axes[0] == "batch" and isinstance(index[0], int) else 0
    row = row if row < len(value.tokens) else 0
    return value.tokens[row][at] if at < len(value.tokens[row]) else ""


def _table(value: Value, index: Index, axes: Sequence[int], layout: Layout) -> list[str]:
    ranges = []
    for axis, most in zip(axes, (layout.rows, layout.columns) if len(axes) == 2 else (layout.columns,), strict=True):
        part = index[axis]
        assert isinstance(part, slice)
        ranges.append((axis, range(*part.indices(value.shape[axis])), most))
    cut = list(index)
    for axis, places, most in ranges:
        kept = places[:most]
        cut[axis] = slice(kept.start, kept.stop if kept.stop >= 0 else None, kept.step)
    numbers = np.atleast_2d(value.read(tuple(cut)))
    labels = [
        [f"{at} {_token(value, index, value.axes[axis], at)}".strip() for at in places[:most]]
        for axis, places, most in ranges
    ]
    rows = labels[0] if len(ranges) == 2 else [""]
    table = [["", *labels[-1]]]
    short = (
        (lambda number: f"{number} {value.word(int(number))}")
        if value.holds_ids
        else (lambda number: write_short(number, layout.digits))
    )
    table += [[row, *map(short, line)] for row, line in zip(rows, numbers, strict=True)]
    widths = [max(map(cells, column)) for column in zip(*table, strict=True)]
    lines = ["  ".join([_left(line[0], widths[0]), *map(_right, line[1:], widths[1:])]).rstrip() for line in table]
    for axis, places, most in ranges:
        if len(places) > most:
            lines.append(f"... {len(places) - most} more along {value.axes[axis]}")
    return lines


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
