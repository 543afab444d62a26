"""Whether a model's vocabulary knows the words of a text."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from .translation import tr

if TYPE_CHECKING:
    from .tokens import Tokens

UNKNOWN = ("[UNK]", "<unk>")
MANY = 1 / 3
_SPECIAL = re.compile(r"\[[A-Z0-9_]+\]|<[/|]?[\w|]+>")


def unknown_words(tokens: Tokens) -> str:
    """A sentence for people whose text the vocabulary does not cover: what is wrong, and which model to take.

    Returns:
        "" where less than a third of the tokens that stand for text are unknown.
    """
    words = [word for row, marks in zip(tokens.strings, tokens.mask, strict=True) for word in row[: int(marks.sum())]]
    unknown = sum(word in UNKNOWN for word in words)
    count = unknown + sum(not _SPECIAL.fullmatch(word) for word in words)
    if not unknown or unknown < MANY * count:
        return ""
    token = next(word for word in words if word in UNKNOWN)
    fields = {"unknown": unknown, "count": count, "token": token}
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


def _is_chinese(text: str) -> bool:
    return any("CJK UNIFIED" in unicodedata.name(letter, "") for letter in text)
