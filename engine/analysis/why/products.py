"""Products and sums: linear layers, scores, scaling, the mask, the weighted sum of values, residuals."""

from __future__ import annotations

import numpy as np

from ...messages.errors import InputError
from ...ops import rounding
from ...ops.element import ALL, Element, at
from ...program.explanation import Explanation, Floats, Sum, Term, Terms


def linear(element: Element) -> Explanation:
    """y[j] = Σₖ x[k] · W[j, k] + b[j] (`torch.nn.Linear`)."""
    *lead, j = element.index
    x = element.read(0, (*lead, ALL))
    name, matrix = element.input_name(0), element.symbol(0, "W")
    formula = f"Σₖ {name}{at(*lead, 'k')} · {matrix}{at(j, 'k')}"
    biased = len(element.stage.weights) > 1
    if biased:
        formula += f" + {element.symbol(1, 'b')}{at(j)}"
    try:
        w, b = element.weight(0, (j, ALL)), float(element.weight(1, (j,))) if biased else 0.0
    except InputError as error:
        parts = [Sum(f"inputs {name}{at(*lead, 'k')}", _singles(element, 0, lead, x))]
        return element.explain(formula, None, parts, notes=[str(error)])
    with np.errstate(all="ignore"):
        values = np.append(x * w, [b] * biased)

    def make(k: int) -> Term:
        if k == len(x):
            return Term(b, (element.parameter(1, "b", (j,), b),))
        return Term(values[k], (element.operand(0, (*lead, k), x[k]), element.parameter(0, "W", (j, k), w[k])))

    terms = Terms(values, make, np.append(np.ones(len(x), np.int64), [0] * biased))
    return element.explain(formula, terms, bound=rounding.of_products(element.value.dtype, terms, element.stored, b))


def multiply(element: Element) -> Explanation:
    """y = c · x, with a number c of the program."""
    x = element.one(0, element.index)
    factor = element.constant(str(element.options["written"]), float(element.options["factor"]))
    terms = Terms([x.value * factor.value], lambda _: Term(x.value * factor.value, (factor, x)))
    formula = f"{factor.name} · {element.input_name(0)}{at(*element.index)}"
    return element.explain(formula, terms, bound=rounding.of_steps(element.value.dtype, 3, terms.magnitude))


def added(element: Element) -> Explanation:
    """The inputs added from left to right."""
    operands = [element.one(number, element.index) for number in range(len(element.stage.inputs))]
    terms = Terms([operand.value for operand in operands], lambda i: Term(operands[i].value, (operands[i],)))
    formula = " + ".join(
        f"{element.input_name(number)}{at(*element.index)}" for number in range(len(element.stage.inputs))
    )
    return element.explain(formula, terms, bound=rounding.of_additions(element.value.dtype, terms))


def _singles(element: Element, number: int, lead: list[int], row: Floats) -> Terms:
    def make(k: int) -> Term:
        return Term(row[k], (element.operand(number, (*lead, k), row[k]),))

    return Terms(row, make)
