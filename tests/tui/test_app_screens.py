"""The palette and the screen of keys."""

from __future__ import annotations

import pytest
from driving import lines_of, press, running, screen_of, settled, until


async def test_keys_screen_has_every_command_and_closes() -> None:
    async with running(size=(80, 24)) as (app, pilot):
        await press(pilot, "question_mark")
        keys = app.screen.query_one("#keys")
        seen = "".join(lines_of(keys))
        for _ in range(20):
            await pilot.press("pagedown")
            await pilot.pause()
            seen += "".join(lines_of(keys))
        for command in app.table:
            assert any(name in seen for name in (command.usage, command.name)), command.name
            await press(pilot, "escape")
        assert app.screen is app.main


async def test_the_palette_runs_a_command_and_changes_the_theme() -> None:
    async with running() as (app, pilot):
        for typed, holds in (
            ("reverse-fin", lambda: app.controller.position and app.controller.position.cursor == -1),
            ("theme encoder-day", lambda: app.theme == "encoder-day"),
        ):
            await press(pilot, "s", "ctrl+p")
            await pilot.press(*["space" if letter == " " else "minus" if letter == "-" else letter for letter in typed])
            await until(pilot, lambda: len(app.screen.query("OptionList")) > 0, "a list")
            for _ in range(20):
                await pilot.pause(0.05)
            await pilot.press("enter")
            await until(pilot, holds, typed)


async def test_the_palette_shows_brackets_as_they_stand() -> None:
    async with running() as (app, pilot):
        await press(pilot, "ctrl+p")
        await pilot.press(*"abl")
        await until(
            pilot, lambda: "ablate STAGE[INDEX] [zero|mean]" in "\n".join(screen_of(app)), "the command in full"
        )


@pytest.mark.parametrize("theme", ["ansi-light", "ansi-dark"])
async def test_in_the_terminals_own_colours_the_quiet_is_dim_and_what_is_looked_at_is_reversed(theme: str) -> None:
    async with running(lines=["look embeddings.norm", f"theme {theme}"]) as (app, pilot):
        await settled(pilot)
        header, tree = app.main.inspector.query_one("InspectorHeader"), app.main.program
        tabs = {segment.text.strip(): segment.style for segment in header.render_line(4)}
        assert [bool(style and style.dim) for name, style in tabs.items() if name[:1] in ("2", "7")] == [False, True]
        looked = tree.render_line(tree.line - tree.scroll_offset.y)
        assert all(segment.style and segment.style.reverse for segment in looked)
