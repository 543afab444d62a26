"""GTE for the tests that every family passes."""

from typing import Any

import transformers.models.gte.modeling_gte as modeling
from family_kit import EAGER, NOT_COMPARED_IN_HEADS, Sample, with_head
from hypothesis import strategies as st
from rotary_kit import recorder, rotary_options
from transformers import (
    GteConfig,
    GteForMaskedLM,
    GteForSequenceClassification,
    GteForTokenClassification,
    GteModel,
)

SMALL = {
    "vocab_size": 99, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 40,
    "max_position_embeddings": 96, "initializer_range": 0.3, "type_vocab_size": 2,
}  # fmt: skip
HEADS = {"words": GteForMaskedLM, "classes": GteForSequenceClassification, "labels": GteForTokenClassification}


def model(head: str = "none", **options: Any) -> Any:
    """A GTE with one of its heads, or none."""
    return HEADS.get(head, GteModel)(GteConfig(**(SMALL | options), **EAGER))


SAMPLE = Sample(
    family="GTE",
    example="alibaba-nlp-community/gte-multilingual-base",
    model=model,
    options=st.tuples(rotary_options(fewest_segments=0), with_head(["none", *HEADS])).map(lambda drawn: drawn[0] | drawn[1]),
    longest=96,
    record=recorder(modeling),
    outputs={"logits": "head.words.logits"},
    not_compared=(
        "embeddings.sum", "*.attention.concat", "*.residual", "*.ffn.gated",  # sums and products it never names
        "head.words.activation", *NOT_COMPARED_IN_HEADS,
    ),
)  # fmt: skip
