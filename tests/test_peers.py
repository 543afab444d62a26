"""The README's table of peers is what was measured, and what is measured can be measured again."""

from __future__ import annotations

import re
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
import torch

ROOT = Path(__file__).parent.parent
BENCHMARKS = ROOT / "tests" / "benchmarks"


@pytest.fixture
def peers_table(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return import_module("peers_table")


def test_the_readme_has_the_table_that_was_measured(peers_table: ModuleType) -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    block = re.search(r"<!-- peers: .*? -->\n(.*?)\n<!-- end of peers -->", readme, re.DOTALL)
    assert block
    expected = peers_table.table(peers_table.read_figures())
    assert block[1] == expected, "run python tests/benchmarks/peers.py and paste what it prints at its end"


def test_every_tool_had_all_pairs_before_it_and_ours_has_no_false_alarm(peers_table: ModuleType) -> None:
    rows = peers_table.read_figures()["rows"]
    for tool in {row["tool"] for row in rows}:
        kinds = ["stage" in row for row in rows if row["tool"] == tool]
        assert (kinds.count(True), kinds.count(False)) == (17, 3), tool
    ours = [row for row in rows if row["tool"] == peers_table.OURS]
    assert {row["healthy"] for row in ours if "healthy" in row} == {"quiet"}
    assert sum(row.get("stage") == "right" and row["cause"] for row in ours) >= 15


@pytest.mark.sweep
def test_a_pair_can_be_asked_for_again(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    peers = import_module("peers")
    monkeypatch.setattr(torch, "set_num_threads", print)  # the other tests' are left as they are
    monkeypatch.setattr(sys, "argv", ["peers.py", "one bias zero"])
    peers.main()
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("one bias zero")]
    assert len(lines) == len(peers.TOOLS) - len(peers.missing())
    assert all(" right " in line for line in lines)
    assert lines[0].endswith("cause: theirs adds no bias, or one that is all zero")
