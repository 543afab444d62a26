"""Names as people type them: aliases, ends of names, globs, Hugging Face's modules and TransformerLens's hooks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import SENTENCE
from encoder_tui.engine import Encoder, InputError, Run
from hypothesis import given
from hypothesis import strategies as st
from reference import module_names, open_reference
from torch import nn

# Modules of BertModel that are more than one stage, or none (dropout does nothing here).
WITHOUT_A_STAGE = (
    "embeddings", "embeddings.dropout", "encoder", "encoder.layer", "attention", "attention.self", "self.dropout",
    "attention.output", "output.dropout", "intermediate", "output", "pooler.activation",
)  # fmt: skip


def outputs_of_modules(model: Any, run: Run):
    """What every module gives, of those that give one tensor."""
    found: dict[str, torch.Tensor] = {}
    handles: list[Any] = []

    def writer(name: str):
        def write(module: nn.Module, args: object, output: object):
            if isinstance(output, torch.Tensor):
                found[name] = output.clone()

        return write

    for _, name, module in module_names(model):
        handles.append(module.register_forward_hook(writer(name)))
    with torch.no_grad():
        model(torch.from_numpy(run.tokens.ids))
    for handle in handles:
        handle.remove()
    return found


def test_hugging_face_modules(minilm: Encoder, minilm_dir: Path):
    """Each module that resolves gives just what its stage holds, and no module of one operation is forgotten."""
    run = minilm.run(SENTENCE)
    model = open_reference(minilm_dir)
    outputs = outputs_of_modules(model, run)
    named = {name for name in outputs if name in {stage.module for stage in run.program}}
    for name in sorted(named):
        assert torch.equal(run[name].tensor(), outputs[name].expand(run[name].shape)), name
    rest = outputs.keys() - named
    forgotten = [name for name in rest if not name.endswith(WITHOUT_A_STAGE) and not name.rpartition(".")[2].isdigit()]
    assert not forgotten
    assert len(named) == 4 + 9 * 6 + 2  # the embeddings' four, nine a layer, the pooler's two


@pytest.mark.parametrize("name", ["encoder.layer.3", "encoder.layer.3.output", "encoder.layer.3.attention.output"])
def test_modules_that_end_in_a_stage_are_not_mistaken(minilm: Encoder, minilm_dir: Path, name: str):
    """If such a module's name is taken at all, it means the stage that equals its output."""
    run = minilm.run(SENTENCE)
    if run.program.match(name):
        expected = outputs_of_modules(open_reference(minilm_dir), run)[name]
        assert torch.equal(run[name].tensor(), expected)


HOOKS = {
    "blocks.1.attn.hook_pattern": "layers.1.attention.weights",
    "blocks.0.hook_resid_pre": "embeddings.norm",
    "blocks.1.hook_resid_pre": "layers.0.ffn.norm",
    "blocks.1.hook_attn_out": "layers.1.attention.norm",
    "blocks.1.attn.o.hook_out": "layers.1.attention.output",
    "blocks.1.ln1.hook_in": "layers.1.attention.residual",
    "blocks.1.mlp.hook_pre": "layers.1.ffn.up",
    "blocks.1.mlp.hook_post": "layers.1.ffn.activation",
    "blocks.1.hook_mlp_out": "layers.1.ffn.down",
    "blocks.1.hook_resid_post": "layers.1.ffn.norm",
    "hook_embed": "embeddings.norm",
    "embed.hook_out": "embeddings.token",
    "hook_pos_embed": "embeddings.position",
}


@pytest.mark.parametrize("hook", HOOKS)
def test_transformer_lens_hooks(minilm: Encoder, hook: str):
    assert minilm.program.resolve(hook) == HOOKS[hook]


def test_a_hook_of_a_layer_that_is_not_there(minilm: Encoder):
    with pytest.raises(InputError, match="no stage named"):
        minilm.program.resolve("blocks.6.attn.hook_pattern")


def test_aliases(minilm: Encoder):
    program = minilm.program
    assert program.resolve("output") == program.resolve("layers.5.output") == "layers.5.ffn.norm"
    assert program.resolve("embeddings.output") == "embeddings.norm"


def test_the_end_of_a_name(minilm: Encoder):
    assert minilm.program.resolve("2.attention.weights") == "layers.2.attention.weights"
    assert minilm.program.resolve("one_hot") == "tokens.one_hot"


def test_an_ambiguous_end_says_so(minilm: Encoder):
    with pytest.raises(InputError, match="ambiguous: 6 stages"):
        minilm.program.resolve("attention.weights")


def test_globs_are_in_program_order(minilm: Encoder):
    found = minilm.program.match("layers.*.attention.weights")
    assert found == [f"layers.{layer}.attention.weights" for layer in range(6)]
    assert minilm.program.match("layers.[02].attention.sc*") == [
        f"layers.{layer}.attention.{part}" for layer in (0, 2) for part in ("scores", "scaled")
    ]
    assert minilm.program.match("*") == [stage.name for stage in minilm.program]
    assert minilm.program.match("blocks.*.attn.hook_pattern") == found


def test_the_nearest_is_suggested(minilm: Encoder):
    with pytest.raises(InputError, match=r"did you mean .*layers\.2\.attention\.weights"):
        minilm.program.resolve("layers.2.atention.wieghts")


@given(name=st.text(max_size=40))
def test_any_text_is_a_name_or_an_input_error(minilm: Encoder, name: str):
    try:
        assert minilm.program.resolve(name) in minilm.program
    except InputError:
        assert minilm.program.match(name) == [] or len(minilm.program.match(name)) > 1


def test_up_and_downstream_are_inverse(minilm: Encoder):
    program = minilm.program
    names = [stage.name for stage in program]
    for name in names[::7]:
        upstream, downstream = program.upstream(name), program.downstream(name)
        assert name not in upstream | downstream
        assert all(program.index(found) < program.index(name) for found in upstream)
        assert all(name in program.upstream(found) for found in list(downstream)[:5])
        assert not upstream & downstream
    assert "tokens.ids" in program.upstream("layers.5.ffn.norm")
    assert "layers.0.ffn.norm" in program.downstream("tokens.mask")
    assert "embeddings.token" not in program.downstream("tokens.mask")
