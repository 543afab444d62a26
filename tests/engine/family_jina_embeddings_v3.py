"""Jina embeddings v3 for the tests that every family passes."""

from typing import Any

import transformers.models.jina_embeddings_v3.modeling_jina_embeddings_v3 as modeling
from family_kit import EAGER, NOT_COMPARED_IN_HEADS, Sample, with_head
from hypothesis import strategies as st
from rotary_kit import recorder, rotary_options
from transformers import (
    JinaEmbeddingsV3Config,
    JinaEmbeddingsV3ForMaskedLM,
    JinaEmbeddingsV3ForQuestionAnswering,
    JinaEmbeddingsV3ForSequenceClassification,
    JinaEmbeddingsV3ForTokenClassification,
    JinaEmbeddingsV3Model,
)

SMALL = {
    "vocab_size": 99, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 40,
    "max_position_embeddings": 96, "initializer_range": 0.3, "type_vocab_size": 2,
}  # fmt: skip
HEADS = {
    "words": JinaEmbeddingsV3ForMaskedLM,
    "classes": JinaEmbeddingsV3ForSequenceClassification,
    "labels": JinaEmbeddingsV3ForTokenClassification,
    "answer": JinaEmbeddingsV3ForQuestionAnswering,
}


def model(head: str = "none", **options: Any) -> Any:
    """A Jina embeddings v3 with one of its heads, or none."""
    return HEADS.get(head, JinaEmbeddingsV3Model)(JinaEmbeddingsV3Config(**(SMALL | options), **EAGER))


SAMPLE = Sample(
    family="Jina embeddings v3",
    example="jinaai/jina-embeddings-v3-hf",
    model=model,
    options=st.tuples(rotary_options(), with_head(["none", *HEADS])).map(lambda drawn: drawn[0] | drawn[1]),
    longest=96,
    record=recorder(modeling),
    outputs={"logits": "head.words.logits", "start_logits": "head.answer.start", "end_logits": "head.answer.end"},
    not_compared=(
        "embeddings.sum", "*.attention.concat", "*.residual",  # sums it never names
        "head.words.activation", "head.classes.activation", *NOT_COMPARED_IN_HEADS,
    ),
)  # fmt: skip
