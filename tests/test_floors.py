"""The floors of the house, drawn from its imports: lazy ones and those for types alone are counted."""

from __future__ import annotations

from pathlib import Path

import grimp
import pytest
from importlinter import cli

ROOT = Path(__file__).parent.parent
ENGINE = "encoder_tui.engine"
# Who stands beside another imports nothing of it.
FLOORS = """
commands
analysis
debugger models
traces
ops
program
messages
"""


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph(ENGINE, cache_dir=None)


def drawn(graph: grimp.ImportGraph) -> str:
    """Each package on the highest floor that stands below all that import it, the highest floor first."""
    rooms = {child.rpartition(".")[2] for child in graph.find_children(ENGINE)}
    above: dict[str, set[str]] = {room: set() for room in rooms}
    for room in rooms:
        for module in (f"{ENGINE}.{room}", *graph.find_descendants(f"{ENGINE}.{room}")):
            for imported in graph.find_modules_directly_imported_by(module):
                other = imported.removeprefix(ENGINE + ".").partition(".")[0]
                above[other] |= {room} - {other}
    depth: dict[str, int] = {}
    while len(depth) < len(rooms):
        ready = [room for room in rooms - depth.keys() if above[room] <= depth.keys()]
        assert ready, f"a circle among {sorted(rooms - depth.keys())}"
        depth |= {room: 1 + max((depth[other] for other in above[room]), default=-1) for room in ready}
    floors = range(max(depth.values()) + 1)
    return "\n".join(" ".join(sorted(room for room in rooms if depth[room] == floor)) for floor in floors)


def test_the_floors(graph):
    assert drawn(graph) == FLOORS.strip()


def test_a_climb_is_seen(graph):
    """Or the drawing would hold whatever the imports are."""
    climbing = grimp.build_graph(ENGINE, cache_dir=None)
    climbing.add_import(importer=f"{ENGINE}.program.stage", imported=f"{ENGINE}.traces.run")
    with pytest.raises(AssertionError, match="a circle among"):
        drawn(climbing)


def test_the_contracts(capsys, monkeypatch):
    """Those of pyproject.toml: floors, circles within each package, engine and screen."""
    monkeypatch.chdir(ROOT)
    assert cli.lint_imports(no_cache=True) == 0, capsys.readouterr().out


def test_few_doors(graph):
    assert len(graph.find_children(ENGINE)) <= 9
