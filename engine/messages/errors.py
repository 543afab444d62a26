"""The one exception that is a person's business rather than ours."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from .visible import visible

MOST_LETTERS = 2000


class InputError(ValueError):
    """Something a person gave us cannot be used: text, a path, a stage, a command.

    The message is one line: what is wrong, with what, and what to do. Every face of the project (API, batch
    mode, screen) shows exactly that line, and the command line leaves with status 2.

    Args:
        message: the line; whatever it quotes that would steer a terminal, or end the line, becomes an escape, and the
            middle of one that is absurdly long is left out.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(visible(_shortened(message)))


class Interrupted(InputError):
    """What was being computed was told to stop. What had been computed stays, and asking again goes on from there."""


def one_line(error: BaseException) -> str:
    """The message of any exception, on one line, with nothing in it that steers a terminal."""
    return visible(_shortened(" ".join(str(error).split()))) or type(error).__name__


def _shortened(text: str) -> str:
    """A text of bearable length: what is wrong stands at its front, and what to do at its end."""
    left = len(text) - MOST_LETTERS
    half = MOST_LETTERS // 2
    return text if left <= 0 else f"{text[:half]} … {left:,} letters … {text[-half:]}"


def nearest(word: str, known: Iterable[str], count: int = 3) -> str:
    """A hint such as `; did you mean a, b?`, or an empty string when nothing known looks like `word`."""
    close = difflib.get_close_matches(word, list(known), n=count, cutoff=0.6)
    return f"; did you mean {', '.join(close)}?" if close else ""
