"""A fault of ours: one line, a traceback, and a script that does again what was done."""

from __future__ import annotations

import os
import re
import shlex
import stat
from pathlib import Path
from typing import Any

import pytest
from encoder_tui.engine.commands import TABLE
from encoder_tui.engine.commands.session import Session
from encoder_tui.engine.messages.errors import InputError
from encoder_tui.tui.app.faults import SCRIPT, TRACEBACK, Faults, OwnFault
from encoder_tui.tui.cli import main

TEXT = "The cat sat on the mat."
DONE = [
    "patch layers.0.attention.weights[head=1] = x * 0",
    "fork",
    "ablate layers.1.ffn.up",
    "goto layers.1.attention.scores",
]
BREAKS = ["break layers.*.ffn.up if absmax > 1e9", "tbreak output", "watch absmax > 1e9"]


@pytest.fixture(autouse=True)
def state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("ENCODER_TUI_DEBUG", raising=False)
    return tmp_path / "state"


def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """`stats` has a fault."""
    monkeypatch.setattr("encoder_tui.engine.commands.looking.write_stats", None)


def test_batch_mode_writes_what_was_done_and_the_script_does_it_again(
    capsys: Any, monkeypatch: pytest.MonkeyPatch, state_folder: Path, small_dir: Path
) -> None:
    lines = [word for line in (*DONE, *BREAKS, "stats output", "fork") for word in ("-ex", line)]
    with monkeypatch.context() as context:
        broken(context)
        assert main([TEXT, "-a sock", "--model", str(small_dir), "--dtype", "float64", "--batch", *lines]) == 1
    said = capsys.readouterr().err.strip()
    assert "\n" not in said
    assert said.startswith("encoder-tui: a fault of ours: TypeError: ")
    script = Path(re.findall(r"`-x (\S+)` does again what was done", said)[0])
    assert script.is_relative_to(state_folder / "encoder-tui" / "faults")
    assert "write_stats" in script.with_name(TRACEBACK).read_text("utf-8")
    text = script.read_text("utf-8")
    assert "# The last command was: stats output\n" in text
    assert [line for line in text.splitlines() if not line.startswith("#")] == [*DONE, *BREAKS]
    command = shlex.split(re.findall(r"^#     (encoder-tui .*)$", text, re.MULTILINE)[0])
    assert command[:3] == ["encoder-tui", "-x", str(script)]
    assert command[3:] == ["--model", str(small_dir), "--dtype", "float64", "--", TEXT, "-a sock"]

    assert main([*command[1:3], "--batch", "-ex", "info forks", "-ex", "info breakpoints", *command[3:]]) in (0, 3)
    out = capsys.readouterr().out
    assert f"* {'  '}1 fork: {DONE[0]}; {DONE[2]}" in out
    assert all(line.partition(" ")[2] in out for line in BREAKS)
    assert "at layers.1.attention.scores [2, " in out


def test_files_are_the_owners_alone_and_never_written_over(state_folder: Path) -> None:
    first, second = Faults(), Faults()
    for faults in (first, second):
        assert isinstance(faults.told(ValueError("so")), OwnFault)
    assert first.folder is not None
    assert second.folder is not None
    assert first.folder != second.folder
    assert stat.S_IMODE(first.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((first.folder / TRACEBACK).stat().st_mode) == 0o600
    assert not (first.folder / SCRIPT).exists()  # there was no session: nothing is lost


def test_faults_of_one_session_stand_together_each_once(small: Any) -> None:
    faults = Faults(("a text",))
    session = faults.watching(lambda progress: Session(small.run(TEXT), small))(print)
    one, other = ValueError("one"), KeyError("other")
    assert faults.told(one) is faults.told(one)
    TABLE.execute(session, "fork")
    told = faults.told(other)
    assert faults.told(told) is told
    assert told.__cause__ is other
    assert faults.folder is not None
    text = (faults.folder / TRACEBACK).read_text("utf-8")
    assert (text.count("ValueError: one"), text.count("KeyError: 'other'")) == (1, 1)
    assert (faults.folder / SCRIPT).read_text("utf-8").endswith("\nfork\n")
    assert sorted(path.name for path in faults.folder.iterdir()) == [SCRIPT, TRACEBACK]


def test_where_nothing_can_be_written_the_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "open", full)
    said = str(Faults().told(ValueError("so")))
    assert said.startswith("a fault of ours: ValueError: so; it could not be written down (")
    assert "ENCODER_TUI_DEBUG=1" in said


def test_the_temporary_folder_where_there_is_no_state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for state in (str(tmp_path / "file"), "not/absolute"):
        monkeypatch.setenv("XDG_STATE_HOME", state)
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        faults = Faults()
        faults.told(ValueError("so"))
        assert faults.folder is not None
        assert faults.folder.parent == tmp_path


def test_a_persons_mistake_is_written_nowhere(capsys: Any, state_folder: Path, small_dir: Path) -> None:
    assert main([TEXT, "--model", str(small_dir), "--batch", "-ex", "fork", "-ex", "nonsense"]) == 2
    assert not state_folder.exists()
    assert "traceback" not in capsys.readouterr().err


def test_what_is_damaged_is_told_as_far_as_it_can_be(small: Any) -> None:
    faults = Faults()
    session = faults.watching(lambda progress: Session(small.run(TEXT), small))(print)
    session.done = None  # type: ignore[assignment]
    faults.told(InputError("so"))
    assert faults.folder is not None
    assert "# The rest cannot be told: TypeError" in (faults.folder / SCRIPT).read_text("utf-8")
