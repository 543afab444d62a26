"""Numbers on their way to the clipboard: a row or a window of a plane, for a table or for Python."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ...engine.messages.errors import InputError
from ..drawing.numbers import Scalar, counted, exact
from ..state.plane import Plane, column_label, row_labels
from ..state.subject import Subject
from .window import Bounds, read_window
from .work import see

if TYPE_CHECKING:
    from ...engine.commands.session import Session

MOST_BYTES = 74_994  # base64 makes 100,000 of them, and many terminals take no more into the clipboard
LEAST_BYTES = 2  # of a number and what parts it from the next


def read_copy(session: Session, subject: Subject, plane: Plane, bounds: Bounds, form: str) -> tuple[str, str]:
    """A window as text. Runs on the engine's thread.

    Args:
        form: `tsv`, with the names of rows and columns, or `python`: nested lists that read back as the same numbers.

    Returns:
        The text, and what the window is called.

    Raises:
        InputError: there is nothing in it, or it is more than goes through a terminal.
    """
    name = f"{plane.stage}[{_written(plane, bounds)}]"
    if subject.stage in session.trace.program:  # what leaves the screen is called as the model has it
        along = session.trace.inputs.strings_along(session.trace.program[subject.stage])
        subject = replace(subject, tokens=tuple((axis, tuple(map(tuple, along[axis]))) for axis, _ in subject.tokens))
    if not bounds.cells:
        raise InputError(f"{name} is empty: there is nothing to copy")
    if bounds.cells * LEAST_BYTES > MOST_BYTES:
        raise _too_much(name, bounds)
    if subject.place == "ahead":
        see(session, subject.stage)
    numbers: list[list[Scalar]] = [list(row) for row in read_window(session, plane, bounds).numbers]
    text = _python(name, subject.dtype, numbers) if form == "python" else _tsv(subject, plane, bounds, numbers)
    if len(text.encode()) > MOST_BYTES:
        raise _too_much(name, bounds)
    return text, name


def _too_much(name: str, bounds: Bounds) -> InputError:
    return InputError(
        f"{name} is {counted(bounds.cells)} numbers, more than terminals take into the clipboard; `export PATH` writes them"
    )


def _written(plane: Plane, bounds: Bounds) -> str:
    """The index as one types it."""
    rows = str(bounds.row) if bounds.last_row - bounds.row == 1 else f"{bounds.row}:{bounds.last_row}"
    parts: list[Any] = [*plane.fixed, *(rows, f"{bounds.column}:{bounds.last_column}")[-len(plane.shape) :]]
    return ", ".join(map(str, parts)) if plane.shape else ""


def _tsv(subject: Subject, plane: Plane, bounds: Bounds, numbers: Sequence[Sequence[Scalar]]) -> str:
    columns = range(bounds.column, bounds.last_column)
    rows = row_labels(plane, subject)[bounds.row : bounds.last_row]
    head = [_field(column_label(plane, subject, bounds.row, column)) for column in columns]
    lines = [["", *head], *([_field(label), *map(exact, row)] for label, row in zip(rows, numbers, strict=True))]
    return "\n".join("\t".join(line) for line in lines) + "\n"


def _field(text: str) -> str:
    return " ".join(text.split())


def _python(name: str, dtype: str, numbers: Sequence[Sequence[Scalar]]) -> str:
    rows = [f"[{', '.join(map(_literal, row))}]" for row in numbers]
    whole = rows[0] if len(rows) == 1 else "[" + ",\n ".join(rows) + "]"
    return f"# {name}, {dtype}\n{whole}\n"


def _literal(number: Scalar) -> str:
    """Python has no literal for what is no finite number."""
    text = exact(number)
    return text if text[-1].isdigit() or text in ("True", "False") else f'float("{float(number)}")'
