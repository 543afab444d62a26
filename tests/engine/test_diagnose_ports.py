"""Weights that are others in a port, and positions among padding: with the port at hand, and from what it computed alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from encoder_tui.engine import Encoder, Run, Tokens, attach, load, record
from encoder_tui.engine.analysis.diagnose import Diagnosis, diagnose
from encoder_tui.engine.models.notes import silent
from family_kit import open_pair, random_model, random_tokens, sample_of
from faulty import Copies
from ports import Port, Ported
from safetensors.torch import load_file

TEXTS = ["The animal didn't cross the street because it was too tired", "A cat sat."]
ANIMAL = 4111
Weights = dict[str, torch.Tensor]
LAYER = "encoder.layer."
UP, DOWN, QUERY = f"{LAYER}1.intermediate.dense", f"{LAYER}1.output.dense", f"{LAYER}0.attention.self.query"


def update(rank: int, weights: Weights) -> None:
    draw = torch.Generator().manual_seed(0)
    weights[f"{QUERY}.weight"] += 0.02 * torch.randn(384, rank, generator=draw) @ torch.randn(rank, 384, generator=draw)


def row(weights: Weights) -> None:
    weights[f"{UP}.weight"][777] *= 8


def column(weights: Weights) -> None:
    weights[f"{DOWN}.weight"][:, 777] *= 8


def another_column(weights: Weights) -> None:
    weights[f"{DOWN}.weight"][:, 5] = torch.randn(384, generator=torch.Generator().manual_seed(0))


def word(weights: Weights) -> None:
    weights["embeddings.word_embeddings.weight"][ANIMAL] = 0.05 * torch.randn(
        384, generator=torch.Generator().manual_seed(0)
    )


def bias(weights: Weights) -> None:
    weights[f"{UP}.bias"][[3, 5]] += 1


def transposed(weights: Weights) -> None:
    name = f"{LAYER}0.attention.output.dense.weight"
    weights[name] = weights[name].T.contiguous()


def doubled(weights: Weights) -> None:
    weights[f"{UP}.weight"] *= 2


def types(weights: Weights) -> None:
    weights["embeddings.token_type_embeddings.weight"].zero_()


Told = tuple[str, str]
# Fault -> (change, where, kind and words with the weights at hand, the same from values alone)
FAULTS: dict[str, tuple[Callable[[Weights], None], str, Told, Told]] = {
    "low rank": (lambda weights: update(3, weights), "layers.0.attention.query", ("low-rank difference", "a matrix of rank 3"), ("low-rank difference", "a matrix of rank 3")),
    "rank of one": (lambda weights: update(1, weights), "layers.0.attention.query", ("low-rank difference", "a matrix of rank 1"), ("low-rank difference", "a matrix of rank 1")),
    "row": (row, "layers.1.ffn.up", ("few rows", "row 777 (theirs is ours times 8) alone"), ("rows scaled", "row 777 is ours times 8")),
    "column": (column, "layers.1.ffn.down", ("few columns", "column 777 (theirs is ours times 8) alone"), ("few columns", "column 777 is ours times 8")),
    "another column": (another_column, "layers.1.ffn.down", ("few columns", "column 5 alone"), ("few columns", "column 5 is another")),
    "word": (word, "embeddings.token", ("few rows", f"row {ANIMAL} alone"), ("a row of the table", f"row {ANIMAL} (animal) is another")),
    "bias": (bias, "layers.1.ffn.up", ("another bias", "another bias in 2 of 1536 places: 3 ("), ("another bias", "another bias in 2 of 1536 places: 3 (")),
    "transposed": (transposed, "layers.0.attention.output", ("weight transposed", "is transposed in theirs"), ("weight transposed", "transposed")),
    "doubled": (doubled, "layers.1.ffn.up", ("weights times a factor", "is ours times 2"), ("weights times a factor", "of ours times 2")),
    "types": (types, "embeddings.segment", ("all zero", "is all zero in theirs"), ("all zero", "what theirs looks up is all zero")),
}  # fmt: skip


@pytest.fixture(scope="module")
def checkpoint(copies: Copies, original: Path) -> tuple[Run, Weights, dict[str, Any]]:
    weights = load_file(original / "rest.safetensors") | load_file(copies.words)
    return load(original).run(TEXTS), weights, json.loads((original / "config.json").read_text())


def diagnosed(run: Run, port: torch.nn.Module, live: bool) -> Diagnosis:
    given = torch.from_numpy(run.tokens.ids.copy()), torch.from_numpy(run.tokens.mask.copy())
    with torch.no_grad():
        theirs = attach(port, *given, tell=silent).first if live else record(port, *given)
    assert theirs is not None
    return diagnose(run, theirs)


@pytest.mark.few(8)
@pytest.mark.parametrize("live", [True, False], ids=["module", "recording"])
@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_otherwise_in_the_weights_of_a_port_is_named(fault: str, live: bool, checkpoint: Any) -> None:
    run, weights, config = checkpoint
    change, first, *told = FAULTS[fault]
    others = {name: weight.clone() for name, weight in weights.items()}
    change(others)
    diagnosis = diagnosed(run, Port.of(others, Ported.of(config)), live)
    kind, words = told[0 if live else 1]
    assert [(cause.kind, cause.stages[0]) for cause in diagnosis.causes] == [(kind, first)], diagnosis
    assert words in diagnosis.causes[0].cause
    assert (diagnosis.causes[0].then, diagnosis.left) == ("", None)


# -- positions among padding -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["BERT", "RoBERTa"])
def padded(request: pytest.FixtureRequest) -> tuple[str, Encoder, Tokens, Any]:
    """A family, and a batch of it that is padded on the left: where positions are counted from shows there alone."""
    sample = sample_of(request.param)
    model = random_model(sample)
    encoder, _ = open_pair(sample, model)
    right = random_tokens((24, 11), np.random.default_rng(0), encoder)
    turned = {part: getattr(right, part)[:, ::-1].copy() for part in ("ids", "mask")}
    tokens = replace(
        right, **turned, segments=right.segments * 0, strings=tuple(strings[::-1] for strings in right.strings)
    )
    return request.param, encoder, tokens, model


COUNTED = {
    ("BERT", "positions skip padding"): ("tokens.positions", "positions skip padding", "theirs counts only what is no padding, ours every place"),
    ("RoBERTa", "positions count padding"): ("embeddings.position", "positions count padding", "theirs counts every place, padding as well"),
    ("RoBERTa", "positions without offset"): ("embeddings.position", "position offset", "theirs counts every place from 0, ours from 2"),
}  # fmt: skip


@pytest.mark.parametrize("live", [True, False], ids=["module", "recording"])
@pytest.mark.parametrize("fault", ["", *dict.fromkeys(fault for _, fault in COUNTED)])
def test_how_positions_are_counted_among_padding_is_named(fault: str, live: bool, padded: Any) -> None:
    family, encoder, tokens, model = padded
    padding = model.config.pad_token_id if family == "RoBERTa" else None
    if fault and (family, fault) not in COUNTED:
        pytest.skip(f"{family} counts so")
    port = Port.of(model.state_dict(), Ported.of(model.config.to_dict(), fault=fault, padding=padding)).eval()
    diagnosis = diagnosed(encoder.run(tokens), port, live)
    if not fault:
        assert diagnosis.nothing, diagnosis
        return
    first, kind, words = COUNTED[family, fault]
    assert [(cause.kind, cause.stages[0]) for cause in diagnosis.causes] == [(kind, first)], diagnosis
    assert words in diagnosis.causes[0].cause
    assert diagnosis.left is None
