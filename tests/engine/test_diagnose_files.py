"""A fault in the files beside the weights, or in a weight that leads to no layer, is named: the directory is edited and loaded."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import family_bert
import pytest
import torch
from encoder_tui.engine import Encoder, load
from encoder_tui.engine.analysis.diagnose import diagnose
from family_kit import random_model
from faulty import Copies, shift
from safetensors.torch import load_file, save_file

TEXTS = ["The animal didn't cross the street because it was too tired", "A cat sat."]
Json = dict[str, Any]
Files = dict[str, Callable[[Json], object]]


# Fault -> (what is done to which file, where it begins, kind, words of the cause)
FAULTS: dict[str, tuple[Files, str, str, str]] = {
    "shifted": ({"tokenizer.json": shift}, "tokens.ids", "ids shifted", "theirs has every id +1"),
    "cased": (
        {
            "tokenizer.json": lambda file: file["normalizer"].update(lowercase=False),
            "tokenizer_config.json": lambda file: file.update(do_lower_case=False),
        },
        "tokens.ids", "casing", "theirs reads 'The' as '[UNK]', ours as 'the': one of them changes the case",
    ),
    "bare": (
        {
            "tokenizer.json": lambda file: file.update(post_processor=None),
            "tokenizer_config.json": lambda file: file.update(tokenizer_class="PreTrainedTokenizerFast"),
        },
        "tokens.positions", "special tokens missing", "theirs has no [CLS] [SEP]",
    ),
    "left": (
        {"tokenizer_config.json": lambda file: file.update(padding_side="left")},
        "tokens.positions", "padding side", "theirs pads on the left, ours on the right",
    ),
}  # fmt: skip


def edited(there: Path, files: Files) -> Path:
    (there / "vocab.txt").unlink()  # tokenizer.json alone says it
    for name, change in files.items():
        file = json.loads((there / name).read_text())
        (there / name).unlink()  # a link to the model's own
        change(file)
        (there / name).write_text(json.dumps(file))
    return there


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_a_tokenizers_files_is_named(fault: str, copies: Copies, ours: Encoder) -> None:
    files, first, kind, words = FAULTS[fault]
    theirs = load(edited(copies.make(fault), files))
    diagnosis = diagnose(ours.run(TEXTS), theirs.run(TEXTS))
    assert [(cause.kind, cause.first) for cause in diagnosis.causes] == [(kind, first)], diagnosis
    (cause,) = diagnosis.causes
    assert words in cause.cause
    assert (cause.after, cause.then, diagnosis.left) == (0.0, "", None)


TURNED = {
    "shifted": "theirs has every id -1",
    "cased": "theirs reads 'The' as 'the', ours as '[UNK]'",
    "bare": "ours has no [CLS] [SEP]",
    "left": "theirs pads on the right, ours on the left",
}


@pytest.mark.parametrize("fault", TURNED)
def test_a_fault_of_our_tokenizers_files_is_named(fault: str, copies: Copies, ours: Encoder) -> None:
    files, first, kind, _ = FAULTS[fault]
    faulty = load(edited(copies.make(f"{fault} in ours"), files))
    diagnosis = diagnose(faulty.run(TEXTS), ours.run(TEXTS))
    assert [(cause.kind, cause.first) for cause in diagnosis.causes] == [(kind, first)], diagnosis
    assert TURNED[fault] in diagnosis.causes[0].cause
    assert diagnosis.left is None


def test_words_of_another_vocabulary_are_no_matter_of_case(copies: Copies, ours: Encoder) -> None:
    def change(tokenizer: Json) -> None:
        vocabulary = tokenizer["model"]["vocab"]
        vocabulary["the"], vocabulary["cat"] = vocabulary["cat"], vocabulary["the"]
        vocabulary["##nimal"] = vocabulary.pop("animal")

    theirs = load(edited(copies.make("other words"), {"tokenizer.json": change}))
    (cause,) = diagnose(ours.run(TEXTS), theirs.run(TEXTS)).causes
    assert (cause.kind, cause.then) == ("other tokens", "")


def enlarge(name: str, by: float) -> Callable[[dict[str, torch.Tensor]], None]:
    def change(weights: dict[str, torch.Tensor]) -> None:
        for part in ("query", "key") if name.endswith("self") else ("dense",):
            weights[f"encoder.layer.1.{name}.{part}.weight"] *= by

    return change


SCORES, UP = enlarge("attention.self", 120), enlarge("intermediate", 2e4)


def test_scores_beyond_float16_are_named(copies: Copies) -> None:
    there = copies.make("large", SCORES)
    (cause,) = diagnose(load(there).run(TEXTS), load(there, dtype="float16").run(TEXTS)).causes
    assert (cause.kind, cause.first, cause.then) == ("float16 overflow", "layers.1.attention.scores", "")
    assert "theirs keeps scores in float16, which ends at 65504" in cause.cause


@pytest.mark.few(3)
@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
@pytest.mark.parametrize("part", ["attention.scores", "ffn.up"])
def test_what_overflows_in_ours_is_named(part: str, dtype: str, copies: Copies) -> None:
    """Where, which number, where the dtype ends, and what would help; the rest of ours in float16 is as good as it may be."""
    there = copies.make(f"beyond {part} {dtype}", SCORES if part == "attention.scores" else UP)
    theirs = load(there, dtype=dtype).run(TEXTS)
    diagnosis = diagnose(load(there, dtype="float16").run(TEXTS), theirs)
    assert [(cause.kind, cause.first) for cause in diagnosis.causes] == [("float16 overflow", f"layers.1.{part}")]
    (cause,) = diagnosis.causes
    value = theirs[cause.first].numpy().astype("float64")
    assert f"ours keeps {part.rpartition('.')[2]} in float16, which ends at 65504: " in cause.cause
    assert f"is {value.flat[abs(value).argmax()]:.4g} in theirs" in cause.cause
    assert "--dtype float32 or bfloat16" in cause.ours
    assert ("scale before the product" in cause.ours) == (part == "attention.scores")
    assert (cause.then, diagnosis.left) == ("", None)


def test_what_is_large_and_within_float16_is_no_overflow(copies: Copies) -> None:
    there = copies.make("within", enlarge("intermediate", 2e2))
    assert diagnose(load(there, dtype="float16").run(TEXTS), load(there).run(TEXTS)).nothing


@pytest.fixture(scope="module")
def decoders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Encoder, Encoder]:
    """A small BERT that predicts words, its decoder tied; and the same, its decoder stored apart and different."""
    model: Any = random_model(family_bert.SAMPLE, head="words", tie_word_embeddings=True)
    tied, untied = (tmp_path_factory.mktemp(name) for name in ("tied", "untied"))
    for there in (tied, untied):
        model.save_pretrained(there)
    weights = load_file(untied / "model.safetensors")
    table = weights["bert.embeddings.word_embeddings.weight"]
    other = table + 0.05 * torch.randn(table.shape, generator=torch.Generator().manual_seed(0))
    apart = {
        "cls.predictions.decoder.weight": other,
        "cls.predictions.decoder.bias": weights["cls.predictions.bias"].clone(),
    }
    save_file(weights | apart, untied / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((untied / "config.json").read_text())
    (untied / "config.json").write_text(json.dumps(config | {"tie_word_embeddings": False}))
    return load(tied, "cpu"), load(untied, "cpu")


@pytest.mark.parametrize("turned", [False, True], ids=["not tied", "tied"])
def test_a_decoder_that_is_not_the_table_is_named(decoders: tuple[Encoder, Encoder], turned: bool) -> None:
    ours, theirs = decoders[::-1] if turned else decoders
    ids = [[5, 6, 7, 8, 9, 1, 2, 3]]
    (cause,) = diagnose(ours.run_ids(ids), theirs.run_ids(ids)).causes
    assert (cause.kind, cause.first) == ("decoder tied" if turned else "decoder not tied", "head.words.logits")
    assert "the table embeddings.word_embeddings.weight (tied)" in cause.cause
    assert (cause.after, cause.then) == (0.0, "")
