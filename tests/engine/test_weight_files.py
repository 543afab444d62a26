"""Checkpoints as they come: torch's own files, alone and in shards, read without running anything."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from conftest import THREE
from encoder_tui.engine import InputError, load
from safetensors.torch import load_file


@pytest.fixture
def old(make_checkpoint: Callable[..., Path]) -> tuple[Path, torch.Tensor, dict[str, torch.Tensor]]:
    """A checkpoint whose weights are in pytorch_model.bin, and what its program gives."""
    directory = make_checkpoint()
    expected = load(directory, "cpu").run(THREE)["output"].tensor()
    weights = load_file(directory / "model.safetensors")
    (directory / "model.safetensors").unlink()
    torch.save(weights, directory / "pytorch_model.bin")
    return directory, expected, weights


def test_torch_file(old: tuple[Path, torch.Tensor, dict[str, torch.Tensor]]):
    directory, expected, _ = old
    encoder = load(directory, "cpu")
    assert torch.equal(encoder.run(THREE)["output"].tensor(), expected)
    assert "model.safetensors is preferred" in encoder.facts()["note"]
    assert encoder.facts()["weights"] == "pytorch_model.bin"


def test_torch_file_of_old_times(old: tuple[Path, torch.Tensor, dict[str, torch.Tensor]]):
    """Before torch 1.6 files were no zip archives and could not be mapped."""
    directory, expected, weights = old
    torch.save(weights, directory / "pytorch_model.bin", _use_new_zipfile_serialization=False)
    assert not zipfile.is_zipfile(directory / "pytorch_model.bin")
    assert torch.equal(load(directory, "cpu").run(THREE)["output"].tensor(), expected)


def test_weights_in_a_state_dict(old: tuple[Path, torch.Tensor, dict[str, torch.Tensor]]):
    directory, expected, weights = old
    torch.save({"state_dict": weights, "epoch": 3}, directory / "pytorch_model.bin")
    assert torch.equal(load(directory, "cpu").run(THREE)["output"].tensor(), expected)


def test_torch_shards(old: tuple[Path, torch.Tensor, dict[str, torch.Tensor]]):
    directory, expected, weights = old
    (directory / "pytorch_model.bin").unlink()
    names = list(weights)
    places: dict[str, str] = {}
    for number, part in enumerate((names[::2], names[1::2]), 1):
        shard = f"pytorch_model-0000{number}-of-00002.bin"
        torch.save({name: weights[name] for name in part}, directory / shard)
        places |= dict.fromkeys(part, shard)
    (directory / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": places}))
    assert torch.equal(load(directory, "cpu").run(THREE)["output"].tensor(), expected)
    (directory / "pytorch_model-00002-of-00002.bin").unlink()
    with pytest.raises(
        InputError, match=r"00002-of-00002\.bin is missing, though pytorch_model\.bin\.index\.json names it"
    ):
        load(directory, "cpu")


def test_safetensors_come_first(make_checkpoint: Callable[..., Path]):
    directory = make_checkpoint()
    (directory / "pytorch_model.bin").write_bytes(b"never read")
    assert load(directory, "cpu").facts()["weights"] == "model.safetensors"


class Harm:
    def __reduce__(self):
        return os.system, ("touch /tmp/encoder-tui-was-here",)  # pyright: ignore[reportDeprecated] # as harm does


def test_code_is_not_run(old: tuple[Path, torch.Tensor, dict[str, torch.Tensor]]):
    directory, _, weights = old
    torch.save({**weights, "harm": Harm()}, directory / "pytorch_model.bin")
    with pytest.raises(InputError, match="which is code, and nothing from it is run") as refusal:
        load(directory, "cpu")
    assert "\n" not in str(refusal.value)
    assert not os.path.exists("/tmp/encoder-tui-was-here")


@pytest.mark.parametrize("content", [b"", b"not a model", b"PK\x03\x04broken"])
def test_damaged(old: tuple[Path, torch.Tensor, dict[str, torch.Tensor]], content: bytes):
    directory, _, _ = old
    (directory / "pytorch_model.bin").write_bytes(content)
    with pytest.raises(InputError, match="truncated, or not a file of tensors"):
        load(directory, "cpu")


@pytest.mark.parametrize("content", [[torch.ones(2)], {"a": 1}, torch.ones(3)], ids=["list", "numbers", "tensor"])
def test_no_tensors_by_name(old: tuple[Path, torch.Tensor, dict[str, torch.Tensor]], content: object):
    directory, _, _ = old
    torch.save(content, directory / "pytorch_model.bin")
    with pytest.raises(InputError, match="no tensors by name"):
        load(directory, "cpu")


def test_an_index_names_files_beside_it(old: tuple[Path, torch.Tensor, dict[str, torch.Tensor]]):
    directory, _, _ = old
    (directory / "pytorch_model.bin").unlink()
    (directory / "model.safetensors.index.json").write_text(
        json.dumps({"weight_map": {"a": "../../secret.safetensors"}})
    )
    with pytest.raises(InputError, match="not a file beside it"):
        load(directory, "cpu")
