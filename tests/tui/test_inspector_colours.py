from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from encoder_tui.tui.drawing.colours import (
    MASKED,
    MIDDLE,
    MINUS_INFINITY,
    NAN,
    NOTHING,
    PLUS_INFINITY,
    TOP,
    Palette,
    codes_of,
    glyph,
    scale_of,
)
from encoder_tui.tui.drawing.heat_paint import HalfLines, halves
from encoder_tui.tui.drawing.ramps import lightness
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False, min_value=-(2.0**100), max_value=2.0**100)


def test_a_scale_with_signs_has_zero_in_the_middle() -> None:
    numbers = np.array([[-2.0, 0.0, 1.0]], dtype=np.float32)
    scale = scale_of(numbers, "float32")
    assert (scale.signed, scale.limit) == (True, 2.0)
    assert codes_of(numbers, scale, "float32").tolist() == [[0, MIDDLE, 23]]


def test_a_scale_without_signs_starts_at_zero() -> None:
    numbers = np.array([[0.0, 0.25, 0.5]], dtype=np.float32)
    scale = scale_of(numbers, "float32")
    assert not scale.signed
    assert codes_of(numbers, scale, "float32").tolist() == [[0, 15, TOP]]


def test_gain_halves_the_limit_and_saturates() -> None:
    numbers = np.array([[0.0, 0.25, 1.0]], dtype=np.float32)
    scale = scale_of(numbers, "float32").with_gain(2)
    assert scale.limit == 0.25
    assert codes_of(numbers, scale, "float32").tolist() == [[0, TOP, TOP]]


def test_what_is_no_number_has_a_code_of_its_own_and_no_say_in_the_scale() -> None:
    lowest = np.finfo(np.float32).min
    numbers = np.array([[np.nan, np.inf, -np.inf, lowest, -1.0, 0.5]], dtype=np.float32)
    scale = scale_of(numbers, "float32")
    assert (scale.low, scale.high, scale.nan, scale.inf, scale.masked) == (-1.0, 0.5, 1, 2, 1)
    codes = codes_of(numbers, scale, "float32")
    assert codes.tolist() == [[NAN, PLUS_INFINITY, MINUS_INFINITY, MASKED, 0, 23]]


@pytest.mark.parametrize(
    ("dtype", "numpy"), [("float16", np.float16), ("float64", np.float64), ("bfloat16", np.float32)]
)
def test_the_lowest_number_of_every_dtype_is_a_masks(dtype: str, numpy: type[np.floating[Any]]) -> None:
    lowest = -3.3895e38 if dtype == "bfloat16" else float(np.finfo(numpy).min)
    numbers = np.array([lowest, -5.0], dtype=numpy)
    assert scale_of(numbers, dtype).masked == 1


@given(arrays(np.float32, st.integers(1, 40), elements=FLOATS), st.integers(-8, 8))
def test_levels_follow_the_numbers(numbers: np.ndarray, gain: int) -> None:
    scale = scale_of(numbers, "float32").with_gain(gain)
    codes = codes_of(numbers, scale, "float32").astype(int)
    assert codes.max() <= TOP
    order = np.argsort(numbers, kind="stable")
    assert (np.diff(codes[order]) >= 0).all()
    zero = MIDDLE if scale.signed else 0
    assert (codes[numbers == 0] == zero).all()


@pytest.mark.parametrize(
    "numbers", [np.zeros((3, 4)), np.full(5, np.nan), np.array([], dtype=np.float32), np.array([True, False])]
)
def test_planes_without_a_magnitude_do_no_harm(numbers: np.ndarray) -> None:
    scale = scale_of(numbers, "float64")
    assert codes_of(numbers, scale, "float64").shape == numbers.shape


def test_extreme_scales_neither_overflow_nor_vanish() -> None:
    for largest in (1e-44, 1e38):
        numbers = np.array([largest, -largest / 2, 0], dtype=np.float32)
        codes = codes_of(numbers, scale_of(numbers, "float32"), "float32")
        assert codes[0] == TOP
        assert codes[2] == MIDDLE
        assert codes[1] < MIDDLE


def test_many_elements_are_coded_like_few() -> None:
    numbers = np.random.default_rng(0).standard_normal((1100, 1000)).astype(np.float32)
    numbers[-1, -1] = np.nan
    scale = scale_of(numbers, "float32")
    assert scale.nan == 1
    assert (codes_of(numbers, scale, "float32")[-1] == codes_of(numbers[-1], scale, "float32")).all()


@pytest.mark.parametrize("dark", [True, False])
@pytest.mark.parametrize("signed", [True, False])
def test_every_level_has_a_colour_and_lightness_tells_the_magnitude(signed: bool, dark: bool) -> None:
    palette = Palette(signed, dark)
    colours = [palette.colour(level) for level in range(TOP + 1)]
    assert len(set(colours)) == TOP + 1
    light = [0.299 * red + 0.587 * green + 0.114 * blue for red, green, blue in colours]
    upwards = light[MIDDLE:] if signed else light
    assert upwards == sorted(upwards, reverse=not dark)
    if signed:
        assert light[: MIDDLE + 1] == sorted(light[: MIDDLE + 1], reverse=dark)
        # the ends can be told apart by blue and red alone
        assert colours[0][2] > colours[0][0]
        assert colours[TOP][0] > colours[TOP][2]


def test_half_blocks_never_hide_what_is_no_number() -> None:
    palette = Palette()
    assert palette.halves(NAN, 3)[0] == palette.halves(3, NAN)[0] == "N"
    assert palette.halves(PLUS_INFINITY, 3)[0] == "∞"
    assert palette.halves(MASKED, MASKED)[0] == "╱"
    mark, style = palette.halves(4, NOTHING)
    assert (mark, style.bgcolor) == ("▀", None)


def test_shades_say_what_colours_say() -> None:
    assert [glyph(code, signed=False) for code in (0, 3, 9, 15, 21, 30)] == list(" ·░▒▓█")
    assert [glyph(code, signed=True) for code in (0, 10, 15, 20, 30)] == ["-█", "-░", "  ", "+░", "+█"]
    odd = [glyph(code, signed=True) for code in (NAN, PLUS_INFINITY, MINUS_INFINITY, MASKED)]
    assert odd == ["NN", "+∞", "-∞", "╱╱"]


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("dark", [True, False])
@pytest.mark.parametrize("picked", [True, False])
def test_numbers_written_in_a_colour_can_be_read_on_the_bare_ground(signed: bool, dark: bool, picked: bool) -> None:
    palette = Palette(signed, dark, picked)
    for code in range(TOP + 1):
        ink = palette.writing(code).color
        assert ink is not None
        red, green, blue = ink.get_truecolor()
        light = lightness((red, green, blue))
        assert light >= 35 if dark else light <= 65, code


@given(arrays(np.uint8, st.tuples(st.integers(1, 7), st.integers(0, 9)), elements=st.integers(0, NOTHING - 1)))
def test_lines_painted_together_are_those_painted_one_by_one(codes: Any) -> None:
    palette, painted = Palette(), HalfLines(codes, 2, Palette())
    for line in range(-(-len(codes) // 2)):
        lower = codes[2 * line + 1] if 2 * line + 1 < len(codes) else None
        assert painted.line(line) == halves(codes[2 * line], lower, 2, palette)
