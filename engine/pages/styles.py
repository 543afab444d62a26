"""How pages look: on light and on dark, with no script and nothing from elsewhere."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from ..messages.translation import language
from .heat import LEVELS
from .markup import Html, join, tag

STRONGEST = 88  # per cent of colour: the number in the cell is still to be read, on light and on dark


@cache
def styles(*names: str) -> Html:
    """Style sheets of this folder, and the levels of the heat maps.

    Colours are mixed into whatever is behind them, so that they fit a notebook's own theme, which no media query tells.
    """
    levels = (
        f".encoder-tui .{sign}{level} {{ background: color-mix(in oklab, var(--{name}) {STRONGEST * level // LEVELS}%, transparent); }}"
        for sign, name in (("p", "plus"), ("n", "minus"))
        for level in range(1, LEVELS + 1)
    )
    sheets = ((Path(__file__).parent / f"{name}.css").read_text("utf-8") for name in names)
    return tag("style", Html("\n".join([*sheets, *levels])))


def piece(inside: Html) -> str:
    """Markup that stands by itself, in whatever page: its styles come with it."""
    return join([styles("pieces"), tag("div", inside, class_="encoder-tui", lang=language())])
