"""Colours of numbers: thirty-one levels, and a mark of its own for what is no number.

Both scales can be told apart without seeing red or green, and their lightness alone gives the magnitude. Where there are
no colours at all, `GLYPHS` and a sign say the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from rich.color import Color
from rich.style import Style

from ...engine.program.arrays import Array
from ...engine.program.dtypes import floor_of
from .ramps import RGB, lightness, ramp

TOP = 30  # levels are 0..30; of a scale with signs 15 is zero
MIDDLE = 15
NAN, PLUS_INFINITY, MINUS_INFINITY, MASKED, NOTHING = 31, 32, 33, 34, 35
CODES = 36

GLYPHS = " ·░▒▓█"
MARKS = {NAN: "N", PLUS_INFINITY: "∞", MINUS_INFINITY: "∞", MASKED: "╱"}
LONG_MARKS = {NAN: "NaN", PLUS_INFINITY: "+∞", MINUS_INFINITY: "-∞", MASKED: "╱╱"}

_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Scale:
    """What the colours stand for.

    Attributes:
        limit: the number (and, with signs, its negative) that has the last colour.
        signed: whether there are negative numbers; without, the first colour is zero.
        low, high: least and greatest of the numbers that were looked at, finite and not masked.
        nan, inf, masked: how many were something else.
        whole: whether all of the plane was looked at.
        empty: whether all that was looked at was something else, so that nothing is known of the ends.
    """

    limit: float = 0.0
    signed: bool = True
    low: float = 0.0
    high: float = 0.0
    nan: int = 0
    inf: int = 0
    masked: int = 0
    whole: bool = True
    empty: bool = False

    def with_gain(self, gain: int) -> Scale:
        """The scale with its limit halved `gain` times."""
        largest = max(abs(self.low), abs(self.high))
        return replace(self, limit=math.ldexp(largest, max(-1000, min(1000, -gain))) if largest else 0.0)


def scale_of(numbers: Array, dtype: str, *, whole: bool = True) -> Scale:
    """The scale that fits the largest magnitude of a plane, apart from NaN, infinities and what is masked."""
    low, high, nan, inf, masked = math.inf, -math.inf, 0, 0, 0
    for block in _blocks(numbers):
        good = block
        if block.dtype.kind == "f":
            floor = floor_of(dtype)
            lost = int(np.isnan(block).sum())
            endless = int(np.isinf(block).sum())
            under = int(((block <= floor) & np.isfinite(block)).sum())
            if lost or endless or under:
                good = block[np.isfinite(block) & (block > floor)]
            nan, inf, masked = nan + lost, inf + endless, masked + under
        if good.size:
            low, high = min(low, float(good.min())), max(high, float(good.max()))
    empty = high < low
    if empty:
        low = high = 0.0
    return Scale(max(abs(low), abs(high)), low < 0, low, high, nan, inf, masked, whole, empty and numbers.size > 0)


def codes_of(numbers: Array, scale: Scale, dtype: str) -> npt.NDArray[np.uint8]:
    """A code for every number: its level, or NAN, PLUS_INFINITY, MINUS_INFINITY, MASKED."""
    codes = np.empty(numbers.shape, dtype=np.uint8)
    floor = floor_of(dtype)
    flat, into = numbers.reshape(-1), codes.reshape(-1)
    for start in range(0, flat.size, _BLOCK):
        block = flat[start : start + _BLOCK]
        into[start : start + _BLOCK] = _codes(block, scale, floor)
    return codes


def _codes(block: Array, scale: Scale, floor: float) -> npt.NDArray[np.uint8]:
    steps, zero = (MIDDLE, MIDDLE) if scale.signed else (TOP, 0)
    plain = block.dtype == np.float32 and (scale.limit == 0 or 1e-30 < scale.limit < 1e30)
    wide = block if plain else block.astype(np.float64)
    with np.errstate(all="ignore"):
        levels = np.rint(wide * (steps / scale.limit)) if scale.limit > 0 else np.sign(wide) * 0
        codes = np.clip(levels + zero, 0, TOP)
        odd = ~np.isfinite(wide) | (wide <= floor)
        if not odd.any():
            return codes.astype(np.uint8)
        codes = np.where(odd, MASKED, codes)
    codes[np.isnan(wide)] = NAN
    codes[wide == np.inf] = PLUS_INFINITY
    codes[wide == -np.inf] = MINUS_INFINITY
    return codes.astype(np.uint8)


def _blocks(numbers: Array) -> list[Array]:
    flat = numbers.reshape(-1)
    return [flat[start : start + _BLOCK] for start in range(0, flat.size, _BLOCK)]


# -- without colours -----------------------------------------------------------------------------------------


def glyph(code: int, *, signed: bool) -> str:
    """What stands for a code where there are no colours: two cells with signs, one without."""
    if code in MARKS:
        return (LONG_MARKS[code][:2] if code != NAN else "NN") if signed else MARKS[code]
    level = abs(code - MIDDLE) * 2 if signed else code
    shade = GLYPHS[0 if level == 0 else 1 + (level - 1) * 5 // TOP]
    return f"{' ' if level == 0 else '-' if code < MIDDLE else '+'}{shade}" if signed else shade


# -- with colours --------------------------------------------------------------------------------------------


DIMMEST, PALEST = 35, 65  # lightness of an ink that can just be read on a dark, on a light ground


@dataclass(frozen=True)
class Palette:
    """The colours of one scale on one ground.

    Attributes:
        signed: whether zero is in the middle.
        dark: whether the ground is.
        picked: whether the terminal has the 256 colours of xterm only.
    """

    signed: bool = True
    dark: bool = True
    picked: bool = False

    def colour(self, code: int) -> RGB:
        """The colour of a code."""
        red, green, blue = self._colour(code).get_truecolor()
        return red, green, blue

    def style(self, code: int) -> Style:
        """A cell of that colour, with what is written on it in black or white, whichever can be read."""
        return _cell(self, code)

    def writing(self, code: int) -> Style:
        """That colour as the ink of a number on the bare ground; of the stronger ones the first that can be read there."""
        return _writing(self, code)

    def halves(self, upper: int, lower: int) -> tuple[str, Style]:
        """Glyph and style of a terminal cell that shows two codes, one above the other."""
        odd = next((code for code in (upper, lower) if code in MARKS and code != MASKED), None)
        if odd is not None:
            return MARKS[odd], self.style(odd)
        if upper == lower == MASKED:
            return MARKS[MASKED], self.style(MASKED)
        if lower == NOTHING:
            return "▀", _foreground(self._colour(upper))
        return "▀", _style(self._colour(upper), self._colour(lower), False)

    def _colour(self, code: int) -> Color:
        return _table(self.signed, self.dark, self.picked)[code]

    def _ink(self, ground: RGB) -> RGB:
        red, green, blue = ground
        light = 0.299 * red + 0.587 * green + 0.114 * blue
        # the ink of what is near zero is quiet, so that what is large stands out
        if self.dark and light <= 60:
            return (150, 158, 168)
        if light > 130:
            return (120, 124, 130) if not self.dark and light > 225 else (12, 14, 18)
        return (232, 236, 240)


@lru_cache(maxsize=8)
def _table(signed: bool, dark: bool, picked: bool) -> tuple[Color, ...]:
    colours = ramp(TOP + 1, signed=signed, dark=dark, picked=picked)
    return (*colours.levels, colours.nan, colours.plus, colours.minus, colours.masked, Color.from_rgb(0, 0, 0))


@lru_cache(maxsize=4096)
def _style(ink: Color, ground: Color, bold: bool) -> Style:
    return Style(color=ink, bgcolor=ground, bold=bold or None)


@lru_cache(maxsize=512)
def _cell(palette: Palette, code: int) -> Style:
    ink = Color.from_rgb(*palette._ink(palette.colour(code)))  # pyright: ignore[reportPrivateUsage] # its own
    return _style(ink, palette._colour(code), code in MARKS and code != MASKED)  # pyright: ignore[reportPrivateUsage]


@lru_cache(maxsize=64)
def _foreground(ink: Color) -> Style:
    return Style(color=ink)


@lru_cache(maxsize=512)
def _writing(palette: Palette, code: int) -> Style:
    step = 0 if code in MARKS else -1 if palette.signed and code < MIDDLE else 1
    while step and 0 <= code + step <= TOP:
        light = lightness(palette.colour(code))
        if light >= DIMMEST if palette.dark else light <= PALEST:
            break
        code += step
    return Style(color=palette.style(code).bgcolor)
