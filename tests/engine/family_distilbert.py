"""DistilBERT for the tests that every family passes."""

from typing import Any

import transformers as hf
from encoder_tui.engine.ops import ACTIVATIONS
from family_kit import EAGER, NOT_COMPARED_IN_HEADS, SIZES, Sample, with_head
from hypothesis import strategies as st
from transformers.models.distilbert import modeling_distilbert

SMALL = {
    "vocab_size": 99, "dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 40, "max_position_embeddings": 64,
    "initializer_range": 0.3,
}  # fmt: skip
HEADS = {
    "words": hf.DistilBertForMaskedLM,
    "classes": hf.DistilBertForSequenceClassification,
    "labels": hf.DistilBertForTokenClassification,
    "answer": hf.DistilBertForQuestionAnswering,
}


def model(head: str = "none", **options: Any) -> Any:
    """A DistilBERT with one of its heads, or none."""
    config = hf.DistilBertConfig(**(SMALL | options), **EAGER)
    return HEADS.get(head, hf.DistilBertModel)(config)


@st.composite
def options(draw: st.DrawFn) -> dict[str, Any]:
    """Any DistilBERT that is small."""
    hidden, heads = draw(SIZES)
    return {
        "dim": hidden,
        "n_heads": heads,
        "n_layers": draw(st.integers(1, 3)),
        "hidden_dim": draw(st.integers(2, 50)),
        "activation": draw(st.sampled_from(sorted(ACTIVATIONS))),
        "sinusoidal_pos_embds": draw(st.booleans()),
        "tie_word_embeddings": draw(st.booleans()),
        **draw(with_head(["none", *HEADS])),
    }


SAMPLE = Sample(
    family="DistilBERT",
    example="distilbert/distilbert-base-uncased",
    model=model,
    options=options(),
    modeling=(modeling_distilbert,),
    outputs={"start_logits": "head.answer.start", "end_logits": "head.answer.end"},
    not_compared=(
        "embeddings.sum", "*.attention.concat", "*.residual", *NOT_COMPARED_IN_HEADS,
        "head.classes.activation",  # a function, no module
    ),
)  # fmt: skip
