"""Keys bound anew by a person: `f5 = "run"`. The table of commands that comes of it is what every list of keys reads."""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from textual.keys import Keys, _character_to_key  # pyright: ignore[reportPrivateUsage] # what a key press is called

from ...engine.messages.errors import InputError, nearest

if TYPE_CHECKING:
    from ...engine.commands.table import CommandTable, Key

# What stops, leaves, suspends and completes does so whatever a file says.
NOT_OURS = ("ctrl+c", "escape", "ctrl+q", "ctrl+z", "tab", "shift+tab")
_MODIFIED = re.compile(r"((?:ctrl\+|alt\+|shift\+)*)(.+)", re.DOTALL)


def rebound(table: CommandTable, bindings: Iterable[tuple[str, str]]) -> tuple[CommandTable, tuple[str, ...]]:
    """A table whose keys run what a person wants of them.

    Args:
        bindings: keys, as people call them, and command lines; "" takes a key away. The name of a command that needs
            something more is put on the command line, to be completed.

    Returns:
        The table, and what is wrong with the bindings that were left out, a line each.
    """
    from ...engine.commands.table import CommandTable

    refused: list[str] = []
    bound: dict[str, tuple[str, Key | None]] = {}
    for name, line in bindings:
        try:
            key = key_called(name, table)
            if key in bound:
                raise InputError(f"it is given twice, as {bound[key][0]!r} before")
            bound[key] = (name, _bound(table, key, name, line))
        except InputError as error:
            refused.append(f"the key {name!r} keeps its meaning: {error}")
    if not bound:
        return table, tuple(refused)
    new = [key for _, key in bound.values() if key is not None]
    commands = [
        replace(
            command,
            keys=(
                *(key for key in command.keys if key.key not in bound),
                *(key for key in new if table.find(key.line.split()[0]) is command),
            ),
        )
        for command in table
    ]
    return CommandTable(commands), tuple(refused)


def key_called(name: str, table: CommandTable) -> str:
    """A key as Textual names it: `/` is `slash`, `PgUp` is `pageup`, `Ctrl+N` is `ctrl+n`.

    Raises:
        InputError: there is no such key, or it is one that cannot be given away.
    """
    shown = {key.shown.lower(): key.key for key in _keys(table) if len(key.shown) > 1}
    modified = _MODIFIED.fullmatch(name)
    modifiers, base = (modified[1], modified[2]) if modified else ("", name)
    if not modifiers and not base.strip():
        raise InputError("a key has a name; a space is called space")
    if not modifiers and len(base) > 1:
        modified = _MODIFIED.fullmatch(name.lower())
        modifiers, base = (modified[1], modified[2]) if modified else ("", name.lower())
    base = _character_to_key(base) if len(base) == 1 else shown.get(base, base)
    key = modifiers + (base.lower() if modifiers else base)
    if key in NOT_OURS:
        raise InputError("it is needed to stop, to leave or to complete")
    if base not in _known():
        raise InputError(f"no key is called so{nearest(base, _known())}")
    return key


def _bound(table: CommandTable, key: str, name: str, line: str) -> Key | None:
    from ...engine.commands.table import Key

    if not line.strip():
        return None
    command = table.find(line.split()[0])
    rest = line.strip().partition(" ")[2]
    line = f"{command.name} {rest}" + " " * (line[-1:] == " ") if rest else command.plain
    known = next((other for other in command.keys if other.line == line), None)
    shown = next(
        (other.shown for other in _keys(table) if other.key == key), name if len(name) == 1 != len(key) else ""
    )
    return Key(key, line, known.label if known else line.strip(), shown)


def _keys(table: CommandTable) -> Iterator[Key]:
    return (key for command in table for key in command.keys)


@cache
def _known() -> frozenset[str]:
    characters = string.ascii_letters + string.digits + string.punctuation + " "
    return frozenset((*map(_character_to_key, characters), *(str(key.value) for key in Keys)))
