"""What someone chooses once and for all: colours, language, what is seen first."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from ...engine.messages.errors import InputError, nearest
from ...engine.messages.translation import tr
from ..preferences.config import CHOICES, remember
from ..preferences.kept import Kept
from .themes import NIGHT

if TYPE_CHECKING:
    from textual.app import App

BY_HAND = ("key", "palette", "console")  # where an order came from that says what a person wants from now on


class Choices:
    """Makes choices and has them remembered, where they were made by hand and anything is kept.

    Args:
        app: whose colours they are.
        kept: what was chosen before.
    """

    def __init__(self, app: App[Any], kept: Kept) -> None:
        self._app, self._kept = app, kept
        self.refused: tuple[str, ...] = kept.refused

    def first_theme(self) -> str:
        """The colours to begin with: those the environment names, else those chosen, else ours."""
        asked = (("TEXTUAL_THEME", os.environ.get("TEXTUAL_THEME", "")), ("theme", self._kept.preferences.theme))
        for where, name in asked:
            if name in self._app.available_themes:
                return name
            if name:
                self.refused += (f"{where}: {self._unknown(name)}",)
        return NIGHT.name

    def made(self, what: str, name: str, origin: str) -> str:
        """Do what a request says, if it makes a choice, and remember it if it was made by hand. `theme` alone lists them.

        Returns:
            What is to be said of it; "" where nothing was chosen, or nothing is remembered.

        Raises:
            InputError: there are no such colours, or the choice cannot be written down.
        """
        if what not in CHOICES:
            return ""
        if what == "theme" and not name:
            here = self._app.theme
            return "\n".join(f"{'▸' if each == here else ' '} {each}" for each in sorted(self._app.available_themes))
        if what == "theme":
            if name not in self._app.available_themes:
                raise InputError(self._unknown(name))
            self._app.theme = name
        if origin not in BY_HAND or self._kept.config is None:
            return ""
        remember(self._kept.config, what, name)
        return tr("{what} {name}, remembered", what=what, name=name)

    def _unknown(self, name: str) -> str:
        known = self._app.available_themes
        return f"no theme is called {name!r}{nearest(name, known) or '; `theme` lists them'}"
