"""Driving the whole screen in tests: a real engine thread, a small fake encoder, exact lines of the screen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import styles_once  # noqa: F401  # pyright: ignore[reportUnusedImport]
import textual.app
import textual.pilot
from encoder_tui.engine.commands.session import Session
from encoder_tui.tui.app.app import EncoderApp
from fakes import fake_session
from textual._context import active_app
from textual.pilot import Pilot

if TYPE_CHECKING:
    from textual.widget import Widget

PATIENCE = 30.0  # seconds before a test that waits for something gives up; no test passes by waiting


async def nothing_ready(min_sleep: float = 0.0, max_sleep: float = 1.0) -> None:
    """Give way until nothing on the event loop is ready to run, the screen has its size and is painted.

    Timers would see to the last two: of 1/120 and 1/60 s, so nobody waits for them.

    It stands in for textual's `wait_for_idle`, whose arguments it has: that one sleeps in steps of 20 ms until the
    process has hardly used the processor for one of them, twice a key and once a pause, longer on a busy machine.
    What the engine's thread does, `settled` waits for.
    """
    ready = asyncio.get_running_loop()._ready  # type: ignore[attr-defined]
    for _ in range(3):  # a size, the layout that follows from it, its paint
        await asyncio.sleep(0)
        while ready:
            await asyncio.sleep(0)
        app = active_app.get(None)
        if app and app.screen_stack:
            if app._resize_event is not None:
                app._check_resize()
            app.screen._on_timer_update()


async def _screen_ready(self: Pilot[Any], timeout: float = 0.0) -> bool:
    """In the place of a message to each of the sixty widgets and back, at every pause: their queues are on the event loop."""
    await nothing_ready()
    return True


textual.app.wait_for_idle = textual.pilot.wait_for_idle = nothing_ready
Pilot._wait_for_screen = _screen_ready


async def until(pilot: Pilot[Any], holds: Callable[[], object], what: str) -> None:
    """Let the app run until something holds."""
    end = asyncio.get_running_loop().time() + PATIENCE
    while not holds():
        assert asyncio.get_running_loop().time() < end, f"never came: {what}"
        await pilot.pause(0.002)
    await pilot.pause()


async def settled(pilot: Pilot[Any]) -> None:
    """Let the app run until the engine rests and all that it posted has been shown."""
    app = pilot.app
    assert isinstance(app, EncoderApp)
    engine = app.engine
    await until(pilot, lambda: app.controller.position or app.failure, "a loaded engine")

    def rests() -> bool:
        return bool(app.failure) or (engine.rests and not app.controller.pending)

    while True:
        await until(pilot, rests, "rest")
        if rests():  # what was posted last has not asked for more
            return


@asynccontextmanager
async def running(
    start: Callable[[Any], Session] | None = None, lines: Sequence[str] = (), size: tuple[int, int] = (120, 40)
) -> AsyncGenerator[tuple[EncoderApp, Pilot[Any]]]:
    """The app on a fake encoder before its first stage, loaded and at rest."""
    app = EncoderApp(start or (lambda progress: fake_session("")), lines)
    async with app.run_test(size=size) as pilot:
        await settled(pilot)
        try:
            yield app, pilot
        finally:
            app.engine.close()


async def press(pilot: Pilot[Any], *keys: str) -> None:
    """Press keys one after the other, each when the engine rests."""
    for key in keys:
        await pilot.press(key)
        await settled(pilot)


async def write(pilot: Pilot[Any], text: str, *, enter: bool = True) -> None:
    """Type text, and enter it."""
    await pilot.press(*["space" if letter == " " else letter for letter in text], *["enter"] * enter)
    await settled(pilot)


def lines_of(widget: Widget, end: int | None = None) -> list[str]:
    """What a widget shows of its content, line by line, without spaces at the ends of lines."""
    return [widget.render_line(y).text.rstrip() for y in range(widget.size.height)[:end]]


def screen_of(app: EncoderApp) -> list[str]:
    """What stands on the whole screen, line by line."""
    width, height = app.size
    strips = app.screen._compositor.render_strips()
    return [strip.crop(0, width).text for strip in strips[:height]]
