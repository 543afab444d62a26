"""transformers' rotary positions and the attention after them, written down as they happen."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from types import ModuleType
from typing import Any

import torch
from encoder_tui.engine import Run
from encoder_tui.engine.ops import ACTIVATIONS
from family_kit import Values
from hypothesis import strategies as st


@contextmanager
def written_rotation(
    modeling: ModuleType, run: Run, found: Values, tables: Sequence[str], mask: Callable[[int, torch.Tensor], None]
) -> Generator[None]:
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


@st.composite
def rotary_options(draw: st.DrawFn, *, fewest_segments: int = 1) -> dict[str, Any]:
    """Any small encoder that turns queries and keys: the options that all such families have."""
    hidden, heads = draw(st.sampled_from([(8, 1), (12, 3), (32, 4), (72, 6), (64, 2), (48, 1)]))
    options: dict[str, Any] = {
        "hidden_size": hidden,
        "num_attention_heads": heads,
        "num_hidden_layers": draw(st.integers(1, 3)),
        # not 1: a product with a matrix of one row depends, in its last bits, on where that lies in memory (MKL)
        "intermediate_size": draw(st.integers(2, 50)),
        "type_vocab_size": draw(st.integers(fewest_segments, 3)),
        "layer_norm_eps": draw(st.sampled_from([1e-12, 1e-5, 0.1])),
        "hidden_act": draw(st.sampled_from(sorted(ACTIVATIONS))),
        "tie_word_embeddings": draw(st.booleans()),
    }
    if draw(st.booleans()):
        options["head_dim"] = draw(st.sampled_from([2, 8, 10]))
    if draw(st.booleans()):
        options["rope_parameters"] = {"rope_type": "default", "rope_theta": draw(st.sampled_from([500.0, 1e4]))}
    return options


def recorder(modeling: ModuleType) -> Callable[[Any, Run, Values], AbstractContextManager[None]]:
    """What a `Sample` takes as `record`, where all layers turn by one table and see by one mask."""

    def record(theirs: Any, run: Run, values: Values) -> AbstractContextManager[None]:
        tables = ["rotary"] * run.program.layers
        return written_rotation(
            modeling, run, values, tables, lambda layer, mask: values.update({"mask.additive": mask})
        )

    return record
