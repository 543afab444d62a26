"""What a token that stands for nothing the vocabulary has is called on screen: by what the text has there, `?猫` for `[UNK]`.

The model sees `[UNK]`, and so do commands, exports and whatever else is no picture: there it is called that.
"""

from __future__ import annotations

from ..messages.visible import visible
from .tokens import Tokens

MARK = "?"  # before what the vocabulary lacks, so that it is seen in a label that is cut


def face(tokens: Tokens, batch: int, token: int) -> str:
    """What the text has where the unknown token stands; "" where another stands, or the text's part is not known."""
    if not tokens.unknown or tokens.strings[batch][token] != tokens.unknown or not tokens.mask[batch, token]:
        return ""
    places = tokens.places[batch] if batch < len(tokens.places) else ()
    first, end = places[token] if token < len(places) else (0, 0)
    text = tokens.pair if tokens.is_second(batch, token) else tokens.texts[batch]
    return visible((text or "")[first:end])


def faces_of(tokens: Tokens) -> tuple[tuple[str, ...], ...]:
    """What the tokens of every text are called on screen."""
    if not tokens.unknown or tokens.from_ids:
        return tokens.strings
    return tuple(
        _faces(tokens, row, words) if tokens.unknown in words else words for row, words in enumerate(tokens.strings)
    )


def _faces(tokens: Tokens, row: int, words: tuple[str, ...]) -> tuple[str, ...]:
    own = (face(tokens, row, at) for at in range(len(words)))
    return tuple(f"{MARK}{typed}" if typed else word for word, typed in zip(words, own, strict=True))
