"""Rotary positions, parts of a fused product, queries scaled beforehand, and numbers that are given rather than computed."""

from __future__ import annotations

import math

from ...ops import rounding
from ...ops.element import Element, at
from ...program.explanation import Explanation, Term, Terms


def rotate(element: Element) -> Explanation:
    """y[d] = x[d] · cos[d] ∓ x[d ± head_dim/2] · sin[d] (Su et al. 2021, equation 34, pairs as transformers takes them)."""
    batch, head, token, d = element.index
    half = element.value.shape[-1] // 2
    first = d < half
    partner = d + half if first else d - half
    x, other = element.one(0, element.index), element.one(0, (batch, head, token, partner))
    cos, sin = (element.one(number, (batch, token, d)) for number in (1, 2))
    minus = (element.constant("−1", -1.0),) if first else ()
    pair = [
        Term(x.value * cos.value, (x, cos)),
        Term((-1 if first else 1) * other.value * sin.value, (*minus, other, sin)),
    ]
    terms = Terms([term.value for term in pair], pair.__getitem__, 2)
    name, turned = element.input_name(0), [element.input_name(number) for number in (1, 2)]
    formula = (
        f"{name}{at(*element.index)} · {turned[0]}{at(batch, token, d)} {'−' if first else '+'} "
        f"{name}{at(batch, head, token, partner)} · {turned[1]}{at(batch, token, d)}"
    )
    # with `upcast`, float64 goes through float32 as well
    dtype = "float32" if element.options.get("upcast") and element.value.dtype == "float64" else element.value.dtype
    angle = math.degrees(math.atan2(sin.value, cos.value))
    notes = [f"elements {min(d, partner)} and {max(d, partner)} are one pair, turned by {angle:.4g} degrees"]
    return element.explain(formula, terms, notes=notes, bound=rounding.of_steps(dtype, 4, terms.magnitude))


def table(element: Element) -> Explanation:
    """cos or sin of position · theta^(−2i/head_dim)."""
    batch, token, d = element.index
    function, theta = str(element.options["function"]), float(element.options["theta"])
    size = int(element.options["head_dim"])
    pair = d % (size // 2)
    position = element.one(0, (batch, token))
    frequency = theta ** (-2 * pair / size)
    angle = position.value * frequency
    value = math.cos(angle) if function == "cos" else math.sin(angle)
    terms = Terms([value], lambda _: Term(value, (position,), f"{function}(position · {frequency:.6g})"))
    formula = f"{function}({element.input_name(0)}{at(batch, token)} · {theta:g}^(−{2 * pair}/{size}))"
    facts = {"frequency": frequency, "angle": angle}
    # the frequency is a power and a quotient in float32, the angle a product: some 8 roundings of the angle's size
    bound = rounding.of_steps("float32", 8 * (abs(angle) + 1), 1.0) + rounding.of_steps(
        element.value.dtype, 1, abs(value)
    )
    return element.explain(formula, terms, facts=facts, bound=bound)


def part(element: Element) -> Explanation:
    """part[j] = x[number · size + j]."""
    *lead, j = element.index
    number, size = int(element.options["number"]), element.value.shape[-1]
    place = (*lead, number * size + j)
    operand = element.one(0, place)
    terms = Terms([operand.value], lambda _: Term(operand.value, (operand,)))
    formula = f"{element.input_name(0)}{at(*place)}    ({number} · {size} + {j} = {number * size + j})"
    return element.explain(formula, terms, notes=["the same number in another place"])


def scale_query(element: Element) -> Explanation:
    """y = query · √(1/head_dim), as torch.nn scales before the product of queries and keys."""
    head_dim = int(element.options["head_dim"])
    x = element.one(0, element.index)
    factor = element.constant(f"√(1/{head_dim})", math.sqrt(1.0 / head_dim))
    terms = Terms([x.value * factor.value], lambda _: Term(x.value * factor.value, (x, factor)))
    formula = f"{element.input_name(0)}{at(*element.index)} · √(1/{head_dim})"
    return element.explain(formula, terms, bound=rounding.of_steps(element.value.dtype, 3, terms.magnitude))
