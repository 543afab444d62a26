"""Frames come when there is something to be drawn, one for each key, and none is waited for."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from driving import press, running, screen_of
from encoder_tui.tui.app.app import EncoderApp
from encoder_tui.tui.screens.main import MainScreen

TURNS = 50  # of the event loop, which does not wait


class Frames:
    """What is drawn, and how often all is laid out."""

    def __init__(self, patch: pytest.MonkeyPatch, app: EncoderApp) -> None:
        self.drawn = self.layouts = 0
        display, layout = cast(Any, app)._display, cast(Any, MainScreen)._refresh_layout

        def displayed(screen: MainScreen, update: object) -> None:
            self.drawn += update is not None
            display(screen, update)

        def laid(screen: MainScreen, *arguments: object, **named: object) -> None:
            self.layouts += 1
            layout(screen, *arguments, **named)

        patch.setattr(app, "_display", displayed)
        patch.setattr(MainScreen, "_refresh_layout", laid)


async def test_a_frame_does_not_wait_for_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running() as (app, _):
        frames = Frames(monkeypatch, app)
        for count in range(1, 6):
            app.main.title_line.refresh()
            for _ in range(TURNS):
                await asyncio.sleep(0)
            assert frames.drawn == count


@pytest.mark.parametrize(
    ("key", "size", "frames_most"),
    [
        ("1", (120, 40), 1),
        ("left_curly_bracket", (120, 40), 1),  # another layer, whose tree is longer or shorter
        ("right_curly_bracket", (100, 30), 1),
        ("x", (120, 40), 2),  # its text comes later
        ("x", (100, 30), 2),
        ("m", (100, 30), 2),
    ],
)
async def test_a_key_that_lays_the_screen_out_does_it_once_and_draws_it_once(
    monkeypatch: pytest.MonkeyPatch, key: str, size: tuple[int, int], frames_most: int
) -> None:
    async with running(lines=["goto output", "look layers.1.attention.weights"], size=size) as (app, pilot):
        await press(pilot, "2", "1", *[key] * 2, "2")  # its numbers have been read
        frames = Frames(monkeypatch, app)
        await press(pilot, key)
        assert frames.layouts <= 1
        assert frames.drawn <= frames_most
        tree = app.main.program
        assert tree.show_vertical_scrollbar == (len(tree.faces) > tree.container_size.height)


async def test_a_scroll_bar_comes_and_goes_with_the_pane_below(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(lines=["goto output", "look layers.1.attention.weights"]) as (app, pilot):
        tree = app.main.program
        await pilot.resize_terminal(120, 40 + len(tree.faces) - tree.container_size.height)  # just high enough
        await press(pilot, "x", "x")
        frames = Frames(monkeypatch, app)
        for shown in (True, False, True):
            await press(pilot, "x")
            assert tree.show_vertical_scrollbar is tree.vertical_scrollbar.display is shown
        assert frames.layouts == 3


async def test_what_was_sent_to_the_terminal_is_the_view_that_came(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(lines=["goto output", "look layers.0.attention.weights"], size=(100, 30)) as (app, pilot):
        sent: dict[int, dict[int, str]] = {}
        display = cast(Any, app)._display

        def displayed(screen: MainScreen, update: Any) -> None:
            for x, y, strip in update.drawn if update is not None else ():
                sent.setdefault(y, {})[x] = strip.text.rstrip()
            display(screen, update)

        monkeypatch.setattr(app, "_display", displayed)
        for key in ("8", "7", "3", "4", "Z", "9", "1"):
            await press(pilot, key)
            place, drawn = app.main.inspector.view.region, screen_of(app)
            for y in place.line_range:
                assert sent[y][place.x] == drawn[y][place.x : place.right].rstrip(), (key, y)
