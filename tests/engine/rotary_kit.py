"""transformers' rotary positions and the attention after them, written down as they happen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import torch
from encoder_tui.engine import Run
from family_kit import Values


@contextmanager
def written_rotation(
    modeling: ModuleType, run: Run, found: Values, tables: Sequence[str], mask: Callable[[int, torch.Tensor], None]
) -> Iterator[None]:
    """Wrap a module's `apply_rotary_pos_emb` and `eager_attention_forward`.

    Args:
        tables: for each layer, what its stages of cos and sin are called before `.cos` and `.sin`.
        mask: is told the mask of each layer, zeros where it has none.
    """
    turn, attend = modeling.apply_rotary_pos_emb, modeling.eager_attention_forward
    layers = {"turn": 0, "attend": 0}

    def turned(q: Any, k: Any, cos: Any, sin: Any, **more: Any) -> Any:
        layer = layers["turn"]
        layers["turn"] += 1
        rotated = turn(q, k, cos, sin, **more)
        names = ("query_heads", "key_heads", "query_rotated", "key_rotated")
        for name, value in zip(names, (q, k, *rotated), strict=True):
            found[f"layers.{layer}.attention.{name}"] = value.clone()
        found[f"{tables[layer]}.cos"], found[f"{tables[layer]}.sin"] = cos, sin
        return rotated

    def attention(module: Any, query: Any, key: Any, value: Any, given: Any, scaling: Any = None, **more: Any) -> Any:
        layer = layers["attend"]
        layers["attend"] += 1
        context, weights = attend(module, query, key, value, given, scaling=scaling, **more)
        scores = torch.matmul(query, key.transpose(2, 3))
        scaled = scores * (query.shape[-1] ** -0.5 if scaling is None else scaling)
        masked = scaled if given is None else scaled + given
        steps = {
            "value_heads": value, "scores": scores, "scaled": scaled, "masked": masked, "weights": weights,
            "context": context.transpose(1, 2),
        }  # fmt: skip
        found.update({f"layers.{layer}.attention.{part}": step.clone() for part, step in steps.items()})
        shape = (query.shape[0], 1, query.shape[2], key.shape[2])
        mask(layer, query.new_zeros(shape) if given is None else given.expand(shape))
        return context, weights

    modeling.apply_rotary_pos_emb, modeling.eager_attention_forward = turned, attention  # type: ignore[attr-defined]
    try:
        yield
    finally:
        modeling.apply_rotary_pos_emb, modeling.eager_attention_forward = turn, attend  # type: ignore[attr-defined]
