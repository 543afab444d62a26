"""Byte-level byte-pair tokens, as GPT-2 and RoBERTa have them: read from their two files, and written for people."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import InputError
from .files import read_object
from .pieces import byte_letters
from .token_names import BYTE_SPACE as SPACE

if TYPE_CHECKING:
    from tokenizers import Tokenizer

# Families whose vocab.json and merges.txt are RoBERTa's; others (GPT-2, CLIP) split text in other ways.
ROBERTAS = ("roberta", "data2vec-text")
SPECIAL = {
    "bos": "<s>", "eos": "</s>", "cls": "<s>", "sep": "</s>", "unk": "<unk>", "pad": "<pad>", "mask": "<mask>",
}  # fmt: skip


def roberta_tokenizer(directory: Path) -> Tokenizer:
    """RoBERTa's tokenizer from `vocab.json` and `merges.txt`, as transformers' `RobertaTokenizer` makes it.

    Raises:
        InputError: the directory is of another family.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors

    kind = read_object(directory / "config.json").get("model_type")
    if kind not in ROBERTAS:
        raise InputError(
            f"no tokenizer.json in {directory}; vocab.json and merges.txt alone are read for "
            f"{' and '.join(ROBERTAS)}, not for {kind!r}; have transformers write it: "
            "`AutoTokenizer.from_pretrained(DIR).save_pretrained(DIR)`"
        )
    settings = read_object(directory / "special_tokens_map.json") | read_object(directory / "tokenizer_config.json")
    tokenizer = Tokenizer(models.BPE.from_file(str(directory / "vocab.json"), str(directory / "merges.txt")))
    numbers: dict[str, tuple[str, int]] = {}
    for which, default in SPECIAL.items():
        given = settings.get(f"{which}_token")
        facts = given if isinstance(given, dict) else {"content": given}
        content = facts.get("content")
        name = content if isinstance(content, str) else default
        number = tokenizer.token_to_id(name)
        if number is not None:
            numbers[which] = name, number
            # RoBERTa's mask takes the space before it along, so that it stands for a whole word (as roberta-base's own
            # tokenizer.json has it, and transformers before 5).
            strip = bool(facts.get("lstrip", which == "mask"))
            tokenizer.add_special_tokens([AddedToken(name, lstrip=strip, normalized=False)])
    lacking = [SPECIAL[which] for which in ("cls", "sep") if which not in numbers]
    if lacking:
        raise InputError(
            f"{directory / 'vocab.json'} has no {' and no '.join(lacking)}, between which RoBERTa puts texts"
        )
    spaced = bool(settings.get("add_prefix_space", False))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=spaced)  # type: ignore[assignment]
    tokenizer.decoder = decoders.ByteLevel()  # type: ignore[assignment]
    tokenizer.post_processor = processors.RobertaProcessing(  # type: ignore[assignment]
        numbers["sep"], numbers["cls"], trim_offsets=True, add_prefix_space=spaced
    )
    return tokenizer


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
