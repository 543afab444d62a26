"""The floors of the house, drawn from its imports: lazy ones and those for types alone are counted."""

from __future__ import annotations

import ast
from pathlib import Path

import grimp
import pytest
from importlinter import cli

ROOT = Path(__file__).parent.parent
ENGINE, TUI = "encoder_tui.engine", "encoder_tui.tui"
# Who stands beside another imports nothing of it.
FLOORS = {
    ENGINE: """
commands
pages
analysis
debugger models
traces
ops
program
messages
""",
    TUI: """
__main__
cli
app batch documents option_rules scripts serve
output preferences screens
panes
views
reading
state
drawing
""",
}
# Where a session may be touched: by what runs on its thread, and where there is no other thread.
TOUCH = ("reading/*", "app/engine_thread.py", "app/faults.py", "batch.py")


@pytest.fixture(scope="module")
def graphs() -> dict[str, grimp.ImportGraph]:
    return {house: grimp.build_graph(house, cache_dir=None) for house in FLOORS}


def drawn(graph: grimp.ImportGraph, house: str = ENGINE) -> str:
    """Each package on the highest floor that stands below all that import it, the highest floor first."""
    rooms = {child.rpartition(".")[2] for child in graph.find_children(house)}
    above: dict[str, set[str]] = {room: set() for room in rooms}
    for room in rooms:
        for module in (f"{house}.{room}", *graph.find_descendants(f"{house}.{room}")):
            for imported in graph.find_modules_directly_imported_by(module):
                other = imported.removeprefix(house + ".").partition(".")[0]
                above[other] |= {room} - {other}
    depth: dict[str, int] = {}
    while len(depth) < len(rooms):
        ready = [room for room in rooms - depth.keys() if above[room] <= depth.keys()]
        assert ready, f"a circle among {sorted(rooms - depth.keys())}"
        depth |= {room: 1 + max((depth[other] for other in above[room]), default=-1) for room in ready}
    floors = range(max(depth.values()) + 1)
    return "\n".join(" ".join(sorted(room for room in rooms if depth[room] == floor)) for floor in floors)


@pytest.mark.parametrize("house", FLOORS)
def test_the_floors(graphs: dict[str, grimp.ImportGraph], house: str):
    assert drawn(graphs[house], house) == FLOORS[house].strip()


def test_a_climb_is_seen():
    """Or the drawing would hold whatever the imports are."""
    climbing = grimp.build_graph(ENGINE, cache_dir=None)
    climbing.add_import(importer=f"{ENGINE}.program.stage", imported=f"{ENGINE}.traces.run")
    with pytest.raises(AssertionError, match="a circle among"):
        drawn(climbing)


def test_the_contracts(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    """Those of pyproject.toml: floors, circles within each package, engine and screen."""
    monkeypatch.chdir(ROOT)
    assert cli.lint_imports(no_cache=True) == 0, capsys.readouterr().out


def test_few_doors(graphs: dict[str, grimp.ImportGraph]):
    assert len(graphs[ENGINE].find_children(ENGINE)) <= 9


def touches(source: str) -> list[str]:
    """Where a session is touched: `session` may be handed to a reader, a function of `reading`, and to nothing else."""
    tree = ast.parse(source)
    readers = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and "reading" in (node.module or "").split(".")
        for alias in node.names
    }
    handed = {
        id(argument)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {*readers, "request.run", "sheet.read"}
        for argument in node.args
    }
    return [
        f"{node.lineno}: {ast.unparse(node)}"
        for node in ast.walk(tree)
        if (isinstance(node, ast.Name) and node.id == "session" and id(node) not in handed)
        or (isinstance(node, ast.Attribute) and node.attr in ("session", "_session"))
    ]


def test_only_readers_touch_a_session():
    """They run on the engine's thread, and it is there that a session lives."""
    tui = ROOT / "tui"
    others = [path for path in tui.rglob("*.py") if not any(path.relative_to(tui).match(room) for room in TOUCH)]
    assert len(others) > 50
    assert {str(path.relative_to(tui)): told for path in others if (told := touches(path.read_text("utf-8")))} == {}


@pytest.mark.parametrize(
    "line",
    ["session.done += [1]", "explain(session.trace)", "self.session.trace", "explain(session)", "run(session)"],
)
def test_a_touch_is_seen(line: str):
    assert touches(f"from ..reading.why import read_why\n{line}\nread_why(session, 1)") != []
    assert touches("from ..reading.why import read_why\nread_why(session, 1)") == []
