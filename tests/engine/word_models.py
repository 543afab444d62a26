"""Small word2vec checkpoints of random weights, and what plain torch makes of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import nn
from torch.nn import functional

SPECIAL = ["[PAD]", "[UNK]"]
PLAIN = "the cat sat on mat a dog ran in rain and sun or moon by day night one two three four"
WORDS = [*SPECIAL, *PLAIN.split()]
TEXTS = ["the cat sat on the mat and a dog ran in the rain", "moon or sun", "one two zebra"]


def save_words(directory: Path, kind: str, *, hidden: int = 12, seed: int = 0, **options: Any) -> Path:
    """Write a checkpoint; `options` go into its config."""
    draw = torch.Generator().manual_seed(seed)
    size = len(WORDS)
    noise = torch.rand(size, generator=draw) * 50 + 1
    noise[0] = 0  # padding is never drawn
    weights = {
        "embeddings.weight": torch.randn(size, hidden, generator=draw),
        "decoder.weight": torch.randn(size, hidden, generator=draw),
        "decoder.bias": torch.randn(size, generator=draw) - 3,
        "noise.weight": noise.bfloat16().float(),
    }
    directory.mkdir(parents=True, exist_ok=True)
    save_file(weights, directory / "model.safetensors")
    config = {"model_type": kind, "vocab_size": size, "hidden_size": hidden, "window": 2, "negative": 3}
    (directory / "config.json").write_text(json.dumps(config | options))
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.save(str(directory / "tokenizer.json"))
    return directory


def around(row: list[int], at: int, reach: int) -> list[int]:
    """The ids around a place of a text, itself left out."""
    return [row[i] for i in range(max(0, at - reach), min(len(row), at + reach + 1)) if i != at]


def reference(weights: dict[str, torch.Tensor], kind: str, rows: list[list[int]], reach: int) -> list[dict[str, Any]]:
    """What `nn.EmbeddingBag`, `cross_entropy` and `linear` make of each text: the stages by name, lists over tokens.

    Args:
        rows: ids of each text, not padded.
    """
    table, score, bias = weights["embeddings.weight"], weights["decoder.weight"], weights["decoder.bias"]
    bags = {mode: nn.EmbeddingBag.from_pretrained(table, mode=mode) for mode in ("sum", "mean")}
    found: list[dict[str, Any]] = []
    for row in rows:
        values: dict[str, Any] = {}
        if kind == "cbow":
            contexts = [torch.tensor(around(row, at, reach), dtype=torch.int64) for at in range(len(row))]
            starts = torch.tensor([0, *[len(c) for c in contexts[:-1]]]).cumsum(0)
            for mode, bag in bags.items():
                values[f"embeddings.{mode}"] = bag(torch.cat(contexts), starts)
            x, targets = values["embeddings.mean"], [[word] for word in row]
        else:
            values["embeddings.token"] = x = nn.Embedding.from_pretrained(table)(torch.tensor(row))
            targets = [around(row, at, reach) for at in range(len(row))]
        values["head.scores"] = functional.linear(x, score)
        values["head.logits"] = logits = functional.linear(x, score, bias)
        values["head.probabilities"] = functional.softmax(logits, -1)
        values["loss.word"] = [
            functional.cross_entropy(logits[at].expand(len(ids), -1), torch.tensor(ids), reduction="none")
            for at, ids in enumerate(targets)
        ]
        values["loss.mean"] = torch.cat(values["loss.word"]).mean()
        found.append(values)
    return found
