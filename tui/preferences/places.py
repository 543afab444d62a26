"""Where the files of a person are, as the XDG base directories have it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path


def config_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Where `config.toml` and `init` are: `$XDG_CONFIG_HOME/encoder-tui`, or `~/.config/encoder-tui`."""
    return _base("XDG_CONFIG_HOME", "~/.config", environment) / "encoder-tui"


def state_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Where `history` is: `$XDG_STATE_HOME/encoder-tui`, or `~/.local/state/encoder-tui`."""
    return _base("XDG_STATE_HOME", "~/.local/state", environment) / "encoder-tui"


def shown_path(path: Path) -> str:
    """A path as a person calls it: `~/.config/encoder-tui/config.toml`."""
    home, written = os.path.expanduser("~"), str(path)
    return f"~{written.removeprefix(home)}" if written.startswith(f"{home}{os.sep}") else written


def _base(variable: str, otherwise: str, environment: Mapping[str, str]) -> Path:
    """A relative path is to be ignored, says XDG."""
    given = environment.get(variable, "")
    return Path(given if os.path.isabs(given) else os.path.expanduser(otherwise))


def kept_text(path: Path, most: int = 1_000_000) -> str:
    """The text of a file that a person keeps; "" where there is none.

    Raises:
        ValueError: it is no file, is absurdly large, or is not UTF-8.
        OSError: it cannot be read.
    """
    if not path.exists():
        return ""
    if not path.is_file():  # a pipe would be waited for
        raise ValueError("it is not a file")
    if path.stat().st_size > most:
        raise ValueError(f"more than {most:,} bytes")
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None
