"""Training mode: dropout as torch draws it, masks that are stages, and nothing of it otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from encoder_tui.engine import InputError, Run, load
from encoder_tui.engine.analysis.why import explain
from encoder_tui.engine.models.seeds import seed_of
from family_kit import differences, open_pair, random_model, reference_values, samples, tokens_for

TEXT = ["The cat sat on the mat", "a dog"]
MODEL = "preset:transformer-base"


@pytest.fixture(scope="module")
def run() -> Run:
    return load(MODEL, "cpu", train_seed=7).run(TEXT)


def dropped(run: Run):
    return [stage for stage in run.program if stage.kind == "Dropout"]


def test_every_place_of_the_paper(run: Run):
    """Residual dropout at each sub-layer and the embeddings (section 5.4); on the weights as implementations have it."""
    names = [stage.name for stage in dropped(run) if stage.layer in (None, 0)]
    assert names == [
        "embeddings.sum_dropout", "layers.0.attention.weights_dropout", "layers.0.attention.output_dropout",
        "layers.0.ffn.down_dropout",
    ]  # fmt: skip
    assert len(dropped(run)) == 1 + 6 * 3


def test_equal_to_torchs(run: Run):
    for stage in dropped(run)[:4]:
        source, mask = stage.inputs
        torch.manual_seed(seed_of(7, source))
        expected = torch.nn.functional.dropout(run[source].tensor(), 0.1, training=True)
        assert torch.equal(run[stage.name].tensor(), expected), stage.name
        values = np.unique(run[mask].read())
        assert np.allclose(values, [0, 1 / 0.9])


def test_what_follows_uses_what_is_left(run: Run):
    weights = run["layers.0.attention.weights_dropout"].tensor()
    values = run["layers.0.attention.value_heads"].tensor()
    assert torch.equal(run["layers.0.attention.context"].tensor(), weights @ values)


def test_the_share_is_the_rate(run: Run):
    mask = run["layers.2.ffn.down_dropout_mask"].read()
    assert 0.05 < (mask == 0).mean() < 0.15


def test_a_seed_is_a_draw(run: Run):
    same, other = (load(MODEL, "cpu", train_seed=seed).run(TEXT) for seed in (7, 8))
    name = "layers.0.attention.output_dropout_mask"
    assert torch.equal(same[name].tensor(), run[name].tensor())
    assert not torch.equal(other[name].tensor(), run[name].tensor())


def test_evicted_masks_come_out_the_same(run: Run):
    small = load(MODEL, "cpu", train_seed=7, budget=1 << 18).run(TEXT)
    small.reach(len(small.program) - 1)
    for stage in dropped(run):
        assert torch.equal(small[stage.name].tensor(), run[stage.name].tensor())


def test_explained(run: Run):
    for stage in (*dropped(run)[:4], *(run.program[stage.inputs[1]] for stage in dropped(run)[:4])):
        for at in (0, 1):
            index = tuple(min(at, size - 1) for size in run.shapes[stage.name])
            assert explain(run, stage.name, index).holds, stage.name


def test_absent_otherwise():
    assert not dropped(load(MODEL, "cpu").run(TEXT))


def test_a_model_without_dropout_says_so(make_checkpoint: Callable[..., Path]):
    directory = make_checkpoint(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    with pytest.raises(InputError, match="--train-mode does nothing to"):
        load(directory, "cpu", train_seed=1)


def test_a_rate_in_place_of_the_configs(make_checkpoint: Callable[..., Path]):
    directory = make_checkpoint(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    run = load(directory, "cpu", train_seed=1, dropout=0.25).run(TEXT)
    assert {stage.options["rate"] for stage in run.program if stage.kind == "DropoutMask"} == {0.25}


class MasksOf:
    """`torch.nn.functional.dropout` that drops what a run dropped, in the order of its program."""

    def __init__(self, run: Run):
        self.masks = [run[stage.inputs[1]].tensor() for stage in run.program if stage.kind == "Dropout"]

    def __call__(self, x: torch.Tensor, p: float = 0.5, training: bool = True, inplace: bool = False):
        return x * self.masks.pop(0) if training else x


@pytest.mark.parametrize("family", ["BERT", "RoBERTa", "ELECTRA"])
def test_where_transformers_drops_in_training(monkeypatch: pytest.MonkeyPatch, family: str):
    """The same masks in the same places: every stage equal to transformers' model in training mode."""
    sample = next(sample for sample in samples() if sample.family.startswith(family))
    encoder, theirs = open_pair(sample, random_model(sample), train_seed=3)
    run = encoder.run(tokens_for(sample, encoder, [6, 4]))
    fake = MasksOf(run)
    monkeypatch.setattr(torch.nn.functional, "dropout", fake)
    expected = reference_values(replace(sample, modeling=()), theirs.train(), run)
    assert not fake.masks
    assert not differences(run, expected)
