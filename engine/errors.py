"""The one exception that is a person's business rather than ours."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from .messages.visible import visible


class InputError(ValueError):
    """Something a person gave us cannot be used: text, a path, a stage, a command.

    The message is one line: what is wrong, with what, and what to do. Every face of the project (API, batch
    mode, screen) shows exactly that line, and the command line leaves with status 2.

    Args:
        message: the line; whatever it quotes that would steer a terminal, or end the line, becomes an escape.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(visible(message))


def one_line(error: BaseException) -> str:
    """The message of any exception, on one line, with nothing in it that steers a terminal."""
    return visible(" ".join(str(error).split())) or type(error).__name__


def nearest(word: str, known: Iterable[str], count: int = 3) -> str:
    """A hint such as `; did you mean a, b?`, or an empty string when nothing known looks like `word`."""
    close = difflib.get_close_matches(word, list(known), n=count, cutoff=0.6)
    return f"; did you mean {', '.join(close)}?" if close else ""
