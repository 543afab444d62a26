"""The config file: theme, language, what is seen first, and keys. It is read on opening, and written by the commands that choose.

    theme = "encoder-day"
    language = "zh"
    home = "tree"

    [keys]
    f5 = "run"
    "+" = "view grid"

What is wrong in it is told in a line each and stops nothing. Writing changes one line and leaves the others as they are, with their
comments: a library that does the same for any TOML (tomlkit) would be one more dependency for three words, and what this cannot
change for certain it refuses to.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from ...engine.messages.errors import InputError, nearest, one_line
from ...engine.messages.translation import LANGUAGES
from .places import kept_text, shown_path

HOMES = ("map", "tree")
CHOICES = ("theme", "language", "home")
QUOTED = 60  # letters of a line that is wrong
_TABLE = re.compile(r"^[ \t]*\[", re.MULTILINE)
_LINE_OF = re.compile(r"line (\d+)")


@dataclass(frozen=True, slots=True)
class Preferences:
    """What the config file says.

    Attributes:
        theme, language, home: what was chosen; "" where nothing was.
        keys: keys, as people call them, and the command line each is to run; "" takes a key away.
        refused: what is wrong in it, a line each.
    """

    theme: str = ""
    language: str = ""
    home: str = ""
    keys: tuple[tuple[str, str], ...] = ()
    refused: tuple[str, ...] = ()


def read_preferences(path: Path) -> Preferences:
    """What a config file says; nothing where there is none. It raises nothing: what is wrong is told in `refused`."""
    try:
        return _understood(_parsed(kept_text(path)), shown_path(path))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or one_line(error)
        return Preferences(refused=(f"{shown_path(path)} is left aside: {reason}",))


def remember(path: Path, name: str, value: str) -> None:
    """Set one of `CHOICES` in the file, which is made where there is none, and is whole at every moment.

    Raises:
        InputError: it cannot be read, written, or changed for certain.
    """
    path = Path(os.path.realpath(path))  # where it is kept may be a link to where it lies
    line = f'{name} = "{value}"'
    by_hand = f"{shown_path(path)} does not remember it: write {line} in it by hand"
    try:
        text = kept_text(path)
        known = _parsed(text)
        changed = _with_line(text, name, line)
        if _parsed(changed) != {**known, name: value}:
            raise InputError(f"{by_hand} (it is written in a way that is not understood here)")
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _replace(path, changed)
    except InputError:
        raise
    except (OSError, ValueError) as error:
        raise InputError(f"{by_hand} ({getattr(error, 'strerror', None) or one_line(error)})") from None


def _parsed(text: str) -> dict[str, Any]:
    """What a TOML file holds.

    Raises:
        ValueError: it is none, with the line that is wrong.
    """
    if not text.strip():
        return {}
    import tomllib  # no file, no import

    try:
        known = tomllib.loads(text)
        repr(known)  # what cannot be written out cannot be compared either
        return known
    except RecursionError:
        raise ValueError("brackets or names within each other by the hundred") from None
    except ValueError as error:
        at = _LINE_OF.search(str(error))
        lines = text.splitlines()
        quoted = lines[min(int(at[1]), len(lines)) - 1 if at else -1].strip()
        raise ValueError(f"{error}: {quoted[:QUOTED]}{'…' * (len(quoted) > QUOTED)}") from None


def _understood(known: Mapping[str, Any], where: str) -> Preferences:
    chosen: dict[str, str] = {}
    keys: list[tuple[str, str]] = []
    refused: list[str] = []
    words = {"language": tuple(LANGUAGES), "home": HOMES}
    for name, value in known.items():
        if name == "keys" and not isinstance(value, dict):
            refused.append(f'{where}: keys is no table; write [keys] on a line, and below it for instance f5 = "run"')
        elif name == "keys":
            for key, line in cast("dict[str, object]", value).items():
                if isinstance(line, str):
                    keys.append((key, line))
                else:
                    refused.append(f'{where}: the key {key!r} is given no command; write for instance "{key}" = "step"')
        elif name not in CHOICES:
            known_names = (*CHOICES, "keys")
            refused.append(f"{where}: {name!r} is not known{nearest(name, known_names) or _there_are(known_names)}")
        elif not isinstance(value, str) or (name in words and value not in words[name]):
            refused.append(f"{where}: {name} is not {value!r}{_there_are(words.get(name, ('a name in quotes',)))}")
        else:
            chosen[name] = value
    return Preferences(**chosen, keys=tuple(keys), refused=tuple(refused))


def _there_are(words: tuple[str, ...]) -> str:
    return f"; write {' or '.join(words)}" if len(words) < 3 else f"; there are {', '.join(words)}"


def _with_line(text: str, name: str, line: str) -> str:
    """The text with `line` in place of the one that gives this name, or before the first table."""
    table = _TABLE.search(text)
    top, below = (text[: table.start()], text[table.start() :]) if table else (text, "")
    given = re.compile(rf"^[ \t]*{name}[ \t]*=[ \t]*(?:\"[^\"\n]*\"|'[^'\n]*'|[^\s#]+)", re.MULTILINE)
    changed, count = given.subn(lambda _: line, top, count=1)
    if not count:
        gap = "\n" * (bool(top) and not top.endswith("\n"))
        blank = "\n" * bool(below)
        changed = f"{top.rstrip()}\n{line}\n{blank}" if top.strip() else f"{top}{gap}{line}\n{blank}"
    return changed + below


def _replace(path: Path, text: str) -> None:
    """Write beside it and rename, so that no moment sees half a file."""
    import tempfile

    descriptor, part = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(part, path.stat().st_mode & 0o777 if path.exists() else 0o644)
        os.replace(part, path)
    except BaseException:
        os.unlink(part)
        raise
