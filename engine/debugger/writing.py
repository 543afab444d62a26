"""Where the cursor came to rest, in words."""

from __future__ import annotations

from collections.abc import Mapping

from ..messages.translation import tr
from ..program.element import write_place
from ..program.stage import Shape, write_shape
from .cursor import Stop


def write_stop(stop: Stop, shapes: Mapping[str, Shape]) -> str:
    """Where the cursor came to rest, in a line: the reason, the stage, its shape, and the condition that held."""
    if stop.stage is None:
        return tr("at the start, before the first stage")
    place = f"{stop.stage.name} {write_shape(shapes[stop.stage.name])} ({', '.join(stop.stage.axes)})"
    if stop.breakpoint is not None:
        return tr("breakpoint {number} at {place}", number=stop.breakpoint.number, place=place) + write_held(stop)
    return tr("at the end, {place}", place=place) if stop.reason == "end" else tr("at {place}", place=place)


def write_held(stop: Stop) -> str:
    """What made the condition of a stop true, and which number: `: nan = 3, at [batch=0, token=2, hidden=7]`."""
    if not stop.held or stop.stage is None:
        return ""
    at = write_place(stop.stage.axes, stop.place) if stop.place and None not in stop.place else ""
    return f": {stop.held}, {tr('at {place}', place=at)}" if at and at not in stop.held else f": {stop.held}"
