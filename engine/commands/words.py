"""Commands over the table of word vectors: neighbours and analogies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..messages.errors import InputError
from ..program.writing import cells
from .session import Session
from .table import Command, Reply, is_number, shell_words

if TYPE_CHECKING:
    from ..analysis.word_vectors import Neighbour

NEAREST = "nearest WORD [N]"
ANALOGY = "analogy A B C [N]"
FEW, MOST = 10, 1000


def _nearest(session: Session, rest: str) -> Reply:
    from ..analysis.word_vectors import WordTable

    (word,), count = _words(rest, 1, NEAREST)
    table = WordTable(session.trace)
    return _reply(f"nearest to {table.called(word)!r} by cosine, in {table.name}", table.near(word, count))


def _analogy(session: Session, rest: str) -> Reply:
    from ..analysis.word_vectors import WordTable

    (a, b, c), count = _words(rest, 3, ANALOGY)
    table = WordTable(session.trace)
    said = [table.called(word) for word in (a, b, c)]
    title = "{0} : {1} = {2} : ?  nearest to {1} − {0} + {2} by cosine".format(*said)
    return _reply(title, table.analogy(a, b, c, count))


def _words(rest: str, wanted: int, usage: str) -> tuple[list[str], int]:
    """So many words, and how many answers are asked for."""
    words = shell_words(rest, usage)
    count = FEW
    if len(words) == wanted + 1 and is_number(words[-1]):
        count = int(words.pop())
    if len(words) != wanted:
        s = "s" * (wanted > 1)
        raise InputError(f"{usage.split()[0]} takes {wanted} word{s}, not {len(words)}; write `{usage}`")
    if not 1 <= count <= MOST:
        raise InputError(f"{count} is out of range: {usage.split()[0]} lists 1 to {MOST} words")
    return words, count


def _reply(title: str, neighbours: list[Neighbour]) -> Reply:
    width = max((cells(neighbour.word) for neighbour in neighbours), default=0)
    lines = [f"  {at.word}{' ' * (width - cells(at.word))}  {at.cosine:+.4f}" for at in neighbours]
    return Reply("\n".join([title, *lines]))


COMMANDS = (
    Command("nearest", NEAREST, "List the words whose vectors lie nearest to a word's, by cosine.", _nearest, "values"),
    Command(
        "analogy", ANALOGY, "Find what is to C as B is to A, by vectors: `analogy man king woman`.", _analogy, "values",
    ),
)  # fmt: skip
