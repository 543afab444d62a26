"""DeBERTa, the first version, for the tests that every family passes."""

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from typing import Any

import family_deberta_v2
import torch
import transformers.models.deberta.modeling_deberta as modeling
from encoder_tui.engine.ops import ACTIVATIONS
from family_kit import SIZES, Sample, with_head
from hypothesis import strategies as st
from transformers import (
    DebertaConfig,
    DebertaForMaskedLM,
    DebertaForQuestionAnswering,
    DebertaForSequenceClassification,
    DebertaForTokenClassification,
    DebertaModel,
)

SMALL: dict[str, Any] = {
    "vocab_size": 99, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 40,
    "max_position_embeddings": 64, "initializer_range": 0.3, "relative_attention": True, "pos_att_type": ["c2p", "p2c"],
    "position_biased_input": False,
}  # fmt: skip

HEADS = {
    "words": DebertaForMaskedLM,
    "classes": DebertaForSequenceClassification,
    "labels": DebertaForTokenClassification,
    "answer": DebertaForQuestionAnswering,
}


def model(head: str = "none", **options: Any) -> Any:
    """A DeBERTa with one of its heads, or none: of no options, one as deberta-base is."""
    return HEADS.get(head, DebertaModel)(DebertaConfig(**(SMALL | options)))


@st.composite
def options(draw: st.DrawFn) -> dict[str, Any]:
    """Any DeBERTa that is small."""
    hidden, heads = draw(SIZES)
    legacy = draw(st.booleans())
    more = draw(with_head(["none", *HEADS]))
    if legacy or more["head"] != "words":
        more["embedding_size"] = draw(st.sampled_from([hidden, 9]))
    return more | {
        "hidden_size": hidden,
        "num_attention_heads": heads,
        "num_hidden_layers": draw(st.integers(1, 3)),
        "intermediate_size": draw(st.integers(2, 50)),
        "max_position_embeddings": draw(st.integers(20, 40)),
        "max_relative_positions": draw(st.sampled_from([-1, 0, 3, 5, 100])),
        "relative_attention": draw(st.sampled_from([True, True, True, False])),
        "pos_att_type": draw(
            st.sampled_from([None, [], "c2p", ["p2c"], "p2c|c2p|none", ["c2p", "p2c"], ["c2p", "c2p"]])
        ),
        "position_biased_input": draw(st.booleans()),
        "type_vocab_size": draw(st.integers(0, 2)),
        "layer_norm_eps": draw(st.sampled_from([1e-7, 1e-5, 0.1])),
        "hidden_act": draw(st.sampled_from(sorted(ACTIVATIONS))),
        "tie_word_embeddings": draw(st.booleans()),
        "legacy": legacy,
        "pooler_hidden_act": draw(st.sampled_from(["gelu", "tanh"])),
    }


def attention_steps(module: Any, hidden: Any, mask: Any, far: Any, table: Any) -> dict[str, torch.Tensor]:
    """The steps of `DisentangledSelfAttention.forward`, as it does them."""
    apart, factor = module.transpose_for_scores, 1 + len(module.pos_att_type)
    fused = apart(module.in_proj(hidden))
    query, key, value = fused.chunk(3, dim=-1)
    steps = {"qkv_heads": fused, "query_unbiased": query, "key_heads": key, "value_unbiased": value}
    query = query + apart(module.q_bias[None, None, :])
    value = value + apart(module.v_bias[None, None, :])
    steps |= {"query_heads": query, "value_heads": value}
    query = query / modeling.scaled_size_sqrt(query, factor).to(query.dtype)
    scores = torch.matmul(query, key.transpose(-1, -2))
    steps |= {"query_scaled": query, "scores": scores}
    score: Any = 0
    if module.relative_attention:
        most, far = module.max_relative_positions, far[:, None]
        span = min(hidden.shape[1], most)
        rows = table[most - span : most + span].unsqueeze(0)
        if "c2p" in module.pos_att_type:
            positions = apart(module.pos_proj(rows))
            raw = torch.matmul(query, positions.transpose(-1, -2))
            place = torch.clamp(far + span, 0, span * 2 - 1).expand(*raw.shape[:2], -1, -1)
            steps |= {
                "position_key_heads": positions,
                "content_to_relative": raw,
                "content_to_position": torch.gather(raw, -1, place),
            }
            score = score + steps["content_to_position"]
        if "p2c" in module.pos_att_type:
            positions = apart(module.pos_q_proj(rows))
            steps["position_query_heads"] = positions.clone()
            positions /= modeling.scaled_size_sqrt(positions, factor)
            raw = torch.matmul(key, positions.transpose(-1, -2).to(key.dtype))
            place = torch.clamp(-far + span, 0, span * 2 - 1).expand(*raw.shape[:2], -1, -1)
            steps |= {
                "position_query_scaled": positions,
                "relative_to_content": raw,
                "position_to_content": torch.gather(raw, -1, place).transpose(-1, -2),
            }
            score = score + steps["position_to_content"]
        if {"c2p", "p2c"} <= {*module.pos_att_type}:
            steps["position_bias"] = score
    steps["biased"] = scores + score
    steps["masked"] = steps["biased"].masked_fill(~mask.bool(), torch.finfo(hidden.dtype).min)
    steps["weights"] = torch.softmax(steps["masked"], -1)
    steps["context"] = torch.matmul(steps["weights"], value)
    return steps


@contextmanager
def record(model: Any, run: Any, found: dict[str, torch.Tensor]) -> Generator[None]:
    """The steps of attention again, held against what comes out, and what all layers look up."""
    layers = iter(range(run.program.layers))

    def attention(module: Any, args: Any, kwargs: Any, output: Any) -> None:
        hidden, mask, *_ = args
        far, table = kwargs["relative_pos"], kwargs["rel_embeddings"]
        block, steps = f"layers.{next(layers)}.attention", attention_steps(module, hidden, mask, far, table)
        assert torch.equal(steps["weights"], output[1])
        found.update({f"{block}.{part}": step.clone() for part, step in steps.items()})
        found["mask.pairs"] = mask
        places = torch.arange(hidden.shape[1], device=hidden.device)
        found["positions.relative"] = places[:, None] - places
        if module.relative_attention:
            span = min(hidden.shape[1], module.max_relative_positions)
            found["positions.index"] = torch.clamp(far[0] + span, 0, span * 2 - 1)
            middle = module.max_relative_positions
            found["positions.table"] = table[None, middle - span : middle + span]

    with ExitStack() as stack:
        for module in model.modules():
            if isinstance(module, modeling.DisentangledSelfAttention):
                stack.callback(module.register_forward_hook(attention, with_kwargs=True).remove)
                # `from_pretrained` leaves these in float32 whatever the dtype, and half precision then fails; `half()` does not.
                for bias in (module.q_bias, module.v_bias):
                    bias.data = bias.data.to(module.in_proj.weight.dtype)
        yield


SAMPLE = Sample(
    family="DeBERTa",
    example="microsoft/deberta-base",
    model=model,
    options=options(),
    longest=512,
    record=record,
    outputs=family_deberta_v2.SAMPLE.outputs,
    not_compared=family_deberta_v2.SAMPLE.not_compared,
)
