"""Explanations as plain text."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from ...messages.translation import said, tr, trn
from ...program.explanation import STAGE, Explanation, Operand, Row, Terms
from ...program.writing import cells, write_number

MOST = 12


def write_why(explanation: Explanation, most: int = MOST) -> str:
    """An explanation for the console and for batch mode.

    Args:
        most: how many terms of each sum are shown.
    """
    lines = [f"{explanation.place} = {write_number(explanation.stored)}", f"  {explanation.formula}"]
    lines += _facts(explanation)
    lines += [f"  {said(note)}" for note in explanation.notes]
    lines += _culprit(explanation)
    if explanation.sum is not None:
        lines += ["", *(f"  {line}" for line in exactness(explanation)), *_table(explanation, 0, most)]
    for number, part in enumerate(explanation.parts, start=len(explanation.sums) - len(explanation.parts)):
        title = said(part.title)
        title = f"{title} = {write_number(part.terms.total)}" if "Σ" in title else title
        lines += ["", f"  {title}: {write_count(part.terms)}", *_table(explanation, number, most)]
    if explanation.names:
        width = max(map(cells, explanation.names))
        lines += ["", *(f"  {_left(short, width)}  {name}" for short, name in explanation.names.items())]
    return "\n".join(lines)


def _facts(explanation: Explanation) -> list[str]:
    if not explanation.facts:
        return []
    return ["  " + ", ".join(f"{tr(name)} {write_number(number)}" for name, number in explanation.facts.items())]


def _culprit(explanation: Explanation) -> list[str]:
    return [f"  {line}" for line in write_culprit(explanation, write_number, "why")]


def write_culprit(explanation: Explanation, write: Callable[[float], str], follow: str) -> tuple[str, ...]:
    """Where a NaN or an infinity comes from, in a sentence; none where all is finite, or where too little of it was seen.

    Args:
        write: how a number is written.
        follow: the command that goes to an operand by its number.
    """
    if math.isfinite(explanation.stored) or explanation.by_hand:
        return ()
    all_seen = explanation.sum is not None  # else terms are missing, and what cannot be seen may be at fault
    bad = explanation.culprit
    if bad is None:
        arises = tr("no operand is NaN or infinite: {number} arises here", number=write(explanation.stored))
        return (arises,) if all_seen else ()
    text = tr("the first operand that is not finite is {place}", place=f"{bad.place} = {write(bad.value)}")
    if math.isnan(explanation.stored) and not math.isnan(bad.value) and all_seen:
        text = tr("{text}: none is NaN, it arises here", text=text)
    number = explanation.number_of(bad)
    if not number:
        return (tr("{text}, in {name}", text=text, name=bad.name),)
    return (tr("{text}; `{command}` follows it", text=text, command=f"{follow} {number}"),)


def exactness(explanation: Explanation) -> list[str]:
    """How many terms there are, what they come to, and how far that is from the stored number; one line or two."""
    if explanation.sum is None:
        return []
    total, difference = explanation.total, explanation.difference
    assert total is not None
    assert difference is not None
    count = write_count(explanation.sum.terms)
    if not difference:
        return [f"{count}; {tr('sum {total}, the stored number to the last digit', total=write_number(total))}"]
    if math.isinf(explanation.stored) and math.isfinite(total):
        return [
            count,
            tr("sum {total} in float64, too large for {dtype}", total=f"{total:.12g}", dtype=explanation.dtype),
        ]
    allowed = tr("rounding allows") if explanation.holds else tr("MORE than rounding allows:")
    said = tr(
        "sum {total} in float64, stored {stored}, difference {difference}",
        total=f"{total:.12g}", stored=write_number(explanation.stored), difference=f"{difference:.2g}",
    )  # fmt: skip
    return [count, f"{said} ({allowed} {explanation.bound:.2g})"]


def write_count(terms: Terms) -> str:
    """How many terms, and how many of them make most of it."""
    count, enough = trn(len(terms), "{count} term", "{count} terms"), terms.for_90
    if len(terms) == 1 or enough is None:
        return count
    return trn(
        enough,
        "{terms}, the largest makes 90% of all magnitudes",
        "{terms}, the {count} largest make 90% of all magnitudes",
        terms=count,
    )


def _table(explanation: Explanation, part: int, most: int) -> list[str]:
    """A line a term: its value, how much the terms so far make of all, and its factors."""
    rows = explanation.rows(part, 0, most)
    terms = explanation.sums[part].terms
    table = [_row(row, single=len(terms) == 1) for row in rows]
    columns = max((len(line) for line in table), default=0)
    widths = [max((cells(line[at]) for line in table if at < len(line)), default=0) for at in range(columns)]
    lines = [
        "    " + "  ".join((_left if at > 1 else _right)(text, widths[at]) for at, text in enumerate(line)).rstrip()
        for line in table
    ]
    left = len(terms) - len(rows)
    if left > 0:
        rest = _number(terms.rest(len(rows)))
        more = trn(left, "{count} more term, together {rest}", "{count} more terms, together {rest}", rest=rest)
        lines.append(f"    ... {more}")
    return lines


def _row(row: Row, *, single: bool) -> list[str]:
    share = "" if single or math.isnan(row.share) else f"{row.share:.1%}"
    texts = [_operand(factor, number) for factor, number in zip(row.term.factors, row.numbers, strict=True)]
    line = [_number(row.term.value), share, *_between(texts, "·" if not row.term.how else "")]
    return [*line, said(row.term.how)] if row.term.how else line


def _between(texts: Iterable[str], mark: str) -> list[str]:
    return [text if not number or not mark else f"{mark} {text}" for number, text in enumerate(texts)]


def _operand(operand: Operand, number: int) -> str:
    lead = f"[{number}] " if operand.kind == STAGE else ""
    return f"{lead}{operand.place} = {_number(operand.value)}"


def _number(number: float) -> str:
    return f"{number:.6g}"


def _left(text: str, width: int) -> str:
    return text + " " * (width - cells(text))


def _right(text: str, width: int) -> str:
    return " " * (width - cells(text)) + text
