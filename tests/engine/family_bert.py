"""BERT for the tests that every family passes."""

from typing import Any

import transformers.models.bert.modeling_bert as modeling
from encoder_tui.engine.ops import ACTIVATIONS
from family_kit import EAGER, NOT_COMPARED_IN_HEADS, SIZES, Sample, with_head
from hypothesis import strategies as st
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertForNextSentencePrediction,
    BertForPreTraining,
    BertForQuestionAnswering,
    BertForSequenceClassification,
    BertForTokenClassification,
    BertModel,
)

SMALL: dict[str, Any] = {
    "vocab_size": 99, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 40,
    "max_position_embeddings": 64, "initializer_range": 0.3,
}  # fmt: skip


HEADS = {
    "pooler": BertModel,
    "words": BertForMaskedLM,
    "next": BertForNextSentencePrediction,
    "both": BertForPreTraining,
    "classes": BertForSequenceClassification,
    "labels": BertForTokenClassification,
    "answer": BertForQuestionAnswering,
}


def model(head: str = "pooler", **options: Any) -> Any:
    """A BERT with one of its heads, or none at all."""
    config = BertConfig(**(SMALL | options), **EAGER)
    return HEADS[head](config) if head in HEADS else BertModel(config, add_pooling_layer=False)


@st.composite
def options(draw: st.DrawFn) -> dict[str, Any]:
    """Any BERT that is small."""
    hidden, heads = draw(SIZES)
    return {
        "hidden_size": hidden,
        "num_attention_heads": heads,
        "num_hidden_layers": draw(st.integers(1, 3)),
        "intermediate_size": draw(st.integers(2, 50)),
        "type_vocab_size": draw(st.integers(1, 3)),
        "layer_norm_eps": draw(st.sampled_from([1e-12, 1e-5, 0.1])),
        "hidden_act": draw(st.sampled_from(sorted(ACTIVATIONS))),
        "tie_word_embeddings": draw(st.booleans()),
        **draw(with_head(["none", *HEADS])),
    }


SAMPLE = Sample(
    family="BERT",
    example="google-bert/bert-base-uncased",
    model=model,
    options=options(),
    modeling=(modeling,),
    outputs={
        "prediction_logits": "head.words.logits", "seq_relationship_logits": "head.next.logits",
        "start_logits": "head.answer.start", "end_logits": "head.answer.end",
    },
    not_compared=(
        "embeddings.sum", "*.attention.concat", "*.residual",  # sums that transformers never names
        *NOT_COMPARED_IN_HEADS,
    ),
)  # fmt: skip
