"""Where there are sixteen colours, no text vanishes on its ground, in the dark theme and in the light one."""

from __future__ import annotations

import pytest
from driving import press, running
from encoder_tui.tui.drawing.sixteen import INSTEAD, legible
from rich.color import Color, ColorSystem
from rich.style import Style


def number(colour: Color | None) -> int | None:
    return None if colour is None else colour.downgrade(ColorSystem.STANDARD).number


def pair(style: Style) -> tuple[int | None, int | None]:
    return number(style.color), number(style.bgcolor)


def test_ink_that_would_vanish_is_another() -> None:
    for (ink, ground), instead in INSTEAD.items():
        before = Style(color=Color.from_ansi(ink), bgcolor=Color.from_ansi(ground), bold=True)
        assert pair(legible(before)) == (instead, ground)
        assert legible(before).bold
        assert (instead, ground) not in INSTEAD


@pytest.mark.parametrize("style", ["red on white", "white on black", "bold", "none", "#1d2330 on #f7f8fa"])
def test_other_ink_is_left_alone(style: str) -> None:
    assert legible(Style.parse(style)) == Style.parse(style)


@pytest.mark.parametrize("theme", ["encoder-night", "encoder-day"])
async def test_nothing_on_the_screen_vanishes(theme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(lines=["look layers.0.attention.weights"], size=(80, 24)) as (app, pilot):
        monkeypatch.setattr(app.console, "_color_system", ColorSystem.STANDARD)
        app.theme = theme
        seen: set[tuple[int | None, int | None]] = set()
        for key in ("2", "4", "1", "x", "m"):
            await press(pilot, key)
            for widget in app.screen.walk_children():
                widget.refresh()
            await pilot.pause()
            for line in app.screen._compositor.render_strips():
                seen |= {pair(segment.style) for segment in line if segment.style and segment.text.strip()}
        assert len(seen) >= 5
        assert not seen & set(INSTEAD)
