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

RGB = tuple[int, int, int]

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
    """

    limit: float = 0.0
    signed: bool = True
    low: float = 0.0
    high: float = 0.0
    nan: int = 0
    inf: int = 0
    masked: int = 0
    whole: bool = True

    def with_gain(self, gain: int) -> Scale:
        """The scale with its limit halved `gain` times."""
        largest = max(abs(self.low), abs(self.high))
        return replace(self, limit=math.ldexp(largest, max(-1000, min(1000, -gain))) if largest else 0.0)


def floor_of(dtype: str) -> float:
    """Numbers at or below this are a mask's, not a score's: masks add the lowest number a dtype has."""
    return {"float16": -3e4, "float64": -8e307}.get(dtype, -1.6e38)


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
    if high < low:
        low = high = 0.0
    return Scale(max(abs(low), abs(high)), low < 0, low, high, nan, inf, masked, whole)


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

_STOPS = {
    # dark ground: zero nearly vanishes, magnitude is light
    (True, True): ("#d6ecff", "#6cb8ff", "#2f7fd0", "#1f4a78", "#20242b", "#6e3d14", "#c96f1c", "#ffa640", "#ffe6bd"),
    (False, True): ("#1b1f2a", "#1d3f66", "#1b6a86", "#1f968b", "#52bf70", "#b5dd3c", "#fdf3a0"),
    # light ground: zero nearly vanishes, magnitude is dark
    (True, False): ("#08306b", "#1f5fa8", "#5b9bd5", "#b3d2ec", "#f3f3f1", "#f6cfa0", "#e08e35", "#a9560a", "#5c2a00"),
    (False, False): ("#f3f4ee", "#c9e3c3", "#7cc3a8", "#3a98a0", "#2b6b93", "#30407f", "#2a1650"),
}
_ODD = {NAN: "#ff2bd6", PLUS_INFINITY: "#ff2b2b", MINUS_INFINITY: "#a02bff"}


@dataclass(frozen=True)
class Palette:
    """The colours of one scale on one ground.

    Attributes:
        signed: whether zero is in the middle.
        dark: whether the ground is.
    """

    signed: bool = True
    dark: bool = True

    def colour(self, code: int) -> RGB:
        """The colour of a code."""
        return _table(self.signed, self.dark)[code]

    def style(self, code: int) -> Style:
        """A cell of that colour, with what is written on it in black or white, whichever can be read."""
        return _style(self._ink(self.colour(code)), self.colour(code), code in MARKS and code != MASKED)

    def halves(self, upper: int, lower: int) -> tuple[str, Style]:
        """Glyph and style of a terminal cell that shows two codes, one above the other."""
        odd = next((code for code in (upper, lower) if code in _ODD), None)
        if odd is not None:
            return MARKS[odd], self.style(odd)
        if upper == lower == MASKED:
            return MARKS[MASKED], self.style(MASKED)
        if lower == NOTHING:
            return "▀", _foreground(self.colour(upper))
        return "▀", _style(self.colour(upper), self.colour(lower), False)

    def _ink(self, ground: RGB) -> RGB:
        red, green, blue = ground
        light = 0.299 * red + 0.587 * green + 0.114 * blue
        # the ink of what is near zero is quiet, so that what is large stands out
        if self.dark and light <= 60:
            return (150, 158, 168)
        if light > 130:
            return (120, 124, 130) if not self.dark and light > 225 else (12, 14, 18)
        return (232, 236, 240)


@lru_cache(maxsize=4)
def _table(signed: bool, dark: bool) -> tuple[RGB, ...]:
    stops = np.array([Color.parse(stop).get_truecolor() for stop in _STOPS[signed, dark]], dtype=float)
    places = np.linspace(0, len(stops) - 1, TOP + 1)
    # mixed in linear light, or the middle of two colours would come out muddy
    linear = (stops / 255) ** 2.2
    mixed = np.stack([np.interp(places, range(len(stops)), linear[:, part]) for part in range(3)], axis=1)
    rows = [(int(red), int(green), int(blue)) for red, green, blue in np.rint(255 * mixed ** (1 / 2.2))]
    odd = [tuple(Color.parse(_ODD[code]).get_truecolor()) for code in (NAN, PLUS_INFINITY, MINUS_INFINITY)]
    quiet = (44, 46, 50) if dark else (214, 214, 210)
    return (*rows, *[(red, green, blue) for red, green, blue in odd], quiet, (0, 0, 0))


@lru_cache(maxsize=4096)
def _style(ink: RGB, ground: RGB, bold: bool) -> Style:
    return Style(color=Color.from_rgb(*ink), bgcolor=Color.from_rgb(*ground), bold=bold or None)


@lru_cache(maxsize=64)
def _foreground(ink: RGB) -> Style:
    return Style(color=Color.from_rgb(*ink))
