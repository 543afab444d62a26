"""What a token that stands for nothing the vocabulary has is called on screen: by what the text has there, `?猫` for `[UNK]`.

The model sees `[UNK]`, and that is what it is called where values go out: printed, copied, exported. What explains or draws
them for people, `why` and pages included, calls it by its face. An index takes both.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from ..messages.visible import visible

if TYPE_CHECKING:
    from .tokens import Tokens  # which takes numpy along; the first frame has none

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


class TokenStrings(tuple[tuple[str, ...], ...]):
    """The tokens' strings of every text, `strings[batch][token]`, which know what each is called on screen."""

    _tokens: Tokens

    @classmethod
    def of(cls, tokens: Tokens) -> TokenStrings:
        """Of a batch of texts."""
        strings = cls(tokens.strings)
        strings._tokens = tokens
        return strings

    @cached_property
    def faces(self) -> tuple[tuple[str, ...], ...]:
        """See `faces_of`."""
        return faces_of(self._tokens)


def faces_along(strings: Sequence[Sequence[str]]) -> Sequence[Sequence[str]]:
    """What tokens are called on screen, of strings that may know it."""
    return strings.faces if isinstance(strings, TokenStrings) else strings


def places_of_face(text: str, strings: Sequence[Sequence[str]], row: int) -> tuple[int, ...]:
    """Where in a text the unknown tokens stand that a name means by what the text has there: `猫`, `?猫`."""
    names, faces = {MARK + text.removeprefix(MARK)}, faces_along(strings)
    if faces is strings or row >= len(faces):
        return ()
    pairs = zip(faces[row], strings[row], strict=True)
    return tuple(at for at, (face, word) in enumerate(pairs) if face != word and face in names)
