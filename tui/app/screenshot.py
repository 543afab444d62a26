"""What is on the screen as a file that others can look at: Textual's own picture, with nothing in it that would be fetched."""

from __future__ import annotations

import os
import re
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...engine.messages.translation import language, tr
from ...engine.messages.visible import visible
from ...engine.traces.atomic_write import atomic_write

if TYPE_CHECKING:
    from textual.app import App

TITLE = "encoder-tui"
_FONTS = re.compile(
    r"@font-face\s*\{[^}]*\}"
)  # from a network; the family named after them is any that is fixed in width


def write_screen(app: App[Any], path: str) -> str:
    """Write the screen to .svg, or to .html with the same picture in it; whole or not at all.

    Returns:
        What was written, to be said.

    Raises:
        InputError: the path cannot be written.
    """
    picture = _FONTS.sub("", app.export_screenshot(title=TITLE))
    target = Path(os.path.expanduser(path))
    with atomic_write(target) as file:
        file.write((picture if path.endswith(".svg") else _page(picture)).encode())
    return tr("wrote {path}", path=visible(path))


def _page(picture: str) -> str:
    head = f'<meta charset="utf-8"><title>{escape(TITLE)}</title><style>body {{ margin: 0; }} svg {{ max-width: 100%; height: auto; }}</style>'
    return f'<!DOCTYPE html>\n<html lang="{language()}"><head>{head}</head><body>{picture}</body></html>\n'
