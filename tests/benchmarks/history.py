"""The history of figures: a line a run, and which of a new run's are worse than the best before it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

HISTORY = Path(__file__).with_name("history.jsonl")
WORSE = 1.10  # times the best that was ever measured on such a machine


@dataclass(frozen=True, slots=True)
class Line:
    """A run.

    Attributes:
        date: its day, as 2026-11-28.
        commit: what was measured, with a + where the tree had changes of its own; "" where git does not know.
        machine: its kind: processor, cores, threads.
        torch: its version.
        quick: whether fewer repetitions were made: such runs are compared among each other.
        figures: by their names; ratios of ours alone are judged.
        others: figures that are not judged: of others, and those that are no ratios.
    """

    date: str
    commit: str
    machine: str
    torch: str
    quick: bool
    figures: Mapping[str, float]
    others: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Worse:
    """A figure that is worse than the best before it.

    Attributes:
        name: the figure's.
        now, best: what it is, and what it was at best.
        line: the run that had the best.
    """

    name: str
    now: float
    best: float
    line: Line

    def __str__(self) -> str:
        part = 100 * (self.now / self.best - 1)
        where = " ".join(filter(None, (self.line.date, self.line.commit)))
        return f"{self.name}: {self.now:.2f}x is {part:.0f}% worse than the best line, {self.best:.2f}x ({where})"


def read(path: Path) -> list[Line]:
    """The lines of a history; none where there is no such file.

    Raises:
        ValueError: a line that is no run, by its number.
    """
    if not path.exists():
        return []
    lines: list[Line] = []
    for number, text in enumerate(path.read_text("utf-8").splitlines(), 1):
        try:
            lines.append(_line(json.loads(text)))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(
                f"{path}, line {number}: not a run of benchmarks ({type(error).__name__}: {error})"
            ) from None
    return lines


def _line(values: dict[str, Any]) -> Line:
    date, commit, machine, torch = (str(values[name]) for name in ("date", "commit", "machine", "torch"))
    figures, others = (
        {str(name): float(value) for name, value in values[part].items()} for part in ("figures", "others")
    )
    return Line(date, commit, machine, torch, bool(values["quick"]), figures, others)


def add(path: Path, line: Line) -> None:
    """Write a run down after those that are there."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(line), ensure_ascii=False) + "\n")


def comparable(line: Line, earlier: Sequence[Line]) -> list[Line]:
    """The runs on such a machine, with as many repetitions."""
    return [one for one in earlier if (one.machine, one.quick) == (line.machine, line.quick)]


def worse(line: Line, earlier: Sequence[Line], times: float = WORSE) -> list[Worse]:
    """Which of a run's ratios are that many times the best among comparable runs, or more, the worst first."""
    found: list[Worse] = []
    for name, now in line.figures.items():
        having = [one for one in comparable(line, earlier) if name in one.figures]
        if not having:
            continue
        best = min(having, key=lambda one: one.figures[name])
        if now > times * best.figures[name]:
            found.append(Worse(name, now, best.figures[name], best))
    return sorted(found, key=lambda one: one.best / one.now)
