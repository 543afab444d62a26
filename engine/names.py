"""What others call our stages: TransformerLens hooks and Hugging Face modules."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .program import Program

# Hooks are named after what they should hold. TransformerLens 4.3 on BERT fills `hook_attn_scores` with the weights
# after softmax; whoever types the name means the scores.
HOOKS = {
    "hook_embed": "embeddings.token",
    "hook_pos_embed": "embeddings.position",
    "hook_token_type_embed": "embeddings.segment",
    "hook_normalized_embed": "embeddings.norm",
    "embed.hook_out": "embeddings.token",
    "pos_embed.hook_out": "embeddings.position",
    "ln_final.hook_normalized": "final.norm",
}
LAYER_HOOKS = {
    "hook_resid_pre": "input",
    "attn.hook_q": "attention.query_heads",
    "attn.hook_k": "attention.key_heads",
    "attn.hook_v": "attention.value_heads",
    "attn.hook_attn_scores": "attention.masked",
    "attn.hook_pattern": "attention.weights",
    "attn.hook_z": "attention.context",
    "hook_attn_out": "attention.output",
    "hook_resid_mid": "attention.residual",
    "ln1.hook_normalized": "attention.norm",
    "hook_normalized_resid_mid": "attention.norm",
    "hook_normalized_resid_post": "ffn.norm",
    "mlp.hook_pre": "ffn.up",
    "mlp.hook_post": "ffn.activation",
    "hook_mlp_out": "ffn.down",
    "mlp.hook_pre_linear": "ffn.gate",
    "hook_resid_post": "ffn.residual",
    "ln2.hook_normalized": "ffn.norm",
}


# Norms of a sum; a layer that norms first has no such thing.
AFTERWARDS = ("hook_normalized_resid_mid", "hook_normalized_resid_post")


def _norms_first(program: Program, layer: int) -> bool:
    """Whether a layer norms what goes into its blocks rather than what comes out."""
    norm, residual = f"layers.{layer}.ffn.norm", f"layers.{layer}.ffn.residual"
    return norm in program and residual in program and program.index(norm) < program.index(residual)


def _of_gates(program: Program, layer: int) -> dict[str, str]:
    """Where two projections are multiplied: `pre` goes through the activation, `pre_linear` does not, `post` is the product."""
    gated = f"layers.{layer}.ffn.gated"
    if gated not in program or program[gated].kind != "Gate":
        return {}
    active, other = program[gated].inputs
    hooks = {"pre": program[active].inputs[0], "pre_linear": other, "post": gated}
    return {f"mlp.hook_{hook}": name.removeprefix(f"layers.{layer}.") for hook, name in hooks.items()}


def foreign_names(program: Program) -> dict[str, list[str]]:
    """Every foreign name that stages of this program answer to, with their canonical names: several where layers share a module."""
    found = {hook: [name] for hook, name in HOOKS.items() if name in program}
    for layer in range(program.layers):
        before = "embeddings.output" if layer == 0 else f"layers.{layer - 1}.output"
        for hook, part in (LAYER_HOOKS | _of_gates(program, layer)).items():
            if hook in AFTERWARDS and _norms_first(program, layer):
                continue
            name = before if part == "input" else f"layers.{layer}.{part}"
            if part == "ffn.activation" and f"layers.{layer}.ffn.gated" in program:
                name = f"layers.{layer}.ffn.gated"  # where it is gated, that is what goes on
            if name in program:
                found[f"blocks.{layer}.{hook}"] = [program[name].name]
    for stage in program:
        if stage.module:
            found.setdefault(stage.module, []).append(stage.name)
    return found
