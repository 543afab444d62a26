"""Random small BERTs of many shapes: every stage equals transformers'."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import THREE
from encoder_tui.engine import load
from encoder_tui.engine.ops import ACTIVATIONS
from reference import assert_equal_bits, open_reference, reference_values
from safetensors.torch import load_file, save_file


def check(directory: Path, texts: Any = THREE, pair: str | None = None, head: bool = False):
    run = load(directory, "cpu").run(texts, pair)
    assert_equal_bits(run, reference_values(open_reference(directory, head=head), run))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations(make_checkpoint: Callable[..., Path], activation: str):
    check(make_checkpoint(hidden_act=activation))


SIZES = [
    {"num_hidden_layers": 1, "num_attention_heads": 1, "hidden_size": 8, "intermediate_size": 4},
    {"num_hidden_layers": 3, "num_attention_heads": 6, "hidden_size": 66, "intermediate_size": 100},
    {"num_hidden_layers": 1, "num_attention_heads": 16, "hidden_size": 16, "intermediate_size": 33},
    {"num_hidden_layers": 2, "num_attention_heads": 3, "hidden_size": 192, "intermediate_size": 768},
]


@pytest.mark.parametrize(
    ("seed", "sizes", "epsilon"),
    [(*pair, eps) for pair, eps in zip(enumerate(SIZES), itertools.cycle([1e-12, 1e-5, 0.1]))],
)
def test_sizes(make_checkpoint: Callable[..., Path], seed: int, sizes: dict[str, int], epsilon: float):
    check(make_checkpoint(seed=seed, layer_norm_eps=epsilon, **sizes))


@pytest.mark.parametrize("segments", [1, 2, 3])
def test_segments(make_checkpoint: Callable[..., Path], segments: int):
    check(make_checkpoint(type_vocab_size=segments), pair="a second text" if segments > 1 else None)


def rename(directory: Path, change: Callable[[str], str]):
    path = directory / "model.safetensors"
    weights = {change(name): tensor.clone() for name, tensor in load_file(path).items()}
    save_file(weights, path, metadata={"format": "pt"})


def test_old_names_of_norms(make_checkpoint: Callable[..., Path]):
    """TensorFlow's gamma and beta, as in the first BERT checkpoints."""
    directory = make_checkpoint()
    run = load(directory, "cpu").run(THREE)
    expected = reference_values(open_reference(directory), run)
    rename(
        directory,
        lambda name: name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"),
    )
    assert_equal_bits(load(directory, "cpu").run(THREE), expected)


def test_prefix_or_none(make_checkpoint: Callable[..., Path]):
    directory = make_checkpoint()
    run = load(directory, "cpu").run(THREE)
    expected = reference_values(open_reference(directory), run)
    rename(directory, lambda name: f"bert.{name}")
    assert_equal_bits(load(directory, "cpu").run(THREE), expected)


def test_shards(make_checkpoint: Callable[..., Path]):
    import json

    directory = make_checkpoint()
    expected = load(directory, "cpu").run(THREE)["output"].tensor()
    weights = load_file(directory / "model.safetensors")
    (directory / "model.safetensors").unlink()
    shards: dict[str, dict[str, torch.Tensor]] = {
        "model-00001-of-00002.safetensors": {},
        "model-00002-of-00002.safetensors": {},
    }
    for number, (name, tensor) in enumerate(weights.items()):
        shards[list(shards)[number % 2]][name] = tensor
    places = {name: shard for shard, tensors in shards.items() for name in tensors}
    for shard, tensors in shards.items():
        save_file(tensors, directory / shard)
    (directory / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    assert torch.equal(load(directory, "cpu").run(THREE)["output"].tensor(), expected)


def test_stored_in_half_computed_in_single(make_checkpoint: Callable[..., Path]):
    directory = make_checkpoint()
    path = directory / "model.safetensors"
    save_file({name: tensor.half() for name, tensor in load_file(path).items()}, path, metadata={"format": "pt"})
    check(directory)
