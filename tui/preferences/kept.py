"""All that is kept for one person, as a session finds it on opening."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...engine.messages.errors import one_line
from .config import Preferences, read_preferences
from .history import History
from .places import config_folder, kept_text, shown_path, state_folder

# Options with which nothing of it is read or written: what a script does must not depend on whose it is.
WITHOUT = ("--no-config", "--batch")


@dataclass(frozen=True, slots=True)
class FirstLine:
    """A command line of the init file, and the place it stands at, to be named where it is wrong."""

    place: str
    line: str


@dataclass(frozen=True, slots=True)
class Kept:
    """What a session finds; nothing, if nothing is kept.

    Attributes:
        preferences: the config file.
        config: where choices are remembered; None: nowhere.
        history: what was typed; None: it is not kept.
        init: the init file's command lines.
        refused: what is wrong in these files, a line each.
    """

    preferences: Preferences = field(default_factory=Preferences)
    config: Path | None = None
    history: History | None = None
    init: tuple[FirstLine, ...] = ()
    refused: tuple[str, ...] = ()


def kept_for(argv: Sequence[str]) -> Kept:
    """What is kept for whoever gave this command line; nothing under one of `WITHOUT`."""
    options = argv[: argv.index("--")] if "--" in argv else argv
    if any(option in options for option in WITHOUT):
        return Kept()
    config = config_folder() / "config.toml"
    preferences = read_preferences(config)
    init, refused = read_init(config_folder() / "init")
    history = History(state_folder() / "history")
    return Kept(preferences, config, history, init, (*preferences.refused, *refused))


def read_init(path: Path) -> tuple[tuple[FirstLine, ...], tuple[str, ...]]:
    """The command lines of an init file, one a line, `#` before what is none; and what is wrong with it."""
    try:
        lines = list(enumerate(kept_text(path).splitlines(), 1))
    except (OSError, ValueError) as error:
        return (), (f"{shown_path(path)} is left aside: {getattr(error, 'strerror', None) or one_line(error)}",)
    commands = [(number, line.strip()) for number, line in lines if line.strip() and line.strip()[0] != "#"]
    return tuple(FirstLine(f"{shown_path(path)}, line {number}", line) for number, line in commands), ()
