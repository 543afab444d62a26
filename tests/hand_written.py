"""BERT as somebody writes it from the paper, with the weights of transformers' own, right or with another GELU."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional

NAMES = {
    "words": "embeddings.word_embeddings", "places": "embeddings.position_embeddings", "types": "embeddings.token_type_embeddings",
    "norm": "embeddings.LayerNorm", "q": "attention.self.query", "k": "attention.self.key", "v": "attention.self.value",
    "o": "attention.output.dense", "norm_1": "attention.output.LayerNorm", "up": "intermediate.dense", "down": "output.dense",
    "norm_2": "output.LayerNorm",
}  # fmt: skip


class Layer(nn.Module):
    """Attention and feed-forward, a norm after each."""

    def __init__(self, hidden: int, wide: int, heads: int, approximate: str) -> None:
        super().__init__()
        self.heads, self.approximate = heads, approximate
        self.q, self.k, self.v, self.o = (nn.Linear(hidden, hidden) for _ in range(4))
        self.norm_1, self.norm_2 = nn.LayerNorm(hidden, 1e-12), nn.LayerNorm(hidden, 1e-12)
        self.up, self.down = nn.Linear(hidden, wide), nn.Linear(wide, hidden)

    def split(self, x: torch.Tensor) -> torch.Tensor:
        return x.view(*x.shape[:2], self.heads, -1).transpose(1, 2)  # (batch, head, token, head_dim)

    def forward(self, x: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
        q, k, v = self.split(self.q(x)), self.split(self.k(x)), self.split(self.v(x))
        scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
        scores = scores.masked_fill(keep[:, None, None, :] == 0, torch.finfo(x.dtype).min)
        context = (scores.softmax(-1) @ v).transpose(1, 2).reshape(x.shape)
        x = self.norm_1(x + self.o(context))
        up = functional.gelu(self.up(x), approximate=self.approximate)
        return self.norm_2(x + self.down(up))


class HandWritten(nn.Module):
    """The encoder."""

    def __init__(self, checkpoint: Path, approximate: str = "none") -> None:
        super().__init__()
        config = json.loads((checkpoint / "config.json").read_text())
        hidden = config["hidden_size"]
        self.words = nn.Embedding(config["vocab_size"], hidden)
        self.places = nn.Embedding(config["max_position_embeddings"], hidden)
        self.types, self.norm = nn.Embedding(config["type_vocab_size"], hidden), nn.LayerNorm(hidden, 1e-12)
        sizes = hidden, config["intermediate_size"], config["num_attention_heads"]
        self.layers = nn.ModuleList(Layer(*sizes, approximate) for _ in range(config["num_hidden_layers"]))
        weights = {
            name.removeprefix("bert."): weight for name, weight in load_file(checkpoint / "model.safetensors").items()
        }
        for name, parameter in self.named_parameters():
            *layer, own, part = name.replace("layers", "encoder.layer").split(".")
            parameter.data = weights[".".join([*layer, NAMES[own], part])]
        self.eval()

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        x = self.words(input_ids) + self.places.weight[: input_ids.shape[1]] + self.types.weight[0]
        x = self.norm(x)
        for layer in self.layers:
            x = layer(x, attention_mask)
        return x


def line_with(text: str) -> int:
    """The number of the line of this file that has a text first."""
    lines = Path(__file__).read_text("utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)
