"""The README's generated table is the command table, and its commands are those CI runs."""

from __future__ import annotations

import importlib.util
import re
import runpy
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
from encoder_tui.engine.commands.document import commands_table

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
TOPS = ("engine", "tui", "tests", "samples")  # where our files are


def test_the_table_is_the_command_table() -> None:
    found = re.search(r"<!-- commands: .*? -->\n(.*?)\n<!-- end of commands -->", README, re.DOTALL)
    assert found
    assert found[1].strip() == commands_table(), "run python -m encoder_tui.engine.commands.document and paste it"


def test_ci_runs_the_readmes_test_command() -> None:
    pattern = re.search(r"sed -n 's/\^(.*)\\\((.*)\\\)\$/\\1/p' README.md", (ROOT / ".ci" / "run").read_text())
    assert pattern
    (every,) = [line for line in README.splitlines() if re.fullmatch(pattern[1] + pattern[2], line)]
    assert "[test]" in every
    assert every.endswith("python -m tests all")
    assert every.removesuffix(" all") in README.splitlines()  # a stranger's, with the sweeps left out


def test_every_package_is_installed() -> None:
    listed = set(re.findall(r'"encoder_tui\.([\w.]+)"', (ROOT / "pyproject.toml").read_text()))
    folders = {
        path.parent.relative_to(ROOT).as_posix().replace("/", ".")
        for top in ("engine", "tui", "samples")
        for path in (ROOT / top).rglob("__init__.py")
    }
    assert listed == folders


def test_every_link_leads_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_every_file_and_module_that_is_named_is_there() -> None:
    """In prose, docstrings and comments alike: what moves is otherwise found only by whoever follows the path."""
    kinds = (".py", ".md", ".toml", ".yaml")
    texts = [README, *(text for top in TOPS for text in read_below(ROOT / top, kinds))]
    paths = {
        path for text in texts for path in re.findall(rf"(?<![\w./~{{-])(?:{'|'.join(TOPS)})/[\w./*-]*[\w*]", text)
    }
    # engine.models.loading.load: all but the last, a class or a function, is a module; further on stand attributes
    dotted = rf"(?<![\w./])(?:encoder_tui\.)?((?:{'|'.join(TOPS)})(?:\.[a-z]\w*)+)\.\w+"
    modules = {module.replace(".", "/") for text in texts for module in re.findall(dotted, text)}
    assert len(paths) > 50
    assert len(modules) > 20
    assert sorted(path for path in paths if not is_there(path)) == []
    assert sorted(module for module in modules if not is_there(module)) == []


def read_below(folder: Path, kinds: tuple[str, ...]) -> list[str]:
    return [path.read_text("utf-8") for path in folder.rglob("*") if path.suffix in kinds]


def is_there(path: str) -> bool:
    """Whether a file or a folder is called that; NAME and the like stand for any."""
    anything = re.sub(r"(?<![A-Z])(?:NAME|KIND|WHAT)(?![A-Z])", "*", path)
    return any(True for ending in ("", ".py") for _ in ROOT.glob(anything + ending))


def test_the_families_are_those_that_are_tested(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table of families has a line for each, and says 0.0 or why not; `tests/benchmarks/families.py` prints it."""
    monkeypatch.syspath_prepend(str(ROOT / "tests" / "engine"))
    from family_kit import samples

    found = re.search(r"<!-- families: .*? -->\n(.*?)\n<!-- end of families -->", README, re.DOTALL)
    assert found
    rows = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in found[1].splitlines()[2:]]
    assert [(row[0], row[1]) for row in rows] == [(sample.family, f"`{sample.example}`") for sample in samples()]
    for row in rows:
        assert row[5] == "0.0" or re.fullmatch(r"\S+ \(.+\)", row[5]), row


def test_the_module_named_like_the_project_is_the_command_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`python -m encoder_tui`, one of two files that lie in the namespace, where no `__init__.py` may lie."""
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    assert "encoder_tui" in packages["packages"]
    folder = ROOT / packages["package-dir"]["encoder_tui"]
    assert sorted(path.name for path in folder.glob("*.py")) == ["__main__.py", "testing.py"]
    monkeypatch.setattr("sys.argv", ["encoder-tui", "--help"])
    with pytest.raises(SystemExit) as left:
        runpy.run_path(str(folder), run_name="__main__")
    assert not left.value.code
    assert capsys.readouterr().out.startswith("usage: encoder-tui ")


def test_the_notebooks_lines_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """As they stand, with nothing imported but what they import; but for the plot where there is no matplotlib."""
    monkeypatch.setenv("MPLBACKEND", "Agg")
    block = re.search(r"\*\*In a notebook\.\*\*.*?\n\n(.*?)\n\n", README, re.DOTALL)
    assert block
    lines = [line.strip() for line in block[1].splitlines()]
    assert lines[-1] == 'weights.plot("head=3")'
    names: dict[str, Any] = {}
    exec("\n".join(lines[:-1]), names)
    assert names["weights"].name == "layers.1.attention.weights"
    if importlib.util.find_spec("matplotlib"):
        exec(lines[-1], names)


def test_the_commands_for_pages_and_browsers_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both are what the command line takes."""
    from encoder_tui.tui import cli, serve

    page, browser = (
        shlex.split(line)
        for line in README.splitlines()
        if re.match(r"    encoder-tui (serve|.*--export walk\.html)", line)
    )
    assert cli.parser().parse_args(page[1:]).export == "walk.html"
    begun: list[str] = []

    def server(host: str, port: int, rest: object) -> _Still:
        begun.append(f"{host}:{port}")
        return _Still()

    monkeypatch.setattr(serve, "_server", server)
    assert cli.main(browser[1:]) == 0
    assert begun == ["127.0.0.1:8000"]


class _Still:
    def serve(self) -> None:
        pass
