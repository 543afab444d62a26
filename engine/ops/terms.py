"""Terms that elements of several operations have alike: a product of two rows, a number in another place, one by a root."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from ..program.explanation import Explanation, Floats, Operand, Term, Terms
from . import rounding
from .element import Element, ElementIndex, at


def dot(
    element: Element,
    formula: str,
    left: Floats,
    right: Floats,
    places: Callable[[int], tuple[ElementIndex, ElementIndex]],
) -> Explanation:
    """A sum of products of two rows.

    Args:
        places: where the two factors of a term stand in the two inputs.
    """
    with np.errstate(all="ignore"):
        values = left * right

    def make(k: int) -> Term:
        first, second = places(k)
        return Term(values[k], (element.operand(0, first, left[k]), element.operand(1, second, right[k])))

    terms = Terms(values, make, 2)
    return element.explain(formula, terms, bound=rounding.of_products(element.value.dtype, terms, element.stored))


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
