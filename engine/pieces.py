"""Tokenizers of checkpoints that come without a `tokenizer.json`: SentencePiece's model files, and ByT5's bytes.

A SentencePiece model is a protocol buffer; the few fields that are needed are read here by hand, so that neither that
library nor protobuf has to be installed. The normalisation is SentencePiece's own: its table of characters, runs of spaces
drawn together, none at the ends.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import InputError
from .files import read_object, regular

if TYPE_CHECKING:
    from tokenizers import Tokenizer

# The names under which DeBERTa and T5 have theirs.
FILES = ("spm.model", "spiece.model")
UNIGRAM = 1
CONTROL, USER_DEFINED = 3, 4
BYTES, SPECIAL_BYTES, EXTRA_BYTES = 256, ("<pad>", "</s>", "<unk>"), 125
EXTRA_IDS = 100


@dataclass(frozen=True, slots=True)
class Pieces:
    """What a SentencePiece model says.

    Attributes:
        pieces: text and score of each, by id; kinds: what it is for.
        unknown: id of the piece for what no piece covers.
        characters: the compiled table of the normalisation; empty where there is none.
        kind: of model: 1 is Unigram.
    """

    pieces: tuple[tuple[str, float], ...]
    kinds: tuple[int, ...]
    unknown: int
    characters: bytes
    kind: int


def made_tokenizer(directory: Path) -> Tokenizer | None:
    """The tokenizer of a directory that has a SentencePiece model, or is ByT5's; None where it is neither.

    Raises:
        InputError: a model file that cannot be read, or is of a kind that is not implemented.
    """
    settings = read_object(directory / "tokenizer_config.json")
    for name in FILES:
        if regular(directory / name):
            return _of_pieces(directory / name, settings)
    return _of_bytes(settings) if settings.get("tokenizer_class") == "ByT5Tokenizer" else None


def read_pieces(path: Path) -> Pieces:
    """Read a SentencePiece model (`ModelProto` of its sentencepiece_model.proto).

    Raises:
        InputError: it is truncated, or something else.
    """
    pieces, kinds = [], []
    unknown, kind, characters = 0, UNIGRAM, b""
    try:
        for field, value in _fields(path.read_bytes()):
            if field == 1:
                piece = dict(_fields(value))
                pieces.append(
                    (bytes(piece[1]).decode("utf-8"), struct.unpack("<f", piece[2])[0] if 2 in piece else 0.0)
                )
                kinds.append(int(piece.get(3, 1)))
            elif field == 2:
                trainer = dict(_fields(value))
                unknown, kind = int(trainer.get(40, 0)), int(trainer.get(3, UNIGRAM))
            elif field == 3:
                characters = bytes(dict(_fields(value)).get(2, b""))
    except (ValueError, KeyError, IndexError, TypeError, struct.error) as error:
        raise InputError(f"cannot read {path}: truncated or not a SentencePiece model ({error})") from None
    if not 0 <= unknown < len(pieces):
        raise InputError(
            f"cannot read {path}: it has {len(pieces)} pieces, and {unknown} is said to be the unknown one"
        )
    return Pieces(tuple(pieces), tuple(kinds), unknown, characters, kind)


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """Number and value of each field of a protocol buffer: bytes, or a whole number."""
    at = 0
    while at < len(data):
        tag, at = _number(data, at)
        field, how = tag >> 3, tag & 7
        if how == 0:
            value, at = _number(data, at)
            yield field, value
            continue
        size, at = _number(data, at) if how == 2 else ({1: 8, 5: 4}[how], at)
        if at + size > len(data):
            raise ValueError(f"{size} bytes are announced where {len(data) - at} are left")
        yield field, data[at : at + size]
        at += size


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A whole number of variable length, and where it ends."""
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 0x80:
            return value, at


def _of_pieces(path: Path, settings: Mapping[str, Any]) -> Tokenizer:
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

    found = read_pieces(path)
    ids = {piece: number for number, (piece, _) in enumerate(found.pieces)}
    like_bert = "[CLS]" in ids and "[SEP]" in ids
    if found.kind != UNIGRAM or like_bert != (path.name == FILES[0]) or not (like_bert or "</s>" in ids):
        raise InputError(
            f"{path}: of SentencePiece models those of DeBERTa and T5 are read; save the tokenizer with transformers as tokenizer.json"
        )
    tokenizer = Tokenizer(models.Unigram(list(found.pieces), unk_id=found.unknown))
    steps: list[Any] = [normalizers.Lowercase()] if settings.get("do_lower_case") else []
    steps += [normalizers.Precompiled(found.characters)] if found.characters else []
    steps += [normalizers.Strip(), normalizers.Replace(Regex(" {2,}"), " ")]
    tokenizer.normalizer = normalizers.Sequence(steps)
    apart: list[Any] = [pre_tokenizers.Punctuation("isolated")] if settings.get("split_by_punct") else []
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*apart, pre_tokenizers.Metaspace(prepend_scheme="always")])
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="always")
    special = [piece for (piece, _), kind in zip(found.pieces, found.kinds, strict=True) if kind == CONTROL]
    plain = [piece for (piece, _), kind in zip(found.pieces, found.kinds, strict=True) if kind == USER_DEFINED]
    special.append(found.pieces[found.unknown][0])
    tokenizer.add_tokens([AddedToken(piece, normalized=False) for piece in plain])
    special += _more(path.parent, settings, len(ids), like_bert=like_bert)
    tokenizer.add_special_tokens([AddedToken(piece, normalized=False) for piece in special])
    return _ended(tokenizer, like_bert=like_bert)


def _more(directory: Path, settings: Mapping[str, Any], taken: int, *, like_bert: bool) -> list[str]:
    """Words beyond the pieces, in the order of their ids: `added_tokens.json`; without it DeBERTa's mask, T5's sentinels."""
    added = {
        word: number for word, number in read_object(directory / "added_tokens.json").items() if isinstance(number, int)
    }
    if added:
        return [word for word, number in sorted(added.items(), key=lambda pair: pair[1]) if number >= taken]
    if like_bert:
        return ["[MASK]"]
    count = settings.get("extra_ids", EXTRA_IDS)
    return [f"<extra_id_{number}>" for number in reversed(range(count if isinstance(count, int) else EXTRA_IDS))]


def _of_bytes(settings: Mapping[str, Any]) -> Tokenizer:
    """ByT5's: every byte of the text is a token (Xue et al. 2022)."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    # The library writes a byte as a letter; those that are letters already come first, in the order of the bytes.
    letters = byte_letters()
    vocabulary = {word: number for number, word in enumerate(SPECIAL_BYTES)}
    vocabulary |= {letters[byte]: byte + len(SPECIAL_BYTES) for byte in range(BYTES)}
    tokenizer = Tokenizer(models.BPE(vocabulary, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    count = settings.get("extra_ids") or EXTRA_BYTES
    more = [f"<extra_id_{number}>" for number in range(count if isinstance(count, int) else EXTRA_BYTES)]
    tokenizer.add_special_tokens([AddedToken(word, normalized=False) for word in (*SPECIAL_BYTES, *more)])
    return _ended(tokenizer, like_bert=False)


def byte_letters() -> dict[int, str]:
    """How the tokenizers library writes each byte (as GPT-2's `bytes_to_unicode`)."""
    shown = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    hidden = [byte for byte in range(BYTES) if byte not in shown]
    return {byte: chr(byte) for byte in shown} | {byte: chr(BYTES + place) for place, byte in enumerate(hidden)}


def _ended(tokenizer: Tokenizer, *, like_bert: bool) -> Tokenizer:
    """With what goes around a text: BERT's `[CLS]` and `[SEP]`, or T5's `</s>` after each."""
    from tokenizers import processors

    words = ("[CLS]", "[SEP]") if like_bert else ("</s>",)
    one, two = ("[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1") if like_bert else ("$A </s>", "$A </s> $B </s>")
    tokenizer.post_processor = processors.TemplateProcessing(  # type: ignore[call-arg]
        single=one, pair=two, special_tokens=[(word, tokenizer.token_to_id(word)) for word in words]
    )
    return tokenizer
