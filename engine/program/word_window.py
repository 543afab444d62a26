"""Which stages of a program have to do with the words around a word, and which way it guesses: CBOW's and skip-gram's."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from .predicting import predicted_by

if TYPE_CHECKING:
    from .program import Program


@dataclass(frozen=True, slots=True)
class WordWindow:
    """The stages of a window round each word.

    Attributes:
        ids: of the words; around: ids of the words around each; mask: where there are any.
        vector: what is scored against the vocabulary, one for each word: the mean of its context, or its own row.
        shares: the probabilities of all words; own: the one of each word that is to be guessed.
        to_word: whether the context guesses the word, as in CBOW, rather than the word its context.
        shown: the stages between the ids and the loss, each of which has to do with that picture.
    """

    ids: str
    around: str
    mask: str
    vector: str
    shares: str
    own: str
    to_word: bool
    shown: frozenset[str]


@lru_cache(maxsize=8)
def word_window_of(program: Program) -> WordWindow | None:
    """The window of a program that guesses words from words around them; None where it does not."""
    of_kind = {stage.kind: stage for stage in reversed(program.stages)}  # the first of each kind
    around, mask, own = (of_kind.get(kind) for kind in ("Around", "AroundMask", "PickIds"))
    if around is None or mask is None or own is None:
        return None
    shares, target = own.inputs
    ids = around.inputs[0]
    if target not in (ids, around.name):
        return None
    vector = shares
    while program[vector].axes[-1:] == ("vocabulary",):
        vector = program[vector].inputs[0]
    losses = {stage.name for stage in program if own.name in stage.inputs and stage.axes == own.axes}
    shown = {name for name in _before(program, {own.name, *losses}) if program[name].room != "tokens"}
    shown |= {stage.name for stage in program if predicted_by(program, stage.name)}
    return WordWindow(ids, around.name, mask.name, vector, shares, own.name, target == ids, frozenset(shown))


def _before(program: Program, names: set[str]) -> set[str]:
    """These stages and all that they are made of."""
    reached, due = set[str](), list(names)
    while due:
        name = due.pop()
        if name not in reached:
            reached.add(name)
            due += program[name].inputs
    return reached
