"""`python -m tests fuzz`: which fuzzes there are, and which of them run."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

import tests.__main__ as runner


@pytest.fixture
def fuzzes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[str]]]:
    """Three fuzzes and a part of one; what was run, with which arguments."""
    ran: list[tuple[str, list[str]]] = []
    for name, status in {"files": 0, "lines": 1, "keys": 0}.items():
        (tmp_path / f"{name}.py").write_text("def main(argv):\n    ...\n")

        def main(argv: Sequence[str], name: str = name, status: int = status) -> int:
            ran.append((name, [*argv]))
            return status

        monkeypatch.setitem(sys.modules, f"tests.fuzz.{name}", SimpleNamespace(main=main))
    (tmp_path / "grammar.py").write_text("WORDS = ()\n")
    monkeypatch.setattr(runner, "FUZZ", tmp_path)
    return ran


def test_one_by_name_with_its_arguments(fuzzes: list[tuple[str, list[str]]]):
    assert runner.main(["fuzz", "keys", "--n", "3"]) == 0
    assert fuzzes == [("keys", ["--n", "3"])]


def test_all_but_those_in_a_terminal_and_the_worst_status(fuzzes: list[tuple[str, list[str]]]):
    assert runner.main(["fuzz", "--n", "3", "--seed", "7"]) == 1
    assert fuzzes == [("files", ["--n", "3", "--seed", "7"]), ("lines", ["--n", "3", "--seed", "7"])]


def test_a_name_that_is_none_is_told(fuzzes: list[tuple[str, list[str]]], capsys: pytest.CaptureFixture[str]):
    assert runner.main(["fuzz", "grammar"]) == 2
    assert capsys.readouterr().err == "no fuzz 'grammar'; there are files, keys, lines\n"
    assert not fuzzes


def test_without_fuzz_it_is_the_suite(monkeypatch: pytest.MonkeyPatch):
    ran: list[list[str]] = []

    def run(command: list[str], env: object) -> SimpleNamespace:
        ran.append(command[2:])
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(runner.subprocess, "run", run)
    assert runner.main(["-k", "x"]) == 0
    assert [command[0] for command in ran] == ["ruff", "ruff", "pytest"]
    every = ["pytest", "-n", str(runner.WORKERS), "--dist", "loadfile"]
    assert ran[-1] == [*every, "-m", "not sweep", "--hypothesis-profile", "quick", "-k", "x"]
    ran.clear()
    assert runner.main(["all", "-k", "x"]) == 0
    assert [command[0] for command in ran] == ["ruff", "ruff", "pyright", "pytest"]
    assert ran[-1] == [*every, "-k", "x"]
