"""NomicBERT for the tests that every family passes."""

from typing import Any

import transformers.models.nomic_bert.modeling_nomic_bert as modeling
from family_kit import EAGER, Sample
from hypothesis import strategies as st
from rotary_kit import recorder, rotary_options
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
    config = NomicBertConfig(**(SMALL | {"num_labels": 3} | options), **EAGER)
    return MODELS[head](config)


SAMPLE = Sample(
    family="NomicBERT",
    example="nomic-ai/nomic-embed-text-v1.5",
    model=model,
    options=st.tuples(rotary_options(), st.sampled_from(sorted(MODELS))).map(lambda drawn: drawn[0] | {"head": drawn[1]}),
    longest=96,
    record=recorder(modeling),
    outputs={"logits": "head.words.logits"},
    not_compared=(
        "embeddings.sum", "*.attention.concat", "*.residual", "*.ffn.gated",  # sums and products it never names
        "head.pooler.first", "head.words.probabilities", "head.words.best",  # made after its output
    ),
)  # fmt: skip
