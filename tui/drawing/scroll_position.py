"""Which part of a plane is on screen, in words."""

from __future__ import annotations

from ...engine.messages.translation import tr
from .text import cell_len


def scroll_positions(size: tuple[int, int], top: int, left: int, rows: int, columns: int) -> tuple[str, str]:
    """At length and shortly; both empty where all of the plane is on screen.

    Args:
        size: how many rows and columns there are.
        top, left: the first row and column on screen.
        rows, columns: how many there is room for.
    """
    long: list[str] = []
    short: list[str] = []
    for name, first, count, whole in (("rows", top, rows, size[0]), ("columns", left, columns, size[1])):
        if count < whole:
            last = min(whole, first + count) - 1
            span = f"{first}-{last}"
            long.append(tr("{name} {span} of {size}", name=tr(name), span=span, size=whole))
            short.append(f"{tr(name)[:3]} {span}/{whole}")
    return "  ".join(long), " ".join(short)


def with_axes(axes: tuple[str, ...], where: tuple[str, ...] = ()) -> tuple[str, ...]:
    """What the axes are called before which part is on screen; where there is no room for both, that part, or else the axes."""
    both = [f"{name}   {part}" for part in where if part for name in axes if name]
    return (*both, *filter(None, where), *axes)


def that_fits(forms: tuple[str, ...], room: int) -> str:
    """The first form with two cells to spare, padded to the right end of the room; "" when none has."""
    fitting = next((form for form in forms if form and cell_len(form) + 2 <= room), "")
    return " " * (room - cell_len(fitting)) + fitting if fitting else ""
