"""A report as one page: no script, nothing from elsewhere, on light and on dark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...analysis.compare.text import verdict
from ...analysis.diagnose.text import cause_rows, verdict_of
from ...messages.translation import language, tr
from ...program.dtypes import floor_of
from ...program.element import write_place
from ...program.source_lines import is_own_code
from ..comparison import comparison_html
from ..heat import HeatTable, scale_over, write_heat, write_legend
from ..markup import Html, join, tag
from ..styles import styles
from .picture import DifferencePicture
from .report import ComparedPair, DifferenceReport

FACTS = ("model", "family", "dtype", "device", "attention")


def write_html(report: DifferenceReport) -> str:
    """The whole page."""
    said = tr("equal") if report.equal else tr("they differ")
    title = f"encoder-tui: {said}: {', '.join(pair.comparison.title for pair in report.pairs)}"[:120]
    head = tag("head", tag("meta", charset="utf-8"), tag("meta", name="viewport", content="width=device-width, initial-scale=1"), tag("title", title), styles("pieces", "report"))  # fmt: skip
    parts = [tag("h1", "encoder-tui: ", said, class_="same" if report.equal else "apart")]
    parts += [tag("section", *_pair(pair)) for pair in report.pairs]
    parts.append(tag("section", tag("h2", tr("Once more")), *_again(report)))
    body = tag("body", tag("main", *parts), class_="encoder-tui report")
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang=language())}\n"


def _again(report: DifferenceReport) -> list[Html]:
    lines = [tag("p", tag("code", report.command, class_="command"))] if report.command else []
    return [*lines, tag("p", ", ".join(f"{name} {number}" for name, number in report.versions.items()), class_="quiet")]


def _pair(pair: ComparedPair) -> list[Html]:
    comparison = pair.comparison
    parts = [tag("p", tag("strong", verdict(comparison))), _sides(comparison.ours, comparison.theirs, comparison.title)]
    parts += [tag("p", tag("code", text)) for text in pair.texts]
    parts += [tag("p", line, class_="quiet") for line in (*pair.asides, *comparison.alignment.notes())]
    parts += _first(pair)
    if pair.diagnosis is not None or pair.refusal:
        parts += [tag("h2", tr("Diagnosis")), *_diagnosis(pair)]
    return [*parts, tag("h2", tr("All stages")), comparison_html(comparison)]


def _sides(ours: Mapping[str, str], theirs: Mapping[str, str], title: str) -> Html:
    head = tag("tr", tag("th"), tag("th", tr("ours"), scope="col"), tag("th", tr("theirs"), f" ({title})" * bool(title), scope="col"))  # fmt: skip
    lines = [
        tag("tr", tag("th", name, scope="row"), tag("td", tag("code", ours.get(name, ""))), tag("td", tag("code", theirs.get(name, ""))))
        for name in FACTS
        if name in ours or name in theirs
    ]  # fmt: skip
    return tag("table", tag("thead", head), tag("tbody", *lines), class_="sides")


def _first(pair: ComparedPair) -> list[Html]:
    """The first difference: where, in whose line, which numbers, and how it looks around them."""
    shape, row = pair.comparison.shape_first, pair.first
    parts = (
        [tag("h2", tr("first difference"), ": ", tag("code", shape.name)), tag("p", str(shape))]
        if shape is not None
        else []
    )
    if row is None:
        return parts
    if shape is None:
        parts.append(tag("h2", tr("first difference"), ": ", tag("code", row.name)))
    stage = pair.stage(row.name)
    if is_own_code(stage):
        parts.append(tag("p", tag("code", stage.source)))
    if row.place is not None:
        at = write_place(row.axes, row.place)
        parts.append(tag("p", tag("code", f"{at}: {row.ours:.9g} / {row.theirs:.9g}")))
    parts += [tag("p", tag("code", note)) for note in row.notes]
    return [*parts, *(_picture(pair.picture) if pair.picture is not None else [])]


def _picture(picture: DifferencePicture) -> list[Html]:
    floor = floor_of(picture.dtype)
    both, apart = scale_over([picture.ours, picture.theirs], floor), scale_over([picture.difference])
    planes = (
        ("A", tr("ours"), picture.ours, both),
        ("B", tr("theirs"), picture.theirs, both),
        ("A−B", "", picture.difference, apart),
    )

    def place(row: int, column: int) -> str:
        places = zip(picture.axes, (picture.rows[row], picture.columns[column]), strict=True)
        return " · ".join(f"{axis} {at}" for axis, at in places if axis)

    tables = [
        write_heat(HeatTable(numbers, picture.rows, picture.columns, picture.axes, place, f"{name} {said}".strip(), picture.place), scale)
        for name, said, numbers, scale in planes
    ]  # fmt: skip
    legends = [tag("p", "A, B ", write_legend(both)), tag("p", "A−B ", write_legend(apart))]
    fixed = [tag("p", tag("code", picture.fixed), class_="quiet")] if picture.fixed else []
    return [*fixed, join(tables), *legends]


def _diagnosis(pair: ComparedPair) -> list[Html]:
    if pair.diagnosis is None:
        return [tag("p", pair.refusal)]
    causes = pair.diagnosis.causes
    tables = [_rows(cause_rows(cause, tr("cause") if len(causes) == 1 else f"{tr('cause')} {number}")) for number, cause in enumerate(causes, 1)]  # fmt: skip
    return [*tables, tag("p", tag("strong", verdict_of(pair.diagnosis)))]


def _rows(rows: Sequence[tuple[str, str]]) -> Html:
    lines = [tag("tr", tag("th", name, scope="row"), tag("td", text)) for name, text in rows]
    return tag("table", tag("tbody", *lines), class_="cause")
