"""Products and sums: linear layers, scores, scaling, the mask, the weighted sum of values, residuals."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ...messages.errors import InputError
from ...ops import rounding
from ...ops.element import ALL, Element, Place, at, clipped
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


def scores(element: Element) -> Explanation:
    """scores[q, k] = Σ_d Q[q, d] · K[k, d] (Vaswani et al. 2017, section 3.2.1)."""
    batch, head, query, key = element.index
    formula = (
        f"Σₖ {element.input_name(0)}{at(batch, head, query, 'k')} · {element.input_name(1)}{at(batch, head, key, 'k')}"
    )
    left = element.read(0, (batch, head, query, ALL))
    right = element.read(1, (batch, head, key, ALL))
    return dot(element, formula, left, right, lambda k: ((batch, head, query, k), (batch, head, key, k)))


def context(element: Element) -> Explanation:
    """context[t, d] = Σₖ weights[t, k] · V[k, d], over keys (Vaswani et al. 2017, section 3.2.1)."""
    batch, head, query, size = element.index
    formula = (
        f"Σₖ {element.input_name(0)}{at(batch, head, query, 'k')} · {element.input_name(1)}{at(batch, head, 'k', size)}"
    )
    left = element.read(0, (batch, head, query, ALL))
    right = element.read(1, (batch, head, ALL, size))
    return dot(element, formula, left, right, lambda k: ((batch, head, query, k), (batch, head, k, size)))


def scale(element: Element) -> Explanation:
    """scaled = scores · 1/√head_dim."""
    head_dim = int(element.options["head_dim"])
    x = element.one(0, element.index)
    factor = element.constant(f"1/√{head_dim}", head_dim**-0.5)
    terms = Terms([x.value * factor.value], lambda _: Term(x.value * factor.value, (x, factor)))
    formula = f"{element.input_name(0)}{at(*element.index)} / √{head_dim}"
    return element.explain(formula, terms, bound=rounding.of_steps(element.value.dtype, 3, terms.magnitude))


def multiply(element: Element) -> Explanation:
    """y = c · x, with a number c of the program."""
    x = element.one(0, element.index)
    factor = element.constant(str(element.options["written"]), float(element.options["factor"]))
    terms = Terms([x.value * factor.value], lambda _: Term(x.value * factor.value, (factor, x)))
    formula = f"{factor.name} · {element.input_name(0)}{at(*element.index)}"
    return element.explain(formula, terms, bound=rounding.of_steps(element.value.dtype, 3, terms.magnitude))


def add_mask(element: Element) -> Explanation:
    """masked = scaled + mask: what is hidden becomes so negative that the softmax gives it 0."""
    x = element.one(0, element.index)
    mask = element.one(1, clipped(element.input(1), element.index))
    pair = (x, mask)
    terms = Terms([x.value, mask.value], lambda i: Term(pair[i].value, (pair[i],)))
    formula = f"{element.input_name(0)}{at(*element.index)} + {element.input_name(1)}{at(*mask.index)}"
    bound = rounding.of_steps(element.value.dtype, 2, abs(terms.total) if math.isfinite(terms.total) else 0)
    return element.explain(formula, terms, notes=[_why_hidden(element, mask.value)], bound=bound)


def added(element: Element) -> Explanation:
    """The inputs added from left to right."""
    operands = [element.one(number, element.index) for number in range(len(element.stage.inputs))]
    terms = Terms([operand.value for operand in operands], lambda i: Term(operands[i].value, (operands[i],)))
    formula = " + ".join(
        f"{element.input_name(number)}{at(*element.index)}" for number in range(len(element.stage.inputs))
    )
    return element.explain(formula, terms, bound=rounding.of_additions(element.value.dtype, terms))


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


def _singles(element: Element, number: int, lead: list[int], row: Floats) -> Terms:
    def make(k: int) -> Term:
        return Term(row[k], (element.operand(number, (*lead, k), row[k]),))

    return Terms(row, make)


def _why_hidden(element: Element, mask: float) -> str:
    """Whether the key may be seen, and which token says so."""
    batch, key = element.index[0], element.index[-1]
    who = element.token("key", key)
    if not mask:
        return f"{who} may be seen: the mask adds 0"
    trace = element.trace
    source = trace.program[element.stage.inputs[1]]
    why = ""
    if source.kind == "AdditiveMask" and trace.has(source.inputs[0]):
        stands = float(trace.value(source.inputs[0]).read((batch, key)))
        here = f"{source.inputs[0]}{at(batch, key)} = {stands:g}"
        distance = abs(key - element.index[-2])
        if not stands:
            why = f": {here}, it is padding"
        elif source.options.get("causal") and key > element.index[-2]:
            why = ": it comes after the query, and the mask is causal"
        elif source.options.get("window") is not None and distance > int(source.options["window"]):
            why = f": it is {distance} tokens away, and attention is local here"
        else:
            why = f", although {here} says a token stands there"
    return f"{who} is hidden{why}"
