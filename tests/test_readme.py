"""The README's generated table is the command table, and its commands are those CI runs."""

from __future__ import annotations

import re
from pathlib import Path

from encoder_tui.engine.commands.document import commands_table

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def test_the_table_is_the_command_table() -> None:
    found = re.search(r"<!-- commands: .*? -->\n(.*?)\n<!-- end of commands -->", README, re.DOTALL)
    assert found
    assert found[1].strip() == commands_table(), "run python -m encoder_tui.engine.commands.document and paste it"


def test_ci_runs_the_readmes_test_command() -> None:
    pattern = re.search(r"sed -n '(.*)' README.md", (ROOT / ".ci" / "run").read_text())
    assert pattern
    lines = [line for line in README.splitlines() if re.match(r"    python3 -m venv .*tests$", line)]
    assert len(lines) == 1
    assert "[test]" in lines[0]


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
