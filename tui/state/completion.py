"""What Tab makes of a command line that is half written."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...engine.messages.errors import InputError
from ...engine.program.addresses import AT
from ...engine.program.source_lines import is_own_code, name_of_file, stage_lines

if TYPE_CHECKING:
    from ...engine.commands import Command, CommandTable
    from ...engine.program.program import Program
    from ...engine.program.stage import Stage

NamesBeside = Callable[["Stage"], Iterable[str]]

# A stage may stand inside something: `print -x`, `abs(layers.0...`, `a.b[0] - c.d`.
_NAME = re.compile(r"[\w.*?/@-]*$")
_LINE = re.compile(r"(?P<file>[^\s()\[\]@*?:]+):[0-9]*$")


@dataclass(frozen=True, slots=True)
class Completion:
    """What a line can become.

    Attributes:
        line: the line with everything added that is certain.
        choices: what could come next, as a person would call it; empty when nothing or one thing fits.
    """

    line: str
    choices: tuple[str, ...] = ()


def complete(
    line: str, table: CommandTable, program: Program | None, beside: NamesBeside = lambda stage: ()
) -> Completion:
    """Complete the end of a line.

    Args:
        program: where stages' names come from; None before there is one.
        beside: what stands after the `@` of a stage's addresses.
    """
    if " " not in line.lstrip():
        return _extend(line, line.lstrip(), table.names, finish=" ")
    command = command_of(line, table)
    if command is None:
        return Completion(line)
    kind = command.completes
    if isinstance(kind, tuple):
        word = line.rpartition(" ")[2]
        completion = _extend(line, word, kind, finish="")
        # `info` takes words and stages alike
        return (
            completion
            if completion.choices or completion.line != line or "STAGE" not in command.usage
            else _stage(line, program)
        )
    if kind == "stage":
        return _stage(line, program)
    if kind == "address":
        return _stage(line, program, beside)
    if kind == "command":
        return _extend(line, line.rpartition(" ")[2], table.names, finish="")
    if kind == "path":
        return _path(line)
    return Completion(line)


def command_of(line: str, table: CommandTable) -> Command | None:
    """The command a line begins with, once its name is complete."""
    word, space, _ = line.lstrip().partition(" ")
    try:
        return table.find(word) if word and space else None
    except InputError:
        return None


def _stage(line: str, program: Program | None, beside: NamesBeside = lambda stage: ()) -> Completion:
    written = _NAME.search(line)
    word = written[0] if written else ""
    if program is None:
        return Completion(line)
    stage, at, _ = word.partition(AT)
    if of_line := _LINE.search(line):
        file = of_line["file"]
        return _extend(
            line, of_line[0], [f"{file}:{number}" for number in stage_lines(program, file)], finish="", separator=":"
        )
    if at:
        if stage not in program:
            return Completion(line)
        every = [f"{stage}{AT}{what}" for what in beside(program[stage])]
        return _extend(line, word, every, finish="", separator=AT)
    files = {f"{name_of_file(stage.source)}:": None for stage in program if is_own_code(stage)}
    names = [*(stage.name for stage in program), *program.aliases, *files]
    return _extend(line, word, names, finish="", separator=".")


def _path(line: str) -> Completion:
    word = line.partition(" ")[2].lstrip()
    folder, _, start = word.rpartition("/")
    base = Path(os.path.expanduser(folder or ("/" if word.startswith("/") else ".")))
    try:
        entries = sorted(base.iterdir())[:2000]
    except OSError:
        return Completion(line)
    names = [entry.name + "/" * entry.is_dir() for entry in entries if start.startswith(".") or entry.name[0] != "."]
    return _extend(line, start, names, finish="")


def _extend(line: str, word: str, names: Iterable[str], *, finish: str, separator: str = "") -> Completion:
    """Extend `word`, the end of `line`, as far as all names that begin with it agree.

    Args:
        finish: what follows a word that is complete.
        separator: names are offered a piece at a time, up to the next of these.
    """
    fitting = list(dict.fromkeys(name for name in names if name.startswith(word)))
    if not fitting:
        return Completion(line)
    shared = _beginning(fitting)
    longer = line[: len(line) - len(word)] + shared
    if len(fitting) == 1:
        return Completion(longer + finish)
    return Completion(longer, _choices(fitting, len(shared), separator))


def _beginning(names: Sequence[str]) -> str:
    """What all names begin with."""
    first, last = min(names), max(names)
    agree = (at for at, (one, other) in enumerate(zip(first, last, strict=False)) if one != other)
    return first[: next(agree, min(len(first), len(last)))]


def _choices(names: Sequence[str], known: int, separator: str) -> tuple[str, ...]:
    """What can follow the first `known` characters, each shown from the beginning of its piece."""
    if not separator:
        return tuple(names)
    start = names[0].rfind(separator, 0, known) + 1
    pieces: dict[str, None] = {}
    for name in names:
        end = name.find(separator, max(start, known))
        pieces[name[start:] if end < 0 else name[start : end + 1]] = None
    return tuple(sorted(pieces, key=_natural))


def _natural(text: str) -> list[tuple[int, str]]:
    """Sorts 2 before 10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", text)]
