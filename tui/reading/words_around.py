"""The window round a word, read for the screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...engine.analysis.words_around import WordsAround
    from ...engine.commands.session import Session
    from ...engine.program.word_window import WordWindow


def read_words_around(session: Session, window: WordWindow, text: int, token: int) -> WordsAround:
    """Read it, and compute what it takes. Runs on the engine's thread."""
    from ...engine.analysis.words_around import words_around

    session.see(window.shares)
    return words_around(session.trace, window, text, token)
