"""What TransformerLens calls our stages: the hooks of its TransformerBridge (4.x), whose tensors those stages equal.

A hook is what goes in (`hook_in`) or comes out (`hook_out`) of a component, and most components are one of our stages; the
rest are other names for those. A name whose tensor is none of ours, or lies in another order, is not taken for one that is
near it: it has a reason instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..stage import Stages

# What the layers of an encoder are called that has a decoder beside it, as T5's.
ENCODER = "encoder_blocks"
# Component -> the stage that comes out of it; what goes in is that stage's first input.
COMPONENTS = {
    "embed": "embeddings.token",
    "pos_embed": "embeddings.position",
    "token_type_embed": "embeddings.segment",
    "embed_ln": "embeddings.norm",
    "pooler": "head.pooler.activation",
    "pooler.dense": "head.pooler.dense",
    "mlm_head": "head.words.dense",
    "ln_final": "head.words.norm",
    "unembed": "head.words.logits",
}
OF_LAYER = {
    "ln1": "attention.norm",
    "attn.o": "attention.output",
    "ln2": "ffn.norm",
    "mlp.in": "ffn.up",
    "mlp.out": "ffn.down",
}
OF_IMAGES = {"embed": "embeddings.sum", "ln_final": "final.norm", "unembed": "head.classes.logits"}
OF_T5 = {"encoder_ln_final": "final.norm"}
# Components of a layer whose results are cut into heads -> what goes in, the same numbers here, what else they are called.
HEADS = {
    "attn.q.hook_out": "attention.query_heads", "attn.hook_q": "attention.query_heads",
    "attn.k.hook_out": "attention.key_heads", "attn.hook_k": "attention.key_heads",
    "attn.v.hook_out": "attention.value_heads", "attn.hook_v": "attention.value_heads",
    "attn.o.hook_in": "attention.context", "attn.hook_z": "attention.context",
}  # fmt: skip
# Of HookedEncoder, in TransformerLens 2 and 3; the bridge has no such names.
FORMER = {"hook_token_type_embed": "embeddings.segment", "hook_normalized_embed": "embeddings.norm"}
FORMER_OF_LAYER = {"hook_normalized_resid_mid": "attention.norm", "hook_normalized_resid_post": "ffn.norm"}
# Filled on request -> what TransformerLens must be told.
ON_REQUEST = {
    "hook_attn_in": "use_attn_in", "attn.hook_attn_in": "use_attn_in", "attn.hook_result": "use_attn_result",
    **{f"{at}hook_{part}_input": "use_split_qkv_input" for part in "qkv" for at in ("", "attn.")},
}  # fmt: skip


def hooks(program: Stages) -> Iterator[tuple[str, str]]:
    """Each hook with the name of the stage that equals its tensor; stages that the program lacks are among them."""
    t5, components = is_t5(program), _components(program)
    for component, stage in components.items():
        yield from _in_and_out(program, component, stage)
    if t5:
        yield "pos_embed.hook_in", "positions.buckets"
    else:
        yield "hook_pos_embed", "embeddings.position"
        yield "hook_embed", "embeddings.output"
    if "image.pixels" in program:
        yield "embed.hook_in", "image.pixels"
    yield "hook_unembed", components.get("unembed", "")
    yield from FORMER.items()
    for number in range(program.layers):
        for hook, stage in _of_layer(program, number):
            yield f"{_blocks(program)}.{number}.{hook}", stage


def _of_layer(program: Stages, number: int) -> Iterator[tuple[str, str]]:
    at, first = f"layers.{number}", norms_first(program, number)
    before = "embeddings.output" if number == 0 else f"layers.{number - 1}.output"
    gate, up, product = _gates(program, at)
    for component, stage in (OF_LAYER | ({"mlp.gate": gate} if gate else {}) | {"mlp.in": up}).items():
        for hook, name in _in_and_out(program, component, f"{at}.{stage}"):
            if hook != "attn.o.hook_in":
                yield hook, name
    attended = f"{at}.attention.output" if first else f"{at}.attention.norm"
    yield from ((hook, before) for hook in ("hook_in", "hook_resid_pre"))
    yield from ((hook, f"{at}.output") for hook in ("hook_out", "hook_resid_post"))
    yield from ((hook, attended) for hook in ("attn.hook_out", "hook_attn_out"))
    yield from ((hook, f"{at}.ffn.down") for hook in ("mlp.hook_out", "hook_mlp_out"))
    yield from ((f"attn{part}.hook_in", _input(program, f"{at}.attention.query")) for part in ("", ".q", ".k", ".v"))
    yield from ((hook, _input(program, f"{at}.ffn.up")) for hook in ("mlp.hook_in", "hook_mlp_in"))
    yield "mlp.hook_pre", f"{at}.{gate or up}"
    yield "mlp.hook_pre_linear", f"{at}.{up}" if gate else ""
    yield "mlp.hook_post", f"{at}.{product}"
    yield "attn.hook_pattern", f"{at}.attention.weights"
    if is_t5(program):
        yield "attn.hook_attn_scores", f"{at}.attention.biased"
    if first:
        yield "hook_resid_mid", f"{at}.attention.residual"
    else:
        yield from ((hook, f"{at}.{stage}") for hook, stage in FORMER_OF_LAYER.items())


def reasons(program: Stages) -> Iterator[tuple[str, str]]:
    """Each hook of the bridge that is none of our stages, and why."""
    t5, blocks = is_t5(program), _blocks(program)
    norms = {name: stage for name, stage in _components(program).items() if stage.endswith(".norm")}
    yield from _of_norms(program, "", norms)
    for number in range(program.layers):
        at, room = f"layers.{number}", f"{blocks}.{number}."
        yield from _of_norms(program, room, {"ln1": f"{at}.attention.norm", "ln2": f"{at}.ffn.norm"})
        for hook, stage in HEADS.items():
            order = "[batch, token, head, head_dim] in TransformerLens and [batch, head, token, head_dim] here"
            yield f"{room}{hook}", f"it is {order}: the same numbers are {at}.{stage}"
        for hook, option in ON_REQUEST.items():
            goes_in = _input(program, f"{at}.attention.query")
            which = f"{at}.attention.concat times its weights, apart by head" if hook.endswith("result") else goes_in
            yield f"{room}{hook}", f"TransformerLens fills it only where {option} is set; it is {which}"
        yield f"{room}attn.hook_hidden_states", "TransformerLens never fills it"
        if not t5:
            yield (
                f"{room}attn.hook_attn_scores",
                (
                    f"of BERT and ViT TransformerLens fills it with the weights after softmax, {at}.attention.weights; the scores are "
                    f"{at}.attention.masked"
                ),
            )
        if not norms_first(program, number):
            yield (
                f"{room}hook_resid_mid",
                (
                    f"of BERT TransformerLens fills it with the second sum, {at}.ffn.residual; the sum after attention is "
                    f"{at}.attention.residual"
                ),
            )
    if t5:
        for hook in ("pos_embed.hook_out", "hook_pos_embed"):
            yield (
                hook,
                "it is [query, key, head] in TransformerLens and [batch, head, query, key] here: the same numbers are positions.bias",
            )
        for hook in ("embed.hook_in", "embed.hook_out", "hook_embed"):
            yield hook, "TransformerLens never fills it for T5; it would be embeddings.token"


def decodes(name: str, program: Stages) -> bool:
    """Whether a hook belongs to the decoder of a T5, which is not computed."""
    front = name.partition(".")[0]
    return is_t5(program) and (front.startswith("decoder") or front in ("unembed", "hook_unembed"))


def is_t5(program: Stages) -> bool:
    """Whether it is the encoder of a T5, whose hooks have names of their own."""
    return program.modules.blocks == ENCODER


def norms_first(program: Stages, layer: int) -> bool:
    """Whether a layer norms what goes into its blocks rather than what comes out."""
    norm, residual = f"layers.{layer}.ffn.norm", f"layers.{layer}.ffn.residual"
    return norm in program and residual in program and program.index(norm) < program.index(residual)


def _components(program: Stages) -> dict[str, str]:
    if is_t5(program):
        return OF_T5
    return COMPONENTS | (OF_IMAGES if "image.pixels" in program else {})


def _in_and_out(program: Stages, component: str, stage: str) -> Iterator[tuple[str, str]]:
    yield f"{component}.hook_out", stage
    yield f"{component}.hook_in", _input(program, stage)


def _input(program: Stages, stage: str) -> str:
    """What goes into a stage first; nothing where the program lacks it."""
    return next(iter(program[stage].inputs), "") if stage in program else ""


def _gates(program: Stages, at: str) -> tuple[str, str, str]:
    """The projection that goes through the activation where another is multiplied with it, that other, and what goes on."""
    gated = f"{at}.ffn.gated"
    inputs = list(program[gated].inputs) if gated in program and program[gated].kind == "Gate" else []
    goes_in = _input(program, inputs[0]) if len(inputs) == 2 else ""
    if not goes_in:  # no gate, or a recording that lacks its parts
        return "", "ffn.up", "ffn.activation"
    return goes_in.removeprefix(f"{at}."), inputs[1].removeprefix(f"{at}."), "ffn.gated"


def _of_norms(program: Stages, room: str, norms: dict[str, str]) -> Iterator[tuple[str, str]]:
    for component, stage in norms.items():
        if stage in program:
            yield (
                f"{room}{component}.hook_normalized",
                (f"it is {stage} before the gain and bias, no stage here; {_input(program, stage)} is before the norm"),
            )
            yield (
                f"{room}{component}.hook_scale",
                (f"it is what {stage} divides by, no stage here; `why {stage}[...]` shows it"),
            )


def _blocks(program: Stages) -> str:
    """What TransformerLens calls the layers: those of T5's encoder have a name of their own, for there is a decoder."""
    return program.modules.blocks
