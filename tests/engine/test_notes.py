"""What is not as the files or the text alone would have it is told, to whoever calls: in Python by a warning."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import pytest
import torch
from encoder_tui.engine import Session, load, open_snapshot, save
from encoder_tui.engine.commands import TABLE
from safetensors.torch import load_file, save_file


class Edited(Protocol):
    def __call__(
        self, config: dict[str, Any] | None = None, weights: Callable[[torch.Tensor], torch.Tensor] | None = None
    ) -> Path: ...


@pytest.fixture
def edited(make_checkpoint: Callable[..., Path], tmp_path: Path) -> Edited:
    """A copy of a checkpoint, its config and weights changed."""

    def edit(config: dict[str, Any] | None = None, weights: Callable[[torch.Tensor], torch.Tensor] | None = None):
        directory = tmp_path / f"edited{len(list(tmp_path.iterdir()))}"
        shutil.copytree(make_checkpoint(), directory)
        path = directory / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | (config or {})))
        if weights is not None:
            stored = load_file(directory / "model.safetensors")
            save_file({name: weights(tensor) for name, tensor in stored.items()}, directory / "model.safetensors")
        return directory

    return edit


def test_a_model_as_its_files_say_is_not_talked_about(make_checkpoint: Callable[..., Path]):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run = load(make_checkpoint(), "cpu").run("one two")
    assert run.notes == ()


def test_a_layer_left_out_warns_where_load_is_called(edited: Edited):
    directory = edited({"num_hidden_layers": 1})
    with pytest.warns(UserWarning, match=r"encoder\.layer\.1 \(16 tensors\) is stored and not used") as told:
        encoder = load(directory, "cpu")
    assert {warning.filename for warning in told} == {__file__}
    run = encoder.run("one")
    assert "stored and not used" in run.notes[0]
    assert run.fork().notes == run.notes


def test_whoever_listens_is_told_instead(edited: Edited):
    told: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        encoder = load(edited({"num_hidden_layers": 1}), "cpu", tell=told.append)
    assert told == list(encoder.checkpoint.notes)


def test_a_cut_warns_where_run_is_called(minilm_dir: Path):
    with pytest.warns(UserWarning, match="was cut to its first 256 tokens") as told:
        run = load(minilm_dir, "cpu").run("word " * 400)
    assert told[0].filename == __file__
    assert run.notes == tuple(str(warning.message) for warning in told)


@pytest.mark.parametrize("key", ["dtype", "torch_dtype"])
def test_a_config_that_says_another_dtype(edited: Edited, key: str):
    config = {"dtype": None, key: "bfloat16"}
    with pytest.warns(UserWarning, match=rf"transformers runs it in bfloat16 \(config.json's {key}\)"):
        load(edited(config), "cpu")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load(edited(config), "cpu", "bfloat16")


def test_weights_of_another_dtype_where_the_config_is_silent(edited: Edited):
    directory = edited({"dtype": None}, lambda tensor: tensor.to(torch.float16))
    with pytest.warns(UserWarning, match=r"transformers runs it in float16 \(its stored weights\)"):
        load(directory, "cpu")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load(edited({"dtype": "float32"}, lambda tensor: tensor.to(torch.float16)), "cpu")  # cast there as here


def test_the_other_model_of_a_comparison_is_talked_about(edited: Edited, make_checkpoint: Callable[..., Path]):
    session = Session(load(make_checkpoint(), "cpu").run("one"))
    directory = edited({"num_hidden_layers": 1})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        text = TABLE.execute(session, f"compare model {directory}").text
    assert "theirs     encoder.layer.1 (16 tensors) is stored and not used" in text


def test_a_recording_keeps_what_was_said_of_its_texts(minilm_dir: Path, tmp_path: Path):
    run = load(minilm_dir, "cpu", tell=lambda note: None).run("word " * 400)
    save(run, tmp_path / "s.safetensors", "tokens.*")
    assert open_snapshot(tmp_path / "s.safetensors").notes == run.original_tokens.notes
