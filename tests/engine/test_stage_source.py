"""A stage knows the file and line that added it."""

from __future__ import annotations

from pathlib import Path

import encoder_tui.engine
import pytest
from encoder_tui.engine import Session, load, open_snapshot, save
from encoder_tui.engine.commands import TABLE
from encoder_tui.engine.program.stage import Stage

ROOT = Path(encoder_tui.engine.__file__).parent.parent
UP = "layers.0.ffn.up"


@pytest.mark.parametrize("model", [None, "preset:gpt3-width"])
def test_every_stage_of_a_family_has_its_line(model: str | None):
    program = load(model, "cpu", tell=lambda note: None).program
    for stage in program:
        file, _, line = stage.source.rpartition(":")
        assert file.startswith("engine/models/families/"), stage
        assert not file.endswith("builder.py"), stage
        assert (ROOT / file).read_text("utf-8").splitlines()[int(line) - 1].strip(), stage


def test_the_line_is_the_one_that_names_it():
    file, _, line = load(device="cpu").program[UP].source.rpartition(":")
    assert "up" in (ROOT / file).read_text("utf-8").splitlines()[int(line) - 1]


def test_a_recording_keeps_it_and_needs_no_such_file(tmp_path: Path):
    run = load(device="cpu").run("a dog")
    written = f"source      {run.program[UP].source}"
    assert written in TABLE.execute(Session(run), f"info {UP}").text
    save(run, tmp_path / "run.safetensors")
    assert written in TABLE.execute(Session(open_snapshot(tmp_path / "run.safetensors")), f"info {UP}").text
    data = (tmp_path / "run.safetensors").read_bytes()
    gone = data.replace(b"engine/models/families/", b"nowhere/models/familie/")
    assert len(gone) == len(data)
    (tmp_path / "gone.safetensors").write_bytes(gone)
    assert (
        "nowhere/models/familie/"
        in TABLE.execute(Session(open_snapshot(tmp_path / "gone.safetensors")), f"info {UP}").text
    )


def test_it_is_no_part_of_what_a_stage_is():
    assert Stage("a", None, source="one.py:1") == Stage("a", None, source="other.py:2")  # type: ignore[arg-type]
