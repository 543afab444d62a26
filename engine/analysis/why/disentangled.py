"""What is DeBERTa's own: the table of positions, products with it, masks of pairs, the convolution."""

from __future__ import annotations

import numpy as np

from ...messages.errors import InputError
from ...ops import rounding
from ...ops.element import ALL, Element, at, clipped
from ...ops.terms import dot
from ...program.dtypes import FLOATS
from ...program.explanation import Explanation, Term, Terms


def table(element: Element) -> Explanation:
    """The weight as it is stored."""
    _, row, j = element.index
    symbol = element.symbol(0, "E")
    try:
        entry = float(element.weight(0, (row, j)))
    except InputError as error:
        return element.explain(f"{symbol}{at(row, j)}", None, notes=[str(error)])
    parameter = element.parameter(0, "E", (row, j), entry)
    return element.explain(f"{symbol}{at(row, j)}", Terms([entry], lambda _: Term(entry, (parameter,)), 0))


def relative_scores(element: Element) -> Explanation:
    """scores[t, r] = Σ_d content[t, d] · position[r, d] (He et al. 2021, section 3.1)."""
    batch, head, token, row = element.index
    formula = (
        f"Σₖ {element.input_name(0)}{at(batch, head, token, 'k')} · {element.input_name(1)}{at(0, head, row, 'k')}"
    )
    left = element.read(0, (batch, head, token, ALL))
    right = element.read(1, (0, head, row, ALL))
    return dot(element, formula, left, right, lambda k: ((batch, head, token, k), (0, head, row, k)))


def pair_mask(element: Element) -> Explanation:
    """1 where both are tokens and not padding."""
    batch, _, query, key = element.index
    place = int(element.input(1).read((query, 0)))
    pair = (element.one(0, (batch, place)), element.one(0, (batch, key)))
    after = bool(element.options["causal"]) and key > place
    value = float(all(operand.value for operand in pair) and not after)
    how = "0 where key > query" if after else ""
    terms = Terms([value], lambda _: Term(value, pair, how), 2)
    padded = [
        f"{axis} {at_} is padding"
        for axis, at_, operand in zip(("query", "key"), (query, key), pair, strict=True)
        if not operand.value
    ]
    notes = padded or ["the key comes after the query: a causal mask hides it" if after else "both are tokens"]
    name = element.input_name(0)
    return element.explain(f"{name}{at(batch, place)} · {name}{at(batch, key)}", terms, notes=notes)


def fill_masked(element: Element) -> Explanation:
    """The score where the pair may be seen, the lowest number of the dtype where not."""
    x = element.one(0, element.index)
    mask = element.one(1, clipped(element.input(1), element.index))
    value = x.value if mask.value else FLOATS[element.value.dtype].lowest
    terms = Terms(
        [value],
        lambda _: Term(value, (x, mask) if mask.value else (mask,), "" if mask.value else "hidden"),
        2 if mask.value else 1,
    )
    who = element.token("key", element.index[-1])
    notes = [f"{who} may be seen" if mask.value else f"{who} is hidden from this query, or the query is padding"]
    formula = f"{element.input_name(0)}{at(*element.index)} if {mask.place} = 1, else the lowest number"
    return element.explain(formula, terms, notes=notes)


def mask_tokens(element: Element) -> Explanation:
    """The number where a token stands, 0 where there is padding."""
    batch, token, _ = element.index
    x, mask = element.one(0, element.index), element.one(1, (batch, token))
    with np.errstate(all="ignore"):
        value = float(np.float64(x.value) * mask.value) if not element.options["fill"] or mask.value else 0.0
    terms = Terms([value], lambda _: Term(value, (x, mask)), 2)
    return element.explain(f"{element.input_name(0)}{at(*element.index)} · {mask.place}", terms)


def convolution(element: Element) -> Explanation:
    """y[t, o] = b[o] + Σᵢ Σₖ W[o, i, k] · x[t + k − (kernel − 1) / 2, i] (`torch.nn.Conv1d`)."""
    batch, token, o = element.index
    name, kernel = element.input_name(0), element.symbol(0, "W")
    formula = f"Σᵢ Σₖ {kernel}{at(o, 'i', 'k')} · {name}{at(batch, f'{token} + k − middle', 'i')} + {element.symbol(1, 'b')}{at(o)}"
    try:
        weight, bias = element.weight(0, (o, ALL, ALL)), float(element.weight(1, (o,)))
    except InputError as error:
        return element.explain(formula, None, notes=[str(error)])
    channels, taps = weight.shape
    first = o // (element.value.shape[-1] // int(element.options["groups"])) * channels
    start = token - (taps - 1) // 2
    inside = [k for k in range(taps) if 0 <= start + k < element.value.shape[1]]
    low = start + inside[0]
    rows = element.read(0, (batch, slice(low, low + len(inside)), slice(first, first + channels)))  # (tap, channel)
    with np.errstate(all="ignore"):
        values = np.append(rows * weight[:, inside].T, bias)

    def make(i: int) -> Term:
        if i == len(values) - 1:
            return Term(bias, (element.parameter(1, "b", (o,), bias),))
        tap, channel = divmod(i, channels)
        place = (batch, low + tap, first + channel)
        entry = float(weight[channel, inside[tap]])
        parameter = element.parameter(0, "W", (o, channel, inside[tap]), entry)
        return Term(values[i], (element.operand(0, place, rows[tap, channel]), parameter))

    terms = Terms(values, make, np.append(np.ones(len(values) - 1, np.int64), [0]))
    return element.explain(formula, terms, bound=rounding.of_products(element.value.dtype, terms, element.stored, bias))


def add_to_each(element: Element) -> Explanation:
    """x + b."""
    *_, j = element.index
    x = element.one(0, element.index)
    formula = f"{element.input_name(0)}{at(*element.index)} + {element.symbol(0, 'b')}{at(j)}"
    try:
        bias = element.parameter(0, "b", (j,), float(element.weight(0, (j,))))
    except InputError as error:
        return element.explain(formula, None, notes=[str(error)])
    pair = (x, bias)
    terms = Terms([x.value, bias.value], lambda i: Term(pair[i].value, (pair[i],)), [1, 0])
    return element.explain(formula, terms, bound=rounding.of_additions(element.value.dtype, terms))
