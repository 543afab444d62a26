"""Jina embeddings v3 for the tests that every family passes."""

from contextlib import AbstractContextManager
from typing import Any

import transformers.models.jina_embeddings_v3.modeling_jina_embeddings_v3 as modeling
from encoder_tui.engine import Run
from encoder_tui.engine.ops import ACTIVATIONS
from family_kit import NOT_COMPARED_IN_HEADS, Sample, Values, with_head
from hypothesis import strategies as st
from rotary_kit import written_rotation
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
    return HEADS.get(head, JinaEmbeddingsV3Model)(
        JinaEmbeddingsV3Config(**(SMALL | options), attn_implementation="eager")
    )


@st.composite
def options(draw: st.DrawFn) -> dict[str, Any]:
    """Any Jina embeddings v3 that is small."""
    hidden, heads = draw(st.sampled_from([(8, 1), (12, 3), (32, 4), (72, 6), (64, 2), (48, 1)]))
    more = draw(with_head(["none", *HEADS]))
    if draw(st.booleans()):
        more["head_dim"] = draw(st.sampled_from([2, 8, 10]))
    if draw(st.booleans()):
        more["rope_parameters"] = {"rope_type": "default", "rope_theta": draw(st.sampled_from([500.0, 1e4]))}
    return more | {
        "hidden_size": hidden,
        "num_attention_heads": heads,
        "num_hidden_layers": draw(st.integers(1, 3)),
        "intermediate_size": draw(st.integers(2, 50)),
        "type_vocab_size": draw(st.integers(1, 3)),
        "layer_norm_eps": draw(st.sampled_from([1e-12, 1e-5, 0.1])),
        "hidden_act": draw(st.sampled_from(sorted(ACTIVATIONS))),
        "tie_word_embeddings": draw(st.booleans()),
    }


def record(theirs: Any, run: Run, found: Values) -> AbstractContextManager[None]:
    """Rotation and attention as they happen."""
    tables = ["rotary"] * run.program.layers
    return written_rotation(modeling, run, found, tables, lambda layer, mask: found.update({"mask.additive": mask}))


SAMPLE = Sample(
    family="Jina embeddings v3",
    example="jinaai/jina-embeddings-v3-hf",
    model=model,
    options=options(),
    longest=96,
    record=record,
    outputs={"logits": "head.words.logits", "start_logits": "head.answer.start", "end_logits": "head.answer.end"},
    not_compared=(
        "embeddings.sum", "*.attention.concat", "*.residual",  # sums it never names
        "head.words.activation", "head.classes.activation", *NOT_COMPARED_IN_HEADS,
    ),
)  # fmt: skip
