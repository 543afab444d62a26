"""A fault in the files beside the weights, or in a weight that leads to no layer, is named: the directory is edited and loaded."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from encoder_tui.engine import Encoder, load
from encoder_tui.engine.analysis.diagnose import diagnose
from faulty import Copies

TEXTS = ["The animal didn't cross the street because it was too tired", "A cat sat."]
Json = dict[str, Any]
Files = dict[str, Callable[[Json], object]]


def shift(tokenizer: Json) -> None:
    """Every id one up, the last one round."""
    vocabulary = tokenizer["model"]["vocab"]
    tokenizer["model"]["vocab"] = {word: (number + 1) % len(vocabulary) for word, number in vocabulary.items()}
    for token in tokenizer["added_tokens"]:
        token["id"] += 1
    for token in tokenizer["post_processor"]["special_tokens"].values():
        token["ids"] = [number + 1 for number in token["ids"]]


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


def test_words_of_another_vocabulary_are_no_matter_of_case(copies: Copies, ours: Encoder) -> None:
    def change(tokenizer: Json) -> None:
        vocabulary = tokenizer["model"]["vocab"]
        vocabulary["the"], vocabulary["cat"] = vocabulary["cat"], vocabulary["the"]
        vocabulary["##nimal"] = vocabulary.pop("animal")

    theirs = load(edited(copies.make("other words"), {"tokenizer.json": change}))
    (cause,) = diagnose(ours.run(TEXTS), theirs.run(TEXTS)).causes
    assert (cause.kind, cause.then) == ("other tokens", "")
