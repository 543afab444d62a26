"""What a view says in place of a picture, in the room that it has."""

from __future__ import annotations

from ...engine.messages.translation import tr
from ..drawing.text import cell_len, cut, wrapped


def wrapped_into(text: str, width: int, height: int) -> list[str]:
    """A sentence in lines; what does not fit is cut at the end of the last one."""
    lines = wrapped(text, width)
    return lines if len(lines) <= height else [*lines[: height - 1], cut(" ".join(lines[height - 1 :]), width)]


def too_small(width: int) -> str:
    """That there is too little room, in as many words as there is room for."""
    forms = map(tr, ("too small to show it", "too small", "small"))
    return next((text for text in forms if cell_len(text) <= width), "…")
