"""The gate on the screen."""

from __future__ import annotations

import pytest
from driving import running
from encoder_tui.tui.drawing.text import plain
from encoder_tui.tui.drawing.visible import Visible
from rich.segment import Segment
from textual.color import Color

BLACK = Color(0, 0, 0)


def test_a_line_keeps_its_cells():
    segments = [Segment("ab"), Segment("x\x1b[2Jy\u202e"), Segment("│ 我 👩\u200d👧 می\u200cخ")]
    shown = Visible().apply(segments, BLACK)
    assert [segment.text for segment in shown] == ["ab", r"x\x1…", segments[2].text]
    assert [segment.cell_length for segment in shown] == [segment.cell_length for segment in segments]


def test_a_line_with_nothing_to_hide_is_the_same_object():
    segments = [Segment("│▀▀ 我"), Segment("e\u0301")]
    assert Visible().apply(segments, BLACK) is segments


@pytest.mark.parametrize(
    ("text", "shown"), [("\x1b", r"\x1b"), ("\u200d", r"\u200d"), ("  ", "··"), ("", "·"), ("👩\u200d👧", "👩\u200d👧")]
)
def test_plain(text: str, shown: str):
    assert plain(text) == shown


async def test_what_is_pasted_or_said_is_drawn_without_steering() -> None:
    async with running() as (app, pilot):
        assert any(isinstance(found, Visible) for found in app.get_line_filters())
        app.main.footer.hint("x\x1b[2J\u202e")
        await pilot.pause()
        drawn = "".join(segment.text for strip in app.screen._compositor.render_strips() for segment in strip)
        assert "\x1b" not in drawn
        assert "\u202e" not in drawn
