"""Whatever is given, and whoever says it: no control or format character reaches standard output or standard error."""

from __future__ import annotations

import json
import shutil
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from encoder_tui.engine.messages.visible import visible_lines
from encoder_tui.tui.app.streams import gated
from encoder_tui.tui.cli import main
from safetensors.torch import load_file, save_file

EVIL = "x\x1b[31m\u202e\x9b\u200b"
SHOWN = r"x\x1b[31m\u202e\x9b\u200b"


@pytest.fixture
def model(small_dir: Path, tmp_path: Path) -> Path:
    """A copy of a model in a directory whose name is hostile."""
    return shutil.copytree(small_dir, tmp_path / EVIL)


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """What is written for a command line, on both streams; none of it raw."""

    def run(*arguments: object):
        status = main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        assert visible_lines(out + err) == out + err
        assert status != 1, err
        if status == 2:
            assert err.count("\n") == 1
        return out + err

    return run


def edited(path: Path, **changes: Any):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_the_name_of_a_model(told: Callable[..., str], model: Path):
    assert SHOWN in told("one", "-m", model, "--batch", "-ex", "info model", "-ex", "compare model bundled")
    assert SHOWN in told("one", "-m", f"{model}/none", "--batch")


def test_a_text_and_what_it_is_compared_with(told: Callable[..., str], small_dir: Path):
    lines = ("info tokens", f"compare text {EVIL}", f"compare text {EVIL} two", f"print {EVIL}", EVIL, f"# {EVIL}")
    for line in lines:
        told(f"one {EVIL}", "-m", small_dir, "--batch", "-ex", line)
    assert SHOWN in told("one", "-m", small_dir, "--batch", "-ex", EVIL)


def test_options(told: Callable[..., str]):
    for option in ("--device", "--dtype", "--memory", "--lang", "--export", "--vectors", "-m", "-x"):
        text = [] if option == "--vectors" else ["one"]
        assert SHOWN in told(*text, "--batch", option, EVIL)
    assert SHOWN in told("--open", EVIL, "--batch")
    assert SHOWN in told(f"--{EVIL}")


def test_modules(told: Callable[..., str], model: Path):
    (model / "modules.json").write_text(json.dumps([{"type": f"sentence_transformers.models.{EVIL}", "path": EVIL}]))
    assert SHOWN in told("one", "-m", model, "--batch", "-ex", "info model")
    (model / "modules.json").write_text(json.dumps([{"type": "x", "path": f"../{EVIL}"}]))
    assert SHOWN in told("one", "-m", model, "--batch")


def test_shards(told: Callable[..., str], model: Path):
    (model / "model.safetensors").rename(model / "model-1.safetensors")
    (model / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"w": f"{EVIL}.safetensors"}}))
    assert SHOWN in told("one", "-m", model, "--batch")


def test_what_safetensors_itself_quotes(told: Callable[..., str], model: Path):
    header = json.dumps({"w": {"dtype": EVIL, "shape": [1], "data_offsets": [0, 4]}}, ensure_ascii=False).encode()
    (model / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    assert SHOWN in told("one", "-m", model, "--batch")


def test_names_of_weights(told: Callable[..., str], model: Path):
    weights = load_file(model / "model.safetensors")
    save_file(weights | {EVIL: weights["pooler.dense.bias"].clone()}, model / "model.safetensors")
    assert SHOWN in told("one", "-m", model, "--batch", "-ex", "info model")


@pytest.mark.parametrize(
    "key", ["model_type", "hidden_act", "hidden_size", "layer_norm_eps", "position_embedding_type"]
)
def test_values_of_a_config(told: Callable[..., str], model: Path, key: str):
    edited(model / "config.json", **{key: EVIL})
    assert SHOWN in told("one", "-m", model, "--batch")


def test_labels(told: Callable[..., str], model: Path):
    weights = load_file(model / "model.safetensors")
    more = {"classifier.weight": weights["pooler.dense.weight"][:2].clone(), "classifier.bias": weights["pooler.dense.bias"][:2].clone()}  # fmt: skip
    save_file(weights | more, model / "model.safetensors")
    edited(model / "config.json", architectures=["BertForSequenceClassification"], id2label={"0": EVIL, "1": "a\nb"})
    said = told("one", "-m", model, "--batch", "-ex", "goto end", "-ex", "print head.classes.logits")
    assert SHOWN in said
    assert r"a\nb" in said


def test_what_libraries_say_of_their_own_accord(capsys: pytest.CaptureFixture[str]):
    with gated():
        print(EVIL)
        traceback.print_exception(ValueError(EVIL))
        sys.stderr.writelines([EVIL, "\n"])
    out, err = capsys.readouterr()
    assert out == SHOWN + "\n"
    assert err.count(SHOWN) == 2


def test_a_traceback_that_was_asked_for(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setenv("ENCODER_TUI_DEBUG", "1")
    assert main(["one", "--batch", "-m", EVIL]) == 2
    err = capsys.readouterr().err
    assert err.startswith("Traceback (most recent call last):\n")
    assert SHOWN in err.splitlines()[-1]
    assert visible_lines(err) == err


def test_texts_of_other_scripts_are_shown_as_they_are(told: Callable[..., str], small_dir: Path):
    for text in ("می\u200cخواهم", "👩\u200d👩\u200d👧", "สวัสดี", "ភាសា\u200bខ្មែរ"):
        assert f"'{text}'" in told(text, "-m", small_dir, "--batch", "-ex", "info tokens")


def test_a_line_end_in_a_name_ends_no_line(told: Callable[..., str], small_dir: Path, tmp_path: Path):
    """Lines of ours stay lines; those of a model's name, a path or a text that was typed are escapes."""
    name = "x\n‡y"
    model = shutil.copytree(small_dir, tmp_path / name)
    weights = load_file(model / "model.safetensors")
    save_file(weights | {name: weights["pooler.dense.bias"].clone()}, model / "model.safetensors")
    path = tmp_path / f"{name}.safetensors"
    said = told(
        f"one {name}", "-m", model, "--batch", "--export", path, "-ex", "info model", "-ex", "info tokens", "-ex", "goto end",
        "-ex", f"compare text {name}", "-ex", f"compare model '{model}'", "-ex", f"export '{path}'", "-ex", f"open '{path}'",
    )  # fmt: skip
    assert r"x\n‡y" in said
    assert not [line for line in said.split("\n") if line.startswith("‡")]
