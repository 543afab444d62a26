"""What depends on a whole row: softmax, layer norm, length one."""

from __future__ import annotations

import math

import numpy as np

from ...ops import rounding
from ...ops.element import ALL, Element, at
from ...program.explanation import Explanation, NamedSum, Term, Terms


def normalize(element: Element) -> Explanation:
    """y = x / ‖x‖ with ‖x‖ = √Σₖ x[k]², at least 1e-12 (`torch.nn.functional.normalize`)."""
    *lead, j = element.index
    name = element.input_name(0)
    x = element.read(0, (*lead, ALL))
    with np.errstate(all="ignore"):
        squares = x * x

    def part_of_length(i: int) -> Term:
        return Term(squares[i], (element.operand(0, (*lead, i), x[i]),), "x²")

    row = Terms(squares, part_of_length)
    length = math.sqrt(row.total)
    divisor = max(length, 1e-12) if not math.isnan(length) else length
    value = float(x[j]) / divisor
    operand = element.operand(0, (*lead, j), x[j])
    terms = Terms([value], lambda _: Term(value, (operand, element.constant("1/‖x‖", 1 / divisor))))
    formula = f"{name}{at(*element.index)} / √Σₖ {name}{at(*lead, 'k')}²"
    dtype = element.value.dtype
    bound = rounding.gamma(len(x) / 2 + 4, rounding.within(dtype)) * abs(value) + rounding.of_steps(
        dtype, 3, abs(value)
    )
    return element.explain(
        formula, terms, [NamedSum(f"length² Σₖ {name}{at(*lead, 'k')}²", row)], {"length": length}, bound=bound
    )
