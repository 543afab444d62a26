"""A comparison as HTML: the verdict, and every stage with how far apart it is."""

from __future__ import annotations

import math

from ..analysis.compare.comparison import Comparison, Difference
from ..messages.translation import tr, trn
from .markup import Html, join, tag

MOST = 40
DECADES = 16  # how far below 1 a relative difference still has a bar


def comparison_html(comparison: Comparison, most: int = MOST) -> Html:
    """The whole of a comparison.

    Args:
        most: how many stages are shown at once; the others are under a line that opens.
    """
    parts = [tag("p", tag("strong", comparison.title), ": ", _verdict(comparison))]
    parts += [tag("p", str(shape), class_="wrong") for shape in comparison.unlike_shapes]
    for only, told in ((comparison.only_ours, tr("only here")), (comparison.only_theirs, tr("only there"))):
        parts += [tag("p", f"{told}: ", tag("code", ", ".join(only)))] if only else []
    first = comparison.first
    begin = max(0, comparison.rows.index(first) - 3) if first is not None and len(comparison.rows) > most else 0
    shown = comparison.rows[begin : begin + most]
    parts.append(_table(shown, first))
    left = len(comparison.rows) - len(shown)
    if left:
        others = _table((*comparison.rows[:begin], *comparison.rows[begin + most :]), first)
        parts.append(tag("details", tag("summary", trn(left, "{count} more stage", "{count} more stages")), others))
    return join(parts)


def _verdict(comparison: Comparison) -> Html:
    if comparison.equal:
        return tag("span", tr("equal"))
    first = comparison.first
    where = f", {tr('first difference')}: " if first is not None else ""
    return join([tr("they differ"), where, tag("code", first.name if first is not None else "")])


def _table(rows: tuple[Difference, ...], first: Difference | None) -> Html:
    titles = (tr("stage"), tr("largest difference"), tr("relative"), "", tr("added here"), "ULP", tr("compared"))
    head = tag("tr", *(tag("th", title, scope="col") for title in titles))
    return tag(
        "table", tag("thead", head), tag("tbody", *(_row(row, row is first) for row in rows)), class_="differences"
    )


def _row(row: Difference, first: bool) -> Html:
    bar = tag("span", class_="share" if row.beyond else "share under", style=f"width:{_length(row.relative):.2f}em")
    added = "" if row.added is None else f"{row.added:.3g}"
    cells = (
        tag("code", row.name),
        figure_in_cell(row.largest),
        f"{row.relative:.3g}",
        bar,
        added,
        f"{row.ulps:.3g}",
        numbers_compared(row),
    )
    return tag("tr", *(tag("td", cell) for cell in cells), class_="first" if first else None)


def figure_in_cell(figure: float) -> str:
    """A figure of a table; `-` where no number was compared."""
    return "-" if math.isnan(figure) else f"{figure:.3g}"


def numbers_compared(row: Difference) -> str:
    """`384 of 576`, where figures do not speak of every number; "" where they do."""
    some = row.unlike or row.lost or row.says_nothing
    return tr("{count} of {total}", count=f"{row.compared:,}", total=f"{row.count:,}") if some else ""


def _length(relative: float) -> float:
    """Of a bar: a decade is as long anywhere; nothing for 0."""
    if not relative:
        return 0.0
    return 8.0 if not math.isfinite(relative) else 8.0 * min(1.0, max(0.02, 1 + math.log10(relative) / DECADES))
