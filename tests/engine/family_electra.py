"""ELECTRA for the tests that every family passes."""

from typing import Any

import transformers as hf
from family_bert import SMALL
from family_bert import options as any_bert
from family_kit import EAGER, NOT_COMPARED_IN_HEADS, Sample, with_head
from hypothesis import strategies as st
from transformers.models.electra import modeling_electra

HEADS = {
    "replaced": hf.ElectraForPreTraining,
    "words": hf.ElectraForMaskedLM,
    "classes": hf.ElectraForSequenceClassification,
    "labels": hf.ElectraForTokenClassification,
    "answer": hf.ElectraForQuestionAnswering,
}


def model(head: str = "replaced", **options: Any) -> Any:
    """An ELECTRA with one of its heads, or none."""
    config = hf.ElectraConfig(**(SMALL | {"embedding_size": 24} | options), **EAGER)
    return HEADS.get(head, hf.ElectraModel)(config)


@st.composite
def options(draw: st.DrawFn) -> dict[str, Any]:
    """Any ELECTRA that is small, its vectors of tokens as large as those of the layers or not."""
    found = draw(any_bert())
    small = draw(st.sampled_from([found["hidden_size"], 5, 16, 70]))
    return found | {"embedding_size": small, **draw(with_head(["none", *HEADS]))}


SAMPLE = Sample(
    family="ELECTRA",
    example="google/electra-small-discriminator",
    model=model,
    options=options(),
    modeling=(modeling_electra,),
    outputs={"start_logits": "head.answer.start", "end_logits": "head.answer.end"},
    not_compared=("embeddings.sum", "*.attention.concat", "*.residual", *NOT_COMPARED_IN_HEADS),
)
