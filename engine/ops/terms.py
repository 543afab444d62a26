"""Terms that elements of several operations have alike: a product of two rows, a number in another place, one by a root."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..program.explanation import Explanation, Operand, Term, Terms
from ..program.factors import index_at, with_summed
from . import rounding
from .element import Element, ElementIndex, at

SUMMED_OVER = {"j": "ⱼ", "k": "ₖ"}


def dot(element: Element) -> Explanation:
    """A sum of products of two rows, which lie in the two inputs where the card's `factors` say."""
    factors = element.factors
    first, second = factors.patterns(element.index)
    letter = "j" if factors.summed == "j" else "k"
    formula = " · ".join(
        f"{element.input_name(number)}{at(*with_summed(pattern, letter))}"
        for number, pattern in enumerate((first, second))
    )
    left, right = element.row(0, first), element.row(1, second)
    with np.errstate(all="ignore"):
        values = left * right

    def make(k: int) -> Term:
        one, other = index_at(first, k), index_at(second, k)
        return Term(values[k], (element.operand(0, one, left[k]), element.operand(1, other, right[k])))

    terms = Terms(values, make, 2, (left, right))
    bound = rounding.of_products(element.value.dtype, terms, element.stored)
    return element.explain(f"Σ{SUMMED_OVER[letter]} {formula}", terms, bound=bound)


def same(element: Element, place: ElementIndex, why: str, number: int = 0) -> Explanation:
    """An element of an input that is passed on as it is.

    Args:
        place: its index.
        why: what is said of it.
        number: which input.
    """
    operand: Operand = element.one(number, place)
    terms = Terms([operand.value], lambda _: Term(operand.value, (operand,)))
    formula = f"{element.input_name(number)}{at(*place)}" + (f"    ({why})" if why else "")
    return element.explain(formula, terms, notes=["the same number in another place"])


def by_root(element: Element, x: Operand, formula: str, size: int, notes: Sequence[str] = ()) -> Explanation:
    """An element of an input, divided by the root of a size.

    Args:
        formula: how that element is written.
    """
    if size == 1:  # taken as it is
        return element.explain(formula, Terms([x.value], lambda _: Term(x.value, (x,))), notes=notes)
    factor = element.constant(f"1/√{size}", 1 / math.sqrt(size))
    product = x.value * factor.value
    terms = Terms([product], lambda _: Term(product, (x, factor)))
    bound = rounding.of_steps(element.value.dtype, 3, abs(product)) + 2 * rounding.UNIT["float32"] * abs(product)
    return element.explain(f"{formula} / √{size}", terms, notes=notes, bound=bound)
