"""A text cut to some of its tokens or words, so that what is left can be typed."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ...program.tokens import Tokens

TextSpan = tuple[int, int]
WORD = re.compile(r"\S+")


def spans_of_words(text: str) -> list[TextSpan]:
    """Where the words of a text stand, as spaces part them."""
    return [word.span() for word in WORD.finditer(text)]


def spans_of_tokens(tokens: Tokens, row: int, *, second: bool = False) -> list[TextSpan]:
    """Where the tokens of a text stand in it, each place once; special ones and those of a prompt stand nowhere.

    Args:
        second: of `pair` instead of the text.
    """
    if row >= len(tokens.places):
        return []
    prompt, spans = tokens.prompt[row], list[TextSpan]()
    for at, (start, stop) in enumerate(tokens.places[row]):
        if start >= stop or not tokens.mask[row, at] or prompt[at] or tokens.is_second(row, at) is not second:
            continue
        if spans and start < spans[-1][1]:  # several tokens of one character, as of its bytes
            spans[-1] = (spans[-1][0], max(stop, spans[-1][1]))
        else:
            spans.append((start, stop))
    return spans


def joined_text(text: str, spans: Sequence[TextSpan]) -> str:
    """What stands at some places of a text, in their order. Where white space stood between two of them, one space does."""
    pieces: list[str] = []
    end: int | None = None
    for start, stop in spans:
        if end is not None and re.search(r"\s", text[end:start]):
            pieces.append(" ")
        pieces.append(text[start:stop])
        end = stop
    return "".join(pieces).strip()
