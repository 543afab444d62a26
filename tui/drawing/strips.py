"""Pieces of text to a line of the screen."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from .text import cell_len

_cells = lru_cache(maxsize=4096)(cell_len)  # rich looks it up in a function of its own, five times as long


def strip_of(pieces: Iterable[tuple[str, Style]], ground: Style) -> Strip:
    """A line of the screen. It knows how wide it is, or Textual would add that up whenever a part of it is drawn.

    Args:
        ground: the style of what has no ground of its own.
    """
    segments = [Segment(text, style if style.bgcolor is not None else ground + style) for text, style in pieces if text]
    return Strip(segments, sum(_cells(text) for text, _, _ in segments))
