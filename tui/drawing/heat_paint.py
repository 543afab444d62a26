"""Lines of coloured cells, with neighbours of one colour joined: a terminal is paid by the change of style."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.style import Style

from .colours import CODES, LONG_MARKS, MARKS, NOTHING, Palette, glyph
from .numbers import fitted_number
from .text import StyledText, fit

Codes = npt.NDArray[np.uint8]

# A green that is in neither scale; what it says is said again by the marker beside the row and the label above.
CURSOR = Style(color="#00120a", bgcolor="#4dff88", bold=True)
_GREEN = "#4dff88"
_PLAIN = Style()
_REVERSE = Style(reverse=True, bold=True)


def halves(upper: Codes, lower: Codes | None, cell_width: int, palette: Palette) -> StyledText:
    """Two rows of cells in one row of the screen."""
    pairs = upper.astype(np.int32) * CODES + (NOTHING if lower is None else lower.astype(np.int32))
    table, codes = _pairs(palette), pairs.tolist()
    return [(mark * ((stop - start) * cell_width), style)
            for start, stop in _runs(pairs) for mark, style in (table[codes[start]],)]  # fmt: skip


class HalfLines:
    """A picture in lines of two rows of cells each, worked out all together when the first of them is asked for.

    Line by line the work with the arrays takes three times as long as all the rest.

    Args:
        codes: (row, column) of the cells; cell_width: columns that each takes.
    """

    def __init__(self, codes: Codes, cell_width: int, palette: Palette) -> None:
        self._codes, self._width, self._palette = codes, cell_width, palette
        self._lines: list[StyledText] | None = None

    def line(self, number: int) -> StyledText:
        """A line, from the top; a single row below the last pair has nothing under it."""
        if self._lines is None:
            self._lines = self._all()
        return self._lines[number]

    def _all(self) -> list[StyledText]:
        rows, columns = self._codes.shape
        if not columns:
            return [[] for _ in range(0, rows, 2)]
        pairs = np.full((-(-rows // 2), columns), NOTHING, dtype=np.int32)
        pairs[: rows // 2] = self._codes[1::2]
        pairs += self._codes[::2].astype(np.int32) * CODES
        begins = np.ones(pairs.shape, dtype=bool)
        np.not_equal(pairs[:, 1:], pairs[:, :-1], out=begins[:, 1:])
        lines, starts = np.nonzero(begins)
        stops = np.append(starts[1:], 0)
        stops[stops == 0] = columns
        table, width = _pairs(self._palette), self._width
        painted = [
            (table[pair][0] * cells, table[pair][1])
            for pair, cells in zip(pairs[lines, starts].tolist(), ((stops - starts) * width).tolist(), strict=True)
        ]
        ends = np.cumsum(np.bincount(lines, minlength=len(pairs))).tolist()
        return [painted[start:end] for start, end in pairwise([0, *ends])]


def halves_with_cursor(
    upper: Codes, lower: Codes | None, cell_width: int, palette: Palette, at: int, *, above: bool
) -> StyledText:
    """The same, with the cursor on cell `at`, in the upper half or the lower.

    A cell of three columns or more keeps its colour in the middle.
    """
    before = halves(upper[:at], None if lower is None else lower[:at], cell_width, palette)
    after = halves(upper[at + 1 :], None if lower is None else lower[at + 1 :], cell_width, palette)
    here = int(upper[at]), NOTHING if lower is None else int(lower[at])
    mark, style = palette.halves(*here)
    if mark != "▀":
        framed = Style(color=_GREEN, bgcolor=style.bgcolor, bold=True, underline=True)
        return [*before, (mark * cell_width, framed), *after]
    other = here[1] if above else here[0]
    bgcolor = None if other == NOTHING else palette.style(other).bgcolor
    edge = Style(color=_GREEN, bgcolor=bgcolor)
    block = "▀" if above else "▄"
    if cell_width < 3:
        return [*before, (block * cell_width, edge), *after]
    return [*before, (block, edge), (mark * (cell_width - 2), style), (block, edge), *after]


def large(codes: Codes, numbers: list[str], cell_width: int, palette: Palette) -> StyledText:
    """One row of cells, with numbers in them where `numbers` is not empty."""
    painted: StyledText = []
    if numbers:
        for code, number in zip(codes.tolist(), numbers, strict=True):
            painted.append((_inside(int(code), number, cell_width), palette.style(int(code))))
        return painted
    for start, stop in _runs(codes):
        code = int(codes[start])
        painted.append((_inside(code, "", cell_width) * (stop - start), palette.style(code)))
    return painted


def large_with_cursor(codes: Codes, numbers: list[str], cell_width: int, palette: Palette, at: int) -> StyledText:
    """The same, with brackets around cell `at`."""
    before = large(codes[:at], numbers[:at], cell_width, palette)
    after = large(codes[at + 1 :], numbers[at + 1 :], cell_width, palette)
    code = int(codes[at])
    style = palette.style(code)
    if cell_width == 1:
        return [*before, (MARKS.get(code, " "), CURSOR), *after]
    if cell_width < 4:
        return [*before, ("[" + " " * (cell_width - 2) + "]", CURSOR), *after]
    text = _inside(code, numbers[at] if numbers else "", cell_width).strip()
    edge, inner = Style(color=_GREEN, bgcolor=style.bgcolor), style + Style(bold=True, underline=True)
    if len(text) >= cell_width:  # no bracket, rather than a number cut short
        return [*before, (fit(text, cell_width), CURSOR), *after]
    if len(text) > cell_width - 2:  # only one
        return [*before, ("▌", edge), (fit(text, cell_width - 1), inner), *after]
    return [*before, ("▌", edge), (fit(text, cell_width - 2, "right"), inner), ("▐", edge), *after]


def shades(codes: Codes, numbers: list[str], cell_width: int, *, signed: bool, at: int = -1) -> StyledText:
    """One row of cells without colours: signs and shades, and the numbers where there is room for them."""
    painted: StyledText = []
    text = ""
    for column, code in enumerate(codes.tolist()):
        cell = shade(int(code), numbers[column] if numbers else "", cell_width, signed=signed)
        if column == at:
            painted += [(text, _PLAIN), (cell, _REVERSE)]
            text = ""
        else:
            text += cell
    return [*painted, (text, _PLAIN)]


def shade(code: int, number: str, cell_width: int, *, signed: bool) -> str:
    """One cell without colours. The shade fills it; a number stands before its shade."""
    mark = glyph(code, signed=signed)
    if code in MARKS:
        return _inside(code, number, cell_width)
    if number and cell_width >= len(number) + 2:
        return fit(number, cell_width - 1, "right") + mark[-1]
    return (mark[:-1] + mark[-1] * cell_width)[: max(1, cell_width - (cell_width > len(mark)))].ljust(cell_width)


def in_cells(numbers: npt.NDArray[Any], width: int, decimals: int, *, signed: bool, most: int = 0) -> list[str]:
    """Numbers for a row of cells of a picture; one that does not fit into the width may take `most` before it is left out."""
    fitted = [fitted_number(float(number), width, decimals, signed=signed) for number in numbers.tolist()]
    if all(fitted) or most <= width:
        return fitted
    return [
        text or fitted_number(float(number), most, 0, signed=signed)
        for text, number in zip(fitted, numbers.tolist(), strict=True)
    ]


def _inside(code: int, number: str, cell_width: int) -> str:
    if code in MARKS:
        mark = LONG_MARKS[code]
        if mark[0] == MARKS[code] and code != 31:  # a hatch fills its cell
            return MARKS[code] * cell_width
        return fit(mark if len(mark) <= cell_width else MARKS[code], cell_width, "center")
    room = cell_width - (cell_width > 4 and len(number) < cell_width)
    return fit(number, room, "right").ljust(cell_width)


class _Pairs(dict[int, tuple[str, Style]]):
    """What two codes, one above the other, look like."""

    def __init__(self, palette: Palette) -> None:
        super().__init__()
        self._palette = palette

    def __missing__(self, pair: int) -> tuple[str, Style]:
        self[pair] = drawn = self._palette.halves(*divmod(pair, CODES))
        return drawn


@lru_cache(maxsize=8)
def _pairs(palette: Palette) -> _Pairs:
    return _Pairs(palette)


def _runs(codes: npt.NDArray[Any]) -> list[tuple[int, int]]:
    """Where equal neighbours start and stop."""
    if not codes.size:
        return []
    edges = np.flatnonzero(np.diff(codes)) + 1
    return list(zip([0, *edges.tolist()], [*edges.tolist(), codes.size], strict=True))
