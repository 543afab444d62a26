"""Completions as the shells themselves make them, and the manual page."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tomllib
from pathlib import Path

import pexpect
import pytest
from encoder_tui.engine import Encoder, save
from encoder_tui.engine.commands import TABLE
from encoder_tui.tui.cli import main, parser
from encoder_tui.tui.documents.completion import Completed, options_of, script_for, with_globs
from encoder_tui.tui.option_rules import SHELLS

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "tui" / "documents" / "encoder-tui.1"
STAGES = with_globs(["tokens.ids", "layers.0.ffn.up", "layers.0.ffn.down", "layers.1.ffn.up"])
WORDS = Completed(STAGES, tuple(TABLE.names), ("cbow", "skipgram", "preset:bert-base", "preset:bert-large"))
# What is typed, and what Tab makes of it: the words that could follow.
TRIED = [
    ("encoder-tui --print-c", {"--print-completion"}),
    ("encoder-tui -b layers.0.", {"layers.0.ffn.up", "layers.0.ffn.down"}),
    ("encoder-tui --break 'layers.*", {"layers.*.ffn.up", "layers.*.ffn.down"}),
    ("encoder-tui -ex 'analo", {"analogy"}),
    ("encoder-tui -ex 'stats tok", {"stats tokens.ids"}),
    ("encoder-tui --lang z", {"zh"}),
    ("encoder-tui --model cb", {"cbow"}),
    ("encoder-tui --model preset:bert-l", {"preset:bert-large"}),
    ("encoder-tui --against=", set[str]()),
]
needs = {shell: pytest.mark.skipif(shutil.which(shell) is None, reason=f"no {shell} here") for shell in SHELLS}


@pytest.fixture
def script(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    path = tmp_path / f"completion.{request.param}"
    path.write_text(script_for(request.param, parser(), WORDS), "utf-8")
    return path


@pytest.mark.parametrize("script", [pytest.param(shell, marks=needs[shell]) for shell in SHELLS], indirect=True)
def test_the_shell_reads_it(script: Path) -> None:
    subprocess.run([script.suffix[1:], "-n", str(script)], check=True)


@needs["bash"]
@pytest.mark.parametrize("script", ["bash"], indirect=True)
@pytest.mark.parametrize(("line", "wanted"), TRIED)
def test_what_bash_makes_of_it(script: Path, line: str, wanted: set[str], tmp_path: Path) -> None:
    """With the words as readline breaks them: at : and = as well, a quoted one whole."""
    before, quote, within = line.partition("'")
    words = before.replace(":", " : ").replace("=", " = ").split() + [quote + within] * bool(quote)
    words += [""] * line.endswith(" ")
    asked = f"compopt() {{ :; }}; . {script}; COMP_CWORD={len(words) - 1}; _encoder_tui; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    listed = subprocess.run(
        ["bash", "-c", 'COMP_WORDS=("$@"); ' + asked, "bash", *words],
        check=True,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    trimmed = {word.rpartition(":")[2] if ":" in line else word for word in wanted}
    assert {word for word in listed.stdout.splitlines() if word} == trimmed


@needs["fish"]
@pytest.mark.parametrize("script", ["fish"], indirect=True)
def test_what_fish_makes_of_it(script: Path, tmp_path: Path) -> None:
    tried = [(line, wanted) for line, wanted in TRIED if "*" not in line]  # which it takes for a glob of its own
    asks = "; ".join(f'complete -C "{line}"; echo ==' for line, _ in tried)
    environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    listed = subprocess.run(
        ["fish", "--no-config", "-c", f"source {script}; {asks}"],
        check=True, capture_output=True, text=True, env=environment, cwd=tmp_path,
    )  # fmt: skip
    answers = listed.stdout.split("==\n")
    for (line, wanted), answer in zip(tried, answers, strict=False):
        assert {said.partition("\t")[0].strip() for said in answer.splitlines()} >= wanted, line
    assert "print a script that completes" in answers[0]  # fish shows what an option is for


@needs["zsh"]
@pytest.mark.parametrize("script", ["zsh"], indirect=True)
def test_what_zsh_makes_of_it(script: Path, tmp_path: Path) -> None:
    """Tab in an interactive zsh. What is certain is put there at once."""
    shell: pexpect.spawn[str] = pexpect.spawn(
        "zsh", ["-f", "-i"], encoding="utf-8", timeout=20, dimensions=(40, 200), cwd=str(tmp_path)
    )
    try:
        shell.sendline(
            f"PS1='> '; autoload -U compinit; compinit -u -D; . {script}; encoder-tui() {{ print -r -- got \"$@\" }}; echo re''ady"
        )
        shell.expect("ready")
        for typed, told in (
            ("encoder-tui --print-c\t fish", "got --print-completion fish"),
            ("encoder-tui -b tok\t", "got -b tokens.ids"),
            ("encoder-tui -ex 'stats tok\t'", "got -ex stats tokens.ids"),
            ("encoder-tui --model preset:bert-l\t", "got --model preset:bert-large"),
        ):
            shell.send(f"{typed}\r")
            shell.expect_exact(f"{told}")
    finally:
        shell.close(force=True)


@needs["bash"]
@pytest.mark.parametrize("script", ["bash"], indirect=True)
def test_what_a_person_sees_in_bash(script: Path, tmp_path: Path) -> None:
    shell: pexpect.spawn[str] = pexpect.spawn(
        "bash", ["--norc", "-i"], encoding="utf-8", timeout=20, dimensions=(40, 200), cwd=str(tmp_path)
    )
    try:
        shell.sendline(f". {script}; encoder-tui() {{ printf '<%s>' got \"$@\"; }}; echo re''ady")
        shell.expect("ready")
        shell.send("encoder-tui --model preset:bert-l\t --lang=z\t -ex 'stats tok\t\r")
        shell.expect_exact("<got><--model><preset:bert-large><--lang=zh><-ex><stats tokens.ids>")
    finally:
        shell.close(force=True)


def test_every_option_is_completed() -> None:
    options = list(options_of(parser()))
    assert {name for option in options for name in option.names} == {
        name for action in parser()._actions for name in action.option_strings
    }
    kinds = {option.names[-1]: option.kind for option in options}
    assert (kinds["--export"], kinds["--select"], kinds["--batch"], kinds["--seed"]) == (
        "files",
        "stages",
        "flag",
        "text",
    )


def test_help_with_marks_of_the_shells_is_quoted() -> None:
    odd = argparse.ArgumentParser()
    odd.add_argument("--odd", metavar="X", help='it\'s a $HOME [x]: `y` \\ "z"')
    for shell in SHELLS:
        if shutil.which(shell):
            done = subprocess.run(
                [shell, "-n"], input=script_for(shell, odd, WORDS), capture_output=True, text=True, check=False
            )
            assert (done.returncode, done.stderr) == (0, ""), shell


def test_the_page_that_is_installed_is_the_one_that_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--man", "--lang", "zh"]) == 0
    assert capsys.readouterr().out == PAGE.read_text("utf-8"), "run encoder-tui --man > tui/documents/encoder-tui.1"
    files = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["data-files"]
    assert files == {"share/man/man1": [PAGE.relative_to(ROOT).as_posix()]}


def test_the_page_has_every_option_and_command() -> None:
    page = PAGE.read_text("utf-8").replace("\\-", "-").replace("\\(aq", "'")
    for action in parser()._actions:
        assert all(name in page for name in action.option_strings)
    assert [command.usage for command in TABLE if command.usage not in page] == []


@pytest.mark.parametrize(
    "reader", [["mandoc", "-Tlint", "-Wstyle"], ["groff", "-man", "-ww", "-Tutf8", "-z"]], ids=["mandoc", "groff"]
)
def test_those_who_read_such_pages_find_nothing_wrong(reader: list[str]) -> None:
    if shutil.which(reader[0]) is None:
        pytest.skip(f"no {reader[0]} here")
    done = subprocess.run([*reader, str(PAGE)], capture_output=True, text=True, check=False)
    assert (done.stdout + done.stderr).strip() == ""


def test_a_script_is_printed_with_the_stages_of_what_is_opened(
    small: Encoder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(small.run("one"), tmp_path / "s.safetensors")
    assert main(["--open", str(tmp_path / "s.safetensors"), "--print-completion", "bash"]) == 0
    told = capsys.readouterr()
    assert " layers.1.attention.weights " in told.out
    assert " layers.*.attention.weights " in told.out
    assert told.err == ""
