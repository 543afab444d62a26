"""T5 and its kin for the tests that every family passes."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import torch
import transformers.models.mt5.modeling_mt5 as modeling_mt5
import transformers.models.t5.modeling_t5 as modeling_t5
import transformers.models.umt5.modeling_umt5 as modeling_umt5
from encoder_tui.engine.ops import ACTIVATIONS
from family_kit import NOT_COMPARED_IN_HEADS, Sample, with_head
from hypothesis import strategies as st
from transformers import (
    MT5Config,
    MT5EncoderModel,
    MT5ForTokenClassification,
    T5Config,
    T5EncoderModel,
    T5ForTokenClassification,
    UMT5Config,
    UMT5EncoderModel,
    UMT5ForTokenClassification,
)

SMALL: dict[str, Any] = {
    "vocab_size": 99, "d_model": 32, "d_kv": 8, "d_ff": 40, "num_layers": 2, "num_heads": 4,
    "relative_attention_num_buckets": 8, "relative_attention_max_distance": 20,
}  # fmt: skip


def maker(config: Any, encoder: Any, labels: Any) -> Any:
    """A function that makes a model, with or without a head for tokens, from options of its config."""

    def model(head: str = "none", **options: Any) -> Any:
        settings = config(**(SMALL | options), attn_implementation="eager")
        return (labels if head == "labels" else encoder)(settings)

    return model


@st.composite
def options(draw: st.DrawFn) -> dict[str, Any]:
    """Any T5 that is small: heads that are not hidden / heads wide, few and many buckets, gated or not."""
    buckets = draw(st.sampled_from([4, 5, 6, 8, 9, 32, 50]))
    return {
        "d_model": draw(st.sampled_from([8, 12, 33, 64])),
        "num_heads": draw(st.integers(1, 4)),
        "d_kv": draw(st.sampled_from([1, 5, 8, 16])),
        "d_ff": draw(st.integers(2, 50)),
        "num_layers": draw(st.integers(1, 3)),
        "relative_attention_num_buckets": buckets,
        "relative_attention_max_distance": draw(st.integers(buckets // 4 + 1, 130)),
        "layer_norm_epsilon": draw(st.sampled_from([1e-6, 1e-12, 0.1])),
        "feed_forward_proj": draw(st.sampled_from(["", "gated-"])) + draw(st.sampled_from(sorted(ACTIVATIONS))),
        "tie_word_embeddings": draw(st.booleans()),
        **draw(with_head(["none", "labels"])),
    }


def recorder(modeling: Any) -> Any:
    """What writes down the steps of T5's eager attention, with the bias by distance that is part of it."""

    @contextmanager
    def record(model: Any, run: Any, found: dict[str, torch.Tensor]) -> Generator[None]:
        original = modeling.eager_attention_forward
        layers = iter(range(run.program.layers))

        def attention(module: Any, query: Any, key: Any, value: Any, mask: Any, **more: Any) -> Any:
            context, weights = original(module, query, key, value, mask, **more)
            layer, bias = next(layers), more["position_bias"]
            scores = torch.matmul(query, key.transpose(2, 3)) * more["scaling"]
            biased = scores + bias
            masked = biased if mask is None else biased + mask
            assert torch.equal(torch.softmax(masked, -1), weights)
            steps = {
                "query_heads": query, "key_heads": key, "value_heads": value, "scores": scores, "biased": biased,
                "masked": masked, "weights": weights, "context": context.transpose(1, 2), "position_bias": bias[0],
            }  # fmt: skip
            found.update({f"layers.{layer}.attention.{part}": step.clone() for part, step in steps.items()})
            found["positions.bias"] = bias[0].clone()
            places = torch.arange(query.shape[2], device=query.device)
            found["positions.relative"] = places[None] - places[:, None]
            settings = {} if modeling is modeling_umt5 else {
                "num_buckets": module.relative_attention_num_buckets, "max_distance": module.relative_attention_max_distance,
            }  # fmt: skip
            found["positions.buckets"] = module._relative_position_bucket(found["positions.relative"], **settings)
            shape = (query.shape[0], 1, query.shape[2], key.shape[2])
            found.setdefault("mask.additive", query.new_zeros(shape) if mask is None else mask.expand(shape))
            return context, weights

        modeling.eager_attention_forward = attention
        try:
            yield
        finally:
            modeling.eager_attention_forward = original

    return record


def sample(family: str, example: str, config: Any, models: tuple[Any, Any], modeling: Any) -> Sample:
    """One of the kin."""
    return Sample(
        family=family,
        example=example,
        model=maker(config, *models),
        options=options(),
        longest=512,
        record=recorder(modeling),
        not_compared=(
            "positions.query", "positions.key",  # 0, 1, 2, ...
            "*.attention.concat", "*.attention.residual", "*.attention.clamped", "*.ffn.gated",  # never named
            *NOT_COMPARED_IN_HEADS,
        ),
    )  # fmt: skip


SAMPLES = [
    sample("T5", "google-t5/t5-small", T5Config, (T5EncoderModel, T5ForTokenClassification), modeling_t5),
    sample("mT5", "google/mt5-small", MT5Config, (MT5EncoderModel, MT5ForTokenClassification), modeling_mt5),
    sample("UMT5", "google/umt5-small", UMT5Config, (UMT5EncoderModel, UMT5ForTokenClassification), modeling_umt5),
]
