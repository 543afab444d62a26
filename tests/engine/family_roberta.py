"""RoBERTa and the families built as it is, for the tests that every family passes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import transformers as hf
from encoder_tui.engine import Encoder, Tokens
from family_bert import SMALL, options
from family_kit import NOT_COMPARED_IN_HEADS, Sample, family_of, random_tokens, with_head
from hypothesis import strategies as st
from transformers.models.camembert import modeling_camembert
from transformers.models.data2vec import modeling_data2vec_text
from transformers.models.roberta import modeling_roberta
from transformers.models.xlm_roberta import modeling_xlm_roberta

HEADS = {
    "words": "ForMaskedLM",
    "classes": "ForSequenceClassification",
    "labels": "ForTokenClassification",
    "answer": "ForQuestionAnswering",
}


def maker(name: str) -> Any:
    """What makes a model of a class family: `Roberta`."""

    def model(head: str = "pooler", **options: Any) -> Any:
        config = getattr(hf, f"{name}Config")(
            **(SMALL | {"max_position_embeddings": 66, "type_vocab_size": 1} | options), attn_implementation="eager"
        )
        if head in HEADS:
            return getattr(hf, name + HEADS[head])(config)
        return getattr(hf, f"{name}Model")(config, add_pooling_layer=head == "pooler")

    return model


@st.composite
def any_roberta(draw: st.DrawFn) -> dict[str, Any]:
    """Any BERT that is small, with padding of any id."""
    padding = draw(st.integers(0, 5))
    return draw(options()) | {
        "pad_token_id": padding,
        "max_position_embeddings": padding + draw(st.integers(8, 20)),
        **draw(with_head(["none", "pooler", *HEADS])),
    }


def padded_anywhere(lengths: Sequence[int], random: np.random.Generator, encoder: Encoder) -> Tokens:
    """Random ids; in longer rows the id of padding also stands within the text, where the mask does not hide it."""
    tokens = random_tokens(lengths, random, encoder)
    padding = family_of(encoder).limits(encoder.checkpoint.config).padding_id
    for row, length in enumerate(lengths):
        if length > 3:
            tokens.ids[row, random.choice(length, 2)] = padding
    return tokens


SAMPLES = [
    Sample(
        family=family,
        example=example,
        model=maker(name),
        options=any_roberta(),
        modeling=(modeling,),
        tokens=padded_anywhere,
        outputs={"start_logits": "head.answer.start", "end_logits": "head.answer.end"},
        not_compared=("embeddings.sum", "*.attention.concat", "*.residual", *NOT_COMPARED_IN_HEADS),
    )
    for family, name, example, modeling in (
        ("RoBERTa", "Roberta", "FacebookAI/roberta-base", modeling_roberta),
        ("XLM-RoBERTa", "XLMRoberta", "FacebookAI/xlm-roberta-base", modeling_xlm_roberta),
        ("CamemBERT", "Camembert", "almanach/camembert-base", modeling_camembert),
        ("data2vec (text)", "Data2VecText", "facebook/data2vec-text-base", modeling_data2vec_text),
    )
]
