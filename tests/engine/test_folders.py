"""A directory that is no model, or another family's, is told as what it is."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import transformers
from encoder_tui.engine import load
from encoder_tui.engine.messages.errors import InputError
from encoder_tui.engine.models.folders import likeness
from safetensors.torch import load_file, save_file


def refused(directory: Path, said: str):
    with pytest.raises(InputError, match=said) as error:
        load(directory, "cpu")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("model.onnx", r"it holds ONNX \(model.onnx\)"), ("model.gguf", "it holds GGUF"), ("tf_model.h5", "it holds TensorFlow"),
        ("flax_model.msgpack", "it holds Flax"), ("openvino_model.xml", "it holds OpenVINO"),
        ("model.fp16.safetensors", "it holds model.fp16.safetensors; rename"), ("consolidated.00.pt", "it holds consolidated"),
        ("epoch=3.ckpt", "it holds a checkpoint of Lightning or TensorFlow"), ("bert_model.ckpt.index", "it holds TensorFlow"),
        ("model.ckpt-90.data-00000-of-00001", "it holds TensorFlow"), ("onnx/model.onnx", r"it holds ONNX \(onnx/model.onnx\)"),
        ("notes.txt", "and no pytorch_model.bin either$"),
    ],
)  # fmt: skip
def test_weights_of_others_alone(tmp_path: Path, file: str, said: str):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_bytes(b"")
    refused(tmp_path, said)


def test_an_adapter_without_its_base(tmp_path: Path):
    (tmp_path / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "org/base\x1b[2J"}))
    (tmp_path / "adapter_model.safetensors").write_bytes(b"")
    refused(tmp_path, r"an adapter without its base \(org/base\\x1b\[2J\); merge them")


def test_an_adapter_beside_its_base_is_told(small_dir: Path, tmp_path: Path):
    """transformers would put it on; here it is not, and somebody may believe it is."""
    directory = shutil.copytree(small_dir, tmp_path / "model")
    (directory / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "org/base"}))
    (note,) = load(directory, "cpu", tell=lambda note: None).checkpoint.notes
    assert note.startswith(
        "adapter_config.json: an adapter (org/base) lies beside the weights and is not applied; merge"
    )


def test_a_model_one_folder_down(small_dir: Path, tmp_path: Path):
    shutil.copytree(small_dir, tmp_path / "inner")
    refused(tmp_path, "the model is one folder down, in inner$")


@pytest.mark.parametrize(("where", "said"), [("snapshots/abc", "2 folders"), ("a/b/c", "3 folders")])
def test_a_model_further_down(small_dir: Path, tmp_path: Path, where: str, said: str):
    """As in the Hub's cache."""
    shutil.copytree(small_dir, tmp_path / where)
    refused(tmp_path, f"the model is {said} down, in {where}$")


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"architecture": "vit_base_patch16_224", "pretrained_cfg": {}}, "it is a model of timm"),
        ({"word_embedding_dimension": 384}, "settings of a pooling of sentence-transformers; give the folder above it"),
        ({"peft_type": "LORA"}, "settings of an adapter"),
        ({"_class_name": "UNet2DConditionModel", "_diffusers_version": "0.30"}, "a part of a pipeline of diffusers"),
        ({"hidden_size": 768}, "has no model_type"),
    ],
)
def test_the_config_of_others(tmp_path: Path, config: dict[str, Any], said: str):
    (tmp_path / "config.json").write_text(json.dumps(config))
    refused(tmp_path, said)


def test_open_clip(tmp_path: Path):
    (tmp_path / "open_clip_config.json").write_text("{}")
    refused(tmp_path, "a model of OpenCLIP")


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin", "config.json", "tokenizer.json"])
def test_a_pointer_of_git_lfs(small_dir: Path, tmp_path: Path, name: str):
    directory = shutil.copytree(small_dir, tmp_path / "model")
    if name == "pytorch_model.bin":
        (directory / "model.safetensors").unlink()
    (directory / name).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 45125710\n")
    with pytest.raises(
        InputError, match=f"{name} is a pointer of Git LFS and not the file itself; `git lfs pull` fetches it$"
    ):
        load(directory, "cpu").read("a text")


def test_a_pipeline_of_diffusers(tmp_path: Path):
    (tmp_path / "model_index.json").write_text("{}")
    refused(tmp_path, "pipeline of diffusers")


def test_weights_of_another_family(small_dir: Path, tmp_path: Path):
    directory = tmp_path / "model"
    shutil.copytree(small_dir, directory)
    config = json.loads((small_dir / "config.json").read_text())
    (directory / "config.json").write_text(json.dumps(config | {"model_type": "mpnet"}))
    refused(directory, "the weights look like BERT's, and config.json says model_type 'mpnet'")


def test_a_weight_missing_of_the_right_family_is_just_missing(small_dir: Path, tmp_path: Path):
    directory = tmp_path / "model"
    shutil.copytree(small_dir, directory)
    config = json.loads((small_dir / "config.json").read_text())
    (directory / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 3}))
    with pytest.raises(InputError, match="16 weights are missing") as error:
        load(directory, "cpu")
    assert "look like" not in str(error.value)


def test_families_by_the_names_of_their_weights():
    assert likeness(["distilbert.transformer.layer.0.attention.q_lin.weight"]) == "DistilBERT"
    assert likeness(["h.0.attn.c_attn.weight"]) == "GPT-2"
    assert likeness(["something.weight"]) == ""


@pytest.mark.parametrize("family", ["Bert", "MPNet", "Albert"])
def test_a_head_that_is_not_stored_is_just_missing(family: str, tmp_path: Path):
    """Names of a lone head are like no family's: they do not make the rest another family's."""
    config = getattr(transformers, f"{family}Config")(
        vocab_size=30, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        embedding_size=16, max_position_embeddings=20, tie_word_embeddings=False,
    )  # fmt: skip
    getattr(transformers, f"{family}ForMaskedLM")(config).save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    save_file({name: one for name, one in weights.items() if ".decoder." not in name}, tmp_path / "model.safetensors")
    with pytest.raises(InputError, match=r"2 weights are missing: .*decoder\.weight") as error:
        load(tmp_path, "cpu")
    assert "look like" not in str(error.value)
