"""The colours that levels have: mixed where a terminal has millions, picked by lightness where it has 256.

On a dark ground zero nearly vanishes and magnitude is light; on a light ground magnitude is dark.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from rich.color import Color

RGB = tuple[int, int, int]


class Ramp(NamedTuple):
    """A colour for every level, from the lowest, and for what is no number.

    Attributes:
        levels: of the levels.
        nan, plus, minus: NaN and the infinities.
        masked: what a mask has left out.
    """

    levels: tuple[Color, ...]
    nan: Color
    plus: Color
    minus: Color
    masked: Color


# (signed, dark): colours to mix, as far from one another as levels are.
_STOPS = {
    (True, True): ("#d6ecff", "#6cb8ff", "#2f7fd0", "#1f4a78", "#20242b", "#6e3d14", "#c96f1c", "#ffa640", "#ffe6bd"),
    (False, True): ("#1b1f2a", "#1d3f66", "#1b6a86", "#1f968b", "#52bf70", "#b5dd3c", "#fdf3a0"),
    (True, False): ("#08306b", "#1f5fa8", "#5b9bd5", "#b3d2ec", "#f3f3f1", "#f6cfa0", "#e08e35", "#a9560a", "#5c2a00"),
    (False, False): ("#f3f4ee", "#c9e3c3", "#7cc3a8", "#3a98a0", "#2b6b93", "#30407f", "#2a1650"),
}
# The same of the 256 that xterm has. What a terminal makes of a mixed colour goes up and down in lightness; these only go
# up, or down, from zero outwards, and a negative number is about as light as the positive one of its magnitude.
_PICKED = {
    (True, True): (195, 117, 39, 32, 25, 19, 234, 52, 94, 166, 208, 215, 230),
    (False, True): (234, 19, 25, 31, 36, 78, 155, 230),
    (True, False): (18, 19, 26, 33, 75, 189, 255, 223, 208, 166, 94, 88, 52),
    (False, False): (255, 152, 73, 31, 25, 55, 17),
}
_ODD = ("#ff2bd6", "#ff2b2b", "#a02bff")
_ODD_PICKED = (200, 196, 129)
_MASKED = {True: "#2c2e32", False: "#d6d6d2"}
_MASKED_PICKED = {True: 236, False: 252}


@lru_cache(maxsize=8)
def ramp(levels: int, *, signed: bool, dark: bool, picked: bool) -> Ramp:
    """The colours of a scale.

    Args:
        levels: how many; an odd number where zero is in the middle.
        signed: whether it is.
        dark: whether the ground is.
        picked: whether the terminal has the 256 colours of xterm only.
    """
    if picked:
        steps = _PICKED[signed, dark]
        near = [Color.from_ansi(steps[place]) for place in _places(levels, len(steps), signed=signed)]
        nan, plus, minus = map(Color.from_ansi, _ODD_PICKED)
        return Ramp(tuple(near), nan, plus, minus, Color.from_ansi(_MASKED_PICKED[dark]))
    nan, plus, minus = map(Color.parse, _ODD)
    return Ramp(_mixed(_STOPS[signed, dark], levels), nan, plus, minus, Color.parse(_MASKED[dark]))


def _places(levels: int, steps: int, *, signed: bool) -> list[int]:
    """Which step a level has: the step of zero is zero's alone, so that what is small can be told from nothing."""
    zero, middle = (levels // 2, steps // 2) if signed else (0, 0)
    furthest, others = levels - 1 - zero, steps - 1 - middle
    far = [0, *(1 + (away - 1) * others // furthest for away in range(1, furthest + 1))]
    return [middle + far[level - zero] if level >= zero else middle - far[zero - level] for level in range(levels)]


def _mixed(colours: tuple[str, ...], levels: int) -> tuple[Color, ...]:
    stops = np.array([Color.parse(stop).get_truecolor() for stop in colours], dtype=float)
    places = np.linspace(0, len(stops) - 1, levels)
    # mixed in linear light, or the middle of two colours would come out muddy
    linear = (stops / 255) ** 2.2
    mixed = np.stack([np.interp(places, range(len(stops)), linear[:, part]) for part in range(3)], axis=1)
    return tuple(Color.from_rgb(*map(int, row)) for row in np.rint(255 * mixed ** (1 / 2.2)))


def lightness(colour: RGB) -> float:
    """How light a colour looks, 0 to 100: CIE L* of an sRGB colour (IEC 61966-2-1, CIE 15)."""
    linear = [part / 3294.6 if part <= 10 else ((part / 255 + 0.055) / 1.055) ** 2.4 for part in colour]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return 116 * luminance ** (1 / 3) - 16 if luminance > 216 / 24389 else luminance * 24389 / 27
