"""MPNet for the tests that every family passes."""

import math
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from typing import Any, cast

import torch
from encoder_tui.engine.ops import ACTIVATIONS
from family_kit import EAGER, NOT_COMPARED_IN_HEADS, SIZES, Sample, with_head
from hypothesis import strategies as st
from torch.nn import functional
from transformers import (
    MPNetConfig,
    MPNetForMaskedLM,
    MPNetForQuestionAnswering,
    MPNetForSequenceClassification,
    MPNetForTokenClassification,
    MPNetModel,
)
from transformers.models.mpnet import modeling_mpnet
from transformers.models.mpnet.modeling_mpnet import MPNetEncoder, MPNetSelfAttention

SMALL = {
    "vocab_size": 99, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 40,
    "max_position_embeddings": 514, "initializer_range": 0.3,
}  # fmt: skip


HEADS = {
    "pooler": MPNetModel,
    "words": MPNetForMaskedLM,
    "classes": MPNetForSequenceClassification,
    "labels": MPNetForTokenClassification,
    "answer": MPNetForQuestionAnswering,
}


def model(head: str = "pooler", **options: Any) -> Any:
    """An MPNet with one of its heads, or none at all."""
    config = MPNetConfig(**(SMALL | options), **EAGER)
    return HEADS[head](config) if head in HEADS else MPNetModel(config, add_pooling_layer=False)


@st.composite
def options(draw: st.DrawFn) -> dict[str, Any]:
    """Any MPNet that is small."""
    hidden, heads = draw(SIZES)
    return {
        "hidden_size": hidden,
        "num_attention_heads": heads,
        "num_hidden_layers": draw(st.integers(1, 3)),
        "intermediate_size": draw(st.integers(2, 50)),
        "max_position_embeddings": draw(st.integers(10, 40)),
        "relative_attention_num_buckets": draw(st.sampled_from([32, 33, 64])),
        "layer_norm_eps": draw(st.sampled_from([1e-12, 1e-5, 0.1])),
        "hidden_act": draw(st.sampled_from(sorted(ACTIVATIONS))),
        "tie_word_embeddings": draw(st.booleans()),
        **draw(with_head(["none", *HEADS])),
    }


@contextmanager
def record(model: Any, run: Any, found: dict[str, torch.Tensor]) -> Generator[None]:
    """The steps of attention again, as the reference does them, from what goes into it; held against what comes out."""
    layers = iter(range(run.program.layers))

    def attention(module: Any, args: Any, kwargs: Any, output: Any) -> None:
        hidden, mask, bias = args
        batch, length, size = *hidden.shape[:2], module.attention_head_size
        query, key, value = (
            functional.linear(hidden, part.weight, part.bias).view(batch, length, -1, size).transpose(1, 2)
            for part in (module.q, module.k, module.v)
        )
        scores = torch.matmul(query, key.transpose(-1, -2))
        scaled = scores / math.sqrt(size)
        biased = scaled + bias
        masked = biased if mask is None else biased + mask
        weights = torch.softmax(masked, -1)
        assert torch.equal(weights, output[1])
        steps = {
            "query_heads": query, "key_heads": key, "value_heads": value, "scores": scores, "scaled": scaled,
            "biased": biased, "masked": masked, "weights": weights, "context": torch.matmul(weights, value),
        }  # fmt: skip
        block = f"layers.{next(layers)}.attention"
        found.update({f"{block}.{part}": step for part, step in steps.items()})
        found["positions.bias"] = bias[0]
        shape = (batch, 1, length, length)
        found.setdefault("mask.additive", hidden.new_zeros(shape) if mask is None else mask.expand(shape))

    def encoder(module: Any, args: Any, kwargs: Any) -> None:
        places = torch.arange(args[0].shape[1], device=args[0].device)
        found["positions.relative"] = places[None] - places[:, None]
        found["positions.buckets"] = module.relative_position_bucket(found["positions.relative"])
        ids = torch.from_numpy(run.tokens.ids)
        found["tokens.positions"] = cast(Any, modeling_mpnet).create_position_ids_from_input_ids(ids, 1)

    with ExitStack() as stack:
        for module in model.modules():
            if isinstance(module, MPNetSelfAttention):
                stack.callback(module.register_forward_hook(attention, with_kwargs=True).remove)
            elif isinstance(module, MPNetEncoder):
                stack.callback(module.register_forward_pre_hook(encoder, with_kwargs=True).remove)
        yield


def inputs(tokens: Any) -> dict[str, torch.Tensor]:
    """There are no segments."""
    return {"input_ids": torch.from_numpy(tokens.ids), "attention_mask": torch.from_numpy(tokens.mask)}


SAMPLE = Sample(
    family="MPNet",
    example="sentence-transformers/all-mpnet-base-v2",
    model=model,
    options=options(),
    longest=512,
    record=record,
    inputs=inputs,
    outputs={
        "logits": "head.words.logits", "start_logits": "head.answer.start", "end_logits": "head.answer.end",
    },
    not_compared=(
        "positions.query", "positions.key",  # 0, 1, 2, ...
        "embeddings.sum", "*.attention.concat", "*.residual", "head.words.activation",  # never named
        "head.classes.activation", *NOT_COMPARED_IN_HEADS,  # made before or after its output
    ),
)  # fmt: skip
