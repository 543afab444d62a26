"""Presets: published sizes, weights that are the same every time, and programs equal to plain torch."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from encoder_tui.engine import Debugger, InputError, Session, load
from encoder_tui.engine.analysis.why import explain
from encoder_tui.engine.commands import TABLE
from encoder_tui.engine.models.families import Options
from encoder_tui.engine.models.presets import PRESETS, Preset, PresetCheckpoint, preset
from encoder_tui.engine.traces.run import Run

TEXT = "The cat sat on the mat"
# As published: parameters of the encoder with its embeddings (BERT's of the released checkpoints, pooler included).
PARAMETERS = {"bert-base": 109_482_240, "bert-large": 335_141_888}
PLAIN = {"vocab_size": 8000, "d_model": 24, "num_layers": 2, "num_heads": 3, "d_ff": 40, "layer_norm_eps": 1e-5}


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_are_the_published_ones(name: str):
    checkpoint = preset(name)
    assert checkpoint.parameters(checkpoint.program(Options())) == PARAMETERS[name]


def test_sizes_of_the_original():
    encoder = load("preset:transformer-base", "cpu")
    run = encoder.run(TEXT)
    tokens = run.tokens.shape[1]
    assert run.program.layers == 6
    assert run.shapes["layers.5.attention.query_heads"] == (1, 8, tokens, 64)
    assert run.shapes["layers.0.ffn.up"] == (1, tokens, 2048)
    assert run["output"].shape == (1, tokens, 512)


def plain(checkpoint: PresetCheckpoint, run: Run, **options: Any) -> torch.Tensor:
    """The same computation by torch's own layers."""
    config, tokens = checkpoint.config.values, run.tokens
    x = torch.nn.functional.embedding(torch.from_numpy(tokens.ids), checkpoint.weight("embeddings.word.weight"))
    if config["sinusoidal"]:
        size = config["d_model"]
        x = x * math.sqrt(size) + torch.from_numpy(waves(tokens.ids.shape[1], size)).float()
    else:
        x = x + checkpoint.weight("embeddings.position.weight")[: tokens.ids.shape[1]]
    hidden = torch.from_numpy(tokens.mask) == 0
    future = torch.nn.Transformer.generate_square_subsequent_mask(x.shape[1]) if config["causal"] else None
    for number in range(config["num_layers"]):
        layer = torch.nn.TransformerEncoderLayer(
            config["d_model"], config["num_heads"], config["d_ff"], 0.0, config["activation"], config["layer_norm_eps"],
            batch_first=True, norm_first=config["norm_first"],
        )  # fmt: skip
        layer.load_state_dict(renamed(checkpoint, f"layers.{number}"))
        x = layer(x, future, hidden.float().masked_fill(hidden, -1e9))
    if config["norm_first"]:
        x = torch.nn.functional.layer_norm(x, x.shape[-1:], eps=config["layer_norm_eps"])
    return x.detach()


def waves(tokens: int, size: int) -> np.ndarray:
    """Section 3.5 of the paper, as it is written there."""
    table = np.zeros((tokens, size))
    for position in range(tokens):
        for feature in range(size):
            angle = position / 10000 ** ((feature - feature % 2) / size)
            table[position, feature] = math.cos(angle) if feature % 2 else math.sin(angle)
    return table


def renamed(checkpoint: PresetCheckpoint, layer: str) -> dict[str, torch.Tensor]:
    def both(name: str) -> tuple[torch.Tensor, torch.Tensor]:
        return checkpoint.weight(f"{layer}.{name}.weight"), checkpoint.weight(f"{layer}.{name}.bias")

    weights, biases = zip(*(both(f"attention.{role}") for role in ("query", "key", "value")), strict=True)
    found = {"self_attn.in_proj_weight": torch.cat(weights), "self_attn.in_proj_bias": torch.cat(biases)}
    parts = {
        "attention.output": "self_attn.out_proj", "ffn.up": "linear1", "ffn.down": "linear2",
        "attention.norm": "norm1", "ffn.norm": "norm2",
    }  # fmt: skip
    for ours, theirs in parts.items():
        found[f"{theirs}.weight"], found[f"{theirs}.bias"] = both(ours)
    return found


@pytest.mark.parametrize("sinusoidal", [True, False])
@pytest.mark.parametrize("norm_first", [True, False])
@pytest.mark.parametrize("causal", [True, False])
def test_equal_to_torchs_own_layers(sinusoidal: bool, norm_first: bool, causal: bool):
    """torch multiplies and masks in another order, so the last bits may differ: by at most 3e-6 as measured."""
    values = {**PLAIN, "model_type": "transformer", "activation": "relu"}
    values |= {"sinusoidal": sinusoidal, "norm_first": norm_first, "causal": causal}
    checkpoint = PresetCheckpoint("preset:small", Preset("small", values))
    from encoder_tui.engine import Encoder, Settings

    encoder = Encoder("small", checkpoint, Settings(device="cpu"))
    run = encoder.run([TEXT, "a dog"])
    ours, theirs = run["output"].tensor(), plain(checkpoint, run)
    seen = torch.from_numpy(run.tokens.mask) != 0
    assert (ours - theirs)[seen].abs().max() < 1e-5
    for stage in run.program:
        for place in (0, 1):
            index = tuple(min(place, size - 1) for size in run.shapes[stage.name])
            assert explain(run, stage.name, index).holds, stage.name


def test_weights_are_the_same_every_time():
    first, second = preset("bert-base"), preset("bert-base")
    for checkpoint in (first, second):
        checkpoint.program(Options())
    name = "encoder.layer.3.attention.self.query.weight"
    assert torch.equal(first.weight(name), second.weight(name))
    assert not torch.equal(first.weight(name), first.weight(name.replace("query", "key")))
    assert abs(float(first.weight(name).std()) - 0.02) < 1e-3
    assert float(first.weight("embeddings.LayerNorm.weight").min()) == 1.0


def test_a_model_of_shapes_alone():
    """12,288 features: walked, costed and described, with nothing computed."""
    encoder = load("preset:gpt3-width", "cpu")
    session = Session(encoder.trace(TEXT), encoder)
    stop = Debugger(session.trace).cont()
    assert stop.reason == "end"
    assert session.trace.shapes["layers.0.attention.scores"][1] == 96
    assert session.trace.shapes["layers.0.ffn.up"][-1] == 49152
    assert "1,812,099,072" in TABLE.execute(session, "cost").text
    assert "96" in TABLE.execute(session, "info layers.0.attention.scores").text
    assert list(session.trace["tokens.ids"].read((0,)))
    for line in ("print output", "stats output", "why output[0, 0, 0]", "patch output = 1", "fork"):
        with pytest.raises(InputError) as refusal:
            TABLE.execute(session, line)
        assert "\n" not in str(refusal.value), line


def test_unknown_preset():
    with pytest.raises(InputError, match=r"no preset 'bert-bass'; did you mean bert-base, bert-large\?"):
        load("preset:bert-bass")


def test_every_preset_is_described():
    for made in PRESETS.values():
        assert any(char.isdigit() for char in made.about)
