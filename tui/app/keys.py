"""Keys, as the command table gives them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...engine.messages.translation import tr

if TYPE_CHECKING:
    from ...engine.commands import CommandTable, Key

STAGE = "{stage}"
# The keys worth a place in the footer, the most useful first; what does not fit is left out from the end.
FOOTER = ("s", "n", "f", "c", "S", "x", "b", "slash", "colon", "C", "z", "J", "t", "w", "e", "question_mark", "q")


class Keyboard:
    """Which key stands for which command line."""

    def __init__(self, table: CommandTable) -> None:
        self.table = table
        self._keys: dict[str, Key] = {key.key: key for command in table for key in command.keys}

    def find(self, names: Sequence[str]) -> Key | None:
        """The key of any of these names: a key press has several (`plus`, `+`)."""
        return next((self._keys[name] for name in names if name in self._keys), None)

    @property
    def controls(self) -> frozenset[str]:
        """The keys with Ctrl that stand for commands."""
        return frozenset(key for key in self._keys if key.startswith("ctrl+"))

    def footer(self) -> tuple[tuple[str, str], ...]:
        """Names and labels of the keys for the footer, the most useful first."""
        return tuple((self._keys[key].name, tr(self._keys[key].label)) for key in FOOTER if key in self._keys)


def fill(line: str, stage: str) -> str:
    """The command line with the stage that is looked at in its place."""
    return line.replace(STAGE, stage)


def is_begun(line: str) -> bool:
    """Whether a line is meant to be completed by hand."""
    return line.endswith(" ")
