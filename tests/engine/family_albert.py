"""ALBERT for the tests that every family passes."""

from typing import Any

import transformers as hf
from family_bert import SMALL
from family_bert import options as any_bert
from family_kit import EAGER, NOT_COMPARED_IN_HEADS, Sample, with_head
from hypothesis import strategies as st
from transformers.models.albert import modeling_albert

HEADS = {
    "words": hf.AlbertForMaskedLM,
    "both": hf.AlbertForPreTraining,
    "classes": hf.AlbertForSequenceClassification,
    "labels": hf.AlbertForTokenClassification,
    "answer": hf.AlbertForQuestionAnswering,
}


def model(head: str = "pooler", **options: Any) -> Any:
    """An ALBERT with one of its heads, or none at all."""
    config = hf.AlbertConfig(**(SMALL | {"embedding_size": 24, "num_hidden_layers": 3} | options), **EAGER)
    if head in HEADS:
        return HEADS[head](config)
    return hf.AlbertModel(config, add_pooling_layer=head == "pooler")


@st.composite
def options(draw: st.DrawFn) -> dict[str, Any]:
    """Any ALBERT that is small: layers in groups, groups of several layers."""
    layers = draw(st.integers(1, 5))
    return draw(any_bert()) | {
        "embedding_size": draw(st.sampled_from([5, 16, 66])),
        "num_hidden_layers": layers,
        "num_hidden_groups": draw(st.integers(1, layers)),
        "inner_group_num": draw(st.integers(1, 2)),
        **draw(with_head(["none", "pooler", *HEADS])),
    }


SAMPLE = Sample(
    family="ALBERT",
    example="albert/albert-base-v2",
    model=model,
    options=options(),
    modeling=(modeling_albert,),
    outputs={"start_logits": "head.answer.start", "end_logits": "head.answer.end"},
    not_compared=("embeddings.sum", "*.attention.concat", "*.residual", *NOT_COMPARED_IN_HEADS),
)
