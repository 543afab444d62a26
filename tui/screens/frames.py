"""When a screen is drawn: once what has come is seen to, and no later."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from textual import messages
from textual.screen import Screen
from textual.timer import Timer
from textual.widget import Widget

if TYPE_CHECKING:
    Base = Screen[Any]  # what it is mixed into is one
else:
    Base = object


TURNS = 20  # of the event loop within which a message comes that is on its way
PATIENCE = 0.005  # seconds that a frame waits for numbers: less than it takes to draw it twice


class FrameTimer(Timer):
    """Draws what is to be drawn, after whatever is ready to run has run.

    Textual's own fires sixty times a second, and once it has rested it leaves out one time: the second frame of a key, that
    with the numbers, came 17 to 33 ms after the first. No rate is needed: what comes while a frame is drawn is all seen to
    before the next one. What is known to come at once is drawn with the rest: a layout, and numbers that take little time.
    """

    def __init__(self, screen: Screen[Any], draw: Callable[[], None]) -> None:
        super().__init__(screen, 0.0, name="frames", callback=draw, pause=True)
        self._wanted = asyncio.Event()
        self.laying = set[Widget]()  # what has asked for a layout
        self._expected = set[str]()  # what is being read
        self._end = 0.0  # until when a frame waits for it
        self._come = asyncio.Event()

    def resume(self) -> None:
        """There is something to be drawn."""
        self._wanted.set()

    def pause(self) -> None:
        """It is drawn."""
        self._wanted.clear()

    def expect(self, what: str) -> None:
        """Numbers are being read; a frame is late by `PATIENCE` at most, however many there are."""
        if not self._expected:
            self._end = asyncio.get_running_loop().time() + PATIENCE
            self._come.clear()
        self._expected.add(what)

    def came(self, what: str) -> None:
        """They have come."""
        self._expected.discard(what)
        if not self._expected:
            self._come.set()

    async def _run(self) -> None:
        while True:
            await self._wanted.wait()
            await asyncio.sleep(0)
            if self._expected:
                timeout = asyncio.get_running_loop().call_at(self._end, self._come.set)
                await self._come.wait()
                timeout.cancel()
                self._expected.clear()
            for _ in range(TURNS):
                if not self.laying:
                    break
                await asyncio.sleep(0)
            self.laying.clear()
            self.pause()  # whether or not a screen that is being closed still draws
            await self._tick(next_timer=0.0, count=0)


class FramedScreen(Base):
    """Mixed into a screen that is drawn by a `FrameTimer`."""

    _frames: FrameTimer | None = None
    _places: Any = None  # what is where on the screen, as it was drawn last

    def _compositor_refresh(self) -> None:
        """Called by Textual to draw what is outdated: with what a layout has outdated, which would be a second frame's.

        What is elsewhere than it was drawn is drawn too. Textual compares each layout with the one before, and where anyone's
        place was asked for in between it has taken note of the new one already: the view that had gone stayed on the screen.
        """
        compositor: Any = self._compositor
        for _ in range(2):  # it may take note of new places while it draws
            places = compositor.visible_widgets
            if places != self._places:
                moved = places.items() ^ (self._places or {}).items()
                compositor._dirty_regions.update(filter(None, (clip.intersection(at) for _, (at, clip) in moved)))
                self._places = places
            compositor.update_widgets({each for each in places if each._repaint_regions})
            super()._compositor_refresh()
            if compositor.visible_widgets == places:
                return

    @property
    def _update_timer(self) -> Timer:
        """Asked for by Textual when there is something to be drawn, and while all is laid out."""
        return self.frames

    @property
    def frames(self) -> FrameTimer:
        """What draws it."""
        if self._frames is None:
            self._frames = FrameTimer(self, self._on_timer_update)
            self._frames._start()  # pyright: ignore[reportPrivateUsage] # as Textual does
            self._timers.add(self._frames)
        return self._frames

    def _on_timer_update(self) -> None:
        """Called for a frame; by tests at any time, and then not while a layout is on its way."""
        if not self.frames.laying:
            super()._on_timer_update()

    def draw_soon(self, widget: Widget) -> None:
        """Something of a widget is outdated."""
        self._dirty_widgets.add(widget)
        self.frames.resume()

    def layout_comes(self, widget: Widget) -> None:
        """A widget asks for a layout, by a message that is still on its way: what is outdated meanwhile is drawn with it."""
        self.frames.laying.add(widget)

    async def _on_layout(self, message: messages.Layout) -> None:
        """Called by Textual when that message has come."""
        self.frames.laying.discard(message.widget)
        await super()._on_layout(message)
