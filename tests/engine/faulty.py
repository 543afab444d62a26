"""Small copies of a real model, whole or with one fault planted in them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

Change = Callable[[dict[str, torch.Tensor]], None]
LAYERS = 2
ONE, TWO = "encoder.layer.0.", "encoder.layer.1."
WORDS = "embeddings.word_embeddings.weight"


class Copies:
    """Makes copies of a checkpoint cut to two layers. The word embeddings lie in a shard that all copies share.

    Args:
        source: the checkpoint.
        home: where the copies go.
    """

    def __init__(self, source: Path, home: Path) -> None:
        self.source, self.home = source, home
        weights = load_file(source / "model.safetensors")
        layers = tuple(f"encoder.layer.{layer}." for layer in range(LAYERS))
        self.weights = {
            name: weight
            for name, weight in weights.items()
            if name.startswith(("embeddings.", *layers)) and name not in (WORDS, "embeddings.position_ids")
        }
        self.config = json.loads((source / "config.json").read_text())
        self.words = home / "words.safetensors"
        save_file({WORDS: weights[WORDS]}, self.words)

    def make(self, name: str, change: Change | None = None, **config: Any) -> Path:
        """A copy: `change` alters its weights in place, the rest its config."""
        there = self.home / name
        there.mkdir()
        for file in ("tokenizer.json", "tokenizer_config.json", "vocab.txt"):
            if (self.source / file).exists():
                (there / file).symlink_to(self.source / file)
        (there / "config.json").write_text(json.dumps(self.config | {"num_hidden_layers": LAYERS} | config))
        weights = {key: weight.clone() for key, weight in self.weights.items()}
        if change is not None:
            change(weights)
        save_file({key: weight.contiguous() for key, weight in weights.items()}, there / "rest.safetensors")
        (there / "words.safetensors").symlink_to(self.words)
        places = dict.fromkeys(weights, "rest.safetensors") | {WORDS: "words.safetensors"}
        (there / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))
        return there


# -- faults that several plant -----------------------------------------------------------------------------------------


def shift(tokenizer: dict[str, Any]) -> None:
    """Every id of a tokenizer.json one up, the last one round."""
    vocabulary = tokenizer["model"]["vocab"]
    tokenizer["model"]["vocab"] = {word: (number + 1) % len(vocabulary) for word, number in vocabulary.items()}
    for token in tokenizer["added_tokens"]:
        token["id"] += 1
    for token in tokenizer["post_processor"]["special_tokens"].values():
        token["ids"] = [number + 1 for number in token["ids"]]


def merge_twice(weights: dict[str, torch.Tensor]) -> None:
    """A LoRA update of rank 8 in the queries of both layers, once more."""
    draw = torch.Generator().manual_seed(0)
    for layer in (ONE, TWO):
        weight = weights[f"{layer}attention.self.query.weight"]
        weight += 0.02 * torch.randn(384, 8, generator=draw) @ torch.randn(8, 384, generator=draw)


def scale_a_row(weights: dict[str, torch.Tensor]) -> None:
    """One channel's scale broken."""
    weights[f"{TWO}intermediate.dense.weight"][777] *= 8


def put(run: Any, name: str, tensor: torch.Tensor) -> None:
    """Put a value in place of a stage's own."""
    run.override(name, tensor)
