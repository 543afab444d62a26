"""`python -m tests fuzz`: which fuzzes there are, and which of them run."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

import tests.__main__ as runner


@pytest.fixture
def fuzzes(tmp_path, monkeypatch):
    """Three fuzzes and a part of one; what was run, with which arguments."""
    ran = []
    for name, status in {"files": 0, "lines": 1, "keys": 0}.items():
        (tmp_path / f"{name}.py").write_text("def main(argv):\n    ...\n")
        module = SimpleNamespace(main=lambda argv, name=name, status=status: ran.append((name, [*argv])) or status)
        monkeypatch.setitem(sys.modules, f"tests.fuzz.{name}", module)
    (tmp_path / "grammar.py").write_text("WORDS = ()\n")
    monkeypatch.setattr(runner, "FUZZ", tmp_path)
    return ran


def test_one_by_name_with_its_arguments(fuzzes):
    assert runner.main(["fuzz", "keys", "--n", "3"]) == 0
    assert fuzzes == [("keys", ["--n", "3"])]


def test_all_but_those_in_a_terminal_and_the_worst_status(fuzzes):
    assert runner.main(["fuzz", "--n", "3", "--seed", "7"]) == 1
    assert fuzzes == [("files", ["--n", "3", "--seed", "7"]), ("lines", ["--n", "3", "--seed", "7"])]


def test_a_name_that_is_none_is_told(fuzzes, capsys):
    assert runner.main(["fuzz", "grammar"]) == 2
    assert capsys.readouterr().err == "no fuzz 'grammar'; there are files, keys, lines\n"
    assert not fuzzes


def test_without_fuzz_it_is_the_suite(monkeypatch):
    ran = []
    monkeypatch.setattr(
        runner.subprocess, "run", lambda command, env: ran.append(command[2:]) or SimpleNamespace(returncode=0)
    )
    assert runner.main(["-k", "x"]) == 0
    assert [command[0] for command in ran] == ["ruff", "ruff", "pytest"]
    every = ["pytest", "-n", str(runner.WORKERS), "--dist", "loadfile"]
    assert ran[-1] == [*every, "-m", "not sweep", "--hypothesis-profile", "quick", "-k", "x"]
    ran.clear()
    assert runner.main(["all", "-k", "x"]) == 0
    assert [command[0] for command in ran] == ["ruff", "ruff", "pyright", "pytest"]
    assert ran[-1] == [*every, "-k", "x"]
