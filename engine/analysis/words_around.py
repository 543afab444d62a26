"""The words around a word with what each has to do with its guess: what CBOW and skip-gram see of a text, one word at a time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..program.faces import face
from ..program.index import offset
from .prediction import Prediction, prediction_of

if TYPE_CHECKING:
    from ..program.trace import Trace
    from ..program.word_window import WordWindow


@dataclass(frozen=True, slots=True)
class WordThere:
    """A word of a window.

    Attributes:
        place: how far it is from the word in the middle, 0 for that itself.
        token: which of the text it is; -1 beyond its ends.
        word: as the vocabulary has it; number: its id.
        typed: what the text has, where the vocabulary does not have it; "" else.
        share: what it got, if it was to be guessed; NaN else.
        rank: how many words got more, and 1.
    """

    place: int
    token: int = -1
    word: str = ""
    number: int = -1
    typed: str = ""
    share: float = math.nan
    rank: int = 0


@dataclass(frozen=True, slots=True)
class WordsAround:
    """A word, the words around it in order, and what is guessed.

    Attributes:
        word: the one in the middle.
        places: those around it; those beyond the ends of the text too.
        guesses: the likeliest words.
    """

    word: WordThere
    places: tuple[WordThere, ...]
    guesses: Prediction

    @property
    def count(self) -> int:
        """How many places hold a word."""
        return sum(there.token >= 0 for there in self.places)


def words_around(trace: Trace, window: WordWindow, text: int, token: int, count: int = 10) -> WordsAround:
    """Read one window; of the words to be guessed also what they got.

    Args:
        count: how many of the likeliest words.
    """
    row = np.asarray(trace.value(window.shares).read((text, token))).astype(np.float64).reshape(-1)
    ids = np.asarray(trace.value(window.around).read((text, token))).reshape(-1)  # (place)
    holds = np.asarray(trace.value(window.mask).read((text, token))).reshape(-1) != 0
    own = int(np.asarray(trace.value(window.ids).read((text, token))).reshape(-1)[0])
    middle = _there(trace, text, token, 0, own, row if window.to_word else None)
    places: list[WordThere] = []
    for place in range(len(ids)):
        far = offset(place, len(ids))
        guessed = None if window.to_word else row
        there = _there(trace, text, token + far, far, int(ids[place]), guessed) if holds[place] else WordThere(far)
        places.append(there)
    return WordsAround(middle, tuple(places), prediction_of(trace, window.shares, (text, token), count))


def _there(
    trace: Trace, text: int, token: int, place: int, number: int, row: npt.NDArray[np.float64] | None
) -> WordThere:
    tokens, word = trace.tokens, trace.word(number)
    typed = face(tokens, text, token) if word == tokens.unknown else ""
    if row is None:
        return WordThere(place, token, word, number, typed)
    return WordThere(place, token, word, number, typed, float(row[number]), 1 + int((row > row[number]).sum()))
