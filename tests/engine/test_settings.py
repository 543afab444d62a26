"""What a model is opened with: one thing, to be sent elsewhere and asked for otherwise."""

from __future__ import annotations

import pickle
import subprocess
import sys
from dataclasses import FrozenInstanceError, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from encoder_tui.engine import Encoder, InputError, Session, Settings, load
from encoder_tui.engine.commands.references import reference
from encoder_tui.engine.models.loading import open_encoder

TEXT = "the cat sat"


def numbers(encoder: Encoder) -> np.ndarray:
    return encoder.run(TEXT)["output"].numpy()


def test_sent_elsewhere_it_opens_the_same_model(minilm_dir: Path):
    settings = Settings(str(minilm_dir), "cpu", "float64", budget=1_000_000, causal=True, train_seed=3, dropout=0.2)
    sent = pickle.loads(pickle.dumps(settings))
    assert sent == settings
    encoder = open_encoder(sent)
    assert encoder.settings == replace(settings, side="text")
    theirs = load(minilm_dir, "cpu", "float64", budget=1_000_000, causal=True, train_seed=3, dropout=0.2)
    assert encoder.settings == theirs.settings
    assert np.array_equal(numbers(encoder), numbers(theirs))


def test_a_module_is_sent_with_its_weights(small_module: torch.nn.TransformerEncoder):
    settings = pickle.loads(pickle.dumps(load(small_module, "cpu").settings))
    vectors = np.random.default_rng(0).standard_normal((1, 3, 16), dtype=np.float32)
    ours, theirs = (
        each.run_vectors(vectors)["output"].numpy() for each in (open_encoder(settings), load(small_module, "cpu"))
    )
    assert np.array_equal(ours, theirs)


def test_it_says_how_it_turned_out():
    settings = load("preset:gpt3-width").settings
    assert (settings.model, settings.side) == ("preset:gpt3-width", "text")
    assert settings.device in ("cpu", "cuda:0", "mps:0", "mps")  # what it would compute on, had it numbers


def test_nothing_about_it_changes():
    with pytest.raises(FrozenInstanceError):
        load().settings.dtype = "float64"  # type: ignore[misc]


def test_a_budget_set_later_is_part_of_it():
    encoder = load(device="cpu")
    encoder.budget = 50_000
    assert encoder.settings.budget == 50_000


@pytest.mark.parametrize("words", [["dtype", "float64"], ["device", "cpu"]])
def test_the_same_model_otherwise_keeps_everything_else(minilm_dir: Path, words: list[str]):
    encoder = load(minilm_dir, "cpu", budget=10_000_000, causal=True, train_seed=3, dropout=0.2)
    other = reference(Session(encoder.run(TEXT), encoder), words)
    plain = load(
        minilm_dir, "cpu", words[1] if words[0] == "dtype" else "float32", causal=True, train_seed=3, dropout=0.2
    )
    assert np.array_equal(other["output"].numpy(), numbers(plain))


def test_a_model_of_shapes_alone_stays_one_on_another_device():
    encoder = load("preset:gpt3-width", "cpu")
    assert encoder.device == torch.device("meta")
    other = Encoder(encoder.name, encoder.checkpoint, replace(encoder.settings, device="cpu"))
    assert not other.has_numbers
    assert other.device == torch.device("meta")


def test_what_a_preset_does_to_a_text_is_told():
    told: list[str] = []
    encoder = load("preset:bert-base", "cpu", tell=told.append)
    encoder.run(" ".join(["cat"] * 600), max_length=8)
    assert any("initialised, not trained" in note for note in told)
    assert any("cut to its first 8 tokens" in note for note in told)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"dtype": "float23"}, "dtype 'float23' is not known"),
        ({"device": "gpu"}, "device 'gpu' is not known"),
        ({"side": "image"}, "takes text and no images"),
        ({"train_seed": 1}, "--train-mode does nothing to bundled"),
    ],
)
def test_refused(wrong: dict[str, Any], said: str):
    with pytest.raises(InputError, match=said):
        open_encoder(replace(Settings(device="cpu"), **wrong))


def test_it_needs_no_torch():
    code = "import sys; from encoder_tui.engine import Settings; Settings(); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
