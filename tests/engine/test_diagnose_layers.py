"""Whose weights a layer of theirs has, and where its norms stand: in models of four layers, and of norms before and after."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from encoder_tui.engine import Encoder, Tokens, open_snapshot, save
from encoder_tui.engine.analysis.diagnose import Diagnosis, diagnose
from family_kit import open_pair, random_model, sample_of, tokens_for

Order = tuple[int, ...]
# Whose weights each layer of theirs has -> kind, words, the first layer that has another's
ORDERS: dict[Order, tuple[str, str, int]] = {
    (1, 2, 3, 3): ("layers off by one", "theirs has from layer 0 on the weights of the layer after", 0),
    (0, 2, 3, 3): ("layers off by one", "theirs has from layer 1 on the weights of the layer after", 1),
    (0, 0, 1, 2): ("layers off by one", "theirs has from layer 1 on the weights of the layer before", 1),
    (0, 1, 1, 2): ("layers off by one", "theirs has from layer 2 on the weights of the layer before", 2),
    (1, 2, 3, 0): ("layers off by one", "from layer 0 on the weights of the layer after, and in the last those of layer 0", 0),
    (0, 3, 1, 2): ("layers off by one", "from layer 1 on the weights of the layer before, and in layer 1 those of the last", 1),
    (0, 1, 1, 3): ("weights of another layer", "theirs has in layer 2 the weights that ours has in layer 1", 2),
    (2, 1, 2, 3): ("weights of another layer", "theirs has in layer 0 the weights that ours has in layer 2", 0),
    (3, 1, 2, 0): ("layers exchanged", "theirs has layers 0 and 3 exchanged", 0),
    (0, 2, 1, 3): ("layers exchanged", "theirs has layers 1 and 2 exchanged", 1),
}  # fmt: skip


def expect_named(diagnosis: Diagnosis, kind: str, words: str, first: str) -> None:
    """One cause that leaves nothing."""
    assert [cause.kind for cause in diagnosis.causes] == [kind], diagnosis
    (cause,) = diagnosis.causes
    assert words in cause.cause
    assert (cause.stages[0], cause.then, diagnosis.left) == (first, "", None)


@pytest.fixture(scope="module")
def layered() -> tuple[Encoder, Tokens, Callable[[Order], Encoder]]:
    """A BERT of four layers, what goes in, and the same with its layers otherwise."""
    sample = sample_of("BERT")
    model = random_model(sample, num_hidden_layers=4)
    ours, _ = open_pair(sample, model)

    def otherwise(order: Order) -> Encoder:
        other: Any = copy.deepcopy(model)
        for layer, whose in zip(other.encoder.layer, order, strict=True):
            layer.load_state_dict(model.encoder.layer[whose].state_dict())
        return open_pair(sample, other)[0]

    return ours, tokens_for(sample, ours, (17, 8)), otherwise


@pytest.mark.few(6)
@pytest.mark.parametrize("live", [True, False], ids=["model", "recording"])
@pytest.mark.parametrize("order", ORDERS, ids=str)
def test_whose_weights_a_layer_has_is_named(order: Order, live: bool, layered: Any, tmp_path: Path) -> None:
    ours, tokens, otherwise = layered
    theirs = otherwise(order).run(tokens)
    if not live:
        save(theirs, tmp_path / "theirs.safetensors")
        theirs = open_snapshot(tmp_path / "theirs.safetensors")
    kind, words, layer = ORDERS[order]
    expect_named(diagnose(ours.run(tokens), theirs), kind, words, f"layers.{layer}.attention.query")


def test_layers_of_one_order_are_not_named(layered: Any) -> None:
    ours, tokens, otherwise = layered
    assert diagnose(ours.run(tokens), otherwise((0, 1, 2, 3)).run(tokens)).nothing


@pytest.fixture(scope="module")
def norms() -> dict[str, tuple[Encoder, Tokens]]:
    """torch's encoder with its norms before each block and after it, of the same weights."""
    sample = sample_of("torch.nn.TransformerEncoder")
    before, after = (random_model(sample, norm_first=first) for first in (True, False))
    after.load_state_dict(before.state_dict())
    encoders = {"before": open_pair(sample, before)[0], "after": open_pair(sample, after)[0]}
    return {where: (encoder, tokens_for(sample, encoder, (12, 8))) for where, encoder in encoders.items()}


@pytest.mark.parametrize("live", [True, False], ids=["model", "recording"])
@pytest.mark.parametrize("there", ["before", "after"])
def test_norms_that_stand_elsewhere_are_named(there: str, live: bool, norms: Any, tmp_path: Path) -> None:
    """Either way round: before each block where ours has them after it, and after it where ours has them before."""
    here = "after" if there == "before" else "before"
    (ours, tokens), (other, _) = norms[here], norms[there]
    theirs = other.run(tokens)
    if not live:
        save(theirs, tmp_path / "theirs.safetensors")
        theirs = open_snapshot(tmp_path / "theirs.safetensors")
    first = "layers.0.attention.qkv" if there == "before" else "layers.0.attention.norm"
    words = f"theirs norms {there} attention and feed-forward, ours {here} what goes round them is added"
    expect_named(diagnose(ours.run(tokens), theirs), "norm placement", words, first)


@pytest.mark.parametrize("family", ["Marian", "M2M100"])
@pytest.mark.parametrize("scaled", ["ours", "theirs"])
def test_words_that_one_side_alone_scales_are_named(family: str, scaled: str) -> None:
    sample = sample_of(family)
    with_scale, without = (random_model(sample, scale_embedding=scale) for scale in (True, False))
    without.load_state_dict(with_scale.state_dict())
    encoders = [open_pair(sample, model)[0] for model in (with_scale, without)]
    ours, theirs = encoders if scaled == "ours" else encoders[::-1]
    tokens = tokens_for(sample, ours, (12, 8))
    kind, words, first = (
        ("scale missing", "theirs does not scale: ours computes √32 · token", "embeddings.scaled") if scaled == "ours"
        else ("embedding scale", "theirs multiplies the words by √32 before it adds them", "embeddings.sum")
    )  # fmt: skip
    expect_named(diagnose(ours.run(tokens), theirs.run(tokens)), kind, words, first)
