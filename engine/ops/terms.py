"""Terms that elements of several operations have alike: a product of two rows, a number in another place."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..program.explanation import Explanation, Floats, Operand, Term, Terms
from . import rounding
from .element import Element, Place, at


def dot(
    element: Element, formula: str, left: Floats, right: Floats, places: Callable[[int], tuple[Place, Place]]
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


def same(element: Element, place: Place, why: str, number: int = 0) -> Explanation:
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
