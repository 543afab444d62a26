"""A report as Markdown for a forge: tables, and the picture in characters."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from ...analysis.compare import Difference
from ...analysis.compare.text import verdict
from ...analysis.diagnose.text import cause_rows, verdict_of
from ...messages.translation import tr, trn
from ...messages.visible import visible
from ...program.dtypes import floor_of
from ...program.element import write_place
from ...program.source_lines import is_own_code
from ...program.writing import cells
from ..comparison import figure_in_cell, numbers_compared
from ..heat import few_digits, scale_over
from .as_html import FACTS
from .picture import DifferencePicture
from .report import ComparedPair, DifferenceReport

SHADES = " ░▒▓█"
AROUND = 3  # stages before and after the first that differs
NUMBERS = 5  # columns of numbers
MARKS = re.compile(r"([\\`*_{}\[\]<>()#+\-.!|~@&$])")


def write_markdown(report: DifferenceReport) -> str:
    """The whole file."""
    said = tr("equal") if report.equal else tr("they differ")
    parts = [f"## encoder-tui: {said}"]
    for pair in report.pairs:
        parts += _pair(pair)
    if report.command:
        parts.append(fenced([report.command], "sh"))
    parts.append(", ".join(f"{prose(name)} {prose(number)}" for name, number in report.versions.items()))
    return "\n\n".join(parts) + "\n"


def prose(text: str) -> str:
    """A text in which nothing is a mark, a link or a mention."""
    return MARKS.sub(r"\\\1", visible(text))


def code(text: str) -> str:
    """A text as code, within a table as well; a forge makes no mention of what stands there."""
    shown = visible(text).replace("|", "\\|")
    ticks = "`" * (max((len(run) for run in re.findall("`+", shown)), default=0) + 1)
    beside = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{ticks}{beside}{shown}{beside}{ticks}" if shown else ""


def fenced(lines: Iterable[str], kind: str = "text") -> str:
    """Lines as they are."""
    text = "\n".join(map(visible, lines))
    ticks = "`" * max(3, *(len(run) + 1 for run in ["", *re.findall("`+", text)]))
    return f"{ticks}{kind}\n{text}\n{ticks}"


def table(titles: Sequence[str], rows: Iterable[Sequence[str]], right: str = "") -> str:
    """A table.

    Args:
        right: of each column whether its cells are numbers, `r`, or not, ` `.
    """
    marks = ["--:" if column < len(right) and right[column] == "r" else "---" for column in range(len(titles))]
    return "\n".join(f"| {' | '.join(line)} |" for line in (titles, marks, *rows))


def _pair(pair: ComparedPair) -> list[str]:
    comparison = pair.comparison
    title = tr("theirs") + (f" ({code(comparison.title)})" if comparison.title else "")
    known = [name for name in FACTS if name in comparison.ours or name in comparison.theirs]
    sides = [[name, code(comparison.ours.get(name, "")), code(comparison.theirs.get(name, ""))] for name in known]
    parts = [f"**{prose(verdict(comparison))}**", table(["", tr("ours"), title], sides)]
    notes = (*pair.asides, *comparison.alignment.notes())
    parts.append("\n".join([*(f"- {code(text)}" for text in pair.texts), *(f"- {prose(line)}" for line in notes)]))
    return [*filter(None, parts), *_first(pair), *_diagnosis(pair), *_stages(pair)]


def _first(pair: ComparedPair) -> list[str]:
    shape, row = pair.comparison.shape_first, pair.first
    parts = [f"### {tr('first difference')}: {code(shape.name)}", prose(str(shape))] if shape is not None else []
    if row is None:
        return parts
    if shape is None:
        parts.append(f"### {tr('first difference')}: {code(row.name)}")
    stage = pair.stage(row.name)
    lines = [f"- {code(stage.source)}"] * is_own_code(stage)
    if row.place is not None:
        lines.append(f"- {code(f'{write_place(row.axes, row.place)}: {row.ours:.9g} / {row.theirs:.9g}')}")
    parts.append("\n".join([*lines, *(f"- {code(note)}" for note in row.notes)]))
    return [*filter(None, parts), *([fenced(_picture(pair.picture))] if pair.picture is not None else [])]


def _picture(picture: DifferencePicture) -> list[str]:
    """Ours, theirs and the difference side by side as shades, then the numbers of the difference around its largest."""
    floor = floor_of(picture.dtype)
    both = scale_over([picture.ours, picture.theirs], floor).reach
    apart = scale_over([picture.difference]).reach
    planes = (("A", picture.ours, both), ("B", picture.theirs, both), ("A-B", picture.difference, apart))
    width = max(cells(name) for name in ("", *picture.rows))
    columns = 2 * len(picture.columns)
    head = "   ".join(f"{name:<{columns}}" for name, _, _ in planes)
    lines = [f"{picture.stage} {picture.fixed}".rstrip(), f"{' ' * width}  {head}".rstrip()]
    for at, name in enumerate(picture.rows):
        shades = "   ".join(_shaded(numbers[at], reach, floor) for _, numbers, reach in planes)
        lines.append(f"{name}{' ' * (width - cells(name))}  {shades}".rstrip() + "  <" * (at == picture.place[0]))
    lines.append(f"{' ' * width}  {picture.axes[1]} {picture.columns[0]} … {picture.columns[-1]}; █ is {few_digits(both)}, of A-B {few_digits(apart)}")  # fmt: skip
    return [*lines, "", *_numbers(picture, width)]


def _shaded(numbers: npt.NDArray[np.float64], reach: float, floor: float) -> str:
    """Two characters a number: its sign where it is below 0, and how large it is."""
    return "".join(_shade(float(number), reach, floor) for number in numbers)


def _shade(number: float, reach: float, floor: float) -> str:
    if not math.isfinite(number):
        return "!!"
    if number <= floor:
        return "··"
    size = SHADES[min(len(SHADES) - 1, math.ceil(abs(number) / reach * (len(SHADES) - 1) - 1e-9))] if reach else " "
    return f"{'-' if number < 0 and size != ' ' else size}{size}"


def _numbers(picture: DifferencePicture, width: int) -> list[str]:
    row, column = picture.place
    start = max(0, min(column - NUMBERS // 2, len(picture.columns) - NUMBERS))
    shown = range(start, min(len(picture.columns), start + NUMBERS))
    lines = [["", *(picture.columns[at] for at in shown)]]
    for name, plane in (("A", picture.ours), ("B", picture.theirs), ("A-B", picture.difference)):
        lines.append([name, *(f"{plane[row, at]:.6g}" for at in shown)])
    sizes = [max(cells(line[at]) for line in lines) for at in range(len(shown) + 1)]
    sizes[0] = max(width, sizes[0])
    lines[0][0] = picture.rows[row]
    return [
        "  ".join([line[0] + " " * (sizes[0] - cells(line[0])), *(" " * (size - cells(word)) + word for word, size in zip(line[1:], sizes[1:], strict=True))])
        for line in lines
    ]  # fmt: skip


def _diagnosis(pair: ComparedPair) -> list[str]:
    if pair.diagnosis is None:
        return [f"### {tr('Diagnosis')}", prose(pair.refusal)] if pair.refusal else []
    parts = [f"### {tr('Diagnosis')}"]
    for cause in pair.diagnosis.causes:
        parts.append("\n".join(f"- **{name}** {code(text)}" for name, text in cause_rows(cause, tr("cause"))))
    return [*parts, prose(verdict_of(pair.diagnosis))]


def _stages(pair: ComparedPair) -> list[str]:
    rows, first = pair.comparison.rows, pair.first
    at = rows.index(first) if first is not None else 0
    titles = ["", tr("stage"), tr("largest difference"), tr("relative"), tr("added here"), "ULP", tr("compared")]
    near = rows[max(0, at - AROUND) : at + AROUND + 1] if first is not None else ()
    shown = [table(titles, [_stage(row, row is first) for row in near], "  rrrrr")] if near else []
    every = table(titles, [_stage(row, row is first) for row in rows], "  rrrrr")
    title = trn(len(rows), "{count} stage", "{count} stages")
    return [f"### {tr('All stages')}", *shown, f"<details><summary>{title}</summary>\n\n{every}\n\n</details>"]


def _stage(row: Difference, first: bool) -> list[str]:
    mark = "⇒" if first else "!" if row.beyond else ""
    added = "" if row.added is None else f"{row.added:.3g}"
    return [
        mark,
        code(row.name),
        figure_in_cell(row.largest),
        f"{row.relative:.3g}",
        added,
        f"{row.ulps:.3g}",
        numbers_compared(row),
    ]
