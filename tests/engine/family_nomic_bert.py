"""NomicBERT for the tests that every family passes."""

from contextlib import AbstractContextManager
from typing import Any

import transformers.models.nomic_bert.modeling_nomic_bert as modeling
from encoder_tui.engine import Run
from encoder_tui.engine.ops import ACTIVATIONS
from family_kit import Sample, Values
from hypothesis import strategies as st
from rotary_kit import written_rotation
from transformers import (
    NomicBertConfig,
    NomicBertForMaskedLM,
    NomicBertForSequenceClassification,
    NomicBertForTokenClassification,
    NomicBertModel,
)

SMALL = {
    "vocab_size": 99, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 40,
    "max_position_embeddings": 96, "initializer_range": 0.3,
}  # fmt: skip
MODELS = {
    "": NomicBertModel, "words": NomicBertForMaskedLM, "classes": NomicBertForSequenceClassification,
    "labels": NomicBertForTokenClassification,
}  # fmt: skip


def model(head: str = "", **options: Any) -> Any:
    """A NomicBERT with one of its heads."""
    config = NomicBertConfig(**(SMALL | {"num_labels": 3} | options), attn_implementation="eager")
    return MODELS[head](config)


@st.composite
def options(draw: st.DrawFn) -> dict[str, Any]:
    """Any NomicBERT that is small."""
    hidden, heads = draw(st.sampled_from([(8, 1), (12, 3), (32, 4), (72, 6), (64, 2), (48, 1)]))
    found = {
        "hidden_size": hidden,
        "num_attention_heads": heads,
        "num_hidden_layers": draw(st.integers(1, 3)),
        # not 1: a product with a matrix of one row depends, in its last bits, on where that lies in memory (MKL)
        "intermediate_size": draw(st.integers(2, 50)),
        "type_vocab_size": draw(st.integers(1, 3)),
        "layer_norm_eps": draw(st.sampled_from([1e-12, 1e-5, 0.1])),
        "hidden_act": draw(st.sampled_from(sorted(ACTIVATIONS))),
        "tie_word_embeddings": draw(st.booleans()),
        "head": draw(st.sampled_from(sorted(MODELS))),
    }
    if draw(st.booleans()):
        found["head_dim"] = draw(st.sampled_from([2, 8, 10]))
    if draw(st.booleans()):
        found["rope_parameters"] = {"rope_type": "default", "rope_theta": draw(st.sampled_from([500.0, 1e4]))}
    return found


def record(theirs: Any, run: Run, found: Values) -> AbstractContextManager[None]:
    """Rotation and attention as they happen."""
    tables = ["rotary"] * run.program.layers
    return written_rotation(modeling, run, found, tables, lambda layer, mask: found.update({"mask.additive": mask}))


SAMPLE = Sample(
    family="NomicBERT",
    example="nomic-ai/nomic-embed-text-v1.5",
    model=model,
    options=options(),
    longest=96,
    record=record,
    outputs={"logits": "head.words.logits"},
    not_compared=(
        "embeddings.sum", "*.attention.concat", "*.residual", "*.ffn.gated",  # sums and products it never names
        "head.pooler.first", "head.words.probabilities", "head.words.best",  # made after its output
    ),
)  # fmt: skip
