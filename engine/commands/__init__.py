"""The command language: one table for keys, palette, console, `-ex`, `--batch` and script files.

`table` says what a command is; each other module adds the commands of one kind.
"""

from __future__ import annotations

from . import (
    breaking,
    changing,
    checking,
    comparing,
    cost,
    explaining,
    files,
    looking,
    minimising,
    motion,
    picture,
    reporting,
    screen,
    touring,
    why,
    words,
)  # fmt: skip
from .table import Command, CommandTable, Key, Reply, Request

KINDS = (
    motion, breaking, looking, explaining, touring, picture, why, words, changing, comparing, minimising, checking, cost, files, reporting, screen,
)  # fmt: skip
TABLE = CommandTable(command for kind in KINDS for command in kind.COMMANDS)

__all__ = ["TABLE", "Command", "CommandTable", "Key", "Reply", "Request"]
