"""The rules that hold the house up."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from encoder_tui.engine import Encoder

ROOT = Path(__file__).parent.parent
MOST_LINES = 400
ENGINE, TUI = (sorted((ROOT / part).rglob("*.py")) for part in ("engine", "tui"))


def imported(path: Path) -> set[str]:
    """Full names of the modules that a file imports anywhere in it; relative ones as if the root were a package."""
    found: set[str] = set()
    package = ("root", *path.relative_to(ROOT).parts[:-1])
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            front = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            base = ".".join(filter(None, (front, node.module)))
            found |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
    return {name.removeprefix("root.").removeprefix("encoder_tui.") for name in found}


def breaches(files: list[Path], *forbidden: str) -> list[str]:
    return [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in files
        for name in imported(path)
        if name.partition(".")[0] in forbidden
    ]


def test_there_are_files_to_check():
    assert len(ENGINE) > 20
    assert len(TUI) > 5
    assert "engine.messages.errors" in imported(ROOT / "tui" / "cli.py")
    assert "engine.messages.errors" in imported(ROOT / "engine" / "commands" / "table.py")
    assert "torch" in imported(ROOT / "engine" / "traces" / "run.py")


def test_the_engine_knows_no_screen():
    assert not breaches(ENGINE, "textual", "rich", "tui")


def test_the_screen_knows_no_torch():
    assert not breaches(TUI, "torch", "transformers")


@pytest.mark.parametrize("path", [*ENGINE, *TUI], ids=lambda path: str(path.relative_to(ROOT)))
def test_no_god_file(path: Path):
    assert len(path.read_text("utf-8").splitlines()) <= MOST_LINES


def modules_after(script: str, *arguments: str) -> set[str]:
    """Which of the heavy packages a script leaves imported."""
    ending = "\nimport sys; print(*{'torch', 'textual', 'rich', 'transformers', 'numpy', 'tui'} & {n.partition('.')[0] for n in sys.modules} | ({'tui'} if 'encoder_tui.tui' in sys.modules else set()))"
    command = [sys.executable, "-c", script + ending, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


def test_the_whole_engine_runs_without_a_screen(small_dir: Path):
    script = (
        "import sys, pkgutil, importlib, encoder_tui.engine as e\n"
        "for m in pkgutil.walk_packages(e.__path__, 'encoder_tui.engine.'): importlib.import_module(m.name)\n"
        "e.load(sys.argv[1]).run('one')['output'].stats()"
    )
    assert not modules_after(script, str(small_dir)) & {"textual", "rich", "tui", "transformers"}


def test_the_command_line_imports_nothing_heavy():
    script = "from encoder_tui.tui.cli import parser; parser().parse_args(['x', '--batch'])"
    assert not modules_after(script) & {"torch", "textual", "rich", "numpy"}


def test_the_commands_import_no_torch():
    assert "torch" not in modules_after("import encoder_tui.engine.commands")


def test_looking_at_a_recording_imports_neither_torch_nor_textual(small: Encoder, tmp_path: Path):
    from encoder_tui.engine import save

    save(small.run("one"), tmp_path / "s.safetensors")
    script = (
        "import sys; from encoder_tui.tui.cli import main\n"
        "assert main(['--open', sys.argv[1], '--batch', '-ex', 'stats output', '-ex', 'info stages', '-ex', 'step 3']) == 0"
    )
    assert not modules_after(script, str(tmp_path / "s.safetensors")) & {"torch", "textual", "rich"}


def test_commands_have_one_name_and_help():
    from encoder_tui.engine.commands import TABLE

    names = Counter(name for command in TABLE for name in (command.name, *command.short))
    assert max(names.values()) == 1
    for command in TABLE:
        assert command.help.endswith("."), command.name
        assert command.usage.startswith(command.name), command.name
        assert command.group, command.name


def test_a_key_means_one_thing():
    from encoder_tui.engine.commands import TABLE

    keys = Counter(key.key for command in TABLE for key in command.keys)
    assert [key for key, count in keys.items() if count > 1] == []


def test_keys_run_their_own_command():
    from encoder_tui.engine.commands import TABLE

    for command in TABLE:
        for key in command.keys:
            assert TABLE.find(key.line.split()[0]) is command, key.key
            assert key.label, key.key


def test_the_words_of_the_design_are_there():
    from encoder_tui.engine.commands import TABLE

    for word in [
        "step",
        "next",
        "finish",
        "continue",
        "until",
        "reverse-step",
        "reverse-next",
        "reverse-finish",
        "reverse-continue",
        "rs",
        "rn",
        "rf",
        "rc",
        "goto",
        "break",
        "tbreak",
        "info",
        "delete",
        "print",
        "stats",
        "export",
        "open",
        "help",
        "quit",
    ]:
        assert TABLE.find(word)
