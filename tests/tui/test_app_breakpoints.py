"""Breakpoints, watches and forks as the screen shows them."""

from __future__ import annotations

from driving import lines_of, press, running, settled, write

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


async def test_without_breakpoints_it_says_how_to_set_one() -> None:
    async with running() as (app, pilot):
        assert lines_of(app.main.breakpoints, 2) == [" none; b sets one on the", " stage that is looked at"]
        await press(pilot, "b", "b")
        assert lines_of(app.main.breakpoints, 1) == [" none; b sets one on the"]
        await press(pilot, "B")
        await write(pilot, "max > 0")
        assert lines_of(app.main.breakpoints, 1) == ["◐ 2 tokens.ids if max > 0"]


async def test_a_stop_shows_the_number_that_made_it() -> None:
    async with running(lines=["break *.weights if x[1, 1, 3, 2] >= -9", "continue"]) as (app, pilot):
        await settled(pilot)
        state = app.controller.state
        assert (state.stage, state.text, state.head, state.row, state.column) == (WEIGHTS, 1, 1, 3, 2)
