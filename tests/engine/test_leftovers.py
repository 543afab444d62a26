"""What is stored and not used is said on opening, by layers, heads and towers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
import torch
from encoder_tui.engine import Encoder, load
from encoder_tui.engine.models.leftovers import Leftover, leftover_lines, leftovers
from safetensors.torch import load_file, save_file


@pytest.fixture
def stored(small_dir: Path, tmp_path: Path) -> Callable[..., Encoder]:
    """A copy of the small BERT with more weights, or another config."""

    def store(more: Iterable[str] = (), **config: int):
        directory = tmp_path / "model"
        shutil.copytree(small_dir, directory, dirs_exist_ok=True)
        weights = load_file(small_dir / "model.safetensors") | {name: torch.ones(2, 2) for name in more}
        save_file(weights, directory / "model.safetensors", metadata={"format": "pt"})
        values = json.loads((small_dir / "config.json").read_text())
        (directory / "config.json").write_text(json.dumps(values | config))
        return load(directory, "cpu")

    return store


def test_a_layer_too_many(stored: Callable[..., Encoder]):
    encoder = stored(num_hidden_layers=1)
    said = "encoder.layer.1 (16 tensors) is stored and not used: the config says 1 layer"
    assert encoder.checkpoint.notes == [said]
    assert encoder.facts()["not used"] == "encoder.layer.1 (16 tensors)"


def test_as_many_as_the_config_says_are_no_line(stored: Callable[..., Encoder]):
    assert stored().checkpoint.notes == []


def test_a_head_and_a_tower(stored: Callable[..., Encoder]):
    names = ["classifier.weight", "classifier.bias", "vision_model.a.weight", "vision_model.b.c.weight", "alone.weight"]
    (note,) = stored(names).checkpoint.notes
    assert note == "alone, classifier (2 tensors), vision_model (2 tensors) are stored and not used"


def test_buffers_and_what_training_leaves_are_silent(stored: Callable[..., Encoder]):
    names = ["embeddings.position_ids", "optimizer.state.0.exp_avg", "logit_scale"]
    assert stored(names).checkpoint.notes == []


def test_names_cannot_steer_the_terminal(stored: Callable[..., Encoder]):
    (note,) = stored(["bad\x1b[31m.weight"]).checkpoint.notes
    assert note == "bad\\x1b[31m is stored and not used"


def test_the_largest_module_is_named():
    found = leftovers(["a.b.w", "a.b.v", "a.c.w", "d.0.w"], ["a.c.v", "d.1.w"])
    assert found == [Leftover("a.b", 2), Leftover("a.c.w", 1), Leftover("d.0", 1)]


def test_a_layer_below_the_count_is_no_layer_too_many():
    """A layer that another family would have had is not one beyond the config's."""
    assert leftover_lines([Leftover("pooler.0", 2)], 2) == ["pooler.0 (2 tensors) is stored and not used"]
    many = [Leftover(f"head{number}", 2) for number in range(12)]
    (line,) = leftover_lines(many, 2)
    assert line.endswith("head7 (2 tensors) and 4 more are stored and not used")
