"""A fault in hand-written code is named, at its stage and at its line; a rewrite that is right has none."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from encoder_tui.engine import Encoder, Run, attach, load, record
from encoder_tui.engine.analysis.diagnose import Diagnosis, diagnose
from encoder_tui.engine.analysis.matching import match_trace
from encoder_tui.engine.models.notes import silent
from family_kit import open_pair, random_model, random_tokens, sample_of
from faulty import Copies
from ports import STYLES, Port, Ported
from ports_relative import T5, Modern
from safetensors.torch import load_file

TEXTS = ["The animal didn't cross the street because it was too tired", "A cat sat."]


@dataclass(frozen=True)
class Known:
    """A checkpoint, our run of it, and what a port of it is loaded from and called with."""

    encoder: Encoder
    run: Run
    weights: Mapping[str, torch.Tensor]
    config: Mapping[str, object]

    def port(self, fault: str = "", style: str = "view") -> Port:
        torch.manual_seed(0)
        return Port.of(self.weights, Ported.of(self.config, fault=fault, style=style))

    @property
    def inputs(self) -> tuple[torch.Tensor, torch.Tensor]:
        tokens = self.run.tokens
        return torch.from_numpy(tokens.ids.copy()), torch.from_numpy(tokens.mask.copy())

    def diagnosed(self, port: Port, *, live: bool) -> Diagnosis:
        with torch.no_grad():
            if not live:
                return diagnose(self.run, record(port, *self.inputs))
            theirs = attach(port, *self.inputs, tell=silent).first
        assert theirs is not None
        return diagnose(self.run, theirs)


@pytest.fixture(scope="module")
def known(copies: Copies, original: Path) -> Known:
    encoder = load(original)
    weights = load_file(original / "rest.safetensors") | load_file(copies.words)
    return Known(encoder, encoder.run(TEXTS), weights, json.loads((original / "config.json").read_text()))


# Fault -> (stage at which it is so, kind, words of the cause, what the author's line says)
FAULTS: dict[str, tuple[str, str, str, str]] = {
    "tanh gelu": ("layers.0.ffn.activation", "activation", "theirs computes gelu_pytorch_tanh, ours gelu", 'approximate="tanh"'),
    "tanh gelu by hand": ("layers.0.ffn.activation", "activation", "theirs computes gelu_pytorch_tanh", "0.044715"),
    "quick gelu": ("layers.0.ffn.activation", "activation", "theirs computes quick_gelu", "1.702"),
    "relu": ("layers.0.ffn.activation", "activation", "theirs computes relu", "functional.relu"),
    "silu": ("layers.0.ffn.activation", "activation", "theirs computes silu", "functional.silu"),
    "epsilon": ("embeddings.norm", "epsilon", "theirs adds epsilon 0.001 to the variance, ours 1e-12", "layer_norm"),
    "gamma and beta": ("layers.1.attention.norm", "gain and shift exchanged", "theirs has gamma where ours has beta", "layer_norm"),
    "not centred": ("embeddings.norm", "not centred", "theirs does not subtract the mean", "torch.rsqrt"),
    "deviation of a sample": ("embeddings.norm", "deviation of a sample", "n − 1", "x.std("),
    "embeddings not normed": ("embeddings.norm", "norm left out", "no norm of embeddings", "words + places + types"),
    "norm before": ("layers.0.attention.query", "norm placement", "theirs norms before attention", "self.to_q(x)"),
    "dropout": ("layers.0.attention.query", "dropout left on", "dropout of 0.1: it runs in training mode", "self.drop(self.norm(x))"),
    "dropout of weights": ("layers.0.attention.query", "dropout left on", "dropout of 0.1: it runs in training mode", "self.drop(self.norm(x))"),
    "ids shifted": ("embeddings.token", "ids shifted", "theirs has every id +1", "self.words(ids)"),
    "norm once": ("layers.0.ffn.norm", "norm left out", "no norm of layers.0.ffn", "x + self.feed(x)"),
    "token types left out": ("embeddings.sum", "left out of a sum", "theirs leaves token types out", "x = words + places"),
    "positions left out": ("embeddings.sum", "left out of a sum", "theirs leaves positions out", "x = words + types"),
    "nothing goes round": ("layers.0.attention.residual", "left out of a sum", "leaves embeddings.norm out", "self.to_out("),
    "embedding scale": ("embeddings.sum", "embedding scale", "theirs multiplies the words by √384", "math.sqrt(words.shape[-1])"),
    "positions from one": ("tokens.positions", "position offset", "theirs counts positions from 1, ours from 0", "counted + 1"),
    "bias missing": ("layers.0.attention.query", "bias missing", "theirs adds no bias", "self.to_q.weight.T"),
    "bias of down missing": ("layers.0.ffn.down", "bias missing", "theirs adds no bias", "self.lower.weight"),
    "scale missing": ("layers.0.attention.scaled", "scale missing", "ours computes scores / √32", "q @ k"),
    "scale twice": ("layers.0.attention.scaled", "scale twice", "theirs scales twice", "/ math.sqrt(size) / math.sqrt(size)"),
    "scale by head_dim": ("layers.0.attention.scaled", "scale twice", "theirs scales twice", "scores / size"),
    "scale by hidden": ("layers.0.attention.scaled", "scale of another size", "theirs multiplies by 1/√384, ours by 1/√32", "self.heads"),
    "mask of -20 before scaling": ("layers.0.attention.masked", "mask before scaling", "a mask of -20", "* -20) / math.sqrt"),
    "mask of -1e4 before scaling": ("layers.0.attention.masked", "mask before scaling", "a mask of -10000", "* -1e4) / math.sqrt"),
    "mask too small": ("layers.0.attention.masked", "mask too small", "theirs hides by adding -5", "(1 - seen) * -5"),
    "mask inverted": ("mask.additive or layers.0.attention.masked", "mask inverted", "theirs hides what ours sees", "seen * lowest"),
    "mask on queries": ("layers.0.attention.masked", "mask on the wrong axis", "padded queries (rows)", ".transpose(-1, -2) * lowest"),
    "no mask": ("layers.0.attention.masked", "no mask", "theirs hides nothing", "scores / math.sqrt(size)"),
    "mask of ones": ("layers.0.attention.masked", "mask of ones and zeros", "as it is", "scaled + seen"),
    "mask after softmax": ("layers.0.attention.weights", "mask after the softmax", "after the softmax", "softmax(-1) * seen"),
    "causal": ("mask.additive", "causal", "theirs hides the keys after each query (causal), ours does not", "masked_fill(later"),
    "query and key swapped": ("layers.0.attention.query", "query, key and value exchanged", "theirs has the key's weights", "self.to_k(x)"),
    "heads dealt out": ("layers.0.attention.query_heads", "heads interleaved", "one by one", ".permute(0, 3, 1, 2)"),
    "heads interleaved": ("layers.0.attention.query_heads", "heads interleaved", "and back", ".permute(0, 3, 1, 2)"),
    "heads in another count": ("layers.0.attention.query_heads", "number of heads", "theirs has 6 heads, ours 12", "self.heads // 2"),
    "layers exchanged": ("layers.0.attention.query", "layers exchanged", "layers 0 and 1 exchanged", "self.to_q(x)"),
    "scores in half": ("layers.0.attention.masked", "half precision on the way", "theirs keeps scaled in float16", "scaled + (1 - seen) * lowest"),
    "half on the way": ("layers.0.ffn.down", "half precision on the way", "theirs keeps activation in bfloat16", ".bfloat16()"),
}  # fmt: skip
KNOWN_TO_BE_SLOW = {
    "softmax over queries": ("layers.0.attention.weights", "softmax over queries", "over queries, ours over keys", "softmax(-2)"),
}  # fmt: skip


@pytest.mark.few(12)
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("live", [True, False], ids=["module", "recording"])
def test_what_the_code_does_otherwise_is_named(fault: str, live: bool, known: Known) -> None:
    expect_named(known.diagnosed(known.port(fault), live=live), FAULTS[fault])


@pytest.mark.parametrize("fault", ["dropout", "dropout of weights"])
def test_dropout_is_named_of_what_was_matched_as_well(fault: str, known: Known) -> None:
    """As `diagnose module` has it: over our program, where what was dropped is no stage."""
    with torch.no_grad():
        theirs = attach(known.port(fault), *known.inputs, tell=silent).first
    assert theirs is not None
    expect_named(diagnose(known.run, match_trace(known.run, theirs, title="port")), FAULTS[fault])


@pytest.mark.sweep
@pytest.mark.parametrize("fault", KNOWN_TO_BE_SLOW)
def test_what_hides_every_name_is_named(fault: str, known: Known) -> None:
    expect_named(known.diagnosed(known.port(fault), live=True), KNOWN_TO_BE_SLOW[fault])


def test_a_joint_projection_in_another_order_is_named(known: Known) -> None:
    expected = (
        "layers.0.attention.query",
        "query, key and value exchanged",
        "theirs has the key's weights",
        "self.to_qkv(x)",
    )
    expect_named(known.diagnosed(known.port("joint order", "joint"), live=True), expected)


def expect_named(diagnosis: Diagnosis, expected: tuple[str, str, str, str]) -> None:
    """One cause, which closes the gap all the way down, at a line of the port."""
    stage, kind, words, line = expected
    assert [cause.kind for cause in diagnosis.causes] == [kind], diagnosis
    (cause,) = diagnosis.causes
    assert cause.stages[0] in stage.split(" or ")
    assert words in cause.cause
    assert (cause.then, diagnosis.left) == ("", None)
    path, _, number = cause.line.rpartition(":")
    assert Path(path).name in ("ports.py", "ports_relative.py")
    assert line in Path(path).read_text().splitlines()[int(number) - 1]


HEALTHY = [(style, "") for style in STYLES] + [
    ("view", "norm by hand"),
    ("view", "gelu by hand"),
    ("view", "mask twice"),
]


@pytest.mark.parametrize(("style", "other"), HEALTHY)
@pytest.mark.parametrize("live", [True, False], ids=["module", "recording"])
def test_of_a_port_that_is_right_no_cause_is_named(style: str, other: str, live: bool, known: Known) -> None:
    """However it is written, and rounded; a mask of -1e4 that is added twice hides as well."""
    diagnosis = known.diagnosed(known.port(other, style), live=live)
    assert diagnosis.nothing, diagnosis


@pytest.mark.parametrize(
    "texts", [["A dog"], ["A cat sat on the mat.", "The", "It was too tired to cross"]], ids=["one", "padded"]
)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float64"])
def test_nor_in_another_dtype_or_at_other_lengths(texts: list[str], dtype: str, known: Known) -> None:
    other = Known(known.encoder, known.encoder.run(texts), known.weights, known.config)
    diagnosis = other.diagnosed(other.port("", "fused").to(getattr(torch, dtype)), live=False)
    assert diagnosis.nothing, diagnosis


def written_roberta(weights: Mapping[str, torch.Tensor], config: Any, fault: str) -> torch.nn.Module:
    return Port.of(weights, Ported.of(config.to_dict(), fault=fault, padding=config.pad_token_id))


def written_t5(weights: Mapping[str, torch.Tensor], config: Any, fault: str) -> torch.nn.Module:
    return T5(weights, heads=4, layers=2, buckets=8, distance=20, fault=fault)


def written_modernbert(weights: Mapping[str, torch.Tensor], config: Any, fault: str) -> torch.nn.Module:
    return Modern(weights, heads=4, layers=4, window=8, fault=fault)


WRITTEN = {"RoBERTa": written_roberta, "T5": written_t5, "ModernBERT": written_modernbert}
# Fault -> (family, stage, kind, words of the cause)
OF_FAMILIES = {
    "positions without offset": ("RoBERTa", "embeddings.position", "position offset", "theirs counts positions from 0, ours from 2"),
    "scaled": ("T5", "layers.0.attention.biased", "scale ours has not", "theirs multiplies the scores by 1/√8, ours by nothing"),
    "base": ("ModernBERT", "rotary.global.cos", "rotary base", "theirs turns by the base 10000, ours by 160000"),
    "interleaved": ("ModernBERT", "layers.0.attention.query_rotated", "rotary pairs", "theirs turns pairs of neighbours (interleaved), ours halves"),
    "window": ("ModernBERT", "mask.local", "window", "theirs sees keys up to 7 places away, ours up to 8"),
}  # fmt: skip


def diagnosed(family: str, fault: str, *, live: bool) -> Diagnosis:
    sample = sample_of(family)
    model = random_model(sample)
    encoder, _ = open_pair(sample, model)
    run = encoder.run(random_tokens((24, 11), np.random.default_rng(0), encoder))
    port = WRITTEN[family](model.state_dict(), model.config, fault).eval()
    given = torch.from_numpy(run.tokens.ids.copy()), torch.from_numpy(run.tokens.mask.copy())
    with torch.no_grad():
        theirs = attach(port, *given, tell=silent).first if live else record(port, *given)
    assert theirs is not None
    return diagnose(run, theirs)


SLOW = ("interleaved",)  # five hundred edits are tried before


@pytest.mark.parametrize(
    "fault", [pytest.param(fault, marks=[pytest.mark.sweep] * (fault in SLOW)) for fault in OF_FAMILIES]
)
@pytest.mark.parametrize("live", [True, False], ids=["module", "recording"])
def test_what_a_port_of_another_family_does_otherwise_is_named(fault: str, live: bool) -> None:
    family, stage, kind, words = OF_FAMILIES[fault]
    diagnosis = diagnosed(family, fault, live=live)
    assert [(cause.kind, cause.stages[0]) for cause in diagnosis.causes] == [(kind, stage)], diagnosis
    assert words in diagnosis.causes[0].cause
    assert diagnosis.left is None


@pytest.mark.parametrize("family", WRITTEN)
def test_of_a_port_of_another_family_that_is_right_no_cause_is_named(family: str) -> None:
    diagnosis = diagnosed(family, "", live=True)
    assert diagnosis.nothing, diagnosis
