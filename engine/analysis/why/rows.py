"""What depends on a whole row: softmax, layer norm, length one."""

from __future__ import annotations

import math

import numpy as np

from ...messages.errors import InputError
from ...ops import rounding
from ...ops.element import ALL, Element, at
from ...program.explanation import Explanation, Operand, Sum, Term, Terms, exact_sum


def layer_norm(element: Element) -> Explanation:
    """y = (x − mean) / √(variance + ε) · γ + β over the last axis (Ba, Kiros and Hinton 2016, equation 4).

    The variance is the mean of (x − mean)², not that over n − 1.
    """
    *lead, j = element.index
    epsilon = float(element.options["epsilon"])
    name = element.input_name(0)
    x = element.read(0, (*lead, ALL))
    with np.errstate(all="ignore"):
        mean = exact_sum(x) / len(x)
        squares = (x - mean) ** 2 / len(x)

    def part_of_variance(i: int) -> Term:
        return Term(squares[i], (element.operand(0, (*lead, i), x[i]),), "(x − mean)² / n")

    spread = Terms(squares, part_of_variance)
    variance = spread.total
    root = math.sqrt(variance + epsilon)
    inverse = 1 / root if root else math.inf
    normal = (float(x[j]) - mean) * inverse
    facts = {"x": float(x[j]), "mean": mean, "variance": variance, "ε": epsilon, "1/√(variance + ε)": inverse}
    symbols = [element.symbol(number, "γβ"[number]) for number in range(len(element.stage.weights))]
    formula = f"({name}{at(*element.index)} − mean) / √(variance + {epsilon:g})"
    formula += "".join(f" {sign} {symbol}{at(j)}" for sign, symbol in zip("·+", symbols, strict=False))
    parts = [Sum(f"variance Σₖ ({name}{at(*lead, 'k')} − mean)² / {len(x)}", spread)]
    try:
        affine = [
            element.parameter(number, symbol, (j,), float(element.weight(number, (j,))))
            for number, symbol in enumerate(symbols)
        ]
    except InputError as error:
        return element.explain(formula, None, parts, facts | {"(x − mean) / √(variance + ε)": normal}, [str(error)])
    facts |= {operand.place[0]: operand.value for operand in affine}
    terms = _affine(element.operand(0, (*lead, j), x[j]), normal, affine)
    gamma, beta = (*(abs(operand.value) for operand in affine), *(1.0, 0.0)[len(affine) :])
    with np.errstate(all="ignore"):
        size = float(gamma * inverse * (abs(x[j]) + abs(mean) + np.abs(x).mean()) + beta)
    bound = math.nan
    if math.isfinite(size) and math.isfinite(variance):
        spread_here = gamma * abs(normal)
        bound = rounding.of_norm(element.value.dtype, size, spread_here, mean, variance, epsilon, len(x))
    return element.explain(formula, terms, parts, facts, bound=bound)


def _affine(x: Operand, normal: float, affine: list[Operand]) -> Terms:
    """γ times what was normalised, and β, where the layer norm has them."""
    how = "(x − mean) / √(variance + ε)" + " · γ" * bool(affine)
    value = normal * (affine[0].value if affine else 1.0)
    pair = [Term(value, (x, *affine[:1]), how), *(Term(beta.value, (beta,)) for beta in affine[1:])]
    return Terms([term.value for term in pair], pair.__getitem__, [1, 0][: len(pair)])


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
        formula, terms, [Sum(f"length² Σₖ {name}{at(*lead, 'k')}²", row)], {"length": length}, bound=bound
    )
