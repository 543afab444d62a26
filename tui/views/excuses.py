"""What a view says in place of a picture, in the room that it has."""

from __future__ import annotations

from ...engine.messages.translation import tr
from ..drawing.text import cell_len, cut, wrapped


def wrapped_into(text: str, width: int, height: int) -> list[str]:
    """A sentence in lines; what does not fit is cut at the end of the last one."""
    lines = wrapped(text, width)
    return lines if len(lines) <= height else [*lines[: height - 1], cut(" ".join(lines[height - 1 :]), width)]


def not_read(why: str) -> str:
    """Why there are no numbers, in the subject's own words where it has any."""
    return why or tr("No numbers here: a recording without this stage, or a model of shapes alone.")


def in_its_place(why: str, width: int, height: int, *, fits: bool, late: bool) -> list[str]:
    """What stands where a picture would, in lines.

    Args:
        why: why there is none in any room; "" where there is one.
        fits: whether there is room for it; late: whether it has been waited for.
    """
    if why:
        return wrapped_into(why, width, height)
    if not fits:
        return [too_small(width)]
    return [tr("reading…")] if late else []


def too_small(width: int) -> str:
    """That there is too little room, in as many words as there is room for."""
    forms = map(tr, ("too small to show it", "too small", "small"))
    return next((text for text in forms if cell_len(text) <= width), "…")
