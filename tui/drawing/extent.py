"""Which part of a plane is on screen, in words."""

from __future__ import annotations

from ...engine.messages.translation import tr
from ..state.plane import Plane
from .text import cell_len


def extents(plane: Plane, top: int, left: int, rows: int, columns: int) -> tuple[str, str]:
    """At length and shortly; both empty where all of the plane is on screen.

    Args:
        top, left: the first row and column on screen.
        rows, columns: how many there is room for.
    """
    long: list[str] = []
    short: list[str] = []
    for name, first, count, size in (("rows", top, rows, plane.rows), ("columns", left, columns, plane.columns)):
        if count < size:
            last = min(size, first + count) - 1
            span = f"{first}-{last}"
            long.append(tr("{name} {span} of {size}", name=tr(name), span=span, size=size))
            short.append(f"{tr(name)[:3]} {span}/{size}")
    return "  ".join(long), " ".join(short)


def that_fits(forms: tuple[str, ...], room: int) -> str:
    """The first form with two cells to spare, padded to the right end of the room; "" when none has."""
    found = next((form for form in forms if form and cell_len(form) + 2 <= room), "")
    return " " * (room - cell_len(found)) + found if found else ""
