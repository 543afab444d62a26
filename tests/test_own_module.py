"""A module of one's own on the command line: its file is run, its inputs are taken, and what does not go together is refused."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
from encoder_tui.tui.cli import _prepared, main, parser

ROOT = Path(__file__).parent
FILE = """
import sys
sys.path.insert(0, {beside!r})
import torch
from own_modules import BookEncoder

def build():
    torch.manual_seed(0)
    return BookEncoder(words=2000).eval()

def with_inputs():
    ids = torch.tensor([[5, 7, 11], [4, 8, 0]])
    return build(), {{"input_ids": ids, "attention_mask": (ids != 0).long()}}

def breaks():
    raise ValueError("no such weights")

def number():
    return 3

def needs(size):
    return build()

module = build()
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("own") / "my_model.py"
    path.write_text(FILE.format(beside=str(ROOT / "engine")))
    return path


def batch(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    status = main(["--batch", *words])
    out, err = capsys.readouterr()
    return status, out, err


def test_ids_go_into_a_module(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = batch(capsys, "--module", f"{file}:build", "--ids", "5 7 11", "-ex", "print tokens.ids")
    assert status == 0
    assert "106 stages from one passage of my_model.py:build, each equal to the module's own to the last bit" in err
    assert "11" in out


@pytest.mark.parametrize("name", ["with_inputs", "module"])
def test_a_name_may_bring_its_inputs_or_be_a_module(file: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    ids = ["--ids", "5 7 11", "--ids", "4 8"] if name == "module" else []
    line = "break layers.1.attention.heads.0.softmax if max > 0"
    status, out, _ = batch(capsys, "--module", f"{file}:{name}", *ids, "-ex", line, "-ex", "continue")
    assert status == 3
    assert "layers.1.attention.heads.0.softmax [2, 3, 3]" in out


def test_a_text_needs_a_tokenizer(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundled = ROOT.parent / "samples" / "encoder"
    status, out, _ = batch(
        capsys, "--module", f"{file}:build", "--tokenizer", str(bundled), "the cat", "-ex", "info tokens"
    )
    assert status == 0
    assert "cat" in out
    assert batch(capsys, "--module", f"{file}:build", "the cat")[::2] == (
        2,
        "encoder-tui: my_model.py:build has no tokenizer, so it takes no text; give one: --tokenizer DIR, or ids: --ids '12 5 7'\n",
    )


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("my_model.py", "module 'my_model.py' is not FILE.py:NAME; write for instance my_model.py:build"),
        ("none.py:build", "no file 'none.py' to take a module from"),
        ("FILE:buil", "has no 'buil'; did you mean build?"),
        ("FILE:breaks", "raised ValueError: no such weights (at my_model.py:16)"),
        ("FILE:number", "returns a int, and must return a module, or (module, inputs)"),
        ("FILE:needs", "needs size; name a function without arguments that calls it"),
        ("FILE:with_inputs", "gives its own inputs, and takes no --ids; leave one of them out"),
    ],
)
def test_what_cannot_be_a_module_is_refused_by_name(
    file: Path, place: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = batch(capsys, "--module", place.replace("FILE", str(file)), "--ids", "1 2")
    assert (status, out) == (2, "")
    assert err.endswith(said + "\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "import sys\nsys.exit(3)",
            "exits with 3 when it is run (at a file.py:2); put what does under if __name__ == '__main__'",
        ),
        ("def build():\n    raise SystemExit('no gpu')", "raised SystemExit: no gpu (at a file.py:2)"),
        ("def build(:", "raised SyntaxError: invalid syntax (a file.py, line 1)"),
        ("x = input()", "raised EOFError: EOF when reading a line (at a file.py:1)"),
        ("x = 5", "has no 'build'; it has nothing to call"),
    ],
)
def test_a_file_that_cannot_be_run_is_refused_in_one_line(
    text: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    path = tmp_path / "мой" / "a file.py"
    path.parent.mkdir()
    path.write_text(text)
    status, out, err = batch(capsys, "--module", f"{path}:build", "--ids", "1 2")
    assert (status, out) == (2, "")
    assert err.endswith(said + "\n")
    assert err.count("\n") == 1


@pytest.mark.parametrize("name", ["random", "torch", "encoder_tui"])
def test_a_file_called_as_what_others_import_does_not_take_its_place(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.path", [*sys.path])
    before = sys.modules.get(name)
    (tmp_path / f"{name}.py").write_text("from torch import nn\ndef build():\n    return nn.Embedding(9, 4)\n")
    assert batch(capsys, "--module", f"{tmp_path / name}.py:build", "--ids", "1 2")[0] == 0
    assert sys.modules.get(name) is before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["--module", "a.py:b", "--dtype", "float16"],
            "--module takes a module as it is, and no --dtype; make it so in its file",
        ),
        (["--module", "a.py:b", "-m", "x"], "--module takes a module as it is, and no --model; make it so in its file"),
        (
            ["--via", "transformers", "-m", "x", "--image", "cat.png"],
            "--via transformers takes texts or --ids, and no --image; `attach` in Python takes whatever the model does",
        ),
        (["--via", "transformers"], "--via transformers needs a model to open: -m DIR"),
        (["--tokenizer", "x"], "--tokenizer is for --module; a model directory has its own"),
        (["--open", "x.safetensors", "--module", "a.py:b"], "--open shows a recording and takes no --module"),
    ],
)
def test_options_that_say_nothing_together(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert batch(capsys, *words)[::2] == (2, f"encoder-tui: {said}\n")


@pytest.mark.parametrize(
    ("words", "has_text"), [(["--module", "a.py:b"], False), (["-m", "x", "--via", "transformers"], True)]
)
def test_the_example_is_read_by_a_model_and_not_given_to_a_module(words: list[str], has_text: bool) -> None:
    options = parser().parse_args(words)
    lines, _, texts = _prepared(options)
    assert (lines, bool(texts)) == ([], has_text)


def test_transformers_opens_what_is_no_family(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    transformers = pytest.importorskip("transformers")
    config = transformers.FNetConfig(
        hidden_size=32, num_hidden_layers=2, intermediate_size=64, vocab_size=2000, max_position_embeddings=64
    )
    transformers.FNetModel(config).save_pretrained(tmp_path)
    capsys.readouterr()
    status, _, err = batch(capsys, "-m", str(tmp_path), "--via", "transformers", "--ids", "5 7 11")
    assert status == 0
    assert "each equal to the module's own to the last bit" in err


def test_nothing_of_a_model_directory_is_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    transformers = pytest.importorskip("transformers")
    config = transformers.BertConfig(
        hidden_size=32, num_hidden_layers=1, num_attention_heads=4, intermediate_size=64, vocab_size=2000
    )
    transformers.BertModel(config).save_pretrained(tmp_path)
    said, marker = json.loads((tmp_path / "config.json").read_text()), tmp_path / "was_run"
    (tmp_path / "modeling_own.py").write_text(f"open({str(marker)!r}, 'w').close()\nclass Own: pass\n")
    for model_type in ("bert", "own"):
        said |= {
            "model_type": model_type,
            "auto_map": {"AutoModel": "modeling_own.Own", "AutoConfig": "modeling_own.Own"},
        }
        (tmp_path / "config.json").write_text(json.dumps(said))
        status, _, err = batch(capsys, "-m", str(tmp_path), "--via", "transformers", "--ids", "5 7 11")
        assert not marker.exists()
        assert status == (0 if model_type == "bert" else 2)
    assert "transformers cannot open" in err


def test_weights_that_transformers_drew_are_told_of_in_one_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    transformers = pytest.importorskip("transformers")
    config = transformers.DistilBertConfig(dim=32, n_layers=1, n_heads=2, hidden_dim=64, vocab_size=100)
    model = transformers.DistilBertModel(config)
    lacking = "transformer.layer.0.ffn.lin1.bias"
    weights = {name: weight for name, weight in model.state_dict().items() if name != lacking}
    model.save_pretrained(tmp_path, state_dict=weights)
    capfd.readouterr()
    assert main(["--batch", "-m", str(tmp_path), "--via", "transformers", "--ids", "5 7 11"]) == 0
    told, *others = capfd.readouterr().err.splitlines()
    assert told == f"drawn at random by transformers, as the checkpoint lacks them: {lacking}"
    assert not any("Loading" in line or "MISSING" in line for line in others)
