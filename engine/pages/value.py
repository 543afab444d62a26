"""A value as HTML: heat maps of its planes with the tokens' names beside them; of ids, the words."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise, product

import numpy as np
import numpy.typing as npt

from ..messages.translation import tr
from ..program.down_sample import edges_of, pool
from ..program.dtypes import floor_of
from ..program.element import face_at
from ..program.per_text import Index, Rectangle, by_text, is_rectangle
from ..program.value import Value
from .heat import WRITTEN_COLUMNS, HeatTable, Scale, few_digits, scale_over, write_heat, write_legend
from .markup import Html, join, tag

EVERY = 8  # of the columns that have no words and little room, so many have one number


@dataclass(frozen=True, slots=True)
class Room:
    """How much of a value is shown, and read for it.

    Attributes:
        rows, columns: cells of one plane.
        planes: of one value; cells: of all of them together.
        reads: numbers, of all of them together.
    """

    rows: int = 32
    columns: int = 64
    planes: int = 12
    cells: int = 3072
    reads: int = 1 << 22


ROOM = Room()


@dataclass(frozen=True, slots=True, eq=False)
class SampledPlane:
    """A plane in no more cells than there is room for.

    Attributes:
        numbers: (row, column): of each part of the plane the number of largest magnitude.
        rows, columns: where the parts begin, and the last ends, as places of the value.
        every: of how many rows one was read.
    """

    numbers: npt.NDArray[np.float64]
    rows: Sequence[range]
    columns: Sequence[range]
    every: int = 1


def value_html(value: Value, index: Index | str = (), room: Room = ROOM) -> Html:
    """A window of a value (all of it, if none is named).

    Args:
        index: as `Value.read` takes it.
        room: how much of it is shown.

    Raises:
        InputError: the index does not fit, or the numbers cannot be had.
    """
    bound = value.bind(index)
    sizes = ", ".join(f"{axis}={size}" for axis, size in zip(value.axes, value.shape, strict=True))
    title = tag("p", tag("code", tag("strong", value.name), f" [{sizes}] {value.dtype}"))
    return join([title, window_html(value, bound, room)])


def window_html(value: Value, bound: Index, room: Room = ROOM) -> Html:
    """The pictures of a window without a title; `bound` has an entry for each axis."""
    if 0 in value.window_shape(bound):
        return tag("p", tr("no numbers"))
    count, planes = _planes(value, bound)
    first = next(planes)
    tall, wide = (len(along) for along in _open(value, first))
    cells = min(tall, room.rows) * min(wide, room.columns)
    shown = [first, *islice(planes, max(0, min(room.planes, room.cells // cells) - 1))]
    parts = [_words(value, plane, room) for plane in shown] if value.holds_ids else _heats(value, shown, room)
    if count > len(shown):
        example = ", ".join(f"{axis}={at}" for axis, at in _fixed(value, next(planes)))
        parts.append(_quiet(tr("{shown} of {count} shown; the next: .html({example})", shown=len(shown), count=f"{count:,}", example=repr(example))))  # fmt: skip
    return join(parts)


def _planes(value: Value, bound: Index) -> tuple[int, Iterator[Rectangle]]:
    """How many planes there are, and each: an index that leaves the last two open axes open, or fewer where there are fewer."""
    texts = [bound] if is_rectangle(bound) else list(by_text(bound, value.shape[0]))
    leading: list[tuple[int, range]] = []
    for axis, part in enumerate(texts[0]):
        if isinstance(part, slice):
            leading.append((axis, range(*part.indices(value.shape[axis]))))
    leading = leading[:-2]

    def each() -> Iterator[Rectangle]:
        for text in texts:
            for places in product(*(along for _, along in leading)):
                plane = list(text)
                for (axis, _), at in zip(leading, places, strict=True):
                    plane[axis] = at
                index = tuple(plane)
                assert is_rectangle(index)
                yield index

    return len(texts) * math.prod(len(along) for _, along in leading), each()


def _open(value: Value, plane: Rectangle) -> tuple[range, range]:
    """The places along rows and columns; one row where one axis is open, one cell where none is."""
    along = [
        range(*part.indices(size)) for part, size in zip(plane, value.shape, strict=True) if isinstance(part, slice)
    ]
    row, column = [range(1)] * (2 - len(along)) + along
    return row, column


def _axes(value: Value, plane: Rectangle) -> tuple[str, str]:
    names = [axis for axis, part in zip(value.axes, plane, strict=True) if isinstance(part, slice)]
    row, column = [""] * (2 - len(names)) + names
    return row, column


def _fixed(value: Value, plane: Rectangle) -> list[tuple[str, int]]:
    """The places that make a plane this one among those of the value."""
    named = zip(value.axes, plane, value.shape, strict=True)
    return [(axis, at) for axis, at, size in named if isinstance(at, int) and size > 1]


def _title(value: Value, plane: Rectangle) -> str:
    """`head 3`; the text too, where there are several."""
    return ", ".join(f"{axis} {_called(value, axis, at, plane)}" for axis, at in _fixed(value, plane))


def _texts(value: Value, plane: Rectangle) -> Sequence[int]:
    """The texts that a plane is of, whose tokens name its places."""
    if value.axes[:1] != ("batch",):
        return (0,)
    part = plane[0]
    return (part,) if isinstance(part, int) else range(*part.indices(value.shape[0]))


def _called(value: Value, axis: str, at: int, plane: Rectangle) -> str:
    """`3 cat`, or `3` where the place has no word."""
    word = face_at(value, axis, at, _texts(value, plane)) if axis else ""
    return f"{at} {word}" if word and word != str(at) else str(at)


# -- numbers -----------------------------------------------------------------------------------------------------


def _heats(value: Value, planes: Sequence[Rectangle], room: Room) -> list[Html]:
    floor = floor_of(value.dtype)
    samples = [sampled_plane(value, plane, room, room.reads // len(planes)) for plane in planes]
    scale = scale_over([each.numbers for each in samples], floor)
    if not any(isinstance(part, slice) for part in planes[0]):  # one number, or one in each text
        lines = [
            f"{_title(value, plane)} = {few_digits(float(each.numbers[0, 0]))}"
            for plane, each in zip(planes, samples, strict=True)
        ]
        return [tag("p", tag("code", line)) for line in lines]
    parts = [_heat(value, plane, each, scale) for plane, each in zip(planes, samples, strict=True)]
    return [join(parts), tag("p", write_legend(scale)), *_said(samples[0])]


def _heat(value: Value, plane: Rectangle, sampled: SampledPlane, scale: Scale) -> Html:
    axes = _axes(value, plane)

    def place(row: int, column: int) -> str:
        parts = [_span(value, axis, along[at], plane) for axis, along, at in zip(axes, (sampled.rows, sampled.columns), (row, column), strict=True) if axis]  # fmt: skip
        return " · ".join(parts)

    rows = _labels(value, axes[0], sampled.rows, plane, sparse=False)
    columns = _labels(value, axes[1], sampled.columns, plane, sparse=len(sampled.columns) > WRITTEN_COLUMNS)
    return write_heat(HeatTable(sampled.numbers, rows, columns, axes, place, _title(value, plane)), scale)


def sampled_plane(value: Value, plane: Rectangle, room: Room, reads: int) -> SampledPlane:
    """A plane in as many cells as there is room for.

    Args:
        reads: how many numbers may be read; where there are more, so many rows of each part are.
    """
    along = _open(value, plane)
    tall, wide = min(len(along[0]), room.rows), min(len(along[1]), room.columns)
    bands = _parts(along[0], tall)
    every = -(-len(along[0]) * len(along[1]) // reads)
    if every == 1:
        numbers = _read(value, plane).reshape(len(along[0]), len(along[1]))
        pooled = pool(numbers, tall, wide, floor_of(value.dtype))
    else:
        strips = [_read(value, _with_rows(plane, _few(band, every))).reshape(-1, len(along[1])) for band in bands]
        pooled = np.concatenate([pool(strip, 1, wide, floor_of(value.dtype)) for strip in strips])
    return SampledPlane(np.asarray(pooled, np.float64), bands, _parts(along[1], wide), every)


def _read(value: Value, plane: Rectangle) -> npt.NDArray[np.float64]:
    return np.asarray(value.read(plane), np.float64)


def _few(band: range, every: int) -> range:
    """The first rows of a part: neighbours, which are computed together."""
    return band[: max(1, len(band) // every)]


def _with_rows(plane: Rectangle, rows: range) -> Rectangle:
    """The plane with these rows alone; a plane of one row has no others."""
    open_axes = [axis for axis, part in enumerate(plane) if isinstance(part, slice)]
    if len(open_axes) < 2:
        return plane
    stop = rows.stop if rows.stop >= 0 else None
    return (*plane[: open_axes[0]], slice(rows.start, stop, rows.step), *plane[open_axes[0] + 1 :])


def _parts(along: range, count: int) -> list[range]:
    edges = edges_of(len(along), count)
    return [along[start:stop] for start, stop in pairwise(edges)]


def _labels(value: Value, axis: str, parts: Sequence[range], plane: Rectangle, *, sparse: bool) -> list[str]:
    """A word for each part of one place, else the number it begins with, or of every eighth where there is little room."""
    labels: list[str] = []
    for number, part in enumerate(parts):
        word = face_at(value, axis, part[0], _texts(value, plane)) if axis and len(part) == 1 else ""
        number_of = str(part[0]) if axis and not (sparse and number % EVERY) else ""
        labels.append(word or number_of)
    return labels


def _span(value: Value, axis: str, part: range, plane: Rectangle) -> str:
    if len(part) == 1:
        return f"{axis} {_called(value, axis, part[0], plane)}"
    return f"{axis} {part[0]}–{part[-1]}"


def _said(sampled: SampledPlane) -> list[Html]:
    """What is not number for number."""
    down, across = (max(map(len, parts)) for parts in (sampled.rows, sampled.columns))
    lines: list[Html] = []
    if down > 1 or across > 1:
        lines.append(
            _quiet(
                tr(
                    "each cell is the number of largest magnitude of up to {rows} × {columns}",
                    rows=down,
                    columns=across,
                )
            )
        )
    if sampled.every > 1:
        lines.append(_quiet(tr("of every {every} rows one is read", every=sampled.every)))
    return lines


def _quiet(words: str) -> Html:
    return tag("p", words, class_="quiet")


# -- words -------------------------------------------------------------------------------------------------------


def _words(value: Value, plane: Rectangle, room: Room) -> Html:
    """Ids as what they stand for; the id itself is under the mouse."""
    rows, columns = _open(value, plane)
    axes = _axes(value, plane)
    shown = _with_rows(plane, rows[: room.rows])
    numbers = np.asarray(value.read(shown)).reshape(-1, len(columns))[:, : room.columns]
    names = [_called(value, axes[0], at, plane) if axes[0] else "" for at in rows[: room.rows]]
    head = [str(at) if axes[1] else "" for at in columns[: room.columns]]  # ids of tokens say the words themselves
    lines = [
        tag("tr", tag("th", name, scope="row"), *(tag("td", value.word(int(number)), title=str(int(number))) for number in line))
        for name, line in zip(names, numbers, strict=True)
    ]  # fmt: skip
    corner = tag(
        "tr", tag("th", " ↓ ".join(filter(None, axes)), " →"), *(tag("th", name, scope="col") for name in head)
    )
    left = [tr("{count} more {axis}", count=len(along) - most, axis=axis) for along, most, axis in zip((rows, columns), (room.rows, room.columns), axes, strict=True) if len(along) > most]  # fmt: skip
    title = _title(value, plane)
    table = tag(
        "table", *([tag("caption", title)] if title else []), tag("thead", corner), tag("tbody", *lines), class_="words"
    )
    return join([table, *map(_quiet, left)])
