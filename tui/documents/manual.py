"""The page for `man`, written from the options and the table of commands: `encoder-tui --man`.

What is installed is `encoder-tui.1` beside this file; a test holds it to what is written here.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from textwrap import wrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...engine.commands import CommandTable

WRITTEN = "2026-11-27"  # when the words of this page were written; options and commands are those of the release
EXIT = {
    "0": "it ran to its end, or was left",
    "1": "a fault of encoder-tui's own; where it is written down is told",
    "2": "bad input",
    "3": "with --batch: a breakpoint holds it, it differs from what it is compared with, or a check found a fault",
    "130": "interrupted",
}
FILES = {
    "$XDG_CONFIG_HOME/encoder-tui/config.toml": "theme, language, home (map or tree) and [keys], each a key and the command line it "
    'runs: f5 = "run". Written by the commands theme, set lang and home.',
    "$XDG_CONFIG_HOME/encoder-tui/init": "command lines, one a line, that run on opening the screen.",
    "$XDG_STATE_HOME/encoder-tui/history": "what was typed on the command line.",
    "$XDG_STATE_HOME/encoder-tui/faults": "faults of encoder-tui's own, each with a script that does again what was done.",
}
ENVIRONMENT = {
    "XDG_CONFIG_HOME, XDG_STATE_HOME": "where the files are; ~/.config and ~/.local/state if not set.",
    "LC_ALL, LC_MESSAGES, LANG": "the language, if nothing else names one.",
    "NO_COLOR": "no colours: signs and numbers say the same.",
    "TEXTUAL_THEME": "the theme, before the one in config.toml.",
    "ENCODER_TUI_DEBUG": "shows the traceback of an error.",
}
EXAMPLES = (
    'encoder-tui "The animal didn\'t cross the street because it was too tired"',
    "encoder-tui \"a text\" --batch -b 'layers.2.attention.weights' -ex continue -ex 'stats layers.2.attention.weights'",
    'encoder-tui "a text" --model ./my-bert --batch --export all.safetensors',
)


def manual(parser: argparse.ArgumentParser, table: CommandTable, groups: dict[str, str]) -> str:
    """The page, in the language of man pages.

    Args:
        groups: what groups of commands are called, in their order.
    """
    lines: list[str] = []
    for line in _lines(parser, table, groups):
        tag = bool(lines) and lines[-1] == ".TP"  # which is one line, however long
        asis = tag or line.startswith(".") or lines[-1:] == [".nf"]
        lines += [line] if asis else [_still(part) for part in wrap(line, 78, break_on_hyphens=False)]
    return "\n".join(lines) + "\n"


def _still(line: str) -> str:
    """A line of text that would be a request."""
    return f"\\&{line}" if line.startswith(".") else line


def _lines(parser: argparse.ArgumentParser, table: CommandTable, groups: dict[str, str]) -> Iterator[str]:
    yield '.\\" Written by `encoder-tui --man`; change the options and commands instead.'
    yield f'.TH ENCODER\\-TUI 1 "{WRITTEN}" "encoder\\-tui" "User Commands"'
    yield ".SH NAME"
    yield r"encoder\-tui \- step\-through debugger for Transformer encoders"
    yield ".SH SYNOPSIS"
    yield ".B encoder\\-tui"
    yield r"[\fIOPTION\fR ...] [\fITEXT\fR ...]"
    yield ".SH DESCRIPTION"
    yield _text(parser.description or "")
    yield _text(parser.epilog or "")
    yield ".SH OPTIONS"
    for action in parser._actions:
        metavar = "" if action.nargs == 0 else f" \\fI{_text(str(action.metavar or action.dest.upper()))}\\fR"
        names = ", ".join(f"\\fB{_text(name)}\\fR{metavar}" for name in action.option_strings)
        yield from (".TP", names or metavar.strip(), _text((action.help or "").replace("%%", "%")))
    yield ".SH COMMANDS"
    yield "On the screen each is typed after \\fB:\\fR, many have keys; \\-ex, \\-x and the init file take the same lines."
    for group, title in groups.items():
        yield f".SS {_text(title)}"
        for command in table:
            if command.group == group:
                keys = " ".join(_text(key.name) for key in command.keys)
                yield from (".TP", f"\\fB{_text(command.usage)}\\fR", _text(command.help))
                if command.short:
                    yield f"Short: {', '.join(map(_text, command.short))}."
                if keys:
                    yield f"Keys: {keys}"
    for title, entries in (("EXIT STATUS", EXIT), ("FILES", FILES), ("ENVIRONMENT", ENVIRONMENT)):
        yield f".SH {title}"
        for name, meaning in entries.items():
            yield from (".TP", f"\\fB{_text(name)}\\fR", _text(meaning))
    yield ".SH EXAMPLES"
    for example in EXAMPLES:
        yield from ((".PP",) * (example != EXAMPLES[0]) + (".nf", _text(example), ".fi"))
    yield ".SH SEE ALSO"
    yield _text("The README of the project has a tour, tables of families, and what is refused.")


def _text(text: str) -> str:
    """Text of one line that means itself: no request at its front, hyphens that can be copied."""
    plain = " ".join(text.split())
    for mark, written in (("\\", "\\e"), ("-", "\\-"), ("'", "\\(aq"), ("`", "\\(ga")):
        plain = plain.replace(mark, written)
    plain = "".join(letter if letter.isascii() else f"\\[u{ord(letter):04X}]" for letter in plain)
    return _still(plain)
