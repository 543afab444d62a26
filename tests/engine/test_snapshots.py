"""Snapshots: every stage comes back bit for bit, and others' tools can read the file."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import THREE
from encoder_tui.engine import Encoder, InputError, Run, load, open_snapshot, save
from safetensors import safe_open

NEITHER = "import sys; sys.modules['torch'] = None; sys.modules['textual'] = None\n"


@pytest.fixture(scope="module", params=["float32", "bfloat16", "float16", "float64"])
def run(request: pytest.FixtureRequest, make_checkpoint: Callable[..., Path]) -> Run:
    return load(make_checkpoint(head=True, vocab_size=30522), "cpu", request.param).run(THREE)


@pytest.fixture(scope="module")
def saved(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("snapshot") / "all.safetensors"
    save(run, path)
    return path


def test_every_stage_comes_back(run: Run, saved: Path):
    recording = open_snapshot(saved)
    assert [stage.name for stage in recording.program] == [stage.name for stage in run.program]
    for stage in run.program:
        old, new = run.value(stage.name), recording.value(stage.name)
        assert (old.shape, old.axes, old.dtype) == (new.shape, new.axes, new.dtype), stage.name
        if stage.name != "tokens.one_hot":
            assert old.numpy().tobytes() == new.numpy().tobytes(), stage.name


def test_windows_and_indices_too(run: Run, saved: Path):
    recording = open_snapshot(saved)
    for text in ("layers.0.attention.weights[1, 2, ::-1, 0]", "tokens.one_hot[0, :3, 100:110]", "output[query, 0]"):
        if "query" in text:
            continue
        (old, index), (new, _) = run.at(text), recording.at(text)
        assert np.array_equal(old.read(index), new.read(index)), text
        assert old.stats(index) == new.stats(index), text


def test_facts_come_back(run: Run, saved: Path):
    recording = open_snapshot(saved)
    assert recording.about == run.about
    assert recording.program.aliases == run.program.aliases
    assert recording.weight_shapes == run.weight_shapes
    assert recording.tokens.texts == run.tokens.texts
    assert recording.tokens.strings == run.tokens.strings
    assert recording.tokens.places == run.tokens.places
    assert np.array_equal(recording.tokens.mask, run.tokens.mask)
    for stage in run.program:
        assert recording.formulas(stage.name) == run.formulas(stage.name)
    best = run["head.words.best"].numpy().ravel()
    assert [recording.word(int(number)) for number in best] == [run.word(int(number)) for number in best]


def test_safetensors_reads_it(run: Run, saved: Path):
    with safe_open(saved, "pt") as file:
        names = set(file.keys())
        assert names == {stage.name for stage in run.program} - {"tokens.one_hot"}
        for name in names:
            assert torch.equal(file.get_tensor(name), run[name].tensor()), name
        manifest = json.loads((file.metadata() or {})["encoder_tui"])
    assert manifest["format"] == 1


def test_numpy_reads_npz(run: Run, tmp_path: Path):
    path = tmp_path / "some.npz"
    assert save(run, path, "layers.0.*").size == path.stat().st_size
    with np.load(path, allow_pickle=False) as arrays:
        names = run.program.match("layers.0.*")
        assert set(arrays) == {*names, "encoder_tui"}
        for name in names:
            assert np.array_equal(arrays[name], run[name].numpy()), name


def test_a_recording_saves_the_same_again(run: Run, saved: Path, tmp_path: Path):
    again = tmp_path / "again.safetensors"
    save(open_snapshot(saved), again)
    with safe_open(saved, "pt") as old, safe_open(again, "pt") as new:
        assert json.loads((old.metadata() or {})["encoder_tui"]) == json.loads((new.metadata() or {})["encoder_tui"])
        assert all(torch.equal(old.get_tensor(name), new.get_tensor(name)) for name in old.keys())  # noqa: SIM118


def test_opens_without_torch(saved: Path):
    script = NEITHER + (
        "from encoder_tui.engine import Debugger, open_snapshot\n"
        "recording = open_snapshot(sys.argv[1])\n"
        "debugger = Debugger(recording); debugger.cont()\n"
        "print(debugger.stage.name, recording['output'].stats().count, recording['tokens.one_hot'].read('0, 0').sum())\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(saved)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[0] == "head.words.best"
    assert done.stdout.split()[2] == "1"


def test_selected_stages_only(small: Encoder, tmp_path: Path):
    run = small.run(THREE)
    save(run, tmp_path / "s.safetensors", "*.weights")
    recording = open_snapshot(tmp_path / "s.safetensors")
    assert recording.has("layers.1.attention.weights")
    assert not recording.has("output")
    assert recording["output"].shape == run["output"].shape
    with pytest.raises(InputError, match=r"layers\.1\.ffn\.norm is not in this recording"):
        recording["output"].read()


def test_one_hot_codes_asked_for_by_name_are_refused_with_the_reason(run: Run, tmp_path: Path):
    with pytest.raises(InputError, match=r"tokens\.one_hot is not written, since tokens\.ids says the same"):
        save(run, tmp_path / "codes.safetensors", select="tokens.one_hot")
    assert not list(tmp_path.iterdir())


def test_only_what_was_reached(small: Encoder, tmp_path: Path):
    saved = save(small.run("one"), tmp_path / "s.safetensors", upto=6)
    assert saved.names[-1] == small.program.stages[6].name
    with pytest.raises(InputError, match="nothing has been reached yet"):
        save(small.run("one"), tmp_path / "s.npz", upto=-1)


def test_patched_stages_are_marked(small: Encoder, tmp_path: Path):
    run = small.run("one two")
    run.override("layers.0.ffn.norm", torch.zeros(run.shapes["layers.0.ffn.norm"]))
    save(run, tmp_path / "s.safetensors")
    recording = open_snapshot(tmp_path / "s.safetensors")
    assert recording.patched == {"layers.0.ffn.norm"}
    assert not recording["layers.0.output"].numpy().any()


def test_windowed_values_are_written_in_blocks(small_dir: Path, tmp_path: Path):
    free = load(small_dir, "cpu").run(THREE)
    limited = load(small_dir, "cpu", budget=1).run(THREE)
    for number, trace in enumerate((free, limited)):
        save(trace, tmp_path / f"{number}.safetensors")
    assert (tmp_path / "0.safetensors").read_bytes() == (tmp_path / "1.safetensors").read_bytes()


def test_permissions_are_a_new_files(small: Encoder, tmp_path: Path):
    import os

    path = tmp_path / "s.safetensors"
    before = os.umask(0o027)
    try:
        save(small.run("one"), path, "output")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_unicode_texts(small: Encoder, tmp_path: Path):
    texts = ["東京 is 🎉 café", '“quotes” \\ " \x00 \x7f']
    save(small.run(texts), tmp_path / "ü 東.safetensors", "tokens.*")
    assert open_snapshot(tmp_path / "ü 東.safetensors").tokens.texts == tuple(texts)
