"""When a screen is drawn: once what has come is seen to, and no later."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from textual.geometry import Size
from textual.screen import Screen
from textual.timer import Timer

if TYPE_CHECKING:
    Base = Screen[Any]  # what it is mixed into is one
else:
    Base = object


class FrameTimer(Timer):
    """Draws what is to be drawn, after whatever is ready to run has run.

    Textual's own fires sixty times a second, and once it has rested it leaves out one time: the second frame of a key, that
    with the numbers, came 17 to 33 ms after the first. No rate is needed: what comes while a frame is drawn is all seen to
    before the next one.
    """

    def __init__(self, screen: Screen[Any], draw: Callable[[], None]) -> None:
        super().__init__(screen, 0.0, name="frames", callback=draw, pause=True)
        self._wanted = asyncio.Event()

    def resume(self) -> None:
        """There is something to be drawn."""
        self._wanted.set()

    def pause(self) -> None:
        """It is drawn."""
        self._wanted.clear()

    async def _run(self) -> None:
        while True:
            await self._wanted.wait()
            await asyncio.sleep(0)
            self.pause()  # whether or not a screen that is being closed still draws
            await self._tick(next_timer=0.0, count=0)


class FramedScreen(Base):
    """Mixed into a screen that is drawn by a `FrameTimer`."""

    _frames: FrameTimer | None = None
    _laid_out: Any = None  # where everything is on the screen

    def _refresh_layout(self, size: Size | None = None, scroll: bool = False) -> None:
        """Called by Textual to lay all out, and to draw what is elsewhere than it was.

        Was anyone's place asked for after a view had come and before this, Textual has taken note of the new places already,
        finds that nothing has moved, and leaves the view that has gone on the screen.
        """
        if self._laid_out is not None:
            self._compositor._full_map = self._laid_out  # pyright: ignore[reportPrivateUsage]
        super()._refresh_layout(size, scroll)
        self._laid_out = self._compositor._full_map  # pyright: ignore[reportPrivateUsage]

    def _compositor_refresh(self) -> None:
        """Called by Textual to draw what is outdated: with what a layout has outdated, which would be a second frame's."""
        outdated = {each for each in self._compositor.visible_widgets if each._repaint_regions}  # pyright: ignore[reportPrivateUsage]
        self._compositor.update_widgets(outdated)
        super()._compositor_refresh()

    @property
    def _update_timer(self) -> Timer:
        """Asked for by Textual when there is something to be drawn, and while all is laid out."""
        if self._frames is None:
            self._frames = FrameTimer(self, self._on_timer_update)
            self._frames._start()  # pyright: ignore[reportPrivateUsage] # as Textual does
            self._timers.add(self._frames)
        return self._frames
