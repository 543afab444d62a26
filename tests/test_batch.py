"""Batch mode: the program runs without a screen, and says by its status how it ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import SENTENCE, THREE
from encoder_tui.engine import Encoder, load, open_snapshot
from encoder_tui.tui.cli import main
from own_process import run_forked
from safetensors import safe_open

MAIN = [sys.executable, "-c", "import sys; from encoder_tui.tui.cli import main; sys.exit(main())"]


@pytest.fixture
def batch(small_dir: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def run(*arguments: object, model: Path | None = small_dir):
        status = main([*map(str, arguments), *(["-m", str(model)] if model else []), "--batch"])
        out, err = capsys.readouterr()
        return status, out, err

    return run


def ran(out: str):
    return [line.split(" [")[0] for line in out.splitlines()]


def test_runs_to_the_end(batch: Callable[..., tuple[int, str, str]]):
    assert batch("one two") == (0, "at the end, head.pooler.activation [1, 32] (batch, hidden)\n", "")


def test_exports_every_stage_of_a_real_model(
    batch: Callable[..., tuple[int, str, str]], minilm: Encoder, minilm_dir: Path, tmp_path: Path
):
    path = tmp_path / "all.safetensors"
    status, _, err = batch(SENTENCE, "--export", path, model=minilm_dir)
    assert (status, err.count("\n")) == (0, 1)
    run = minilm.run(SENTENCE)
    with safe_open(path, "pt") as file:
        assert set(file.keys()) == {stage.name for stage in run.program} - {"tokens.one_hot"}
        assert all(torch.equal(file.get_tensor(name), run[name].tensor()) for name in file.keys())  # noqa: SIM118


def test_stops_at_a_breakpoint_and_prints_statistics(
    batch: Callable[..., tuple[int, str, str]], minilm: Encoder, minilm_dir: Path
):
    name = "layers.2.attention.weights"
    status, out, err = batch(SENTENCE, "-b", name, "-ex", "continue", "-ex", f"stats {name}", model=minilm_dir)
    assert (status, err) == (3, "")
    assert ran(out)[:2] == [f"breakpoint 1 set at {name}", f"breakpoint 1 at {name}"]
    assert f"min     {minilm.run(SENTENCE)[name].stats().min:.9g}" in out


def test_stops_without_being_told_to_continue(batch: Callable[..., tuple[int, str, str]]):
    status, out, _ = batch("one", "-b", "embeddings.sum")
    assert (status, ran(out)[-1]) == (3, "breakpoint 1 at embeddings.sum")


def test_a_breakpoint_passed_is_no_stop(batch: Callable[..., tuple[int, str, str]]):
    status, out, _ = batch("one", "-b", "embeddings.sum", "-ex", "continue", "-ex", "continue")
    assert (status, ran(out)[-1]) == (0, "at the end, head.pooler.activation")


def test_order_of_breakpoints_commands_and_scripts(batch: Callable[..., tuple[int, str, str]], tmp_path: Path):
    script = tmp_path / "script"
    script.write_text("# a comment\n\n  step\t2\nbreak embeddings.norm\ncontinue\n")
    status, out, _ = batch("one", "-ex", "step 3", "-x", script, "-b", "embeddings.sum", "-ex", "reverse-continue")
    assert ran(out) == [
        "at tokens.segments", "at tokens.one_hot", "breakpoint 1 set at embeddings.norm", "breakpoint 1 at embeddings.norm",
        "breakpoint 2 set at embeddings.sum", "breakpoint 2 at embeddings.sum",
    ]  # fmt: skip
    assert status == 3


def test_scripts_of_windows(batch: Callable[..., tuple[int, str, str]], tmp_path: Path):
    script = tmp_path / "script"
    script.write_bytes(b"\xef\xbb\xbfstep\r\nstep 2\r\n")
    assert ran(batch("one", "-x", script)[1])[:2] == ["at tokens.ids", "at tokens.segments"]


def test_quit_leaves_at_once(batch: Callable[..., tuple[int, str, str]]):
    status, out, _ = batch("one", "-ex", "step", "-ex", "quit", "-ex", "nonsense")
    assert (status, ran(out)) == (0, ["at tokens.ids"])


def test_what_only_a_screen_can_do_is_said(batch: Callable[..., tuple[int, str, str]]):
    status, _, err = batch("one", "-ex", "view heads")
    assert (status, err) == (0, "`view heads` changes the screen, and there is none\n")


def test_export_holds_only_what_was_reached(batch: Callable[..., tuple[int, str, str]], tmp_path: Path):
    path = tmp_path / "s.npz"
    assert batch("one", "-b", "embeddings.sum", "--export", path)[0] == 3
    with np.load(path) as arrays:
        assert "embeddings.sum" in arrays
        assert "embeddings.norm" not in arrays


def test_select(batch: Callable[..., tuple[int, str, str]], tmp_path: Path):
    assert batch("one", "--export", tmp_path / "s.npz", "--select", "layers.*.weights")[0] == 0
    with np.load(tmp_path / "s.npz") as arrays:
        assert set(arrays) == {f"layers.{layer}.attention.weights" for layer in (0, 1)} | {"encoder_tui"}


def test_open_a_recording(batch: Callable[..., tuple[int, str, str]], tmp_path: Path):
    path = tmp_path / "s.safetensors"
    batch("one", "--export", path)
    status, out, _ = batch(
        "--open", path, "-b", "layers.1.ffn.up", "-ex", "continue", "-ex", "print [0, 0, :3]", model=None
    )
    assert status == 3
    value = open_snapshot(path)["layers.1.ffn.up"].read("0, 0, 0")
    assert f"{value:.5g}" in out


TEXTS = {
    "chinese": "我喜欢喝咖啡", "emoji": "🎉👩‍👩‍👧 party", "rtl": "مرحبا بالعالم", "combining": "e\u0301cole", "nul": "a\x00b", "only nul": "\x00",
    "newlines": "one\ntwo\r\nthree", "special": "[MASK] [SEP] [CLS]", "unknown": "\U0010ffff \ue000", "escape": "\x1b[31mred",
    "long word": "a" * 300,
}  # fmt: skip


@pytest.mark.few(4)
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_any_text(batch: Callable[..., tuple[int, str, str]], text: str, tmp_path: Path):
    status, out, err = batch(text, "--max-length", "64", "--export", tmp_path / "s.safetensors", "-ex", "info tokens")
    assert status == 0, err
    assert "\x1b" not in out
    assert open_snapshot(tmp_path / "s.safetensors").tokens.texts == (text,)


def test_max_length_cuts(batch: Callable[..., tuple[int, str, str]]):
    for length in (3, 5, 64, 1000):
        _, out, _ = batch("word " * 1000, "--max-length", length, "-ex", "print tokens.mask[0, 0]", "-ex", "step")
        assert f"[1, {min(length, 64)}]" in out


def test_padded_batch(batch: Callable[..., tuple[int, str, str]]):
    assert "at tokens.ids [3, 15]" in batch(*THREE, "-ex", "step")[1]


@pytest.mark.parametrize("memory", ["1", "100KB", "1GiB"])
def test_any_memory_gives_the_same_file(
    batch: Callable[..., tuple[int, str, str]], tmp_path: Path, memory: str, small: Encoder
):
    assert batch(*THREE, "--memory", memory, "--export", tmp_path / "s.npz")[0] == 0
    run = small.run(THREE)
    with np.load(tmp_path / "s.npz") as arrays:
        assert all(np.array_equal(arrays[name], run[name].numpy()) for name in arrays if name in run.program)


# -- as a process ------------------------------------------------------------------------------------------------


def test_standard_input_is_one_text_a_line(small_dir: Path):
    arguments = ["-", "-ex", "info tokens", "-m", str(small_dir), "--batch"]
    done = run_forked(arguments, stdin="erste Zeile\n\nzweite 東京\n")
    assert done.returncode == 0
    assert "text 1: 'zweite 東京'" in done.stdout


@pytest.mark.sweep
def test_output_that_nobody_reads(small_dir: Path, tmp_path: Path):
    """`| head -1`: whoever reads has seen enough, and the export is written all the same."""
    path = tmp_path / "s.safetensors"
    command = [
        *MAIN,
        "one",
        "-m",
        str(small_dir),
        "--batch",
        "-ex",
        "info stages",
        "-ex",
        "help",
        "--export",
        str(path),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        errors = process.stderr.read()
    assert (process.returncode, errors.count(b"\n")) == (0, 1)
    assert open_snapshot(path).has("layers.1.output") or open_snapshot(path).has("layers.1.ffn.norm")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize("asked", [["one", "--batch"], ["--man"], ["one", "--print-completion", "fish"]])
def test_output_that_cannot_be_written(asked: list[str], small_dir: Path):
    done = run_forked([*asked, "-m", str(small_dir)], stdout="/dev/full")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "cannot write to standard output: No space left on device" in done.stderr


@pytest.mark.parametrize("asked", [["one", "--batch"], ["one", "--batch", "--json"], ["--man"], ["--version"]])
def test_output_that_is_closed(
    asked: list[str], small_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As `>&-` has it: Python has no standard output then, and prints nothing into it."""
    monkeypatch.setattr("sys.stdout", None)
    assert main([*asked, "-m", str(small_dir)]) == 2
    said = capsys.readouterr().err.splitlines()
    assert said[-1] == "encoder-tui: cannot write to standard output: it is closed"
    assert len(said) == 1


@pytest.mark.sweep
def test_a_terminal_that_knows_only_ascii(small_dir: Path):
    command = [*MAIN, "東京", "-ex", "info layers.0.attention.scores", "-m", str(small_dir), "--batch"]
    done = subprocess.run(command, capture_output=True, env=os.environ | {"PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0
    assert b"query_heads \\xb7 key_heads" in done.stdout


def test_ctrl_c_leaves_no_part_of_a_file(small_dir: Path, tmp_path: Path):
    """SIGINT while values are being written: ends at once, what stood there is whole."""
    path = tmp_path / "s.safetensors"
    path.write_bytes(b"what was there")
    script = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a shell's background jobs ignore it
        "from encoder_tui.engine.program.value import Value\n"
        "blocks = Value.blocks\n"
        "def slow(self, *args):\n"
        "    print('writing', flush=True)\n"
        "    time.sleep(1)\n"
        "    return blocks(self, *args)\n"
        "Value.blocks = slow\n"
        "from encoder_tui.tui.cli import main\n"
        "sys.exit(main())\n"
    )
    command = [sys.executable, "-c", script, "one", "-m", str(small_dir), "--batch", "--export", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        while b"writing" not in process.stdout.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        errors = process.communicate(timeout=30)[1]
    assert (process.returncode, errors) == (130, b"encoder-tui: interrupted\n")
    assert path.read_bytes() == b"what was there"
    assert os.listdir(tmp_path) == ["s.safetensors"]


def test_load_gives_what_batch_exports(batch: Callable[..., tuple[int, str, str]], small_dir: Path, tmp_path: Path):
    batch("one", "--pair", "two", "--dtype", "float64", "--export", tmp_path / "s.npz")
    run = load(small_dir, "cpu", "float64").run("one", "two")
    with np.load(tmp_path / "s.npz") as arrays:
        assert np.array_equal(arrays["layers.1.ffn.norm"], run["output"].numpy())


def test_a_check_that_finds_a_fault_is_told_by_the_status(batch: Callable[..., tuple[int, str, str]]):
    status, out, _ = batch("the cat sat", "a", "--check", "masks", "--check", "padding")
    assert (status, out.count("no fault found")) == (0, 2)
    inverted = "patch mask.additive = -3.4028235e38 - x"
    status, out, _ = batch("the cat sat", "a", "-ex", inverted, "--check", "masks")
    assert status == 3
    assert "fault found: it begins at mask.additive" in out
    status, _, err = batch("the cat", "--check", "mask")
    assert (status, err.count("\n")) == (2, 1)
    assert "invalid choice: 'mask' (choose from" in err
