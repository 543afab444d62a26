"""Rotary families beyond what every family passes: configs as they stand on the Hub, masks that see some keys, memory."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from encoder_tui.engine import InputError, load
from encoder_tui.engine.analysis.checks import check_masks, check_padding
from encoder_tui.engine.debugger.unexpected import Unexpected
from family_kit import differences, family_of, open_pair, random_model, reference_values, tokens_for
from family_modernbert import SAMPLE as MODERN
from family_nomic_bert import SAMPLE as NOMIC
from safetensors.torch import load_file, save_file
from transformers import NomicBertModel

# The config.json of nomic-ai/nomic-embed-text-v1.5, but for its sizes.
NOMIC_CONFIG = {
    "activation_function": "swiglu", "architectures": ["NomicBertModel"], "attn_pdrop": 0.0, "causal": False,
    "dense_seq_output": True, "embd_pdrop": 0.0, "fused_bias_fc": True, "fused_dropout_add_ln": True,
    "initializer_range": 0.02, "layer_norm_epsilon": 1e-12, "max_trained_positions": 2048, "mlp_fc1_bias": False,
    "mlp_fc2_bias": False, "model_type": "nomic_bert", "n_embd": 32, "n_head": 4, "n_inner": 40, "n_layer": 2,
    "n_positions": 8192, "pad_vocab_size_multiple": 3, "parallel_block": False, "parallel_block_tied_norm": False,
    "prenorm": False, "qkv_proj_bias": False, "reorder_and_upcast_attn": False, "resid_pdrop": 0.0,
    "rotary_emb_base": 1000, "rotary_emb_fraction": 1.0, "rotary_emb_interleaved": False,
    "rotary_emb_scale_base": None, "rotary_scaling_factor": None, "scale_attn_by_inverse_layer_idx": False,
    "scale_attn_weights": True, "torch_dtype": "float32", "type_vocab_size": 2, "use_cache": True,
    "use_flash_attn": True, "use_rms_norm": False, "use_xentropy": True, "vocab_size": 98,
}  # fmt: skip
# What is_decoder, is_causal and so on do to a config is in family_*.py; these are refused by name.
REFUSED = {
    "rotary_emb_fraction": 0.5, "qkv_proj_bias": True, "mlp_fc1_bias": True, "prenorm": True, "causal": True,
    "activation_function": "gelu", "rotary_emb_interleaved": True, "rotary_scaling_factor": 2.0, "num_experts": 8,
}  # fmt: skip


def edit(directory: Path, **changes: Any):
    path = directory / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.fixture
def modern(tmp_path: Path) -> tuple[Path, Any]:
    """A ModernBERT as saved by transformers, and transformers' model of it."""
    encoder, theirs = open_pair(MODERN, random_model(MODERN))
    shutil.copytree(encoder.checkpoint.directory, tmp_path, dirs_exist_ok=True)
    return tmp_path, theirs


@pytest.fixture
def nomic(tmp_path: Path) -> tuple[Path, Any]:
    """A NomicBERT under the names of the Hub's checkpoints, and transformers' model of it."""
    encoder, theirs = open_pair(NOMIC, random_model(NOMIC))
    shutil.copytree(encoder.checkpoint.directory, tmp_path, dirs_exist_ok=True)
    weights = {name.removeprefix("nomic_bert."): weight for name, weight in theirs.state_dict().items()}
    renamed: dict[str, torch.Tensor] = {}
    for name, weight in weights.items():
        for new, old in (
            ("layers.", "encoder.layers."), ("embeddings.LayerNorm", "emb_ln"), ("self_attn.o_proj", "attn.out_proj"),
            ("up_proj", "fc11"), ("gate_proj", "fc12"), ("down_proj", "fc2"), ("post_attention_layernorm", "norm1"),
            ("post_mlp_layernorm", "norm2"),
        ):  # fmt: skip
            name = name.replace(new, old)
        renamed[name] = weight
    for layer in range(2):
        block = f"encoder.layers.{layer}."
        parts = [renamed.pop(f"{block}self_attn.{role}_proj.weight") for role in "qkv"]
        renamed[f"{block}attn.Wqkv.weight"] = torch.cat(parts)
    save_file(renamed, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps(NOMIC_CONFIG))
    return tmp_path, theirs


def test_nomic_as_it_stands_on_the_hub(nomic: tuple[Path, Any]):
    directory, theirs = nomic
    assert any("Wqkv" in name for name in load_file(directory / "model.safetensors"))
    encoder = load(directory)
    run = encoder.run(tokens_for(NOMIC, encoder, [9, 4]))
    assert not differences(run, reference_values(NOMIC, theirs, run))
    assert encoder.checkpoint.unused(encoder.program) == []
    assert family_of(encoder).limits(encoder.checkpoint.config).longest == 8192


def test_transformers_reads_the_same_weights_from_those_names(nomic: tuple[Path, Any]):
    directory, _ = nomic
    edit(directory, hidden_size=32, num_attention_heads=4, num_hidden_layers=2, intermediate_size=40, vocab_size=99)
    theirs = NomicBertModel.from_pretrained(directory, attn_implementation="eager").eval()
    edit(directory, **NOMIC_CONFIG)
    encoder = load(directory)
    run = encoder.run(tokens_for(NOMIC, encoder, [7]))
    assert not differences(run, reference_values(NOMIC, theirs, run))


@pytest.mark.parametrize("name", REFUSED)
def test_what_nomic_has_and_transformers_does_not_is_refused(nomic: tuple[Path, Any], name: str):
    directory, _ = nomic
    edit(directory, **{name: REFUSED[name]})
    with pytest.raises(InputError, match=name):
        load(directory)


def test_an_option_left_out_is_what_the_checkpoints_code_takes(nomic: tuple[Path, Any]):
    directory, _ = nomic
    config = json.loads((directory / "config.json").read_text())
    del config["qkv_proj_bias"]  # there it is true unless told
    (directory / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="qkv_proj_bias True"):
        load(directory)


def test_modernbert_config_of_transformers_4(modern: tuple[Path, Any]):
    """As answerdotai/ModernBERT-base has it: no layer_types, two thetas by name."""
    directory, theirs = modern
    config = json.loads((directory / "config.json").read_text())
    for name in ("layer_types", "rope_parameters"):
        config.pop(name, None)
    old = {"global_attn_every_n_layers": 3, "global_rope_theta": 160000.0, "local_rope_theta": 10000.0}
    (directory / "config.json").write_text(json.dumps(config | old))
    encoder = load(directory)
    run = encoder.run(tokens_for(MODERN, encoder, [20, 7]))
    assert not differences(run, reference_values(MODERN, theirs, run))


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"layer_types": ["full_attention"]}, "layer_types"),
        ({"layer_types": ["full_attention", "chunked", "full_attention", "full_attention"]}, "layer_types"),
        ({"rope_scaling": {"rope_type": "linear", "factor": 2}}, "rope_scaling"),
        ({"rope_parameters": {"full_attention": {"rope_type": "yarn", "rope_theta": 1e4}}}, "rope_type 'yarn'"),
        ({"rope_parameters": {"full_attention": {"rope_theta": "many"}}}, "rope_theta 'many'"),
        ({"rope_parameters": {"rope_type": "default", "rope_theta": 1e4}}, "rope_parameters has"),
        ({"rope_parameters": 3}, "rope_parameters is 3"),
        ({"hidden_size": 36}, "even"),
    ],
)
def test_refused_by_name(modern: tuple[Path, Any], changes: dict[str, Any], match: str):
    directory, _ = modern
    edit(directory, **changes)
    with pytest.raises(InputError, match=match):
        load(directory)


def test_local_attention_sees_its_window_and_no_more(modern: tuple[Path, Any]):
    directory, _ = modern
    encoder = load(directory)
    run = encoder.run(tokens_for(MODERN, encoder, [40]))
    weights = run["layers.1.attention.weights"].read()[0]
    query, key = 25, range(40)
    seen = weights[:, query].max(axis=0) > 0
    assert [place for place in key if seen[place]] == list(range(25 - 8, 25 + 9))
    assert run["layers.0.attention.weights"].read()[0, 0, query].min() > 0


def test_a_healthy_local_model_is_found_healthy(modern: tuple[Path, Any]):
    """Padded queries far from any token see nothing but padding; that is nobody's fault."""
    directory, _ = modern
    encoder = load(directory)
    run = encoder.run(tokens_for(MODERN, encoder, [60, 5, 30]))
    found = check_masks(run)
    assert not [one for one in found.findings if not one.risk]
    assert any("local" in line for line in found.looked)
    assert not check_padding(run, encoder).findings
    for position, stage in enumerate(run.program):
        run.reach(position)
        assert not Unexpected().holds(run, stage), stage.name


def test_check_padding_holds_in_float64_which_goes_through_float32(modern: tuple[Path, Any]):
    directory, _ = modern
    encoder = load(directory, dtype="float64")
    assert not check_padding(encoder.run(tokens_for(MODERN, encoder, [9, 5, 7])), encoder).findings


@pytest.mark.parametrize("spoil", ["wider", "narrower"])
def test_a_window_of_another_size_is_found(modern: tuple[Path, Any], spoil: str):
    directory, _ = modern
    encoder = load(directory)
    run = encoder.run(tokens_for(MODERN, encoder, [60, 30]))
    mask = run["mask.local"].tensor()
    if spoil == "wider":
        mask[0, 0, 20, 40] = 0.0
    else:
        mask[0, 0, 20, 25] = torch.finfo(torch.float32).min
    run.override("mask.local", mask)
    faults = [one for one in check_masks(run).findings if one.stage == "mask.local" and not one.risk]
    assert faults
    assert "query 20" in faults[0].where


def test_masks_are_read_in_rows_where_they_are_large(modern: tuple[Path, Any]):
    """A mask that would take more than a quarter of the budget is never whole, and its rows are those of the whole one."""
    directory, _ = modern
    encoder = load(directory)
    tokens = tokens_for(MODERN, encoder, [90, 50])
    whole = encoder.run(tokens)
    encoder.budget = 60_000
    small = encoder.run(tokens)
    assert small.is_windowed("mask.local")
    for name in ("mask.local", "mask.additive", "layers.1.attention.weights", "output"):
        assert torch.equal(small[name].tensor(), whole[name].tensor()), name


def test_hooks_mean_what_they_mean_in_a_layer_that_norms_first(modern: tuple[Path, Any]):
    program = load(modern[0]).program
    assert program.resolve("blocks.1.ln1.hook_out") == "layers.1.attention.norm"
    assert program.resolve("blocks.1.hook_resid_mid") == "layers.1.attention.residual"
    assert program.resolve("blocks.1.mlp.hook_pre_linear") == "layers.1.ffn.gate"
    assert program.resolve("blocks.1.mlp.hook_post") == "layers.1.ffn.gated"
    with pytest.raises(InputError):
        program.resolve("blocks.1.hook_normalized_resid_mid")
