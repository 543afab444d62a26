"""The same gestures without a terminal: parsed as a terminal's bytes are, posted to the app as its driver does."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from textual import events
from textual._xterm_parser import XTermParser
from textual.geometry import Size
from textual.pilot import Pilot

from .gestures import Gesture

PATIENCE = 20.0


async def play(pilot: Pilot[Any], gestures: Sequence[Gesture]) -> None:
    """Do all that to a running app; what lies between two waits is posted at once."""
    app = pilot.app
    for gesture in gestures:
        if app._exit or app._exception is not None:
            return
        match gesture.kind:
            case "send":
                parser = XTermParser()
                for letter in (*gesture.bytes.decode("utf-8", "replace"), ""):
                    for message in _parsed(parser, letter):
                        app.post_message(message)
            case "size":
                size = Size(*gesture.size)
                app._driver._size = gesture.size  # type: ignore[union-attr]
                app.post_message(events.Resize(size, size))
            case "wait":
                await pilot.pause(0.02)
            case _:  # a process that is stopped is for a terminal
                pass
        await asyncio.sleep(0)


def _parsed(parser: XTermParser, letter: str) -> list[Any]:
    try:
        return list(parser.feed(letter))
    except Exception:  # as the driver does: it is no key
        return []


async def leave(pilot: Pilot[Any]) -> bool:
    """Escape from wherever one is, and leave; whether that came about."""
    app = pilot.app
    end = asyncio.get_running_loop().time() + PATIENCE
    while not app._exit and app._exception is None:
        if asyncio.get_running_loop().time() > end:
            return False
        for key in ("escape", "escape", "escape", "q"):
            app.post_message(events.Key(key, None))
            await pilot.pause(0.02)
    return True
