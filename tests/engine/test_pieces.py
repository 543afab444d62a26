"""Tokenizers made from SentencePiece's model files, and ByT5's from nothing."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
from encoder_tui.engine import InputError
from encoder_tui.engine.models.text.tokenizer import files as tokenizer_files
from encoder_tui.engine.models.text.tokenizer.sentencepiece import read_pieces
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import ByT5Tokenizer


def open_tokenizer(directory: Path):
    return tokenizer_files.open_tokenizer(directory).tokenizer


WORDS = [("▁the", -1.0), ("▁c", -2.5), ("at", -2.0), ("▁cat", -3.0), ("▁", -4.0), ("s", -5.0), ("é", -6.0), (".", -3.5)]
DEBERTA = [("[PAD]", 0.0, 3), ("[CLS]", 0.0, 3), ("[SEP]", 0.0, 3), ("[UNK]", 0.0, 2), *((*word, 1) for word in WORDS)]
T5 = [("<pad>", 0.0, 3), ("</s>", 0.0, 3), ("<unk>", 0.0, 2), *((*word, 1) for word in WORDS), ("<mine>", 0.0, 4)]


def number(value: int):
    found = b""
    while value > 0x7F:
        found, value = found + bytes([value & 0x7F | 0x80]), value >> 7
    return found + bytes([value])


def block(field: int, data: bytes):
    return number(field << 3 | 2) + number(len(data)) + data


def model(pieces: list[tuple[str, float, int]], unknown: int, kind: int = 1, characters: bytes = b""):
    """A SentencePiece model, written as protocol buffers are."""
    found = b""
    for text, score, what in pieces:
        inner = block(1, text.encode()) + number(2 << 3 | 5) + struct.pack("<f", score)
        found += block(1, inner + (number(3 << 3) + number(what) if what != 1 else b""))
    trainer = number(3 << 3) + number(kind) + number(40 << 3) + number(unknown) + block(1, b"corpus.txt")
    return found + block(2, trainer) + block(3, block(1, b"nmt_nfkc") + (block(2, characters) if characters else b""))


def characters_that_lower_a():
    """A compiled table (a double array, as darts-clone has it) by which `A` becomes `a` and nothing else changes."""
    units = [0] * 512
    units[0] = 256 << 10  # children of the root are at 256 xor their byte
    units[256 ^ ord("A")] = ord("A") | 1 << 8 | 1 << 10  # it ends a word, whose value is at its place xor 1
    return struct.pack("<I512I", 2048, *units) + b"a\0"


def test_pieces_are_read(tmp_path: Path):
    path = tmp_path / "spm.model"
    path.write_bytes(model(DEBERTA, 3))
    found = read_pieces(path)
    assert found.pieces == tuple((text, score) for text, score, _ in DEBERTA)
    assert (found.kinds[:5], found.unknown, found.kind, found.characters) == ((3, 3, 3, 2, 1), 3, 1, b"")


def test_deberta(tmp_path: Path):
    (tmp_path / "spm.model").write_bytes(model(DEBERTA, 3))
    tokenizer = open_tokenizer(tmp_path)
    found = tokenizer.encode("  the   cats é. ")
    assert found.tokens == ["[CLS]", "▁the", "▁cat", "s", "▁", "é", ".", "[SEP]"]
    assert found.ids == [1, 4, 7, 9, 8, 10, 11, 2]
    pair = tokenizer.encode("the [MASK]", "cat x")
    assert pair.tokens == ["[CLS]", "▁the", "[MASK]", "[SEP]", "▁cat", "▁", "x", "[SEP]"]
    assert pair.type_ids == [0, 0, 0, 0, 1, 1, 1, 1]
    assert pair.ids[2] == len(DEBERTA)
    assert pair.ids[6] == 3
    (tmp_path / "tokenizer_config.json").write_text(
        json.dumps({"do_lower_case": True, "split_by_punct": True}), "utf-8"
    )
    (tmp_path / "added_tokens.json").write_text(json.dumps({"[MASK]": len(DEBERTA)}), "utf-8")
    assert open_tokenizer(tmp_path).encode("THE.cat").tokens == ["[CLS]", "▁the", "▁", ".", "▁cat", "[SEP]"]


def test_t5(tmp_path: Path):
    (tmp_path / "spiece.model").write_bytes(model(T5, 2))
    tokenizer = open_tokenizer(tmp_path)
    assert tokenizer.encode("the cats").tokens == ["▁the", "▁cat", "s", "</s>"]
    assert tokenizer.encode("the", "cat").ids == [3, 1, 6, 1]
    assert tokenizer.encode("the<mine>cat").tokens == ["▁the", "<mine>", "▁cat", "</s>"]
    assert tokenizer.token_to_id("<extra_id_0>") == len(T5) + 99  # the last id is the first sentinel
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"extra_ids": 0}), "utf-8")
    assert open_tokenizer(tmp_path).get_vocab_size() == len(T5)


def test_characters_are_brought_to_the_models_own(tmp_path: Path):
    (tmp_path / "spiece.model").write_bytes(model(T5, 2, characters=characters_that_lower_a()))
    found = open_tokenizer(tmp_path).encode("the cAt")
    assert found.tokens == ["▁the", "▁cat", "</s>"]
    assert found.offsets[1] == (4, 7)
    (tmp_path / "spiece.model").write_bytes(model(T5, 2, characters=b"no table"))
    with pytest.raises(InputError, match="its table of characters has 8 bytes"):
        open_tokenizer(tmp_path)


def test_the_best_cut_is_that_of_the_library(tmp_path: Path):
    (tmp_path / "spiece.model").write_bytes(model(T5, 2))
    plain = Tokenizer(models.Unigram([(text, score) for text, score, _ in T5], unk_id=2))
    plain.pre_tokenizer = pre_tokenizers.Metaspace()
    for text in ("the cat", "catsatthe", "thecat é the.", "zebra"):
        assert open_tokenizer(tmp_path).encode(text).ids == [*plain.encode(text).ids, 1]


def test_byt5_is_transformers(tmp_path: Path):
    theirs = ByT5Tokenizer()
    theirs.save_pretrained(tmp_path)
    tokenizer = open_tokenizer(tmp_path)
    for text in ("The cat.", " two  spaces\n", "naïve 猫 🐈", "\x00\x7f"):
        assert tokenizer.encode(text).ids == theirs(text).input_ids
    assert tokenizer.get_vocab_size() == 256 + 3 + 125


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("spm.model", model(DEBERTA, 3)[:-9], "truncated or not a SentencePiece model"),
        ("spm.model", b"\xff" * 30, "truncated or not a SentencePiece model"),
        ("spm.model", b"", "it has 0 pieces"),
        ("spm.model", model(DEBERTA, 3, kind=2), "a SentencePiece model of type 2 is not read, only Unigram"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path: Path, name: str, data: bytes, said: str):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError) as caught:
        open_tokenizer(tmp_path)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
