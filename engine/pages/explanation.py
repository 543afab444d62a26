"""Why a number is what it is, as HTML: its terms, largest first, each with a bar."""

from __future__ import annotations

import math

from ..messages.translation import said, tr, trn
from ..program.explanation import Explanation, NamedSum, Term
from ..program.writing import write_number
from .markup import Html, join, tag

MOST = 12


def explanation_html(explanation: Explanation, most: int = MOST) -> Html:
    """The number, its formula, what is known of it, and its sums.

    Args:
        most: how many terms of each sum are shown.
    """
    parts = [
        tag("p", tag("code", tag("strong", explanation.place), f" = {write_number(explanation.stored)}")),
        tag("p", tag("code", explanation.formula)),
    ]
    facts = [f"{name} = {write_number(number)}" for name, number in explanation.facts.items()]
    parts += [tag("p", tag("code", ", ".join(facts)))] if facts else []
    parts += [tag("p", said(note)) for note in explanation.notes]
    if explanation.difference is not None:
        parts.append(_exactness(explanation))
    parts += [_sum(each, most) for each in explanation.sums]
    return join(parts)


def _exactness(explanation: Explanation) -> Html:
    differs = write_number(explanation.difference or 0.0)
    words = tr("the terms come to {total} in float64: {difference} from what is stored, and rounding allows {bound}", total=write_number(explanation.total or 0.0), difference=differs, bound=f"{explanation.bound:.3g}")  # fmt: skip
    return tag("p", words, class_="quiet" if explanation.holds else "wrong")


def _sum(named: NamedSum, most: int) -> Html:
    terms = named.terms
    largest = abs(terms[0].value) if len(terms) else 0.0
    lines = [_line(term, largest) for term in terms[:most]]
    left = len(terms) - most
    if left > 0:
        rest = trn(left, "{count} more term", "{count} more terms")
        lines.append(tag("tr", tag("td", write_number(terms.rest(most))), tag("td"), tag("td", rest)))
    title = [tag("caption", said(named.title))] if named.title else []
    return tag("table", *title, tag("tbody", *lines), class_="terms")


def _line(term: Term, largest: float) -> Html:
    size = abs(term.value) / largest if largest and math.isfinite(largest) and math.isfinite(term.value) else 0.0
    bar = tag("span", class_="share" if term.value >= 0 else "share under", style=f"width:{10 * size:.2f}em")
    made = " · ".join(f"{factor.place} = {write_number(factor.value)}" for factor in term.factors)
    how = f"{said(term.how)}: {made}" if term.how and made else said(term.how) or made
    return tag("tr", tag("td", write_number(term.value)), tag("td", bar), tag("td", tag("code", how)))
