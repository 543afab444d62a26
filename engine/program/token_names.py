"""What a token is called: the forms in which a vocabulary may have a word, and which tokens of a text a name means."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass

from ..messages.errors import InputError, nearest
from ..messages.visible import quoted
from .faces import places_of_face

# Marks that begin a word, SentencePiece's and that of byte-level pairs, where the other pieces carry it on.
PIECE_SPACE, BYTE_SPACE = "▁", "Ġ"
WORD_STARTS = (PIECE_SPACE, BYTE_SPACE)
# WordPiece's mark of a piece that carries a word on.
CARRIED_ON = "##"
SHOWN = 12


class NotOneToken(InputError):
    """A name that means no token of a text, or several."""


@dataclass(frozen=True, slots=True)
class Nth:
    """A name with the number of the token that is meant among those that are called so: `"cat"#2`.

    Attributes:
        text: the name.
        number: 1 is the first in the text, -1 the last.
    """

    text: str
    number: int


def ranked_forms(text: str) -> tuple[tuple[str, ...], ...]:
    """How a vocabulary may have a word: as it is written, in lower case, then as a piece that carries a word on.

    Forms of one rank are the same word: `cat` at the beginning of a text is `Ġcat` within it.
    """
    spellings = dict.fromkeys((text, text.lower()))
    beginning = [(spelling, *(mark + spelling for mark in WORD_STARTS)) for spelling in spellings]
    return (*beginning, *((CARRIED_ON + spelling,) for spelling in spellings))


def forms(text: str) -> tuple[str, ...]:
    """The same in one list, the nearest to what was written first."""
    return tuple(form for rank in ranked_forms(text) for form in rank)


def bare(token: str) -> str:
    """A token without the marks that begin a word."""
    return token.strip("".join((*WORD_STARTS, " ")))


def form_in(text: str, vocabulary: Container[str]) -> str | None:
    """The form in which a vocabulary has a word; None where it does not."""
    return next((form for form in forms(text) if form in vocabulary), None)


def places_of(text: str, tokens: Sequence[str]) -> tuple[int, ...]:
    """Where in a text the tokens stand that a name means; () where there is none."""
    ranks = (tuple(at for at, token in enumerate(tokens) if token in rank) for rank in ranked_forms(text))
    return next(filter(None, ranks), ())


def place_in_each(name: str | Nth, tokens: Sequence[Sequence[str]], rows: Sequence[int]) -> dict[int, int]:
    """Where the one token of that name stands in each of some texts.

    Args:
        name: as it was written.
        tokens: of every text; rows: of those that are asked.

    Raises:
        NotOneToken: a text that has no such token, or several of them; the message names the text.
    """
    text, number = (name.text, name.number) if isinstance(name, Nth) else (name, None)
    standing = {row: places_of(text, tokens[row]) or places_of_face(text, tokens, row) for row in rows}
    lacking = [row for row, places in standing.items() if not places]
    if lacking:
        raise NotOneToken(_lacks(text, lacking, [row for row in rows if row not in lacking], tokens))
    return {row: _one(text, number, places, row, tokens[row]) for row, places in standing.items()}


def _one(text: str, number: int | None, places: Sequence[int], row: int, tokens: Sequence[str]) -> int:
    """The place that is meant of those where a token of that name stands."""
    if number is None and len(places) == 1:
        return places[0]
    if number is None:
        alike = len({tokens[at] for at in places}) == 1
        where = listed([str(at) if alike else f"{at} {tokens[at]!r}" for at in places])
        name = quoted_name(text)
        raise NotOneToken(
            f"{quoted(text)} is {len(places)} tokens of text {row}, at {where}; write {name}#1 for the first, {name}#-1 for the "
            "last, or give the number"
        )
    if not 1 <= abs(number) <= len(places):
        raise NotOneToken(
            f"no {written_name(Nth(text, number))} in text {row}, which has {len(places)} of them, at {listed([*map(str, places)])}"
        )
    return places[number - 1 if number > 0 else number]


def _lacks(text: str, lacking: Sequence[int], having: Sequence[int], tokens: Sequence[Sequence[str]]) -> str:
    first, many = lacking[0], len(lacking) > 1
    words = tokens[first]
    shown = " ".join(words[:SHOWN]) + " …" * (len(words) > SHOWN)
    texts = f"text{'s' * many} {', '.join(map(str, lacking[:SHOWN]))}{', …' * (len(lacking) > SHOWN)}"
    whose = f"the tokens of text {first}" if many else "its tokens"
    others = f"; text {having[0]} has it: batch={having[0]}" if having else ""
    return f"no token {quoted(text)} in {texts}{nearest(text, words)}; {whose} are {shown}{others}"


def written_name(name: str | Nth) -> str:
    """A name for people: `'cat'`, `'cat'#2`."""
    return f"{quoted(name.text)}#{name.number}" if isinstance(name, Nth) else quoted(name)


def quoted_name(text: str) -> str:
    """A name as it is written in an index."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def listed(words: Sequence[str]) -> str:
    """`1, 3 and 5`; a long list is cut."""
    if len(words) > SHOWN:
        return f"{', '.join(words[:SHOWN])} …"
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))
