"""DeBERTa-v2 and v3 for the tests that every family passes."""

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
import transformers.models.deberta_v2.modeling_deberta_v2 as modeling
from encoder_tui.engine.ops import ACTIVATIONS
from family_kit import NOT_COMPARED_IN_HEADS, SIZES, Sample, with_head
from hypothesis import strategies as st
from torch.nn import functional
from transformers import (
    DebertaV2Config,
    DebertaV2ForMaskedLM,
    DebertaV2ForQuestionAnswering,
    DebertaV2ForSequenceClassification,
    DebertaV2ForTokenClassification,
    DebertaV2Model,
)

SMALL: dict[str, Any] = {
    "vocab_size": 99, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 40,
    "max_position_embeddings": 64, "initializer_range": 0.3, "relative_attention": True, "position_buckets": 8,
    "norm_rel_ebd": "layer_norm", "share_att_key": True, "pos_att_type": ["p2c", "c2p"], "position_biased_input": False,
}  # fmt: skip


HEADS = {
    "words": DebertaV2ForMaskedLM,
    "classes": DebertaV2ForSequenceClassification,
    "labels": DebertaV2ForTokenClassification,
    "answer": DebertaV2ForQuestionAnswering,
}


def model(head: str = "none", **options: Any) -> Any:
    """A DeBERTa-v2 with one of its heads, or none: of no options, one as v3-base is."""
    return HEADS.get(head, DebertaV2Model)(DebertaV2Config(**(SMALL | options)))


@st.composite
def options(draw: st.DrawFn) -> dict[str, Any]:
    """Any DeBERTa-v2 that is small."""
    hidden, heads = draw(SIZES)
    buckets = draw(st.sampled_from([-1, 0, 2, 3, 4, 8, 15, 32]))
    legacy = draw(st.booleans())
    more = draw(with_head(["none", *HEADS]))
    divisors = [groups for groups in (1, 2, 3, 4) if hidden % groups == 0]
    if legacy or more["head"] != "words":
        more["embedding_size"] = draw(st.sampled_from([hidden, 9]))
    if draw(st.booleans()):
        more |= {
            "conv_kernel_size": draw(st.sampled_from([1, 3, 5])),
            "conv_act": draw(st.sampled_from(sorted(ACTIVATIONS))),
            "conv_groups": draw(st.sampled_from(divisors)),
        }
    return more | {
        "hidden_size": hidden,
        "num_attention_heads": heads,
        "num_hidden_layers": draw(st.integers(1, 3)),
        "intermediate_size": draw(st.integers(2, 50)),
        "max_position_embeddings": draw(st.integers(20, 40)),
        "max_relative_positions": draw(st.sampled_from([-1, 0, max(3, buckets // 2 + 3), 100])),
        "position_buckets": buckets,
        "relative_attention": draw(st.sampled_from([True, True, True, False])),
        "pos_att_type": draw(st.sampled_from([None, [], "c2p", ["p2c"], "p2c|c2p", ["c2p", "p2c"]])),
        "share_att_key": draw(st.booleans()),
        "norm_rel_ebd": draw(st.sampled_from(["none", "layer_norm"])),
        "position_biased_input": draw(st.booleans()),
        "type_vocab_size": draw(st.integers(0, 2)),
        "layer_norm_eps": draw(st.sampled_from([1e-7, 1e-5, 0.1])),
        "hidden_act": draw(st.sampled_from(sorted(ACTIVATIONS))),
        "tie_word_embeddings": draw(st.booleans()),
        "legacy": legacy,
        "pooler_hidden_act": draw(st.sampled_from(["gelu", "tanh"])),
    }


def attention_steps(module: Any, hidden: Any, mask: Any, index: Any, table: Any) -> dict[str, torch.Tensor]:
    """The steps of `DisentangledSelfAttention.forward`, as it does them."""
    count, batch = module.num_attention_heads, hidden.shape[0]

    def apart(rows: Any, linear: Any) -> Any:
        return module.transpose_for_scores(functional.linear(rows, linear.weight, linear.bias), count)

    def four(x: Any) -> Any:
        return x.view(batch, count, *x.shape[1:])

    query, key, value = (apart(hidden, part) for part in (module.query_proj, module.key_proj, module.value_proj))
    factor = 1 + ("c2p" in module.pos_att_type) + ("p2c" in module.pos_att_type)
    scale = modeling.scaled_size_sqrt(query, factor).to(query.dtype)
    smaller = (key.transpose(-1, -2) / scale).transpose(-1, -2)
    scores = torch.bmm(query, key.transpose(-1, -2) / scale)
    steps = {"query_heads": query, "key_heads": key, "value_heads": value, "key_scaled": smaller, "scores": scores}
    score: Any = 0
    if module.relative_attention:
        span = module.pos_ebd_size
        table = table[: 2 * span].unsqueeze(0)
        if "c2p" in module.pos_att_type:
            linear = module.key_proj if module.share_att_key else module.pos_key_proj
            steps["position_key"] = functional.linear(table, linear.weight, linear.bias)
            positions = apart(table, linear).repeat(batch, 1, 1)
            steps["position_key_heads"] = positions
            raw = torch.bmm(query, positions.transpose(-1, -2))
            place = torch.clamp(index + span, 0, span * 2 - 1).expand(batch * count, -1, -1)
            steps |= {"content_to_relative": raw, "content_to_position": torch.gather(raw, -1, place) / scale}
            score = score + steps["content_to_position"]
        if "p2c" in module.pos_att_type:
            linear = module.query_proj if module.share_att_key else module.pos_query_proj
            steps["position_query"] = functional.linear(table, linear.weight, linear.bias)
            positions = apart(table, linear).repeat(batch, 1, 1)
            steps["position_query_heads"] = positions
            raw = torch.bmm(key, positions.transpose(-1, -2))
            place = torch.clamp(-index + span, 0, span * 2 - 1).expand(batch * count, -1, -1)
            steps |= {
                "relative_to_content": raw,
                "position_to_content": torch.gather(raw, -1, place).transpose(-1, -2) / scale,
            }
            score = score + steps["position_to_content"]
        if len(module.pos_att_type) > 1:
            steps["position_bias"] = score
    steps["biased"] = scores + score
    steps = {name: step if name in ("position_key", "position_query") else four(step) for name, step in steps.items()}
    for name in ("position_key_heads", "position_query_heads"):
        if name in steps:
            steps[name] = steps[name][:1]
    steps["masked"] = steps["biased"].masked_fill(~mask.bool(), torch.finfo(hidden.dtype).min)
    steps["weights"] = torch.softmax(steps["masked"], -1)
    steps["context"] = four(torch.bmm(steps["weights"].flatten(0, 1), value))
    return steps


@contextmanager
def record(model: Any, run: Any, found: dict[str, torch.Tensor]) -> Generator[None]:
    """The steps of attention again, held against what comes out, and what is made once for all layers."""
    layers = iter(range(run.program.layers))

    def attention(module: Any, args: Any, kwargs: Any, output: Any) -> None:
        hidden, mask, *_ = args
        steps = attention_steps(module, hidden, mask, kwargs["relative_pos"], kwargs["rel_embeddings"])
        assert torch.equal(steps["weights"], output[1])
        block = f"layers.{next(layers)}.attention"
        found.update({f"{block}.{part}": step.clone() for part, step in steps.items()})
        found["mask.pairs"] = mask
        places = torch.arange(hidden.shape[1], device=hidden.device)
        found["positions.relative"] = places[:, None] - places
        if module.relative_attention:
            found["positions.buckets"] = kwargs["relative_pos"][0]
            span = module.pos_ebd_size
            found["positions.index"] = torch.clamp(kwargs["relative_pos"][0] + span, 0, span * 2 - 1)

    def table(module: Any, args: Any, output: Any) -> None:
        if getattr(module, "rel_embeddings", None) is not None:
            found["positions.table"] = module.rel_embeddings.weight[None]

    def product(module: Any, args: Any, output: Any) -> None:
        found["layers.0.conv.product"] = output.permute(0, 2, 1)

    with ExitStack() as stack:
        for module in model.modules():
            if isinstance(module, modeling.DisentangledSelfAttention):
                stack.callback(module.register_forward_hook(attention, with_kwargs=True).remove)
            elif isinstance(module, modeling.DebertaV2Encoder):
                stack.callback(module.register_forward_hook(table).remove)
            elif isinstance(module, torch.nn.Conv1d):
                stack.callback(module.register_forward_hook(product).remove)
        yield


SAMPLE = Sample(
    family="DeBERTa-v2",
    example="microsoft/deberta-v3-base",
    model=model,
    options=options(),
    longest=512,
    record=record,
    outputs={
        "logits": "head.words.logits", "start_logits": "head.answer.start", "end_logits": "head.answer.end",
    },
    not_compared=(
        "positions.query", "positions.key",  # 0, 1, 2, ...
        "embeddings.sum", "*.attention.concat", "*.residual", "*.conv.masked", "*.conv.activation",  # never named
        "head.words.product", *NOT_COMPARED_IN_HEADS,  # made before or after its output
    ),
)  # fmt: skip
