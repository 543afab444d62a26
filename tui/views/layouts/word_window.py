"""How the window round a word lies on the screen: the words by their places, what is averaged, and what is guessed of which."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ....engine.analysis.words_around import WordsAround, WordThere
from ....engine.messages.translation import tr, trn
from ....engine.program.faces import MARK
from ....engine.program.word_window import WordWindow
from ...drawing.bars import across
from ...drawing.numbers import counted
from ...drawing.text import cell_len, cut, fit, plain, wrapped
from ..words_of_change import percent

Inked = list[tuple[str, str]]  # pieces of a line, each with the name of its ink

PLACE, LINES, SHARE, LEAST_BAR = 4, 5, 7, 4
LONGEST_WORD, LONGEST_GUESS = 16, 14
GAP, NARROW = 3, 26  # cells between two columns; guesses in fewer cells than that tell no rank


@dataclass(frozen=True, slots=True)
class WindowPicture:
    """The lines of the picture.

    Attributes:
        lines: as many as the height, or fewer.
        tokens: which token of the text a click on a line means; -1 where none.
    """

    lines: tuple[Inked, ...]
    tokens: tuple[int, ...]


def window_picture(around: WordsAround, window: WordWindow, width: int, height: int) -> WindowPicture:
    """Lay out a window: one line for each place, -5 ... 5, under a line of headings and over some of words.

    Where the height does not do for all of it, the words below make way first, then the headings, then the places farthest away.
    """
    places = len(around.places) + 1
    said = _foot(around, window, width)[: max(0, height - places - 1)]
    headed = height > places
    every = [*_half(around, before=True), around.word, *_half(around, before=False)]
    reach = min(places // 2, max(0, (height - 1) // 2))
    shown = every[places // 2 - reach : places // 2 + reach + 1]
    body = _to_word if window.to_word else _from_word
    lines = body(around, window, shown, width)[not headed :]
    tokens = (*[-1] * headed, *(there.token for there in shown), *[-1] * len(said))
    return WindowPicture((*lines, *([piece] for piece in said)), tokens)


def _half(around: WordsAround, *, before: bool) -> list[WordThere]:
    return [there for there in around.places if (there.place < 0) == before]


def _longest(width: int) -> int:
    """Cells of a word, of which a line has two or three."""
    return min(LONGEST_WORD, width // 5)


def on_screen(there: WordThere) -> str:
    """A word for the screen; one that the vocabulary lacks as the text has it, `?猫`."""
    if there.token < 0:
        return "·"
    return plain(f"{MARK}{there.typed}" if there.typed else there.word)


# -- the context guesses the word ------------------------------------------------------------------------------------


def _to_word(around: WordsAround, window: WordWindow, shown: list[WordThere], width: int) -> list[Inked]:
    mean = (
        trn(around.count, "mean of {count} vector", "mean of {count} vectors")
        if around.count
        else tr("nothing to average")
    )
    words = min(_longest(width), max(map(cell_len, map(on_screen, shown))))
    taken = PLACE + 1 + words + LINES
    joints = (f"─ {mean} ─▸ ", f"─ {tr('mean')} ─▸ ", "─▸ ")
    joint = next((joint for joint in joints if width - taken - cell_len(joint) >= LONGEST_GUESS + SHARE), joints[-1])
    room = width - taken - cell_len(joint)
    guesses = _guesses(around, len(shown), room)
    heads = (
        (tr("beside it"), taken),
        (_short(window.vector, cell_len(joint)), cell_len(joint)),
        (_short(window.shares, room), room),
    )
    lines: list[Inked] = [_headings(heads)]
    holds = [at for at, there in enumerate(shown) if there.place and there.token >= 0]
    for at, there in enumerate(shown):
        here = not there.place
        lines.append(
            [
                *_place(there, words),
                (_gathered(at, len(shown) // 2, holds), "accent"),
                ((joint if here and holds else " " * cell_len(joint)), "accent"),
                *guesses[at],
            ]
        )
    return lines


def _gathered(at: int, middle: int, holds: list[int]) -> str:
    """The lines that run together from the words to their mean."""
    if not holds:
        return " " * LINES
    first, last = min(*holds, middle), max(*holds, middle)
    if at == middle:
        return "   " + ("╭" if first == middle else "╰" if last == middle else "├") + "─"
    line = " ──" if at in holds else "   "
    if at == first:
        return f"{line}╮ "
    if at == last:
        return f"{line}╯ "
    between = first < at < last
    return line + (("┤" if at in holds else "│") if between else " ") + " "


def _guesses(around: WordsAround, height: int, width: int) -> list[Inked]:
    """The likeliest words with bars, and the true one, marked, in its place among them or below."""
    best, own = around.guesses.best, around.word
    ranked = [(at, guess.word, guess.share) for at, guess in enumerate(best, 1)]
    told = own.rank > 0 and not math.isnan(own.share)
    if told and own.rank > min(len(best), height):
        ranked = [*ranked[: height - 1], (own.rank, own.word, own.share)]
    ranked = ranked[:height]
    digits = max(len(counted(rank)) for rank, _, _ in ranked) if width >= NARROW else len(str(len(best)))
    words = min(LONGEST_GUESS, max(cell_len(plain(word)) for _, word, _ in ranked), max(1, width - digits - SHARE - 3))
    bar = width - digits - 3 - words - 1 - SHARE
    most = ranked[0][2] or 1.0
    lines: list[Inked] = []
    for rank, word, share in ranked:
        true = told and rank == own.rank and word == own.word
        ink = "here" if true else "note"
        place = counted(rank) if len(counted(rank)) <= digits else ""
        drawn = f" {across(share / most, bar)}" if bar >= LEAST_BAR else " "
        lines.append(
            [
                (f"{'★' if true else ' '}{place:>{digits}} ", "here" if true else "quiet"),
                (fit(plain(word), words), ink),
                (drawn, "here" if true else "label"),
                (f"{percent(share):>{SHARE}}", ink),
            ]
        )
    return [*lines, *([] for _ in range(height - len(lines)))]


# -- the word guesses its context --------------------------------------------------------------------------------------


def _from_word(around: WordsAround, window: WordWindow, shown: list[WordThere], width: int) -> list[Inked]:
    own = f"▸{cut(on_screen(around.word), _longest(width))}"
    words = min(
        _longest(width), max(cell_len(on_screen(there)) for there in shown if there.place) if len(shown) > 1 else 1
    )
    ranks = max((len(counted(there.rank)) + 1 for there in shown if there.place and there.rank), default=2)
    left = cell_len(own) + 1
    taken = left + LINES + PLACE + 1 + words + SHARE
    ranks = ranks if taken + 1 + ranks <= width else -1
    taken += 1 + ranks
    spare = width - taken - GAP
    beside = spare >= 3 + 8 + SHARE  # room for the likeliest words as well
    guesses = _guesses(around, len(shown), min(spare, 36)) if beside else []
    heads = [
        (_short(window.vector, left + LINES), left + LINES),
        (tr("each gets"), taken - left - LINES + (GAP if beside else 0)),
    ]
    lines: list[Inked] = [_headings((*heads, *([(tr("likeliest at every place"), spare)] if beside else [])))]
    holds = [at for at, there in enumerate(shown) if there.place and there.token >= 0]
    middle = len(shown) // 2
    for at, there in enumerate(shown):
        here = not there.place
        line: Inked = [(own + " " if here else " " * left, "here"), (_spread(at, middle, holds), "accent")]
        if here:
            line.append((" " * (taken - left - LINES), "label"))
        else:
            got = f"{percent(there.share):>{SHARE}}" if there.token >= 0 else " " * SHARE
            rank = f"#{counted(there.rank)}" if there.rank else ""
            line += [*_place(there, words), (got, "note"), (f" {rank:>{ranks}}" if ranks > 0 else "", "quiet")]
        lines.append([*line, *([(" " * GAP, "label"), *guesses[at]] if beside else [])])
    return lines


def _spread(at: int, middle: int, holds: list[int]) -> str:
    """The lines that run from the word to those around it."""
    if not holds:
        return " " * LINES
    first, last = min(*holds, middle), max(*holds, middle)
    if at == middle:
        return "──" + ("╮" if first == middle else "╯" if last == middle else "┤") + "  "
    if at == first:
        return "  ╭─▸"
    if at == last:
        return "  ╰─▸"
    return ("  ├─▸" if at in holds else "  │  ") if first < at < last else " " * LINES


# -- both --------------------------------------------------------------------------------------------------------------


def _short(stage: str, room: int) -> str:
    """A stage's name, or its last word, as there is room for it."""
    part = stage.rpartition(".")[2]
    return next((name for name in (stage, part) if cell_len(name) < room), "")


def _headings(heads: tuple[tuple[str, int], ...]) -> Inked:
    return [(fit(cut(text, max(0, room - 1)), room), "quiet") for text, room in heads]


def _place(there: WordThere, words: int) -> Inked:
    """`-4 quick`."""
    here = not there.place
    ink = "here" if here else "warning" if there.typed else "note" if there.token >= 0 else "faint"
    place = f"{'▸' if here else ''}{there.place:+d}" if there.place else "▸0"
    return [(f"{place:>{PLACE}} ", "here" if here else "label"), (fit(on_screen(there), words), ink)]


def _foot(around: WordsAround, window: WordWindow, width: int) -> list[tuple[str, str]]:
    """What is averaged and guessed, and what the true word got; then which words the vocabulary lacks."""
    word = on_screen(around.word)
    if not around.count:
        said = [tr("No word stands beside {word}: there is nothing to learn from.", word=f'"{word}"')]
    elif window.to_word:
        said = [
            tr(
                'CBOW: the mean of the words beside it guesses {word}, which gets {share}, place {rank} of {all}.',
                word=f'"{word}"', share=percent(around.word.share), rank=counted(around.word.rank), all=counted(around.guesses.count),
            )
        ]  # fmt: skip
    else:
        said = [
            tr(
                "Skip-gram: the vector of {word} guesses each word beside it; # is its place among {all}.",
                word=f'"{word}"', all=counted(around.guesses.count),
            )
        ]  # fmt: skip
    unknown = [there for there in (*around.places, around.word) if there.typed]
    if unknown:
        words = ", ".join(dict.fromkeys(there.typed for there in unknown))
        said.append(
            tr("Not in the vocabulary, so that the model sees {token}: {words}", token=unknown[0].word, words=words)
        )
    return [(line, "note" if at == 0 else "warning") for at, text in enumerate(said) for line in wrapped(text, width)]
