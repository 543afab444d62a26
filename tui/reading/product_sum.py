"""The sum of one element of a product, in pieces that a screen can lay out: largest terms first, what is left, the bias."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ...engine.messages.translation import said, tr
from ..drawing.numbers import short
from .why import brief_of

if TYPE_CHECKING:
    from ...engine.analysis.product import Product
    from ...engine.analysis.why import Explanation, Term
    from ...engine.program.explanation import Terms
    from ...engine.program.stage import Stage
    from ...engine.program.trace import Trace

MOST = 48  # terms that are written out


@dataclass(frozen=True, slots=True)
class ProductSum:
    """Σ terms + bias = number.

    Attributes:
        count: terms that are products; zeros: products of the one-hot row with everything else, which are 0.
        place: of the chosen term along the summed axis; -1 for one that is not along it, the bias.
        rank: of the chosen term by size, from 0; ranks: how many there are, the bias counted.
        chosen: the chosen term at length.
        pieces: the largest products, `-0.12·0.34`; their ranks; rests: what the others come to behind each, from 0 on.
        bias: `b 0.02`, "" for none; bias_rank: its rank.
        total: the sum as it is written; brief: how well it adds up; holds: whether rounding explains that.
        parts: what each part of a row made of parts comes to: `head 0 -0.31`.
        after: what the number is divided by next; notes: of the operation, and that a lookup gives the same.
    """

    count: int
    zeros: int
    place: int
    rank: int
    ranks: int
    chosen: str
    pieces: tuple[str, ...]
    piece_ranks: tuple[int, ...]
    rests: tuple[float, ...]
    bias: str
    bias_rank: int
    total: str
    brief: str
    holds: bool
    parts: tuple[str, ...]
    after: str
    notes: tuple[str, ...]


def sum_of(trace: Trace, explanation: Explanation, product: Product, chosen: int) -> ProductSum:
    """The sum of an element, from its explanation.

    Args:
        chosen: which of its terms, 0 for the largest.
    """
    total, notes = short(explanation.stored, 6), tuple(map(said, explanation.notes))
    if explanation.sum is None:  # a recording holds no weights
        return ProductSum(0, 0, -1, 0, 0, "", (), (), (0.0,), "", -1, total, "", True, (), "", notes)
    terms = explanation.sum.terms
    last = terms.make(len(terms) - 1) if len(terms) else None
    biased = last is not None and len(last.factors) == 1 and last.factors[0].name != product.right.name
    bias_place = len(terms) - 1 if biased else -1
    order: npt.NDArray[np.int64] = terms.order
    ranks = np.flatnonzero(order != bias_place)  # of the products, largest first
    shown: list[int] = ranks[:MOST].tolist()
    rank = max(0, min(chosen, len(terms) - 1))
    term = terms[rank]
    with np.errstate(all="ignore"):
        behind = np.cumsum(terms.values[order[ranks]][::-1])[::-1]
    rests = (*behind[: len(shown) + 1].tolist(), 0.0)
    bias = f"{last.factors[0].place.partition('[')[0]} {short(last.value, 4)}" if biased and last is not None else ""
    zeros = product.left.columns - len(ranks) if trace.program[explanation.stage].card.looks_up else 0
    return ProductSum(
        len(ranks), zeros, _place(term, product), rank, len(terms), _chosen(term),
        tuple(_factors(terms, rank) for rank in shown), tuple(shown), rests,
        bias, int(np.flatnonzero(order == bias_place)[0]) if biased else -1, total, brief_of(explanation), explanation.holds,
        _parts(explanation, product, len(ranks)), _after(trace, explanation),
        (*_looked_up(explanation, product, zeros), *notes),
    )  # fmt: skip


def _place(term: Term, product: Product) -> int:
    """Where a term stands along the summed axis."""
    right = product.right
    if right.down is None:
        return -1
    return next((factor.index[right.down] for factor in term.factors if factor.name == right.name), -1)


def _factors(terms: Terms, rank: int) -> str:
    place = int(terms.order[rank])
    if terms.factors and place < len(terms.factors[0]):
        return "·".join(short(float(row[place]), 3) for row in terms.factors)
    return "·".join(short(factor.value, 3) for factor in terms[rank].factors)


def _chosen(term: Term) -> str:
    if len(term.factors) < 2:
        return " · ".join(f"{factor.place} = {short(factor.value)}" for factor in term.factors)
    return f"{' · '.join(short(factor.value) for factor in term.factors)} = {short(term.value)}"


def _looked_up(explanation: Explanation, product: Product, zeros: int) -> tuple[str, ...]:
    """That one row of the table is all that is left of the product."""
    if not zeros or explanation.difference:
        return ()
    row = f"{product.right.title}[{int(explanation.terms[0].factors[-1].index[-2])}]"
    return (tr("row {row} looked up gives the same number", row=row),)


def _parts(explanation: Explanation, product: Product, count: int) -> tuple[str, ...]:
    """What each head gives to the sum."""
    assert explanation.sum is not None
    if not product.joined or count % product.joined:
        return ()
    sums = explanation.sum.terms.values[:count].reshape(-1, product.joined).sum(axis=1)
    return tuple(f"{number}: {short(float(part), 3)}" for number, part in enumerate(sums))


def _after(trace: Trace, explanation: Explanation) -> str:
    """What becomes of the number next, where that is a multiple of it: scores are divided by √d."""
    from ...engine.analysis.why import explain

    def scales(stage: Stage) -> bool:
        return stage.card.scales and trace.shapes[stage.name] == trace.shapes[explanation.stage]

    user = next(
        (trace.program[name] for name in trace.program.users(explanation.stage) if scales(trace.program[name])), None
    )
    if user is None or not trace.has(user.name):
        return ""
    scaled = explain(trace, user.name, explanation.index)
    if not scaled.terms or len(scaled.terms[0].factors) != 2:
        return ""
    factor, count = scaled.terms[0].factors[1], len(explanation.terms)
    written = f"{short(explanation.stored)} · {factor.name} = {short(scaled.stored)}"
    if factor.name != f"1/√{count}":
        return tr("then {part} = {written}", part=user.part, written=written)
    return tr(
        "then {part} = {written}: a sum of {count} products spreads √{count} times as wide as one",
        part=user.part, written=written, count=count,
    )  # fmt: skip
