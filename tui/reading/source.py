"""The file that a stage comes from, with what its tokens are, and the values of the line."""

from __future__ import annotations

import linecache
import stat
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from rich.syntax import Syntax

from ...engine.messages.errors import InputError, one_line
from ...engine.messages.translation import tr
from ...engine.messages.visible import visible, visible_lines
from ...engine.program.source_lines import is_own_code, name_of_file, passage_at, split_source
from ...engine.program.stage import write_shape

if TYPE_CHECKING:
    from ...engine.commands.session import Session
    from ...engine.program.trace import Trace

PACKAGE = Path(__file__).resolve().parents[2]  # the lines of families are relative to it
LARGEST, LONGEST, TAB = 1 << 20, 400, 4  # bytes of a file, letters of a line that are shown, columns of a tab
MOST_VALUES = 24
# What tokens are called by the first words of their type, the longest that fits.
KINDS = {
    "Token.Keyword": "keyword", "Token.Keyword.Constant": "number", "Token.Name.Builtin": "builtin", "Token.Name.Function": "name",
    "Token.Name.Class": "name", "Token.Name.Decorator": "builtin", "Token.Literal.String": "string", "Token.Literal.Number": "number",
    "Token.Comment": "comment", "Token.Operator.Word": "keyword",
}  # fmt: skip

SourceText = tuple[tuple[str, str], ...]  # pieces of a line, each with what it is


@dataclass(frozen=True, slots=True)
class LineValue:
    """The value of a stage of the line: its shape, and the range of its numbers or why there is none."""

    stage: str
    shape: str
    range: str


@dataclass(frozen=True, slots=True, eq=False)
class SourcePage:
    """A file as it is shown.

    Attributes:
        file: as the stage has it; line: the stage's, counted from 1.
        lines: of the file; empty where it cannot be read.
        note: what is to be said of it: that it is missing, or has been changed since.
        values: of the stages of this passage of the line, in order.
    """

    file: str
    line: int
    lines: tuple[SourceText, ...]
    note: str
    values: tuple[LineValue, ...]


def read_source(session: Session, stage: str) -> SourcePage:
    """Read the file of a stage, and the values of its line. Runs on the engine's thread."""
    program = session.trace.program
    places = passage_at(program.stages, program.index(stage))
    first = max(0, places.index(program.index(stage)) - MOST_VALUES // 2)
    names = [program[place].name for place in places[first : first + MOST_VALUES]]
    values = tuple(_value(session, name) for name in names)
    source = program[stage].source
    (file, line), name = split_source(source), visible(name_of_file(source))
    try:
        lines, changed = _read(file, session.trace.written or session.opened)
    except (OSError, ValueError) as error:
        told = getattr(error, "strerror", None) or one_line(error)
        return SourcePage(file, line, (), tr("{file} cannot be read: {why}", file=name, why=told), values)
    is_other = is_own_code(program[stage]) and (changed or line > len(lines))
    note = tr("{file} has been changed since: the lines may be others", file=name) if is_other else ""
    return SourcePage(file, line, lines, note, values)


def _value(session: Session, name: str) -> LineValue:
    trace = session.trace
    shape = write_shape(trace.shapes[name])
    try:
        session.see(name)
        return LineValue(name, shape, _range(trace, name))
    except InputError as error:
        return LineValue(name, shape, one_line(error))


def _range(trace: Trace, name: str) -> str:
    if not trace.has(name):
        return tr("no numbers here")
    stats = trace.value(name).stats(histogram=False)
    wrong = [f"{count:,} {what}" for count, what in ((stats.nan, "NaN"), (stats.inf, "inf")) if count]
    between = [f"{stats.min:.4g} … {stats.max:.4g}"] if stats.count > stats.nan + stats.inf else []
    return " · ".join([*between, *wrong])


def _read(file: str, since: float) -> tuple[tuple[SourceText, ...], bool]:
    """A file's lines, and whether it has been changed since a moment.

    Raises:
        OSError, ValueError: it cannot be read, is no text, no file of ours, or too large.
    """
    path = Path(file)
    if not path.is_absolute():
        path = (PACKAGE / file).resolve()
        if not path.is_relative_to(PACKAGE):
            raise ValueError(tr("it is no file of this package"))
    try:
        facts = path.stat()
    except OSError:
        if cell := "".join(linecache.getlines(file)):  # of a notebook
            return _coloured(cell), False
        raise
    if not stat.S_ISREG(facts.st_mode):
        raise ValueError(tr("it is no file"))
    if facts.st_size > LARGEST:
        raise ValueError(tr("it has {size} bytes, which is too many", size=f"{facts.st_size:,}"))
    return _coloured_file(path, facts.st_mtime_ns, facts.st_size), facts.st_mtime > since


@lru_cache(4)
def _coloured_file(path: Path, time: int, size: int) -> tuple[SourceText, ...]:
    return _coloured(path.read_text("utf-8"))


@lru_cache(4)
def _coloured(text: str) -> tuple[SourceText, ...]:
    shown = "\n".join(visible_lines(line)[:LONGEST] for line in text.expandtabs(TAB).splitlines())
    lexer = Syntax("", "python").lexer
    assert lexer is not None
    lines: list[list[tuple[str, str]]] = [[]]
    for token, piece in lexer.get_tokens(shown):
        kind = _kind(str(token))
        for at, part in enumerate(piece.split("\n")):
            if at:
                lines.append([])
            if part:
                lines[-1].append((kind, part))
    return tuple(map(tuple, lines[: shown.count("\n") + 1]))


@lru_cache(256)
def _kind(token: str) -> str:
    words = token.split(".")
    fronts = (".".join(words[:count]) for count in range(len(words), 1, -1))
    return next((KINDS[front] for front in fronts if front in KINDS), "")
