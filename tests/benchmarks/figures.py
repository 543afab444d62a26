"""What a benchmark says: figures, each of something at some size, and the table that the README quotes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

RATIO, EXPONENT = "x", ""


@dataclass(frozen=True, slots=True)
class Figure:
    """One number.

    Attributes:
        what: what was measured, and beside what: a row of the table.
        at: at what size, a column of the table; "" where there is one alone.
        value: the number; not a number where it could not be had.
        unit: `RATIO`, which is the better the smaller it is, `EXPONENT`, or a word: that of a whole number.
        note: what stands after it in brackets.
        held: whether it is held against earlier runs, if it is a ratio: not what is of others, nor what the clock says of a start, which
            is whatever else the machine does.
    """

    what: str
    at: str
    value: float
    unit: str = RATIO
    note: str = ""
    held: bool = True

    @property
    def name(self) -> str:
        """What it is called in the history."""
        return f"{self.what}, {self.at}" if self.at else self.what

    @property
    def judged(self) -> bool:
        """Whether it is held against earlier runs."""
        return self.held and self.unit == RATIO and math.isfinite(self.value)

    @property
    def written(self) -> str:
        """As the table has it."""
        if not math.isfinite(self.value):
            return f"- ({self.note})" if self.note else "-"
        number = f"{self.value:.2f}{self.unit}" if self.unit in (RATIO, EXPONENT) else f"{self.value:,.0f} {self.unit}"
        return f"{number} ({self.note})" if self.note else number


def table(title: str, figures: Sequence[Figure]) -> str:
    """Figures in Markdown: a row for each `what`, a column for each `at`, both in the order in which they come."""
    columns = list(dict.fromkeys(figure.at for figure in figures))
    cells = {(figure.what, figure.at): figure.written for figure in figures}
    lines = [
        (title, *(column or "figure" for column in columns)),
        ("---",) * (1 + len(columns)),
        *((what, *(cells.get((what, at), "") for at in columns)) for what in dict.fromkeys(each.what for each in figures)),
    ]  # fmt: skip
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def parted(said: Iterable[Figure | str]) -> tuple[list[Figure], list[str]]:
    """What a section gives, its figures and its remarks."""
    figures: list[Figure] = []
    remarks: list[str] = []
    for one in said:
        if isinstance(one, str):
            remarks.append(one)
        else:
            figures.append(one)
    return figures, remarks
