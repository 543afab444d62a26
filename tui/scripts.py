"""What was given with the start: command lines, one by one and in files, and texts."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from ..engine.messages.errors import InputError, one_line

MOST_SCRIPT = 10_000_000


def given_lines(commands: Sequence[tuple[str, str]]) -> list[str]:
    """The command lines of `-b`, `-ex` and `-x`, in the order in which they were given.

    Args:
        commands: `break`, `line` or `script`, and what stood after the option.

    Raises:
        InputError: a script cannot be read.
    """
    lines: list[str] = []
    for kind, text in commands:
        if kind == "script":
            try:
                lines += _script(os.path.expanduser(text)).splitlines()
            except (OSError, ValueError) as error:
                raise InputError(
                    f"cannot read the script {text!r}: {getattr(error, 'strerror', None) or one_line(error)}"
                ) from None
        else:
            lines.append(f"break {text}" if kind == "break" else text)
    return [line for line in lines if line.strip() and not line.lstrip().startswith("#")]


def _script(path: str) -> str:
    """The text of a script. It may be a pipe, such as a shell's `<(...)`: it was named by whoever waits for it."""
    with open(path, encoding="utf-8-sig") as file:
        text = file.read(MOST_SCRIPT + 1)
    if len(text) > MOST_SCRIPT:
        raise ValueError(f"more than {MOST_SCRIPT:,} letters")
    return text


def typed_texts(options: argparse.Namespace) -> list[str]:
    """The texts of the command line, `-` read from standard input, a text a line.

    Raises:
        InputError: standard input cannot be read, or has none.
    """
    texts: list[str] = []
    for text in options.text:
        if text != "-":
            texts.append(text)
            continue
        try:
            given = sys.stdin.read() if sys.stdin is not None else ""  # None where it was closed
            texts += [line for line in given.splitlines() if line.strip()]
        except UnicodeDecodeError as error:
            raise InputError(f"standard input is not valid UTF-8 ({one_line(error)})") from None
        except OSError as error:
            raise InputError(f"cannot read standard input: {error.strerror}") from None
        if not texts:
            raise InputError("standard input has no text; write one text a line")
    return texts
