"""Byte-level byte-pair tokens, as GPT-2 and RoBERTa have them, written for people."""

from __future__ import annotations

from functools import cache

from ....program.token_names import BYTE_SPACE as SPACE
from .sentencepiece import byte_letters


def readable(token: str) -> str:
    """A token's bytes as the text they are, with `Ġ` for a space before it; as it stands where they are no whole letters."""
    bytes_of = _bytes()
    front = SPACE if token.startswith(SPACE) else ""
    rest = token.removeprefix(SPACE)
    try:
        return front + bytes(bytes_of[letter] for letter in rest).decode("utf-8").replace(" ", SPACE)
    except (KeyError, UnicodeDecodeError):  # a special token, or part of a letter
        return token


@cache
def _bytes() -> dict[str, int]:
    """The byte each letter stands for."""
    return {letter: byte for byte, letter in byte_letters().items()}
