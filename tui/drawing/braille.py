"""Thin lines in a terminal: every cell is two dots wide and four high (Unicode's Braille patterns)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

ACROSS, DOWN = 2, 4  # dots of a cell
DOTS = ACROSS * DOWN
BLANK = -1
_BITS = np.array([[0, 3], [1, 4], [2, 5], [6, 7]], dtype=np.int32)  # which bit of a pattern a dot is: (down, across)

Stretch = tuple[str, int]


class Stroke(NamedTuple):
    """A line from the left edge of a canvas to the right one; what lies above or below the canvas is left out.

    Attributes:
        start, end: how far down it begins and ends, in dots; it bends towards level at both ends.
        code: its colour.
        thick: in dots.
        gap: how far its dots are apart; 1 is unbroken.
    """

    start: float
    end: float
    code: int
    thick: int = 1
    gap: int = 1


class Canvas:
    """Lines over a part of the screen. A cell has one colour: that of the line drawn into it last.

    Args:
        width, height: in cells.
    """

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = max(0, width), max(0, height)
        self._dots = np.zeros(self.height * self.width * DOTS, dtype=bool)  # cell by cell, in the order of their bits
        self._codes = np.full((self.height, self.width), BLANK, dtype=np.int16)
        self._written: list[list[Stretch]] | None = None  # each line, once one is asked for

    def draw(self, strokes: Sequence[Stroke]) -> None:
        """Lines, the last one in front; hundreds take little longer than a few."""
        ways = [_way(start, end, self.height, self.width, thick, gap) for start, end, _, thick, gap in strokes]
        if ways:
            codes = np.repeat([stroke.code for stroke in strokes], list(map(len, ways)))
            self._set(np.concatenate(ways), codes)

    def _set(self, dots: npt.NDArray[np.int32], codes: npt.NDArray[np.int64] | int) -> None:
        """Set dots, each of the colour of the last line that has one in its cell."""
        self._written = None
        self._dots[dots] = True
        self._codes.reshape(-1)[dots // DOTS] = codes

    def dots(self, down: npt.NDArray[np.float64], across: npt.NDArray[np.int64], code: int, *, thick: int = 1) -> None:
        """Dots of one colour; those above or below the canvas, or at no number, are left out.

        Args:
            down, across: where each is, in dots; thick: how many stand one above the other.
        """
        rows, columns = self.height * DOWN, self.width * ACROSS
        good = np.isfinite(down) & (across >= 0) & (across < columns)
        for part in range(thick):
            y = np.floor(down[good] + part - (thick - 1) / 2 + 0.5).astype(np.int64)
            x = across[good]
            kept = (y >= 0) & (y < rows)
            self._set(_places(self.height, self.width)[y[kept], x[kept]], code)

    def runs(self, line: int) -> list[Stretch]:
        """A line of the screen: texts with the code of their colour; `BLANK` where nothing is."""
        if self._written is None:
            self._written = self._write()
        return self._written[line]

    def _write(self) -> list[list[Stretch]]:
        """All lines at once: one by one they took longer than all the rest of a picture."""
        if not self.width or not self.height:
            return [[] for _ in range(self.height)]
        bits = np.packbits(self._dots, bitorder="little").astype(np.int32)
        letters = np.where(bits > 0, bits + 0x2800, ord(" ")).astype("<u4").tobytes().decode("utf-32-le")
        begins = np.ones(self._codes.shape, dtype=bool)
        np.not_equal(self._codes[:, 1:], self._codes[:, :-1], out=begins[:, 1:])
        starts = np.flatnonzero(begins)
        codes, edges = self._codes.reshape(-1)[starts].tolist(), [*starts.tolist(), len(letters)]
        written = [(letters[start:end], code) for (start, end), code in zip(pairwise(edges), codes, strict=True)]
        ends = np.cumsum(begins.sum(axis=1)).tolist()
        return [written[start:end] for start, end in pairwise([0, *ends])]


@lru_cache(maxsize=16)
def _places(height: int, width: int) -> npt.NDArray[np.int32]:
    """Where each dot of a canvas of so many cells, down and across, is among all: of its cell, the bit of its pattern."""
    y, x = np.arange(height * DOWN)[:, None], np.arange(width * ACROSS)[None, :]
    return ((y // DOWN * width + x // ACROSS) * DOTS + _BITS[y % DOWN, x % ACROSS]).astype(np.int32)


@lru_cache(maxsize=2048)  # as a picture scrolls, its lines have the same ends again
def _way(start: float, end: float, height: int, width: int, thick: int, gap: int) -> npt.NDArray[np.int32]:
    """The dots of a line on a canvas of so many cells."""
    rows, columns = height * DOWN, width * ACROSS
    if not rows or not columns:
        return np.zeros(0, dtype=np.int32)
    bent, across = _bend(max(columns, int(2 * min(abs(end - start), 16 * rows))), columns)
    down, places = start + (end - start) * bent, _places(height, width)
    parts: list[npt.NDArray[np.int32]] = []
    for part in range(thick):
        y = np.floor(down + part - (thick - 1) / 2 + 0.5).astype(np.int64)
        kept = (y >= 0) & (y < rows)
        if gap > 1:  # along the longer side, so that steep parts are broken as well
            kept &= (across + y) % gap == 0
        parts.append(places[y[kept], across[kept]])
    return np.concatenate(parts)


@lru_cache(maxsize=256)
def _bend(steps: int, columns: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """How far down of its way a line is at each step, and in which column."""
    share = np.linspace(0, 1, steps + 1)
    eased = share * share * (3 - 2 * share)
    return (share + eased) / 2, np.rint(share * (columns - 1)).astype(np.int64)
