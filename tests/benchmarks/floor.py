"""Where the floor is: the matrix products of a passage alone, with nothing between them, beside the engine and transformers.

    python tests/benchmarks/all.py floor

Products of the same shapes with the model's own weights, into memory that is there already: without biases, softmax, norms,
activations, or any value that is kept.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from encoder_tui.engine import load
from figures import Figure
from measuring import milliseconds, ratio, timed_in_turns
from passage import EVERYTHING, MINI, ids_of, opened, ours, saved, theirs

TITLE = "a passage of a MiniLM-size BERT / its matrix products alone"
LENGTHS = (16, 128, 512)


def products(model: Any, length: int) -> Callable[[], None]:
    """A function that multiplies the matrices of one text.

    Args:
        model: transformers' BertModel, for its weights.
    """
    heads, hidden = model.config.num_attention_heads, model.config.hidden_size
    size, wide = hidden // heads, model.config.intermediate_size
    x, up, outs = torch.randn(length, hidden), torch.randn(length, wide), torch.empty(length, hidden)
    wider, squares, context = (
        torch.empty(length, wide),
        torch.empty(heads, length, length),
        torch.empty(heads, length, size),
    )
    q, k, v = (torch.randn(heads, length, size) for _ in range(3))
    weights = torch.rand(heads, length, length)
    layers = [
        [
            getattr(part, "dense", part).weight.detach().t()
            for part in (
                layer.attention.self.query, layer.attention.self.key, layer.attention.self.value, layer.attention.output,
                layer.intermediate, layer.output,
            )
        ]
        for layer in model.encoder.layer
    ]  # fmt: skip
    pooler, first = model.pooler.dense.weight.detach().t(), torch.empty(1, hidden)

    def passage() -> None:
        with torch.no_grad():
            for query, key, value, output, grow, shrink in layers:
                for matrix in (query, key, value, output):
                    torch.mm(x, matrix, out=outs)
                torch.bmm(q, k.transpose(1, 2), out=squares)
                torch.bmm(weights, v, out=context)
                torch.mm(x, grow, out=wider)
                torch.mm(up, shrink, out=outs)
            torch.mm(x[:1], pooler, out=first)

    return passage


def rows(quick: bool) -> Iterable[Figure]:
    """How many times the products the engine takes, and transformers eager, and SDPA which keeps least."""
    with tempfile.TemporaryDirectory() as folder:
        saved(Path(folder), **MINI)
        eager, sdpa = opened(folder), opened(folder, attention="sdpa")
        encoder = load(folder, device="cpu")
        for length in LENGTHS:
            ids = ids_of(length)
            tokens = encoder.run_ids(ids).tokens
            ways = {
                "products": products(eager, length),
                "engine, every value kept": ours(encoder, tokens),
                "transformers eager, attentions and hidden states kept": theirs(eager, ids, **EVERYTHING),
                "transformers SDPA, nothing kept": theirs(sdpa, ids),
            }
            times = timed_in_turns(ways, 5 if quick else 20)
            for way in list(ways)[1:]:
                note = f"{milliseconds(times, way):.1f} ms against {milliseconds(times, 'products'):.1f}"
                beside = ratio(times, way, "products")
                yield Figure(way, f"{length} tokens", beside, note=note, held=way.startswith("engine"))
