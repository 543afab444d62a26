"""Pieces of text to a line of the screen."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, cast

from rich.color import ColorSystem
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual.cache import FIFOCache
from textual.strip import Strip

from .text import cell_len

KEPT_STYLES = 4096
KEPT_OF_A_LINE = 4  # of each kind: parts of it, other lengths

_new = cast(Any, tuple).__new__
_cells = lru_cache(maxsize=4096)(cell_len)  # rich looks it up in a function of its own, five times as long


class Line(Strip):
    """A line of the screen that is drawn and sent, and hardly ever asked for anything else.

    Textual makes seven caches with each strip, and looks up what the terminal is sent for a style in two functions.
    """

    __slots__ = ()

    def __init__(self, segments: Iterable[Segment], cell_length: int | None = None) -> None:
        self._segments = list(segments)
        self._cell_length = cell_length
        self._render_cache = self._link_ids = self._cell_count = None

    def __getattr__(self, name: str) -> Any:
        """One of the caches, once it is needed."""
        if not name.endswith("_cache"):
            raise AttributeError(name)
        cache = FIFOCache[Any, Any](KEPT_OF_A_LINE)
        setattr(self, name, cache)
        return cache

    def render(self, console: Console) -> str:
        """Called by Textual: the characters that the terminal is sent."""
        if self._render_cache is None:
            system, sent = console._color_system or ColorSystem.TRUECOLOR, list[str]()  # pyright: ignore[reportPrivateUsage]
            for text, style, _ in self._segments:
                if style is None or style._link:  # pyright: ignore[reportPrivateUsage]
                    sent.append(text if style is None else self.render_style(style, text, system))
                    continue
                ansi = style._ansi  # pyright: ignore[reportPrivateUsage]
                if ansi is None:
                    ansi = self.render_ansi(style, system)
                sent.append(f"\x1b[{ansi}m{text}\x1b[0m" if ansi else text)
            self._render_cache = "".join(sent)
        return self._render_cache


class _Ground:
    """What styles are on a ground. Rich looks a sum of styles up by their hashes, which are functions of Python's."""

    def __init__(self, ground: Style) -> None:
        self._ground, self._known = (
            ground,
            dict[int, tuple[Style, Style]](),
        )  # by a style's place, with what is kept there

    def __call__(self, style: Style) -> Style:
        known = self._known.get(id(style))
        if known is None:
            if len(self._known) >= KEPT_STYLES:
                self._known.clear()
            known = self._known[id(style)] = style, self._ground + style
        return known[1]


_on = lru_cache(maxsize=64)(_Ground)


def strip_of(pieces: Iterable[tuple[str, Style]], ground: Style, width: int | None = None) -> Line:
    """A line of the screen. It knows how wide it is, or Textual would add that up whenever a part of it is drawn.

    Args:
        ground: the style of what has no ground of its own.
        width: how wide it is to be, as wide as what is in it without one.
    """
    on_ground = _on(ground)
    segments = [  # as Segment makes itself, which takes twice as long
        _new(Segment, (text, style if style._bgcolor is not None else on_ground(style), None))  # pyright: ignore[reportPrivateUsage] # thousands a frame
        for text, style in pieces
        if text
    ]
    used = sum([_cells(text) for text, _, _ in segments])
    if width is None or used == width:
        return Line(segments, used)
    if used < width:
        return Line([*segments, Segment(" " * (width - used), ground)], width)
    return Line(Strip(segments, used).adjust_cell_length(width, ground), width)
