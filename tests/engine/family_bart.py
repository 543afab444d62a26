"""The encoders of BART, Marian and M2M100 for the tests that every family passes; each is called with a decoder of a token."""

from typing import Any

import torch
import transformers.models.bart.modeling_bart as modeling_bart
import transformers.models.m2m_100.modeling_m2m_100 as modeling_m2m_100
import transformers.models.marian.modeling_marian as modeling_marian
from encoder_tui.engine import Tokens
from encoder_tui.engine.ops import ACTIVATIONS
from family_kit import SIZES, Sample, plain_inputs
from hypothesis import strategies as st
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    BartModel,
    M2M100Config,
    M2M100ForConditionalGeneration,
    M2M100Model,
    MarianConfig,
    MarianModel,
    MarianMTModel,
)

SMALL = {
    "vocab_size": 99, "d_model": 32, "encoder_layers": 2, "encoder_attention_heads": 4, "encoder_ffn_dim": 40,
    "decoder_layers": 1, "decoder_attention_heads": 1, "decoder_ffn_dim": 8, "max_position_embeddings": 64, "init_std": 0.3,
    "pad_token_id": 1, "decoder_start_token_id": 2, "forced_eos_token_id": None,
}  # fmt: skip


def maker(config: Any, plain: Any, translator: Any) -> Any:
    """A function that makes a model, with or without its head for words, from options of its config."""

    def model(head: str = "none", **options: Any) -> Any:
        return (translator if head == "words" else plain)(config(**(SMALL | options), attn_implementation="eager"))

    return model


@st.composite
def options(draw: st.DrawFn) -> dict[str, Any]:
    """Any encoder of them that is small."""
    hidden, heads = draw(SIZES)
    return {
        "d_model": hidden,
        "encoder_attention_heads": heads,
        "encoder_layers": draw(st.integers(1, 3)),
        "encoder_ffn_dim": draw(st.integers(2, 50)),
        "max_position_embeddings": draw(st.integers(20, 64)),
        "scale_embedding": draw(st.booleans()),
        "activation_function": draw(st.sampled_from(sorted(ACTIVATIONS))),
        "tie_word_embeddings": draw(st.booleans()),
        "pad_token_id": draw(st.sampled_from([0, 1, 5])),
        "head": draw(st.sampled_from(["none", "words"])),
    }


def inputs(tokens: Tokens) -> dict[str, torch.Tensor]:
    """What goes in, and a token for the decoder, which is not looked at."""
    given = plain_inputs(tokens)
    return given | {"decoder_input_ids": given["input_ids"][:, :1]}


def sample(family: str, example: str, model: Any, modeling: Any) -> Sample:
    """One of the three."""
    return Sample(
        family=family,
        example=example,
        model=model,
        options=options(),
        modeling=(modeling,),
        inputs=inputs,
        outputs={"encoder_last_hidden_state": "output"},
        # places, sums and concatenations, which transformers never names; what is in range again has no module of its own
        not_compared=(
            "tokens.positions", "embeddings.token", "embeddings.scaled", "embeddings.sum", "*.attention.concat", "*.residual",
            "*.ffn.clamped",
        ),
    )  # fmt: skip


SAMPLES = [
    sample("BART", "facebook/bart-base", maker(BartConfig, BartModel, BartForConditionalGeneration), modeling_bart),
    sample("Marian", "Helsinki-NLP/opus-mt-en-de", maker(MarianConfig, MarianModel, MarianMTModel), modeling_marian),
    sample(
        "M2M100", "facebook/m2m100_418M", maker(M2M100Config, M2M100Model, M2M100ForConditionalGeneration), modeling_m2m_100
    ),
]  # fmt: skip
