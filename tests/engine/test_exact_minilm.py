"""A real pretrained model: every stage equals transformers', difference 0.0."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
import torch
from conftest import SENTENCE, THREE
from encoder_tui.engine import Encoder, load
from reference import assert_equal_bits, open_reference, reference_values

LENGTHS = {3: "cat", 16: SENTENCE, 128: "cat " * 126, 512: "cat " * 510}


@pytest.fixture(scope="module")
def reference(minilm_dir: Path) -> Any:
    return open_reference(minilm_dir)


@pytest.mark.parametrize("length", LENGTHS)
def test_one_text(minilm: Encoder, reference: Any, length: int):
    run = minilm.run(LENGTHS[length], max_length=512)  # sentence-transformers would cut at 256
    assert abs(run.tokens.shape[1] - length) <= 1
    assert_equal_bits(run, reference_values(reference, run))


def test_every_stage_has_a_reference(minilm: Encoder, reference: Any):
    """All but these are compared by the other tests of this file."""
    run = minilm.run(SENTENCE)
    compared = {run.program[name].name for name in reference_values(reference, run)}
    rest = {stage.name for stage in run.program} - compared
    assert rest == {
        "tokens.ids", "tokens.mask", "tokens.segments", "tokens.positions", "tokens.one_hot",
        "head.sentence.mean", "head.sentence.normalized",
    }  # fmt: skip


def test_padded_batch(minilm: Encoder, reference: Any):
    run = minilm.run(THREE)
    assert run.tokens.mask.min() == 0
    assert_equal_bits(run, reference_values(reference, run))


def test_pair_has_segments(minilm: Encoder, reference: Any):
    run = minilm.run("Where does she live?", pair="She lives in Paris.")
    assert set(run.tokens.segments.ravel()) == {0, 1}
    assert_equal_bits(run, reference_values(reference, run))


def test_batch_of_pairs(minilm: Encoder, reference: Any):
    run = minilm.run(THREE, pair="And then?")
    assert_equal_bits(run, reference_values(reference, run))


@pytest.mark.few(2)
@pytest.mark.parametrize("texts", [SENTENCE, THREE], ids=["alone", "padded"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64], ids=str)
def test_other_dtypes(minilm_dir: Path, dtype: torch.dtype, texts: str | list[str]):
    run = load(minilm_dir, "cpu", str(dtype).removeprefix("torch.")).run(texts)
    assert_equal_bits(run, reference_values(open_reference(minilm_dir, dtype), run))


def test_a_second_text_in_the_first_ones_memory(minilm: Encoder, reference: Any):
    first = minilm.run("cat " * 14)
    first.reach(len(first.program) - 1)
    second = minilm.run("dog " * 14, instead_of=first)
    assert_equal_bits(second, reference_values(reference, second))


def test_tokens_are_the_tokenizers(minilm: Encoder, minilm_dir: Path):
    from transformers import AutoTokenizer

    theirs = cast(Any, AutoTokenizer).from_pretrained(minilm_dir)(
        THREE, ["a pair"] * 3, padding=True, return_tensors="np"
    )
    ours = minilm.read(THREE, "a pair")
    for mine, name in ((ours.ids, "input_ids"), (ours.mask, "attention_mask"), (ours.segments, "token_type_ids")):
        assert (mine == theirs[name]).all()


def test_vocab_txt_alone_gives_the_same_tokens(minilm: Encoder, minilm_dir: Path, tmp_path: Path):
    import shutil

    from encoder_tui.engine.models.text.tokenizer.files import open_tokenizer

    shutil.copy(minilm_dir / "vocab.txt", tmp_path)
    shutil.copy(minilm_dir / "tokenizer_config.json", tmp_path)
    tokenizer = open_tokenizer(tmp_path).tokenizer
    for text in (*THREE, "Ünïcödé 東京 🎉 don't, e-mail@x.org"):
        assert tokenizer.encode(text).ids == minilm.read(text).ids[0].tolist()
