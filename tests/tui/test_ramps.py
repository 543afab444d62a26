from __future__ import annotations

from itertools import pairwise

import pytest
from encoder_tui.tui.drawing.colours import MASKED, MIDDLE, NAN, TOP, Palette
from encoder_tui.tui.drawing.ramps import lightness
from rich.color import ColorType

GROUNDS = pytest.mark.parametrize("dark", [True, False])
DEPTHS = pytest.mark.parametrize("picked", [True, False])


def lights(palette: Palette, codes: range) -> list[float]:
    return [lightness(palette.colour(code)) for code in codes]


def test_lightness_is_that_of_the_standard() -> None:
    assert [round(lightness(colour), 1) for colour in ((0, 0, 0), (119, 119, 119), (255, 255, 255), (255, 0, 0))] == [
        0.0, 50.0, 100.0, 53.2,
    ]  # fmt: skip


@GROUNDS
@DEPTHS
def test_lightness_goes_one_way_from_zero_outwards(dark: bool, picked: bool) -> None:
    towards = 1 if dark else -1
    arms = [
        lights(Palette(True, dark, picked), range(MIDDLE, TOP + 1)),
        lights(Palette(True, dark, picked), range(MIDDLE, -1, -1)),
        lights(Palette(False, dark, picked), range(TOP + 1)),
    ]
    for arm in arms:
        steps = [towards * (after - before) for before, after in pairwise(arm)]
        assert min(steps) >= 0, arm
        assert abs(arm[-1] - arm[0]) > 60
        assert steps[0] > 0  # what is small can be told from nothing


@GROUNDS
@DEPTHS
def test_numbers_of_one_magnitude_are_about_as_light_whatever_their_sign(dark: bool, picked: bool) -> None:
    palette = Palette(True, dark, picked)
    below, above = lights(palette, range(MIDDLE, -1, -1)), lights(palette, range(MIDDLE, TOP + 1))
    assert max(abs(one - other) for one, other in zip(below, above, strict=True)) < 14


@GROUNDS
@pytest.mark.parametrize("signed", [True, False])
def test_a_terminal_of_256_colours_is_sent_colours_that_it_has(signed: bool, dark: bool) -> None:
    for code in (0, MIDDLE, TOP, NAN, MASKED):
        ground = Palette(signed, dark, picked=True).style(code).bgcolor
        assert ground is not None
        assert ground.type is ColorType.EIGHT_BIT
        assert ground.number is not None
        assert ground.number >= 16  # the first sixteen are whatever the terminal's theme says
