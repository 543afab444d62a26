"""What sentence-transformers makes of a tokenizer before a text is read: limit, sides, case, prompts."""

from __future__ import annotations

from typing import Any

from ..config import Config
from ..families.declarations import of_all_families
from ..sentence_transformers import Sentence
from .reader import Habits
from .tokenizer.files import Tokenization

# How many positions a family has where its config.json is silent; those that count distances alone have none.
POSITIONS = of_all_families("POSITIONS")


def habits_of(sentence: Sentence, opened: Tokenization, config: Config) -> Habits:
    """Prompts and limit; the tokenizer is set to the sides and the case that sentence-transformers gives it.

    Raises:
        InputError: a limit that is none.
    """
    opened.pads_left = sentence.sides.get("padding_side", "left" if opened.pads_left else "right") == "left"
    opened.cuts_left = sentence.sides.get("truncation_side", "left" if opened.cuts_left else "right") == "left"
    for tokenizer in (opened.tokenizer, opened.as_it_stands) if sentence.lowercase else ():
        if tokenizer is not None:
            _lowercase(tokenizer)
    longest, where = sentence.longest, sentence.longest_from
    if longest is None:
        longest, where = _longest(opened, config)
    return Habits(longest, where, sentence.prompts, sentence.default)


def _longest(opened: Tokenization, config: Config) -> tuple[int | None, str]:
    """The tokenizer's limit or the number of positions, whichever is less; padding's own positions are counted there too."""
    default = POSITIONS.get(config.model_type, 512)
    name = "max_position_embeddings"
    positions = config.get(name, default)
    limits = [(opened.longest, "tokenizer_config.json's model_max_length")]
    if isinstance(positions, int) and positions != -1:  # -1 is XLNet's way to say that there is no limit
        limits.append((positions, f"config.json's {name}"))
    return min((limit for limit in limits if limit[0] is not None), default=(None, ""), key=lambda limit: limit[0] or 0)


def _lowercase(tokenizer: Any) -> None:
    """Small letters before anything else, unless the tokenizer makes them already."""
    from tokenizers import normalizers

    own: Any = tokenizer.normalizer
    inner: Any = own  # a Sequence can be gone through, which its stub does not say
    steps = list(inner) if isinstance(own, normalizers.Sequence) else [own] if own is not None else []
    if not any(isinstance(step, normalizers.Lowercase) for step in steps):
        tokenizer.normalizer = normalizers.Sequence([normalizers.Lowercase(), *steps])
