"""sentence-transformers directories: every pooling, dense, norms; equal to the library, and refused by name where not known."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from conftest import THREE
from encoder_tui.engine import load
from encoder_tui.engine.analysis.why import explain
from torch import nn

MODES = ["cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"]


@pytest.fixture(scope="module")
def library() -> ModuleType:
    return pytest.importorskip("sentence_transformers")


@pytest.fixture
def make(library: ModuleType, small_dir: Path, tmp_path: Path) -> Callable[..., tuple[Path, Any]]:
    """Save a model of these modules after a small BERT, as the library does; returns its directory and the model."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer import modules

    def build(*more: nn.Module, mode: Any = "mean", dtype: str = "float32"):
        plain = SentenceTransformer(
            str(small_dir), device="cpu", model_kwargs={"attn_implementation": "eager", "dtype": dtype}
        )
        pool = modules.Pooling(32, pooling_mode=mode)
        model = SentenceTransformer(modules=[plain[0], pool, *more], device="cpu").to(getattr(torch, dtype))
        model.save_pretrained(str(tmp_path / "model"), create_model_card=False)
        return tmp_path / "model", model

    return build


def theirs(model: Any, texts: list[str]):
    return model.encode(texts, convert_to_tensor=True, batch_size=len(texts))


def same(directory: Path, model: Any, texts: list[str] = THREE, dtype: str = "float32"):
    run = load(directory, "cpu", dtype).run(texts)
    assert torch.equal(run["sentence"].tensor(), theirs(model, texts))
    return run


@pytest.mark.parametrize("mode", [*MODES, ("mean", "max", "cls")], ids=str)
def test_poolings(make: Callable[..., tuple[Path, Any]], mode: str | tuple[str, ...]):
    run = same(*make(mode=mode))
    for stage in run.program:
        if stage.name.startswith("head.sentence"):
            for index in ((0, 3), (2, 17)):
                assert explain(run, stage.name, index).holds, stage.name


@pytest.mark.parametrize("mode", MODES)
def test_poolings_in_half(make: Callable[..., tuple[Path, Any]], mode: str):
    same(*make(mode=mode, dtype="bfloat16"), dtype="bfloat16")


@pytest.mark.parametrize(
    "activation", [torch.nn.Identity(), torch.nn.Tanh(), torch.nn.ReLU(), torch.nn.GELU()], ids=str
)
@pytest.mark.parametrize("bias", [True, False])
def test_dense_norm_and_length(
    make: Callable[..., tuple[Path, Any]], library: ModuleType, activation: nn.Module, bias: bool
):
    from sentence_transformers.sentence_transformer import modules

    dense = modules.Dense(32, 20, bias=bias, activation_function=activation)
    again = modules.Dense(20, 7, activation_function=torch.nn.Tanh())
    run = same(*make(dense, modules.LayerNorm(20), again, modules.Normalize()))
    names = [stage.part for stage in run.program if stage.name.startswith("head.sentence")]
    last = ["normalized"]
    assert names == ["mean", "dense", *["activation"] * (type(activation).__name__ != "Identity"), "norm", "dense_2",
                     "activation_2" if "Identity" not in str(activation) else "activation", *last]  # fmt: skip


def test_an_old_directory_with_the_encoder_in_a_folder(make: Callable[..., tuple[Path, Any]]):
    directory, model = make()
    expected = theirs(model, THREE)
    inner = directory / "0_Transformer"
    inner.mkdir()
    for path in list(directory.iterdir()):
        if path.is_file() and path.name not in ("modules.json", "config_sentence_transformers.json"):
            path.rename(inner / path.name)
    listed = json.loads((directory / "modules.json").read_text())
    listed[0]["path"] = "0_Transformer"
    (directory / "modules.json").write_text(json.dumps(listed))
    assert torch.equal(load(directory, "cpu").run(THREE)["sentence"].tensor(), expected)


def test_what_is_not_known_is_said_and_left_out(make: Callable[..., tuple[Path, Any]]):
    directory, _ = make()
    listed = json.loads((directory / "modules.json").read_text())
    listed.append({"idx": 2, "name": "2", "path": "2_Own", "type": "my_package.Own"})
    (directory / "modules.json").write_text(json.dumps(listed))
    encoder = load(directory, "cpu")
    assert encoder.facts()["note"] == "no sentence embedding: modules.json: my_package.Own is not implemented"
    assert not [stage for stage in encoder.program if stage.name.startswith("head.sentence")]


def test_an_activation_that_is_not_torchs_is_not_guessed(make: Callable[..., tuple[Path, Any]], library: ModuleType):
    from sentence_transformers.sentence_transformer import modules

    directory, _ = make(modules.Dense(32, 8))
    settings = next(directory.glob("*_Dense")) / "config.json"
    values = json.loads(settings.read_text()) | {"activation_function": "mine.Swish"}
    settings.write_text(json.dumps(values))
    assert "activation_function 'mine.Swish' is not implemented" in load(directory, "cpu").facts()["note"]


def test_folders_stay_inside(minilm_dir: Path, tmp_path: Path):
    directory = shutil.copytree(minilm_dir, tmp_path / "model")
    listed = json.loads((directory / "modules.json").read_text())
    listed[1]["path"] = "../elsewhere"
    (directory / "modules.json").write_text(json.dumps(listed))
    with pytest.raises(ValueError, match="outside the directory"):
        load(directory, "cpu")
