"""`check weights` finds what is planted, at its weight and nowhere else, and nothing in a healthy model."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from encoder_tui.engine import Encoder, InputError, Session, attach, load, open_snapshot, save
from encoder_tui.engine.analysis.checks import Checked, write_checked
from encoder_tui.engine.analysis.weights import check_weights
from encoder_tui.engine.commands import TABLE
from encoder_tui.engine.models.source import Source
from family_kit import Sample, open_pair, random_model, samples, tokens_for

TEXT = "A cat."
LAYER = "encoder.layer"
WORDS = "embeddings.word_embeddings.weight"
Change = Callable[[dict[str, torch.Tensor]], None]


class Planted:
    """A checkpoint with other numbers in some of its weights."""

    def __init__(self, checkpoint: Any, weights: dict[str, torch.Tensor]) -> None:
        self._checkpoint, self._weights = checkpoint, weights

    def __getattr__(self, name: str) -> Any:
        return getattr(self._checkpoint, name)

    def weight(self, name: str) -> torch.Tensor:
        return self._weights[name]


@pytest.fixture(scope="module")
def bundled() -> Encoder:
    return load(None, "cpu")


@pytest.fixture(scope="module")
def sound(bundled: Encoder) -> dict[str, torch.Tensor]:
    """The bundled model's weights in float32 that no half precision holds."""
    torch.manual_seed(0)
    weights = {name: bundled.checkpoint.weight(name).float() for name in bundled.program.weights}
    return {name: weight * (1 + 1e-4 * torch.randn_like(weight)) for name, weight in weights.items()}


def checked_with(bundled: Encoder, weights: dict[str, torch.Tensor], change: Change = lambda weights: None) -> Checked:
    run = bundled.run(TEXT)
    copies = {name: weight.clone() for name, weight in weights.items()}
    change(copies)
    planted = copy(bundled)
    planted.checkpoint = cast(Source, Planted(bundled.checkpoint, copies))
    return check_weights(run, planted)


def swap_norm(w: dict[str, torch.Tensor]) -> None:
    name = f"{LAYER}.2.output.LayerNorm"
    w[f"{name}.weight"], w[f"{name}.bias"] = w[f"{name}.bias"], w[f"{name}.weight"]


def swap_query(w: dict[str, torch.Tensor]) -> None:
    name = f"{LAYER}.1.attention.self"
    for part in ("weight", "bias"):
        w[f"{name}.query.{part}"], w[f"{name}.key.{part}"] = w[f"{name}.key.{part}"], w[f"{name}.query.{part}"]


def same_layer(w: dict[str, torch.Tensor]) -> None:
    for name in list(w):
        if name.startswith(f"{LAYER}.3."):
            w[name] = w[name.replace(f"{LAYER}.3.", f"{LAYER}.1.")].clone()


def scaled(name: str, index: Any, factor: float) -> Change:
    def change(w: dict[str, torch.Tensor]) -> None:
        w[name][index] *= factor

    return change


def put(name: str, make: Callable[[torch.Tensor], torch.Tensor]) -> Change:
    return lambda w: w.update({name: make(w[name])})


def copied(name: str, to: Any, source: Any) -> Change:
    def change(w: dict[str, torch.Tensor]) -> None:
        w[name][to] = w[name][source]

    return change


def eight_bits(weight: torch.Tensor) -> torch.Tensor:
    step = weight.abs().amax(1, keepdim=True) / 127
    return (weight / step).round() * step


def drawn(w: dict[str, torch.Tensor]) -> None:
    torch.manual_seed(1)
    w[WORDS][500:520] = torch.randn(20, 128) * 0.02


def averaged(w: dict[str, torch.Tensor]) -> None:
    torch.manual_seed(1)
    w[WORDS][7990:] = w[WORDS].mean(0) + torch.randn(10, 128) * 1e-5


def transposed(w: dict[str, torch.Tensor]) -> None:
    w[f"{LAYER}.2.attention.self.value.weight"] = w[f"{LAYER}.0.attention.output.dense.weight"].T.contiguous()


UP, DOWN, QUERY = (
    f"{LAYER}.1.{part}.weight" for part in ("intermediate.dense", "output.dense", "attention.self.query")
)
# What is planted -> where it is found, of what kind, and what is said of it.
PLANTED: dict[str, tuple[Change, str, str, str]] = {
    "gamma and beta": (swap_norm, "layers.2.ffn.norm@γ", "gamma and beta", "have each other's statistics"),
    "query and key": (swap_query, "layers.1.attention.query@b", "query and key", "as if query and key were exchanged"),
    "a broken scale": (scaled(UP, 77, 20), "layers.1.ffn.up@W", "outlying row", "row 77 is"),
    "a broken scale, small": (scaled(UP, 77, 0.05), "layers.1.ffn.up@W", "outlying row", "row 77 is 1/"),
    "a broken column": (scaled(DOWN, (slice(None), 5), 30), "layers.1.ffn.down@W", "outlying column", "column 5 is"),
    "a broken token": (scaled(WORDS, 777, 16), "embeddings.token@E", "outlying row", "row 777 is"),
    "a broken head": (scaled(QUERY, slice(32, 64), 12), "layers.1.attention.query@W", "outlying head", "head 1 is"),
    "a dead head": (scaled(QUERY, slice(32, 64), 0), "layers.1.attention.query@W", "dead row", "rows 32 to 63 (head 1)"),
    "a dead row": (scaled(UP, 9, 0), "layers.1.ffn.up@W", "dead row", "row 9 of 512 is all zero"),
    "a dead column": (scaled(DOWN, (slice(None), 3), 0), "layers.1.ffn.down@W", "dead column", "column 3 of 512"),
    "a dead matrix": (put(DOWN, torch.zeros_like), "layers.1.ffn.down@W", "constant", "it is all zero"),
    "token types zeroed": (
        put("embeddings.token_type_embeddings.weight", torch.zeros_like), "embeddings.segment@E", "constant", "adds nothing",
    ),
    "a zero bias": (
        put(f"{LAYER}.2.intermediate.dense.bias", torch.zeros_like), "layers.2.ffn.up@b", "constant", "left out or never trained",
    ),
    "a gamma never trained": (
        put(f"{LAYER}.0.output.LayerNorm.weight", torch.ones_like), "layers.0.ffn.norm@γ", "constant", "it is 1 throughout",
    ),
    "a layer twice": (same_layer, "layers.3.attention.query@W", "layer twice", "layer 3 is layer 1 over again"),
    "a transposed copy": (
        transposed, "layers.2.attention.value@W", "equal", "the transpose of layers.0.attention.output@W to the last bit",
    ),
    "a head twice": (
        copied(QUERY, slice(96, 128), slice(0, 32)), "layers.1.attention.query@W", "rows twice",
        "rows 96 to 127 (head 3) of 128 are equal to rows 0 to 31 (head 0)",
    ),
    "a row twice": (copied(UP, 8, 500), "layers.1.ffn.up@W", "rows twice", "row 500 of 512 is equal to row 8 to"),
    "tokens alike": (copied(WORDS, slice(60, 70), 59), "embeddings.token@E", "rows twice", "rows 60 to 69 of 8,000"),
    "a token of zeros": (scaled(WORDS, 60, 0), "embeddings.token@E", "dead row", "row 60 of 8,000 is all zero ("),
    "another scale": (scaled(UP, slice(None), 9), "layers.1.ffn.up@W", "scale", "times larger than"),
    "eight bits": (put(UP, eight_bits), "layers.1.ffn.up@W", "few steps", "at most 256 equal steps"),
    "float16": (put(UP, lambda weight: weight.half().float()), "layers.1.ffn.up@W", "float16", "ones of float16"),
    "float16 as stored": (put(UP, torch.Tensor.half), "layers.1.ffn.up@W", "float16", "ones of float16"),
    "bfloat16": (put(UP, lambda weight: weight.bfloat16().float()), "layers.1.ffn.up@W", "bfloat16", "ones of bfloat16"),
    "tokens as drawn": (drawn, "embeddings.token@E", "untrained row", "rows 500 to 519 are as drawn before training"),
    "tokens of the mean": (averaged, "embeddings.token@E", "untrained row", "rows 7,990 to 7,999 are the mean"),
    "not a number": (scaled(DOWN, (3, 9), np.nan), "layers.1.ffn.down@W", "not finite", "65,536 numbers 1 NaN, the first at [3, 9]"),
    "subnormal": (scaled(DOWN, slice(10, 30), 1e-38), "layers.1.ffn.down@W", "subnormal", "subnormal in float32"),
}  # fmt: skip


@pytest.mark.parametrize("fault", PLANTED)
def test_what_is_planted_is_found_where_it_is_and_nowhere_else(
    fault: str, bundled: Encoder, sound: dict[str, torch.Tensor]
) -> None:
    change, address, kind, said = PLANTED[fault]
    checked = checked_with(bundled, sound, change)
    first = next(one for one in checked.findings if one.kind == kind)
    assert {one.address for one in checked.findings} == {address}
    assert first.stage == address.partition("@")[0]
    assert said in first.said
    written = write_checked(checked)
    assert f"{address}" in written
    assert "unlikely: " in written
    assert "\n   odds: " in written
    assert "fault" not in written
    assert written.endswith(f"unlikely, none of it certain: the first is at {address}")


def test_a_healthy_model_is_nothing_unlikely(bundled: Encoder, sound: dict[str, torch.Tensor], minilm: Encoder) -> None:
    for checked in (checked_with(bundled, sound), check_weights(bundled.run(TEXT), bundled)):
        assert checked.findings == ()
        assert write_checked(checked).endswith("\nnothing unlikely found")
    checked = check_weights(minilm.run(TEXT), minilm)
    assert checked.findings == ()
    assert any("head.pooler.dense@W is of numbers that are all ones of float16" in line for line in checked.looked)


@pytest.mark.few(3)
@pytest.mark.parametrize("sample", samples(), ids=str)
def test_no_family_has_anything_unlikely(sample: Sample) -> None:
    """Random weights, and those of a model that transformers has just made, whose biases are all zero."""
    torch.manual_seed(0)
    for model in (random_model(sample), sample.model()):
        encoder, _ = open_pair(sample, model)
        random = np.random.default_rng(0)
        run = encoder.run(sample.tokens([4], random, encoder) if sample.tokens else tokens_for(sample, encoder, [4]))
        findings = check_weights(run, encoder).findings
        if (
            sample.family == "torch.nn.TransformerEncoder"
        ):  # `random_model` leaves some copies of the first layer as they are
            findings = tuple(one for one in findings if one.kind != "equal")
        assert findings == ()


def test_copies_of_a_layer_before_training_are_no_wonder(small_module: torch.nn.TransformerEncoder) -> None:
    encoder = attach(small_module, torch.randn(1, 4, 16))
    checked = check_weights(encoder.run(), encoder)
    assert checked.findings == ()
    assert any("each layer is a copy of the first" in line for line in checked.looked)


def test_a_module_of_ones_own_is_checked_where_it_lies() -> None:
    torch.manual_seed(0)
    layers = [torch.nn.TransformerEncoderLayer(32, 2, 64, batch_first=True) for _ in range(3)]
    module = torch.nn.Sequential(*layers).eval()
    with torch.no_grad():
        for layer in layers:
            layer.norm1.weight.normal_(1, 0.1)
            layer.norm1.bias.normal_(0, 0.1)
        layers[1].linear1.weight[7] = layers[1].linear1.weight[3]
    encoder = attach(module, torch.randn(1, 4, 32))
    (finding,) = check_weights(encoder.run(), encoder).findings
    assert (finding.kind, finding.where) == ("rows twice", "1.linear1.weight")
    assert "row 7 of 64 is equal to row 3 to the last bit" in finding.said


def test_neither_a_recording_nor_a_preset_has_weights(bundled: Encoder, tmp_path: Path) -> None:
    save(bundled.run(TEXT), tmp_path / "a.safetensors")
    with pytest.raises(InputError, match="a recording holds none; give the model"):
        TABLE.execute(Session(open_snapshot(tmp_path / "a.safetensors")), "check weights")
    preset = load("preset:gpt3-width", "cpu")
    with pytest.raises(InputError, match="has no weights, only shapes and costs"):
        TABLE.execute(Session(preset.trace(TEXT), preset), "check weights")


def test_a_check_of_weights_stops_on_the_way(bundled: Encoder) -> None:
    with pytest.raises(InputError, match=r"stopped at embeddings.word_embeddings.weight"):
        check_weights(bundled.run(TEXT), bundled, lambda: True)
