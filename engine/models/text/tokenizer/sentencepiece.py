"""Tokenizers of checkpoints that come without a `tokenizer.json`: SentencePiece's model files, and ByT5's bytes.

A SentencePiece model is a protocol buffer; the few fields that are needed are read here by hand, so that neither that
library nor protobuf has to be installed. What is made of the pieces is the tokenizer class's (`tokenizer_kinds`).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....messages.errors import InputError
from .bounded import check_table
from .kinds import KINDS, Words, token_text
from .library_calls import add_special_tokens
from .settings import TokenizerSettings

if TYPE_CHECKING:
    from tokenizers import AddedToken, Tokenizer

UNIGRAM = 1
CONTROL, USER_DEFINED = 3, 4
BYTES, SPECIAL_BYTES, EXTRA_BYTES = 256, ("<pad>", "</s>", "<unk>"), 125
EXTRA_IDS = 100
MOST_EXTRA = 100_000  # more than any model has, and the memory would be full of them
LONGEST_NUMBER = 10


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


def read_pieces(path: Path) -> Pieces:
    """Read a SentencePiece model (`ModelProto` of its sentencepiece_model.proto).

    Raises:
        InputError: it is truncated, or something else.
    """
    pieces: list[tuple[str, float]] = []
    kinds: list[int] = []
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
    """A whole number of variable length, and where it ends: 64 bits, in ten bytes at most."""
    value = 0
    for place, byte in enumerate(data[at : at + LONGEST_NUMBER]):
        value |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return value, at + place + 1
    raise ValueError(f"a number at byte {at} does not end")


def words_of_pieces(path: Path, kind: str, settings: TokenizerSettings) -> Words:
    """The vocabulary of a SentencePiece model, in the order that a class of tokenizers has its ids in.

    Fairseq's models (XLM-RoBERTa, CamemBERT) keep other ids than their files for the first few; T5 has its sentinels at
    the end.

    Raises:
        InputError: it cannot be read, or is no Unigram model.
    """
    model = read_pieces(path)
    if model.kind != UNIGRAM:
        raise InputError(
            f"{path}: a SentencePiece model of type {model.kind} is not read, only Unigram ({UNIGRAM}); save the tokenizer "
            "with transformers as tokenizer.json"
        )
    if model.characters:
        check_table(model.characters, path)
    names = {**KINDS[kind].special, **settings.special}
    bos, end, unknown, padding, mask = (
        (token_text(names[name]) if name in names else "", 0.0)
        for name in ("bos_token", "eos_token", "unk_token", "pad_token", "mask_token")
    )
    pieces = list(model.pieces)
    sentinels: list[str] = []
    if kind == "XLMRobertaTokenizer":
        pieces = [bos, padding, end, unknown, *pieces[3:], mask]
    elif kind == "CamembertTokenizer":
        front = [("<s>NOTUSED", 0.0), padding, ("</s>NOTUSED", 0.0), unknown, ("<unk>NOTUSED", -100.0)]
        pieces = [*front, *pieces[1:], mask]
    elif kind == "T5Tokenizer":
        sentinels = [f"<extra_id_{number}>" for number in range(_extra(settings, EXTRA_IDS))]
        pieces += [(word, 0.0) for word in reversed(sentinels)]
    return Words(
        pieces=pieces, unknown=model.unknown, characters=model.characters, special=[*_listed(model), *sentinels]
    )


def _listed(model: Pieces) -> list[AddedToken]:
    """Pieces that are never cut: control ones, which are special, and those their maker defined, which are not."""
    from tokenizers import AddedToken

    return [
        AddedToken(piece, normalized=False, special=kind == CONTROL)
        for (piece, _), kind in zip(model.pieces, model.kinds, strict=True)
        if kind in (CONTROL, USER_DEFINED)
    ]


def _extra(settings: TokenizerSettings, default: int) -> int:
    """How many extra ids a config asks for."""
    count = settings.number("extra_ids")
    if count is not None and count > MOST_EXTRA:
        raise InputError(f"{settings.where}: extra_ids is {count}, and {MOST_EXTRA} is the most")
    return default if count is None else count


def byte_tokenizer(settings: TokenizerSettings) -> Tokenizer:
    """ByT5's: every byte of the text is a token (Xue et al. 2022)."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors

    # The library writes a byte as a letter; those that are letters already come first, in the order of the bytes.
    letters = byte_letters()
    vocabulary = {word: number for number, word in enumerate(SPECIAL_BYTES)}
    vocabulary |= {letters[byte]: byte + len(SPECIAL_BYTES) for byte in range(BYTES)}
    tokenizer = Tokenizer(models.BPE(vocabulary, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)  # type: ignore[assignment]
    tokenizer.decoder = decoders.ByteLevel()  # type: ignore[assignment]
    count = _extra(settings, 0) or EXTRA_BYTES
    strips = [AddedToken(word, lstrip=True, rstrip=True, normalized=False) for word in SPECIAL_BYTES]
    more = [AddedToken(f"<extra_id_{number}>", normalized=False) for number in range(count)]
    add_special_tokens(tokenizer, [*strips, *more])
    tokenizer.post_processor = processors.TemplateProcessing(  # type: ignore[assignment,call-arg]
        single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", tokenizer.token_to_id("</s>"))]
    )
    return tokenizer


def byte_letters() -> dict[int, str]:
    """How the tokenizers library writes each byte (as GPT-2's `bytes_to_unicode`)."""
    shown = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    hidden = [byte for byte in range(BYTES) if byte not in shown]
    return {byte: chr(byte) for byte in shown} | {byte: chr(BYTES + place) for place, byte in enumerate(hidden)}
