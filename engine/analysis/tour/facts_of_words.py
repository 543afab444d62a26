"""What the tour through CBOW and skip-gram says in numbers: of a word, of those beside it, and of what is guessed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from ...program.figures import measure
from ...program.trace import Trace
from ...program.word_window import WordWindow, word_window_of
from ..words_around import WordsAround, WordThere, words_around
from .facts import neighbours_in, tokens_counted, word_of, words_followed

GUESSES, LISTED = 3, 10


def _share(share: float) -> str:
    return f"{share:.1%}" if share >= 0.0005 else f"{share:.1e}"


def _quoted(there: WordThere) -> str:
    return f'"{there.typed or there.word}"'


def _window(trace: Trace, stage: str) -> Mapping[str, str]:
    """The word that is followed, with its window: of every stage of it what there is to tell."""
    window, at = word_window_of(trace.program), word_of(trace)
    assert window is not None
    from ..word_vectors import is_special

    around = words_around(trace, window, 0, at, LISTED)
    inside = [there for there in around.places if there.token >= 0]
    near = next((there for there in inside if there.place == 1), inside[-1] if inside else around.word)
    target = around.word if window.to_word else near
    ranked = _likeliest(trace, window, at)
    other = next(
        (number for number in ranked if number != target.number and not is_special(trace.word(number))), ranked[0]
    )
    facts = words_followed(trace) | {
        "reach": f"{len(around.places) // 2}",
        "count": f"{len(inside)}",
        "around": ", ".join(f"{there.typed or there.word} {there.place:+d}" for there in inside) or "-",
        "near": _quoted(near),
        "near_at": f"{near.token}",
        "vocabulary": f"{around.guesses.count:,}",
        "size": f"{trace.shapes[window.vector][-1]}",
        "number": f"{float(np.array(trace.value(window.vector).read((0, at, 0)))):.4g}",
        "guesses": ", ".join(f"{guess.word} {_share(guess.share)}" for guess in around.guesses.best[:GUESSES]),
        "target": _quoted(target),
        "own": _share(target.share) if inside or window.to_word else "-",
        "rank": f"{target.rank:,}",
        "best": f'"{trace.word(other)}"',
        "best_id": f"{other}",
        "even": f"{math.log(around.guesses.count):.1f}",
        "likeliest": f'"{around.guesses.best[0].word}"',
        "likeliest_id": f"{ranked[0]}",
    }
    return facts | _of_target(trace, window, around, inside, near, target)


def _likeliest(trace: Trace, window: WordWindow, at: int) -> list[int]:
    """The ids of the likeliest words, the likeliest first."""
    row = np.asarray(trace.value(window.shares).read((0, at))).astype(np.float64).reshape(-1)
    return np.argsort(-row, kind="stable")[:LISTED].tolist()


def _of_target(
    trace: Trace, window: WordWindow, around: WordsAround, inside: list[WordThere], near: WordThere, target: WordThere
) -> dict[str, str]:  # fmt: skip
    """What there is only where a word stands beside it: the loss of the word to be guessed, and what it is told apart from."""
    if not inside:
        return {"loss": "0", "mean": "0", "drawn": "-", "products": "0"}
    places = [there.place for there in around.places]
    place = places.index(near.place)
    at = (0, around.word.token) if window.to_word else (0, around.word.token, place)
    losses = next(
        stage for stage in trace.program if window.own in stage.inputs and stage.axes == trace.program[window.own].axes
    )
    drawn = np.asarray(trace.value("negatives.ids").read(at)).reshape(-1)
    others = [there for there in inside if there is not near and there.word != near.word]
    facts = {
        "loss": f"{float(np.array(trace.value(losses.name).read(at))):.2f}",
        "mean": f"{measure(trace.value('loss.mean'), 'max'):.2f}",
        "drawn": ", ".join(trace.word(int(number)) for number in drawn),
        "products": f"{len(drawn) + 1}",
        "at": ", ".join(map(str, at)),
        "place": f"{place}",
        "first": f"{places.index(inside[0].place)}",
        "last": f"{places.index(inside[-1].place) + 1}",
        "target_at": f"{target.token}",
        "target_id": f"{target.number}",
    }
    if others:
        facts |= {"far": _quoted(others[0]), "far_at": f"{others[0].token}"}
    return facts


def _tokens(trace: Trace, stage: str) -> Mapping[str, str]:
    tokens = trace.original_tokens
    return {
        **tokens_counted(trace, stage),
        "vocabulary": f"{tokens.vocabulary_size:,}",
        "unknown": tokens.unknown or "-",
    }


def _neighbours(trace: Trace, stage: str) -> Mapping[str, str]:
    from ..word_vectors import WordTable

    return neighbours_in(trace, WordTable(trace))


FACTS_OF_WORDS: dict[str, Callable[[Trace, str], Mapping[str, str]]] = {
    "words_tokens": _tokens, "words_window": _window, "words_neighbours": _neighbours,
}  # fmt: skip
