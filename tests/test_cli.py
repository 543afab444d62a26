"""The command line: what it takes, and bad input as one line and status 2."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import SENTENCE
from encoder_tui.engine import InputError
from encoder_tui.engine.models.settings import memory_size
from encoder_tui.tui.cli import main, parser
from safetensors.torch import load_file, save_file

MAIN = [sys.executable, "-c", "import sys; from encoder_tui.tui.cli import main; sys.exit(main())"]


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run, and check that it is one line on standard error and status 2; returns the line."""

    def run(*arguments: object):
        status = main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        assert (status, err.count("\n")) == (2, 1), err
        assert err.startswith("encoder-tui: ")
        assert "Traceback" not in out + err
        return err.strip()

    return run


@pytest.fixture
def model(small_dir: Path, tmp_path: Path) -> Path:
    """A copy of a checkpoint, to be damaged."""
    return shutil.copytree(small_dir, tmp_path / "model")


def line_of(part: list[str] | str) -> str:
    """What a case is called by."""
    return " ".join(part)[:60].encode("ascii", "replace").decode() if isinstance(part, list) else ""


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["", "--batch"], "text 0 is empty"),
        (["one", " \t\n", "--batch"], "text 1 is empty"),
        (["one", "--pair", "", "--batch"], "the --pair text is empty"),
        (["one", "--max-length", "0", "--batch"], "--max-length 0"),
        (["one", "--max-length", "2", "--batch"], "--max-length 2 leaves no room"),
        (["one", "--max-length", "x", "--batch"], "invalid int value"),
        (["one", "--device", "gpu", "--batch"], "device 'gpu' is not known"),
        (["one", "--device", "cuda:99", "--batch"], "device 'cuda:99'"),
        (["one", "--dtype", "float33", "--batch"], "did you mean float32"),
        (["one", "--memory", "lots", "--batch"], "is not a size"),
        (["one", "--memory", "9" * 400, "--batch"], "is not a size"),
        (["one", "--export", "", "--batch"], "--export is given no path"),
        (["--open", "", "--batch"], "--open is given no path"),
        (["one", "--vectors", "", "--batch"], "--vectors is given no path"),
        (["one", "--nonsense", "--batch"], "unrecognized arguments: --nonsense"),
        (["one", "--export", "x.npz"], "--export needs --batch"),
        (["one", "--select", "x", "--batch"], "--select needs --export"),
        (["one", "--open", "x", "--batch"], "takes no text"),
        (["--open", "nowhere.safetensors", "--batch"], "no snapshot 'nowhere.safetensors'"),
        (["one", "-x", "nowhere", "--batch"], "cannot read the script 'nowhere'"),
        (["one", "-x", "~nosuchuser/x", "--batch"], "cannot read the script"),
        (["one", "-x", "/", "--batch"], "cannot read the script '/'"),
        (["a\udcff b", "--batch"], "not valid UTF-8"),
        (["word " * 500, "--batch"], "`--max-length 64` cuts it to its first 64 tokens"),
        (["one", "--batch", "-b", "layers.0.attention.wieghts"], "did you mean layers.0.attention.weights"),
        (["one", "--batch", "-ex", "stpe"], "no command 'stpe'; did you mean step"),
        (["one", "--batch", "-ex", "step x"], "write `step [N]`"),
        (["one", "--batch", "-ex", "step ²"], "not a count"),
        (["one", "--batch", "-ex", "step " + "9" * 5000], "not a count"),
        (["one", "--batch", "-ex", "delete ²"], "not the number of a breakpoint"),
        (["one", "--batch", "-ex", "delete 7"], "no breakpoint number 7"),
        (["one", "--batch", "-ex", "print output[9, 9]"], "out of range"),
        (["one", "--batch", "-ex", "print output[5, token=one]"], "out of range"),
        (["one", "--batch", "-ex", "print output[head=1]"], "no axis 'head'"),
        (["one", "--batch", "-ex", "print output[[0]"], "cannot read index"),
        (["one", "--batch", "-ex", "print output[0"], "does not end in ']'"),
        (["one", "--batch", "-ex", f"print output[{'9' * 5000}]"], "5000 digits"),
        (["one", "--batch", "-ex", "print"], "before the first stage"),
        (["one", "--batch", "-ex", "r"], "ambiguous"),
        (["one", "--batch", "--export", "out.txt"], "neither .safetensors nor .npz"),
        (["one", "--batch", "--export", "no/such/out.npz"], "No such file or directory"),
        (["one", "--batch", "--export", "~nosuchuser/x.npz"], "cannot write"),
        (["one", "--batch", "--export", "x.npz", "--select", "nothing*"], "no stage named"),
        (["one", "--batch", "-ex", "export 'x"], "No closing quotation"),
        (["one", "--batch", "-ex", "export"], "export where?"),
        (["one", "--batch", "-ex", "export x.npz"], "nothing has been reached"),
        (["one", "--batch", "-ex", "open nowhere"], "no snapshot"),
    ],
    ids=line_of,
)
def test_bad_input(
    refused: Callable[..., str],
    small_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    says: str,
):
    monkeypatch.chdir(tmp_path)
    more = [] if "--open" in arguments else ["-m", small_dir]
    assert says in refused(*arguments, *more)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["nowhere/at/all", "/nowhere", "./x", "~nosuchuser/x", "x" * 300, "x" * 5000, "a b"])
def test_no_such_model(refused: Callable[..., str], name: str):
    assert "model" in refused("one", "--batch", "-m", name)


def test_a_file_is_no_model(refused: Callable[..., str], small_dir: Path):
    assert "is a file; give the directory" in refused("one", "--batch", "-m", small_dir / "config.json")


@pytest.mark.parametrize(
    ("missing", "says"),
    [
        (["config.json"], "no config.json"),
        (["model.safetensors"], "no model.safetensors"),
        (["tokenizer.json", "vocab.txt"], "tokenizer.json or vocab.txt is needed"),
    ],
)
def test_missing_files(refused: Callable[..., str], model: Path, missing: list[str], says: str):
    for name in missing:
        (model / name).unlink()
    assert says in refused("one", "--batch", "-m", model)


def test_old_pytorch_weights(refused: Callable[..., str], model: Path):
    (model / "model.safetensors").rename(model / "pytorch_model.bin")
    assert "save the model as model.safetensors" in refused("one", "--batch", "-m", model)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"model_type": "gpt2"}, "model_type 'gpt2' is not a known family; known: albert, bart, bert"),
        ({"model_type": "brt"}, "did you mean bert"),
        ({"model_type": None}, "has no model_type"),
        ({"hidden_act": "swiglu"}, "hidden_act 'swiglu' is not implemented"),
        ({"hidden_act": ["gelu"]}, "hidden_act"),
        ({"hidden_size": 33}, "does not divide"),
        ({"hidden_size": 64}, "wrong shape"),
        ({"hidden_size": "wide"}, "hidden_size is 'wide'"),
        ({"num_hidden_layers": 3}, "weights are missing: encoder.layer.2."),
        ({"num_hidden_layers": 0}, "must be a whole number"),
        ({"layer_norm_eps": "1e-12"}, "layer_norm_eps"),
        ({"add_cross_attention": True}, "add_cross_attention True is not implemented"),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type 'relative_key'"),
        ({"vocab_size": 7}, "7"),
        ({"pad_token_id": "zero"}, "pad_token_id"),
        ({"pad_token_id": -1}, "pad_token_id"),
        ({"pad_token_id": 10**9}, "pad_token_id"),
        ({"max_position_embeddings": 65}, "embeddings.position_embeddings.weight is [64, 32] and should be [65, 32]"),
    ],
    ids=lambda part: str(part)[:40],
)
def test_configs_that_cannot_be_used(refused: Callable[..., str], model: Path, change: dict[str, Any], says: str):
    import json

    path = model / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    assert says in refused("one", "--batch", "-m", model)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "modules.json", "tokenizer_config.json"])
@pytest.mark.parametrize("text", ["", "{", "[]", "[1]", "7", "\xff"])
def test_json_that_is_none(refused: Callable[..., str], model: Path, name: str, text: str):
    (model / name).write_bytes(text.encode("latin-1"))
    if name == "tokenizer_config.json":
        (model / "tokenizer.json").unlink()  # only then is it needed
    if (name, text) == ("modules.json", "[]"):
        return  # a list of no modules is a model that makes no sentence embedding
    assert name.partition(".")[0].partition("_")[0] in refused("one", "--batch", "-m", model)


@pytest.mark.parametrize("share", [0, 0.00001, 0.5, 0.9999])
def test_truncated_weights(refused: Callable[..., str], model: Path, share: float):
    path = model / "model.safetensors"
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    assert "truncated or not safetensors" in refused("one", "--batch", "-m", model)


def test_weights_missing_and_misshapen_are_named(refused: Callable[..., str], model: Path):
    path = model / "model.safetensors"
    weights = load_file(path)
    query = weights.pop("encoder.layer.1.attention.self.query.weight")
    save_file(weights, path)
    assert "encoder.layer.1.attention.self.query.weight" in refused("one", "--batch", "-m", model)
    save_file(weights | {"encoder.layer.1.attention.self.query.weight": query[:5].clone()}, path)
    assert "is [5, 32] and should be [32, 32]" in refused("one", "--batch", "-m", model)


def test_a_shard_that_is_missing(refused: Callable[..., str], model: Path):
    import json

    (model / "model.safetensors").unlink()
    (model / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"x": "model-1.safetensors"}}))
    assert "model-1.safetensors is missing" in refused("one", "--batch", "-m", model)
    for odd in ("[]", '{"x": 7}', "null"):
        (model / "model.safetensors.index.json").write_text(f'{{"weight_map": {odd}}}')
        assert "model" in refused("one", "--batch", "-m", model)


@pytest.mark.parametrize(
    ("text", "size"),
    [("1", 1), ("512MiB", 512 << 20), ("2GB", 2 * 10**9), ("1.5 KiB", 1536), ("3k", 3000), ("7m", 7 * 10**6)],
)
def test_memory_sizes(text: str, size: int):
    assert memory_size(text) == size


@pytest.mark.parametrize("text", ["", "0", "-1", "GB", "1TB", "1 2", "nan", "inf", "1e9", "9" * 400])
def test_sizes_that_are_none(text: str):
    with pytest.raises(InputError, match="is not a size"):
        memory_size(text)


def test_commands_keep_their_order():
    options = parser().parse_args(
        ["t", "-ex", "a", "-b", "b", "-x", "c", "--command", "d", "--break", "e", "--script", "f"]
    )
    assert options.commands == [
        ("line", "a"), ("break", "b"), ("script", "c"), ("line", "d"), ("break", "e"), ("script", "f"),
    ]  # fmt: skip


def test_abbreviated_options_are_refused(refused: Callable[..., str]):
    assert "unrecognized" in refused("one", "--batc")


def test_debug_shows_where(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ENCODER_TUI_DEBUG", "1")
    assert main(["--batch", "--memory", "x"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_version(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as leaving:
        main(["--version"])
    assert leaving.value.code == 0
    assert capsys.readouterr().out.startswith("encoder-tui ")


def test_a_fault_of_ours_is_status_1(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    def faulty(options: object):
        return 1 // 0

    monkeypatch.setattr("encoder_tui.tui.cli.check_together", faulty)
    assert main([SENTENCE]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_ctrl_c_is_status_130(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    def interrupted(options: object):
        raise KeyboardInterrupt

    monkeypatch.setattr("encoder_tui.tui.cli.check_together", interrupted)
    assert main([SENTENCE]) == 130


@pytest.mark.few(1)
@pytest.mark.parametrize("stdin", [b"", b"  \n\n", b"\xff\xfe text"])
def test_standard_input_without_text(stdin: bytes, small_dir: Path):
    done = subprocess.run([*MAIN, "-", "-m", str(small_dir), "--batch"], input=stdin, capture_output=True)
    assert (done.returncode, done.stderr.count(b"\n")) == (2, 1)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_on_a_full_disk_is_told(option: str) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "encoder_tui", option], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (done.returncode, done.stderr) == (
        2,
        "encoder-tui: cannot write to standard output: No space left on device\n",
    )
