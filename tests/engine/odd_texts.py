"""Texts that tokenizers stumble over, and small tokenizers of every kind that families have."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any, cast

import transformers as hf
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

ODD = [
    "The cat sat on the mat.", "the CAT SAT on The Mat", "  two  leading and   inner spaces  ", "tab\tand\nnewline\r\nend",
    "naïve café Été ÅNGSTRÖM", "nai\u0308ve cafe\u0301 E\u0301te\u0301", "İstanbul ıSPARTA ß ẞ ﬁ ﬀ ﬃ", "今天天气很好，我们去公园。", "東京とカタカナ ひらがな",
    "한국어 문장", "مرحبا بالعالم", "שלום עולם", "สวัสดีชาวโลก", "हिन्दी में", "Ελληνικά Σίσυφος ΣΑΣ", "Привет, МИР",
    "🙂 👩\u200d👩\u200d👧 🇩🇪 👍🏽", "a\u200bb\u200dc\u200ed\u202ee\ufeff", "non\u00a0breaking\u2003space\u3000wide", "control \x01\x02\x7f\x85 chars\ufffd",
    "null\x00byte", "https://example.org/a_b?c=d&e=%20#f", "user@example.com #tag @you", "3.14159 1,000,000 ½ ² Ⅷ ① 12th",
    "x" * 120, "[SEP] inside [MASK] [CLS] [UNK] [PAD]", "<mask> and <s> </s> <pad> <unk>", "a<mask>b  <mask>  c", "the [MASK]cat[MASK] sat",
    "<extra_id_0> sat <extra_id_99>", "ADDED added <added> Added", "it's don't can't we'll I'm", "``quotes'' \"double\" 'single' “curly”", "--- ... !!! ?!",
    "𝓣𝓱𝓮 𝔠𝔞𝔱 𠀀𠀁", "ａｂｃ ＡＢＣ １２３", "Zürich-Straße/Weg_1", "\u0301combining first", "a", " ", "ﷺ", "e\u0301\u0302\u0303stack",
]  # fmt: skip
WORDS = [
    "the",
    "cat",
    "sat",
    "on",
    "mat",
    "a",
    "dog",
    "ran",
    "in",
    "park",
    "it",
    "was",
    "too",
    "tired",
    "and",
    "two",
    "spaces",
    "inner",
    "the",
    "THE",
    "Cat",
    "naïve",
    "café",
]
EXTRA = "今天天气很好我们去公园東京とカタナひらがな한국어مرحباשלוםสวัสดีहिन्दीΕλληνικάПриветмир🙂▁.,'!?-_/0123456789éïüß"


def word_pieces(lower: bool = True, brackets: bool = True) -> dict[str, int]:
    """A WordPiece vocabulary with letters, some words, and pieces of them."""
    special = (
        ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
        if brackets
        else ["<s>", "<pad>", "</s>", "<unk>", "[UNK]", "<mask>"]
    )
    letters = [*map(chr, range(33, 127)), *EXTRA]
    words = [*WORDS, *letters, *(f"##{letter}" for letter in letters)]
    return {
        word: number
        for number, word in enumerate(dict.fromkeys([*special, *(w.lower() if lower else w for w in words)]))
    }


def write_vocab(directory: Path, words: dict[str, int]) -> None:
    (directory / "vocab.txt").write_text("".join(f"{word}\n" for word in words), "utf-8")


def byte_pairs(directory: Path, special: list[str], end: str = "") -> None:
    """vocab.json and merges.txt of trained byte pairs."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    options: dict[str, Any] = {"end_of_word_suffix": end} if end else {}
    trainer = trainers.BpeTrainer(
        vocab_size=700,
        special_tokens=special,
        initial_alphabet=alphabet,
        show_progress=False,
        **options,
    )
    tokenizer.train_from_iterator([" ".join(WORDS), *ODD[:20]], trainer)
    written = json.loads(tokenizer.to_str())["model"]
    words = written["vocab"]
    for letter in alphabet if end else ():
        words.setdefault(letter + end, len(words))
    (directory / "vocab.json").write_text(json.dumps(words), "utf-8")
    pairs = [pair if isinstance(pair, str) else " ".join(pair) for pair in written["merges"]]
    (directory / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{pair}\n" for pair in pairs), "utf-8")


def sentence_pieces(path: Path, **options: Any) -> None:
    """A trained SentencePiece model."""
    import sentencepiece

    draw = random.Random(0)
    lines = [" ".join(draw.sample(WORDS, 6)) for _ in range(300)] + [
        text for text in ODD if text.strip() and "\x00" not in text and len(text) < 100
    ] * 3
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_prefix=str(path.with_suffix("")), vocab_size=300, model_type="unigram",
        minloglevel=2, hard_vocab_limit=False, **options,
    )  # fmt: skip
    path.with_suffix(".vocab").unlink()


def config(directory: Path, model_type: str, **values: Any) -> None:
    (directory / "config.json").write_text(json.dumps({"model_type": model_type, **values}))


def settings(directory: Path, **values: Any) -> None:
    (directory / "tokenizer_config.json").write_text(json.dumps(values))


def theirs(directory: Path) -> Any:
    return cast(Any, hf.AutoTokenizer).from_pretrained(str(directory))
