"""Breakpoints, watches and forks as the screen shows them."""

from __future__ import annotations

import pytest
from driving import lines_of, press, running, screen_of, settled, write

WEIGHTS = "layers.0.attention.weights"


async def test_kinds_of_breakpoints_are_told_apart_without_colour() -> None:
    lines = [
        "break layers.0.attention.weights",
        "break layers.0.ffn.up if max > 0",
        "tbreak embeddings.norm",
        "disable 1",
        "watch absmax > 2",
        "goto layers.0.attention.query",
    ]
    async with running(lines=lines) as (app, pilot):
        await settled(pilot)
        shown = [" ".join(line.split()) for line in lines_of(app.main.breakpoints, 4)]
        assert shown[:3] == [
            "○ 1 layers.0.attention.weights",
            "◐ 2 layers.0.ffn.up if max > 0",
            "● 3 embeddings.norm once",
        ]
        assert shown[3].startswith("◇ 4 watch absmax > 2 = ")
        marks = {line[3:].split()[0]: line[0] for line in lines_of(app.main.program) if line[3:].split()}
        assert (marks["weights"], marks["up"], marks["scores"]) == ("○", "◐", " ")
        assert app.main.breakpoints.border_title == " breakpoints 4 "


async def test_a_closed_group_shows_what_is_in_it() -> None:
    async with running(lines=["break layers.1.ffn.up"]) as (app, pilot):
        await settled(pilot)
        assert any(line.startswith("●· ▸ layers.1") for line in lines_of(app.main.program))


async def test_a_breakpoint_everywhere_marks_no_line() -> None:
    async with running(lines=["break * if nan > 0"]) as (app, pilot):
        await settled(pilot)
        assert {line[0] for line in lines_of(app.main.program) if line} == {" "}
        assert lines_of(app.main.breakpoints, 1) == ["◐ 1 * if nan > 0"]


async def test_a_click_on_a_breakpoint_looks_at_it() -> None:
    async with running(lines=["break layers.1.ffn.up"]) as (app, pilot):
        await settled(pilot)
        await pilot.click(app.main.breakpoints, offset=(6, 1))
        await settled(pilot)
        assert app.controller.state.stage == "layers.1.ffn.up"


@pytest.mark.parametrize("size", [(120, 40), (80, 24)])
async def test_the_strip_below_is_there_for_what_is_in_it(size: tuple[int, int]) -> None:
    async with running(size=size) as (app, pilot):
        main = app.main
        alone = main.inspector.region.height
        assert not main.breakpoints.region
        assert not main.console.region
        await press(pilot, "b")
        assert lines_of(main.breakpoints, 1) == ["● 1 tokens.ids"]
        strip = main.console.outer_size.height
        assert main.inspector.region.height == alone - strip
        await press(pilot, "s")
        assert main.console.outer_size.height == strip
        await press(pilot, "b")
        assert not main.console.region  # what was said of them were short lines
        assert main.inspector.region.height == alone
        await press(pilot, "B")
        assert main.console.region.height == 2
        assert main.console.line.region.bottom == size[1] - 1
        await write(pilot, "max > 0")
        assert lines_of(main.breakpoints, 1)[0].startswith("◐ 2 tokens.ids if max")


async def test_a_closed_console_has_short_lines_in_the_footer_and_opens_for_others() -> None:
    async with running() as (app, pilot):
        await press(pilot, "c")
        assert screen_of(app)[-1].startswith(" ran to the end: 46/46 ")
        assert not app.main.console.region
        app.main.say("error", "no such stage")
        await pilot.pause()
        assert (screen_of(app)[-1].rstrip(), app.main.console.region.height) == (" ✗ no such stage", 0)
        app.main.say("text", "two\nlines")
        await pilot.pause()
        assert [line for line in lines_of(app.main.console.query_one("#said")) if line][-2:] == ["two", "lines"]
        await press(pilot, "escape")
        assert not app.main.console.region
        await press(pilot, "colon")
        await write(pilot, "print tokens.ids[0, 0]")
        await press(pilot, "escape")
        assert app.main.console.region.height == 8  # it was typed in: what it answered stays


@pytest.mark.parametrize("size", [(120, 40), (80, 24)])
@pytest.mark.parametrize("lines", [[], ["break"]])
async def test_a_closed_console_knows_how_large_it_will_be(size: tuple[int, int], lines: list[str]) -> None:
    async with running(lines=lines, size=size) as (app, pilot):
        said = app.main.console._scrollback
        room = said.room
        app.main.say("text", "two\nlines")
        await pilot.pause()
        assert said.scrollable_content_region.size == room


async def test_a_stop_shows_the_number_that_made_it() -> None:
    async with running(lines=["break *.weights if x[1, 1, 3, 2] >= -9", "continue"]) as (app, pilot):
        await settled(pilot)
        state = app.controller.state
        assert (state.stage, state.text, state.head, state.row, state.column) == (WEIGHTS, 1, 1, 3, 2)
