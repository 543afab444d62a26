"""What depends on a whole row: softmax, layer norm, length one."""

from __future__ import annotations

import math

import numpy as np

from ...messages.errors import InputError
from ...ops import rounding
from ...ops.element import ALL, Element, at
from ...program.explanation import Explanation, Floats, Operand, Sum, Term, Terms, exact_sum


def softmax(element: Element) -> Explanation:
    """weight = exp(x − max) / Σₖ exp(x[k] − max), the maximum taken off so that nothing overflows."""
    *lead, k = element.index
    name, axis = element.input_name(0), element.value.axes[-1]
    x = element.read(0, (*lead, ALL))
    with np.errstate(all="ignore"):
        largest = float(x.max())
        raised = np.exp(x - largest)

    def competitor(i: int) -> Term:
        return Term(raised[i], (element.operand(0, (*lead, i), x[i]),), "exp(x − max)")

    row = Terms(raised, competitor)
    total = row.total
    with np.errstate(all="ignore"):
        weight = float(np.float64(raised[k]) / total)
        distances = np.where(raised > 0, np.abs(x - largest), 0.0)
        mean_distance = float((distances * raised).sum() / total)
    operand = element.operand(0, (*lead, k), x[k])
    terms = Terms([weight], lambda _: Term(weight, (operand,), "exp(x − max) / row sum"))
    dtype = "float32" if element.options.get("single") and element.value.dtype == "float64" else element.value.dtype
    bound = rounding.of_softmax(dtype, weight, float(distances[k]), mean_distance, len(x))
    facts = {"x": float(x[k]), "row maximum": largest, "numerator": float(raised[k]), "row sum": total}
    formula = f"exp({name}{at(*element.index)} − max) / Σₖ exp({name}{at(*lead, 'k')} − max)"
    parts = [Sum(f"row sum Σₖ exp({name}{at(*lead, 'k')} − max)", row)]
    return element.explain(formula, terms, parts, facts, _about_row(element, x, raised, axis), bound)


def _about_row(element: Element, x: Floats, raised: Floats, axis: str) -> list[str]:
    if np.isnan(x).any():
        return [f"a NaN anywhere in the row makes all of it NaN: {int(np.isnan(x).sum())} of {len(x)} are"]
    notes = [f"the row's maximum stands at {element.token(axis, int(x.argmax()))}"]
    hidden = int((raised == 0).sum())
    lowest = -0.5 * float(np.finfo(np.float16 if element.value.dtype == "float16" else np.float32).max)
    if x.max() <= lowest:
        notes.append(f"every {axis} of this row is hidden, so the weights are as good as equal and mean nothing")
    elif hidden:
        notes.append(f"{hidden} of {len(x)} numerators are 0: hidden, or too far below the maximum")
    return notes


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
