"""Whether a model's vocabulary knows the words of a text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...messages.translation import tr

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from ...program.tokens import Tokens

MANY = 1 / 3
MOST_SHOWN = 4
_SPECIAL = re.compile(r"\[[A-Z0-9_]+\]|<[/|]?[\w|]+>")


def unknown_words(tokens: Tokens) -> str:
    """A sentence for people whose text the vocabulary does not cover: what is wrong, and what to do.

    Returns:
        "" where less than a third of the tokens that stand for text are unknown, and none is so only in its case.
    """
    words = [
        word
        for row, marks in zip(tokens.strings, tokens.mask, strict=True)
        for word, mark in zip(row, marks, strict=True)
        if mark
    ]
    unknown = sum(word == tokens.unknown for word in words) if tokens.unknown else 0
    count = unknown + sum(word != tokens.unknown and not _SPECIAL.fullmatch(word) for word in words)
    fields = {"unknown": unknown, "count": count, "token": tokens.unknown}
    if tokens.known_in:
        pairs = [f"{typed} ({known})" for typed, known in tokens.known_in]
        more = " ..." if len(pairs) > MOST_SHOWN else ""
        return tr(
            "{unknown} of {count} tokens are {token}: the vocabulary has these words in another case: {words}. Write them so, "
            "or see do_lower_case in tokenizer_config.json.",
            words=", ".join(pairs[:MOST_SHOWN]) + more,
            **fields,
        )
    if not unknown or unknown < MANY * count:
        return ""
    if _is_chinese("".join((*tokens.texts, tokens.pair or ""))):
        return tr(
            "{unknown} of {count} tokens are {token}: this model's vocabulary does not have these words. Chinese text needs a "
            "model trained on Chinese, for instance --model google-bert/bert-base-chinese, or a directory of your own.",
            **fields,
        )
    return tr(
        "{unknown} of {count} tokens are {token}: this model's vocabulary does not have these words. Another --model may know "
        "the language of the text.",
        **fields,
    )


def other_case(tokenizer: Tokenizer, unknown: str, texts: Sequence[str], tokens: Tokens) -> tuple[tuple[str, str], ...]:
    """Words that are unknown as they are typed and known in small letters, or with a capital: each with how it is known.

    Args:
        unknown: what stands for unknown words; "" where nothing does.
        texts: what was typed, in which the tokens' places are.
    """
    known: dict[str, str] = {}
    for row, words in enumerate(tokens.strings if unknown else ()):
        for at, word in enumerate(words):
            if word != unknown or not tokens.mask[row, at]:
                continue
            begin, end = tokens.places[row][at]
            source = tokens.pair if tokens.is_second(row, at) else texts[row]
            typed = (source or "")[begin:end]
            for other in (typed.lower(), typed.capitalize(), typed.upper()):
                if typed and other != typed and typed not in known and _is_known(tokenizer, other, unknown):
                    known[typed] = other
    return tuple(known.items())


def _is_known(tokenizer: Tokenizer, word: str, unknown: str) -> bool:
    pieces = tokenizer.encode(word, add_special_tokens=False).tokens
    return bool(pieces) and unknown not in pieces


def _is_chinese(text: str) -> bool:
    return any("CJK UNIFIED" in unicodedata.name(letter, "") for letter in text)
