"""The command language: one table for keys, palette, console, `-ex`, `--batch` and script files.

`table` says what a command is; each other module adds the commands of one kind.
"""

from __future__ import annotations

from . import breaking, files, looking, motion, screen
from .table import Command, Key, Reply, Request, Table

TABLE = Table((*motion.COMMANDS, *breaking.COMMANDS, *looking.COMMANDS, *files.COMMANDS, *screen.COMMANDS))

__all__ = ["TABLE", "Command", "Key", "Reply", "Request", "Table"]
