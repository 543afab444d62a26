"""The seventeen faults in the other forms they come in: in a config, in weights, in code; see test_diagnose*.py for the first.

A fault is one, however it got there: a window that is off by one in config.json is named as one that is off in code.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from encoder_tui.engine import Encoder, Run, attach, load, record, save
from encoder_tui.engine.analysis.diagnose import Diagnosis, diagnose
from encoder_tui.engine.analysis.matching import match_trace
from encoder_tui.engine.commands import TABLE
from encoder_tui.engine.commands.session import Session
from encoder_tui.engine.models.notes import silent
from encoder_tui.testing import assert_same
from family_kit import random_model, random_tokens, sample_of
from faulty import Copies
from ports import Port, Ported
from safetensors.torch import load_file, save_file
from torch import nn

Weights = dict[str, torch.Tensor]
LONG = "The animal didn't cross the street because it was too tired, and the dog, which had watched it all from the shade, went on"
TEXTS = [LONG, "A cat sat."]


# -- in a config, in weights -------------------------------------------------------------------------------------------


def another_base(config: dict[str, Any]) -> None:
    config["rope_parameters"]["full_attention"]["rope_theta"] = 10_000.0


def narrower(config: dict[str, Any]) -> None:
    config["local_attention"] -= 2  # of both sides together


def scaled_queries(weights: Weights) -> None:
    for name in weights:
        if name.endswith("SelfAttention.q.weight"):
            weights[name] *= 8**-0.5


def places_from_0(weights: Weights) -> None:
    """As a port stores them that counts from 0: what RoBERTa has in row 2 in row 0."""
    name = next(name for name in weights if "position_embeddings" in name)
    weights[name] = weights[name].roll(-2, 0)


# Fault -> (family, what is done to the weights, to the config, where it begins, kind, words of the cause, of the line to change)
FILES: dict[str, tuple[str, Callable[[Weights], None] | None, Callable[[dict[str, Any]], None] | None, str, str, str, str]] = {
    "4 rotary base": (
        "ModernBERT", None, another_base, "rotary.global.cos", "rotary base", "theirs turns by the base 10000, ours by 160000",
        'config.json: "rope_parameters.full_attention.rope_theta": 10000.0',
    ),
    "5 window": (
        "ModernBERT", None, narrower, "mask.local", "window", "theirs sees keys up to 7 places away, ours up to 8",
        'config.json: "local_attention": 14',
    ),
    "16 scaled": (
        "T5", scaled_queries, None, "layers.0.attention.query", "weights times a factor", "of theirs is ours times 0.3536 (1/√8)",
        "load encoder.block.0.layer.0.SelfAttention.q.weight from theirs",
    ),
    "17 positions": (
        "RoBERTa", places_from_0, None, "embeddings.position", "position offset", "theirs counts positions from 4, ours from 2", "",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FILES)
def test_a_fault_in_files_is_named(fault: str, tmp_path: Path) -> None:
    family, weights, config, first, kind, words, line = FILES[fault]
    ours, theirs = (pair_of(family, tmp_path / name) for name in ("ours", "theirs"))
    if config is not None:
        edit_json(theirs / "config.json", config)
    if weights is not None:
        stored = load_file(theirs / "model.safetensors")
        weights(stored)
        save_file(stored, theirs / "model.safetensors", metadata={"format": "pt"})
    encoder, other = load(ours, "cpu"), load(theirs, "cpu")
    tokens = random_tokens((24, 11), np.random.default_rng(0), encoder)
    said: Mapping[str, Any] = json.loads((ours / "config.json").read_text())
    diagnosis = diagnose(encoder.run(tokens), other.run(tokens), settings=said)
    assert [(cause.kind, cause.first) for cause in diagnosis.causes] == [(kind, first)], diagnosis
    (cause,) = diagnosis.causes
    assert words in cause.cause
    assert cause.ours == line
    assert (cause.after, cause.then, diagnosis.left) == (0.0, "", None)


def pair_of(family: str, there: Path) -> Path:
    """A small random model of a family; the same numbers each time."""
    model: Any = random_model(sample_of(family))
    model.save_pretrained(there)
    return there


def edit_json(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    said = json.loads(path.read_text())
    change(said)
    path.unlink()  # it may be a link to the model's own
    path.write_text(json.dumps(said))


# -- in code -----------------------------------------------------------------------------------------------------------


class Adapted(nn.Module):
    """A product with a LoRA adapter beside it: x W + x A B."""

    def __init__(self, inner: nn.Linear, rank: int = 8) -> None:
        super().__init__()
        draw = torch.Generator().manual_seed(0)
        self.inner = inner
        self.down = nn.Parameter(0.02 * torch.randn(rank, inner.in_features, generator=draw))
        self.up = nn.Parameter(torch.randn(inner.out_features, rank, generator=draw))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(x) + x @ self.down.T @ self.up.T


def ported(there: Path, copies: Copies, fault: str = "") -> Port:
    weights = load_file(there / "rest.safetensors") | load_file(copies.words)
    torch.manual_seed(0)
    return Port.of(weights, Ported.of(json.loads((there / "config.json").read_text()), fault=fault))


def inputs_of(run: Run) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.from_numpy(run.tokens.ids.copy()), torch.from_numpy(run.tokens.mask.copy())


def diagnosed(run: Run, port: nn.Module, *, live: bool) -> Diagnosis:
    with torch.no_grad():
        theirs = attach(port, *inputs_of(run), tell=silent).first if live else record(port, *inputs_of(run))
    assert theirs is not None
    return diagnose(run, theirs)


@pytest.mark.parametrize("live", [True, False], ids=["module", "recording"])
def test_7_scores_that_overflow_in_code_are_named(live: bool, copies: Copies) -> None:
    def change(weights: Weights) -> None:
        for side in ("query", "key"):
            weights[f"encoder.layer.1.attention.self.{side}.weight"] *= 120

    there = copies.make(f"7 {live}", change)
    (cause,) = diagnosed(load(there).run(TEXTS), ported(there, copies).half(), live=live).causes
    assert (cause.kind, cause.first, cause.then) == ("float16 overflow", "layers.1.attention.scores", "")


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_8_a_mask_that_is_added_twice_is_told_and_is_no_fault(dtype: str, copies: Copies, tmp_path: Path) -> None:
    """It hides what it hid: no number of a real token is another, so there is nothing to diagnose."""
    there = copies.make(f"8 {dtype}")
    encoder = load(there, dtype=dtype)
    run = encoder.run(TEXTS)
    with torch.no_grad():
        save(
            record(ported(there, copies, "mask twice").to(getattr(torch, dtype)), *inputs_of(run)),
            tmp_path / "p.safetensors",
        )
    reply = TABLE.execute(Session(run, encoder), f"compare recording '{tmp_path / 'p.safetensors'}'")
    (line,) = [line for line in reply.text.splitlines() if "hides keys by" in line]
    assert line.startswith("layers.0.attention.masked hides keys by -3.")
    assert line.endswith("both hide them; -19968 is -10000 twice" if dtype == "bfloat16" else " is -10000 twice")
    assert reply.verdict.startswith(f"equal within what {dtype} explains")


def test_a_mask_of_another_number_is_not_called_twice(copies: Copies, tmp_path: Path) -> None:
    there = copies.make("once")
    encoder = load(there)
    run = encoder.run(TEXTS)
    with torch.no_grad():
        save(record(ported(there, copies), *inputs_of(run)), tmp_path / "p.safetensors")
    assert (
        "hides keys by"
        not in TABLE.execute(Session(run, encoder), f"compare recording '{tmp_path / 'p.safetensors'}'").text
    )


@pytest.mark.parametrize("live", [True, False], ids=["module", "recording"])
def test_13_positions_that_skip_what_is_padded_on_the_left_are_named(live: bool, copies: Copies) -> None:
    there = copies.make(f"13 {live}")
    edit_json(there / "tokenizer_config.json", lambda said: said.update(padding_side="left"))
    diagnosis = diagnosed(load(there).run(TEXTS), ported(there, copies, "positions skip padding"), live=live)
    assert [(cause.kind, cause.first) for cause in diagnosis.causes] == [("positions skip padding", "tokens.positions")]
    assert diagnosis.left is None


@pytest.mark.parametrize("live", [True, False], ids=["module", "recording"])
def test_14_an_adapter_beside_what_it_is_merged_into_is_named(live: bool, copies: Copies, ours: Encoder) -> None:
    port = ported(copies.make(f"14 {live}"), copies)
    for block in port.blocks:
        attend = cast("Any", block).attend
        attend.to_q = Adapted(attend.to_q)
    (cause,) = diagnosed(ours.run(TEXTS), port, live=live).causes
    assert (cause.kind, cause.then) == ("low-rank difference", "")
    assert cause.stages == ("layers.0.attention.query", "layers.1.attention.query")
    assert "a matrix of rank 8" in cause.cause


def test_11_of_a_decoder_that_is_not_tied_in_code_the_stage_is_found(tmp_path: Path) -> None:
    """The cause is not named from code: what is left, and that it is not the same, is."""
    model: Any = random_model(sample_of("BERT"), head="words", tie_word_embeddings=True)
    model.save_pretrained(tmp_path)
    run = load(tmp_path, "cpu").run_ids([[5, 6, 7, 8, 9, 1, 2, 3]])
    decoder = model.cls.predictions.decoder
    noise = 0.05 * torch.randn(decoder.weight.shape, generator=torch.Generator().manual_seed(0))
    decoder.weight = nn.Parameter(decoder.weight.detach() + noise)
    theirs = attach(model.eval(), *inputs_of(run), tell=silent).first
    assert theirs is not None
    diagnosis = diagnose(run, match_trace(run, theirs, title="theirs"))
    assert diagnosis.left is not None
    assert diagnosis.left.name == "head.words.logits"
    with pytest.raises(AssertionError, match="is not the same as"):
        assert_same(model, run)
