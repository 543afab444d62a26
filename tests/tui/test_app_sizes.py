"""The screen in terminals of all sizes."""

from __future__ import annotations

import pytest
from driving import lines_of, press, running, screen_of, settled


@pytest.mark.parametrize("size", [(120, 40), (80, 24), (60, 18), (200, 60)])
async def test_every_line_is_exactly_as_wide_as_the_terminal(size: tuple[int, int]) -> None:
    async with running(lines=["break layers.*.attention.weights", "continue"], size=size) as (app, pilot):
        await settled(pilot)
        strips = app.screen._compositor.render_strips()
        assert len(strips) == size[1]
        assert {strip.cell_length for strip in strips} == {size[0]}
        assert "q quit" in screen_of(app)[-1]
        assert "▶" in "".join(lines_of(app.main.program))


async def test_80_by_24() -> None:
    async with running(lines=["goto layers.0.attention.scores", "break"], size=(80, 24)) as (app, pilot):
        await settled(pilot)
        screen = screen_of(app)
        assert screen[0] == " encoder-tui  fake · bert · cpu float32         13/46 layers.0.attention.scores "
        assert screen[1].rstrip() == " text 0 of 2  [CLS] the animal didn ' t cross the street : it was tired [SEP]"
        assert screen[2].startswith("─ program 13/46 ──────────────┬─────")
        assert any(line.startswith("●▶     scores       2×4×14×14") for line in screen)
        assert screen[-1].rstrip() == " s step  n next block  enter why  [ ] head  { } layer  y copy  ? keys  q quit"
        assert all("…" not in line for line in lines_of(app.main.program))


async def test_a_terminal_that_is_too_small_says_so_and_recovers() -> None:
    async with running(size=(50, 16)) as (app, pilot):
        text = "\n".join(line.strip() for line in screen_of(app))
        assert "this terminal has 50×16\nit needs 60×18" in text
        assert "program" not in text
        await pilot.resize_terminal(60, 18)
        await settled(pilot)
        assert screen_of(app)[2].startswith("─ program 0/46 ──")
        await press(pilot, "s")
        assert any(line.startswith(" ▶   ids") for line in screen_of(app))
        await pilot.resize_terminal(59, 18)
        await settled(pilot)
        assert "this terminal has 59×18" in "\n".join(screen_of(app))


async def test_zoom_gives_the_value_the_screen_and_escape_gives_it_back() -> None:
    async with running() as (app, pilot):
        await press(pilot, "s", "z")
        assert app.main.inspector.size.width >= 116
        assert not app.main.program.region
        await press(pilot, "f", "f", "f", "f", "f")
        await press(pilot, "escape")
        assert " ▶     norm" in "\n".join(lines_of(app.main.program))
        assert not app.controller.state.zoomed
