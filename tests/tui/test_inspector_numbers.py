from __future__ import annotations

import math

import numpy as np
import pytest
from encoder_tui.tui.drawing.numbers import Scalar, Worded, aligned_for, decimals_for, exact, fitted_number, short
from encoder_tui.tui.state.view_state import ViewState
from fakes import value_session
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from inspector_app import shown

FLOATS = st.floats(width=32)


@given(FLOATS)
def test_exact_reads_back_as_the_same_number(number: float) -> None:
    text = exact(np.float32(number)).replace("∞", "inf")
    back = np.float32(text)
    assert back == np.float32(number) or (math.isnan(number) and np.isnan(back))


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (np.float32(0.41234567), "0.41234568"), (np.float64(0.1), "0.1"), (np.int64(-3), "-3"), (np.bool_(True), "True"),
        (np.float32("nan"), "nan"), (np.float32("-inf"), "-∞"), (np.float16(0.1), "0.1"), (np.float32(1e-20), "1e-20"),
    ],
)  # fmt: skip
def test_exact(number: Scalar, text: str) -> None:
    assert exact(number) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [(0.41234, "0.4123"), (30522.0, "30522"), (1.2e-7, "1.2e-7"), (0.0, "0"), (-8.25, "-8.25"), (3.4e38, "3.4e38"),
     (math.nan, "nan"), (math.inf, "∞"), (-math.inf, "-∞")],
)  # fmt: skip
def test_short(number: float, text: str) -> None:
    assert short(number) == text


@given(FLOATS, st.integers(1, 9), st.integers(0, 3), st.booleans())
def test_numbers_in_cells_fit_or_stay_out(number: float, width: int, decimals: int, signed: bool) -> None:
    assert len(fitted_number(number, width, decimals, signed=signed)) <= width


@pytest.mark.parametrize(
    ("number", "width", "signed", "text"),
    [(0.428, 4, False, ".428"), (5.23, 4, True, "+5.2"), (-0.4, 4, True, "-.40"), (10.4, 4, True, "+10"), (0.0, 4, True, "0"),
     (24533, 4, False, "25k"), (math.nan, 4, True, "nan"), (math.nan, 2, True, "N"), (-math.inf, 4, True, "-∞"), (5.2, 1, True, "")],
)  # fmt: skip
def test_within(number: float, width: int, signed: bool, text: str) -> None:
    largest = abs(number) if math.isfinite(number) else 1.0
    assert fitted_number(number, width, decimals_for(largest, width, signed=signed), signed=signed) == text


@given(arrays(np.float32, st.integers(1, 30), elements=FLOATS))
def test_points_stand_under_each_other(numbers: np.ndarray) -> None:
    form = aligned_for(numbers)
    for number in numbers:
        text = form.write(number)
        assert len(text) == form.width
        if "." in text:
            assert text.index(".") == form.whole
        if np.isfinite(number) and number != 0:
            assert text.strip()[0] in "+-"
            # four significant digits: off by at most half of the fourth
            assert abs(float(text) - float(number)) <= abs(float(number)) * 0.00051
        elif number != 0:
            assert text.strip() in ("nan", "+∞", "-∞")


def test_aligned_columns_as_they_look() -> None:
    numbers = np.array([0.4123, -12.34, 1234.5, 0.001234, 1.5e-7, 0, -0.0, np.nan, -np.inf], dtype=np.float32)
    form = aligned_for(numbers)
    assert [form.write(number) for number in numbers] == [
        "   +0.4123   ",
        "  -12.34     ",
        "+1234        " if f"{np.float32(1234.5):.0f}" == "1234" else "+1235        ",
        "   +0.001234 ",
        "   +1.500e-07",
        "    0        ",
        "   -0        ",
        "  nan        ",
        "   -∞        ",
    ]


def test_whole_numbers_without_negatives_have_no_sign() -> None:
    ids = aligned_for(np.array([101, 30521, 0]))
    assert [ids.write(np.int64(number)) for number in (101, 30521, 0)] == ["  101", "30521", "    0"]
    signed = aligned_for(np.array([-1, 12]))
    assert [signed.write(np.int64(number)) for number in (-1, 12)] == [" -1", "+12"]


def test_truth_values() -> None:
    form = aligned_for(np.array([True, False]))
    assert [form.write(number) for number in np.array([True, False])] == [" True", "False"]


def test_formats_join_into_one_that_takes_both() -> None:
    small, large = aligned_for(np.array([0.5])), aligned_for(np.array([4000.0]))
    both = small.wider(large)
    assert [both.write(number) for number in (0.5, 4000.0)] == ["   +0.5000", "+4000     "]


def test_ids_are_written_as_their_tokens() -> None:
    written = Worded({7: "cat", 8: "[MASK]", 9: "貓"})
    assert written.width == 6
    assert [written.write(number) for number in (7, 8, 9, 5)] == ["cat   ", "[MASK]", "貓    ", "5     "]
    assert written.wider(Worded({1: "unbelievably-long"})).width == 12


async def test_whole_numbers_in_a_picture_are_whole_or_left_out() -> None:
    """An id is no quantity: 2461 is not about 2k."""
    session = value_session("x", "token rank", np.array([[2, 2461, 11]]))
    assert (await shown(session, ViewState("x", column=1), (22, 14)))[1].split() == ["▸any", "2", "▌2461", "11"]
    assert (await shown(session, ViewState("x", column=1), (19, 14)))[1].split() == ["▸any", "▌", "▐"]
