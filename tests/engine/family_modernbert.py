"""ModernBERT for the tests that every family passes."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import torch
import transformers.models.modernbert.modeling_modernbert as modeling
from encoder_tui.engine import Run
from encoder_tui.engine.ops import ACTIVATIONS
from family_kit import EAGER, Sample, Values
from hypothesis import strategies as st
from rotary_kit import written_rotation
from transformers import (
    ModernBertConfig,
    ModernBertForMaskedLM,
    ModernBertForQuestionAnswering,
    ModernBertForSequenceClassification,
    ModernBertForTokenClassification,
    ModernBertModel,
)

SMALL = {
    "vocab_size": 99, "hidden_size": 32, "num_hidden_layers": 4, "num_attention_heads": 4, "intermediate_size": 40,
    "max_position_embeddings": 96, "initializer_range": 0.3, "local_attention": 16, "pad_token_id": 3,
    "bos_token_id": 1, "eos_token_id": 2, "cls_token_id": 1, "sep_token_id": 2,
}  # fmt: skip
MODELS = {
    "": ModernBertModel, "words": ModernBertForMaskedLM, "classes": ModernBertForSequenceClassification,
    "labels": ModernBertForTokenClassification, "answer": ModernBertForQuestionAnswering,
}  # fmt: skip
EVEN = st.sampled_from([(8, 1), (12, 3), (32, 4), (72, 6), (64, 2), (48, 1)])


def model(head: str = "", **options: Any) -> Any:
    """A ModernBERT with one of its heads."""
    options = {"num_labels": 2 if head == "answer" else 3, **options}
    return MODELS[head](ModernBertConfig(**(SMALL | options), **EAGER))


@st.composite
def options(draw: st.DrawFn) -> dict[str, Any]:
    """Any ModernBERT that is small."""
    hidden, heads = draw(EVEN)
    layers = draw(st.integers(1, 4))
    kinds = st.sampled_from(["full_attention", "sliding_attention"])
    found: dict[str, Any] = {
        "hidden_size": hidden,
        "num_attention_heads": heads,
        "num_hidden_layers": layers,
        "intermediate_size": draw(st.integers(2, 50)),
        "norm_eps": draw(st.sampled_from([1e-12, 1e-5, 0.1])),
        "hidden_activation": draw(st.sampled_from(sorted(ACTIVATIONS))),
        "classifier_activation": draw(st.sampled_from(sorted(ACTIVATIONS))),
        "local_attention": draw(st.integers(1, 14)),
        "classifier_pooling": draw(st.sampled_from(["cls", "mean"])),
        "sparse_prediction": draw(st.booleans()),
        "head": draw(st.sampled_from(sorted(MODELS))),
    }
    for bias in ("norm_bias", "attention_bias", "mlp_bias", "decoder_bias", "classifier_bias", "tie_word_embeddings"):
        found[bias] = draw(st.booleans())
    if draw(st.booleans()):
        found["layer_types"] = draw(st.lists(kinds, min_size=layers, max_size=layers))
    else:
        found["global_attn_every_n_layers"] = draw(st.integers(1, 4))
    if draw(st.booleans()):
        found |= {"global_rope_theta": draw(st.sampled_from([1.5e5, 80.0])), "local_rope_theta": 1234.5}
    return found


@contextmanager
def record(theirs: Any, run: Run, found: Values) -> Generator[None]:
    """Rotation and attention as they happen, and the masks of the layers of each kind."""
    kinds = theirs.config.layer_types
    names = {"full_attention": "global", "sliding_attention": "local"}
    tables = [f"rotary.{names[kind]}" for kind in kinds]

    def mask(layer: int, given: torch.Tensor) -> None:
        found.setdefault("mask.additive" if kinds[layer] == "full_attention" else "mask.local", given)

    with written_rotation(modeling, run, found, tables, mask):
        yield


SAMPLE = Sample(
    family="ModernBERT",
    example="answerdotai/ModernBERT-base",
    model=model,
    options=options(),
    longest=96,
    record=record,
    outputs={"logits": "head.words.logits"},
    not_compared=(
        # parts of what one product gives, and sums and products that transformers never names
        "*.attention.query", "*.attention.key", "*.attention.value", "*.attention.concat", "*.residual",
        "*.ffn.up", "*.ffn.gate", "*.ffn.gated",
        "head.words.probabilities", "head.words.best",  # made after its output
    ),
)  # fmt: skip
