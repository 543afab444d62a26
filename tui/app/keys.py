"""Keys, as the command table gives them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...engine.commands import CommandTable, Key

STAGE = "{stage}"


class Keyboard:
    """Which key stands for which command line."""

    def __init__(self, table: CommandTable) -> None:
        self.table = table
        self._keys: dict[str, Key] = {key.key: key for command in table for key in command.keys}

    def find(self, names: Sequence[str]) -> Key | None:
        """The key of any of these names: a key press has several (`plus`, `+`)."""
        return next((self._keys[name] for name in names if name in self._keys), None)


def fill(line: str, stage: str) -> str:
    """The command line with the stage that is looked at in its place."""
    return line.replace(STAGE, stage)


def is_begun(line: str) -> bool:
    """Whether a line is meant to be completed by hand."""
    return line.endswith(" ")
