"""What is otherwise about a model of ours itself: whose weights a layer has, where its norms stand, what its config says."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
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


@pytest.mark.parametrize("live", [True, False], ids=["model", "recording"])
def test_a_joint_projection_whose_thirds_are_exchanged_is_named(live: bool, tmp_path: Path) -> None:
    sample = sample_of("ModernBERT")
    model = random_model(sample)
    other = copy.deepcopy(model)
    with torch.no_grad():
        for name, weight in other.named_parameters():
            if name.endswith("Wqkv.weight"):
                query, key, value = weight.chunk(3)
                weight.copy_(torch.cat([key, value, query]))
    ours, their = (open_pair(sample, each)[0] for each in (model, other))
    tokens = tokens_for(sample, ours, (12, 8))
    theirs: Any = their.run(tokens)
    if not live:
        save(theirs, tmp_path / "theirs.safetensors")
        theirs = open_snapshot(tmp_path / "theirs.safetensors")
    words = "the thirds of layers.0.attn.Wqkv.weight stand in the order key, value, query in theirs"
    expect_named(diagnose(ours.run(tokens), theirs), "joint qkv in another order", words, "layers.0.attention.qkv")


def switched(family: str, ours: dict[str, Any], theirs: dict[str, Any]) -> tuple[Encoder, Encoder, Tokens]:
    """A family by two configs, of the same weights."""
    sample = sample_of(family)
    models = [random_model(sample, **options) for options in (ours, theirs)]
    models[1].load_state_dict(models[0].state_dict())
    first, second = (open_pair(sample, model)[0] for model in models)
    return first, second, tokens_for(sample, first, (24, 11))


def turning(base: float) -> dict[str, Any]:
    bases = {"full_attention": base, "sliding_attention": 10_000.0}
    return {"rope_parameters": {kind: {"rope_theta": theta, "rope_type": "default"} for kind, theta in bases.items()}}


# What a config says otherwise -> family, one config, the other, where, kind, words; and the words the other way round
CONFIGS: dict[str, tuple[str, dict[str, Any], dict[str, Any], str, str, str, str]] = {
    "window": ("ModernBERT", {}, {"local_attention": 14}, "mask.local", "window",
               "theirs sees keys up to 7 places away, ours up to 8", "theirs sees keys up to 8 places away, ours up to 7"),
    "base": ("ModernBERT", turning(160_000.0), turning(10_000.0), "rotary.global.cos", "rotary base",
             "theirs turns by the base 10000, ours by 160000", "theirs turns by the base 160000, ours by 10000"),
    "activation": ("T5", {"feed_forward_proj": "relu"}, {"feed_forward_proj": "silu"}, "layers.0.ffn.activation", "activation",
                   "theirs computes silu, ours relu", "theirs computes relu, ours silu"),
    "epsilon": ("RoBERTa", {"layer_norm_eps": 1e-5}, {"layer_norm_eps": 1e-12}, "embeddings.norm", "epsilon",
                "theirs adds epsilon 1e-12 to the variance, ours 1e-05", "theirs adds epsilon 1e-05 to the variance, ours 1e-12"),
}  # fmt: skip


@pytest.mark.parametrize("turned", [False, True], ids=["theirs", "ours"])
@pytest.mark.parametrize("setting", CONFIGS)
def test_what_a_config_says_otherwise_is_named_either_way_round(setting: str, turned: bool) -> None:
    family, one, other, first, kind, words, back = CONFIGS[setting]
    ours, theirs, tokens = switched(family, *((other, one) if turned else (one, other)))
    expect_named(diagnose(ours.run(tokens), theirs.run(tokens)), kind, back if turned else words, first)
