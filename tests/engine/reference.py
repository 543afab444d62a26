"""The reference: transformers' own BERT with eager attention, every intermediate value written down as it computes."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers.models.bert.modeling_bert as bert
from encoder_tui.engine import Run

Values = dict[str, torch.Tensor]

# Module of a layer -> stages whose value its output is.
OF_LAYER = {
    "attention.self.query": "attention.query",
    "attention.self.key": "attention.key",
    "attention.self.value": "attention.value",
    "attention.output.dense": "attention.output",
    "attention.output.LayerNorm": "attention.norm",
    "intermediate.dense": "ffn.up",
    "intermediate.intermediate_act_fn": "ffn.activation",
    "output.dense": "ffn.down",
    "output.LayerNorm": "ffn.norm",
}
# Module -> the stage that its input is.
INPUTS = {
    "embeddings.LayerNorm": "embeddings.sum",
    "pooler.dense": "head.pooler.first",
}
INPUTS_OF_LAYER = {
    "attention.output.dense": "attention.concat",
    "attention.output.LayerNorm": "attention.residual",
    "output.LayerNorm": "ffn.residual",
}
OUTPUTS = {
    "embeddings.word_embeddings": "embeddings.token",
    "embeddings.position_embeddings": "embeddings.position",
    "embeddings.token_type_embeddings": "embeddings.segment",
    "embeddings.LayerNorm": "embeddings.norm",
    "pooler.dense": "head.pooler.dense",
    "pooler": "head.pooler.activation",
    "cls.predictions.transform.dense": "head.words.dense",
    "cls.predictions.transform.transform_act_fn": "head.words.activation",
    "cls.predictions.transform.LayerNorm": "head.words.norm",
    "cls.predictions.decoder": "head.words.logits",
}


def open_reference(directory: Path, dtype: torch.dtype = torch.float32, head: bool = False) -> Any:
    kind = bert.BertForMaskedLM if head else bert.BertModel
    return kind.from_pretrained(directory, attn_implementation="eager", dtype=dtype).eval()


def reference_values(model: Any, run: Run) -> Values:
    """What transformers computes for the very tokens of a run, by our stages' names."""
    found: Values = {}
    tokens = run.tokens
    given = {"input_ids": tokens.ids, "attention_mask": tokens.mask, "token_type_ids": tokens.segments}
    with torch.no_grad(), _written_attention(found), _hooks(model, found):
        output = model(
            **{name: torch.from_numpy(np.array(array)) for name, array in given.items()},
            output_attentions=True,
            output_hidden_states=True,
        )
    for layer, (weights, hidden) in enumerate(zip(output.attentions, output.hidden_states[1:], strict=True)):
        assert torch.equal(weights, found[f"layers.{layer}.attention.weights"])
        found[f"layers.{layer}.output"] = hidden
    found["embeddings.output"] = output.hidden_states[0]
    found["output"] = output.hidden_states[-1]
    if "logits" in output:
        found["head.words.logits"] = output.logits
    return found


def module_names(model: Any) -> Iterator[tuple[str, str, Any]]:
    """Every named module of the encoder: as transformers names it, without `bert.`, and the module."""
    for full, module in model.named_modules():
        if full:
            yield full, full.removeprefix("bert."), module


@contextmanager
def _hooks(model: Any, found: Values) -> Generator[None]:
    handles: list[Any] = []
    for _, name, module in module_names(model):
        outputs, inputs = OUTPUTS.get(name), INPUTS.get(name)
        if name.startswith("encoder.layer."):
            _, _, layer, part = name.split(".", 3) if name.count(".") > 2 else (*name.split("."), "")
            outputs = f"layers.{layer}.{OF_LAYER[part]}" if part in OF_LAYER else None
            inputs = f"layers.{layer}.{INPUTS_OF_LAYER[part]}" if part in INPUTS_OF_LAYER else None
        if outputs or inputs:
            handles.append(module.register_forward_hook(_writer(found, inputs, outputs)))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _writer(found: Values, inputs: str | None, outputs: str | None) -> Any:
    def write(module: Any, args: Any, output: Any) -> None:
        if inputs:
            found[inputs] = args[0].clone()
        if outputs:
            found[outputs] = output.clone()

    return write


@contextmanager
def _written_attention(found: Values) -> Generator[None]:
    """transformers' eager attention, wrapped: what goes in, the steps between again as it does them, what comes out."""
    original = bert.eager_attention_forward

    def attention(module: Any, query: Any, key: Any, value: Any, mask: Any, scaling: Any = None, **more: Any) -> Any:
        context, weights = original(module, query, key, value, mask, scaling=scaling, **more)
        scores = torch.matmul(query, key.transpose(2, 3))
        scaled = scores * scaling
        masked = scaled if mask is None else scaled + mask
        assert torch.equal(torch.softmax(masked, -1), weights), "the reference's own steps do not give its result"
        steps = {
            "query_heads": query, "key_heads": key, "value_heads": value, "scores": scores, "scaled": scaled,
            "masked": masked, "weights": weights, "context": context.transpose(1, 2),
        }  # fmt: skip
        found.update({f"layers.{module.layer_idx}.attention.{part}": step.clone() for part, step in steps.items()})
        shape = (query.shape[0], 1, query.shape[2], key.shape[2])
        found["mask.additive"] = query.new_zeros(shape) if mask is None else mask.expand(shape)
        return context, weights

    bert.eager_attention_forward = attention
    try:
        yield
    finally:
        bert.eager_attention_forward = original


def assert_equal_bits(run: Run, expected: Values) -> None:
    """Every value of the reference equals the run's, to the last bit; all that differ are named."""
    wrong: list[str] = []
    for name, theirs in expected.items():
        ours = run[name].tensor()
        if name == "embeddings.position":  # transformers looks positions up once for all texts
            theirs = theirs.expand(ours.shape)
        same = ours.dtype == theirs.dtype and torch.equal(ours, theirs)
        if not same:
            wrong.append(f"{name}: {ours.dtype} off by {_largest(ours, theirs)}")
    assert not wrong, wrong


def _largest(ours: torch.Tensor, theirs: torch.Tensor) -> str:
    if ours.shape != theirs.shape:
        return f"shape {tuple(ours.shape)}, not {tuple(theirs.shape)}"
    return f"{(ours.double() - theirs.double()).abs().max().item():g}"
