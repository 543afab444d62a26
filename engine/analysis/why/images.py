"""From pixels to tokens, and from tokens to one vector for all of a text or an image."""

from __future__ import annotations

import numpy as np

from ...messages.errors import InputError
from ...ops import rounding
from ...ops.element import ALL, Element, Place, at
from ...ops.terms import same
from ...program.explanation import Explanation, NamedSum, Term, Terms


def patches(element: Element) -> Explanation:
    """y[j, r, q] = Σ over channel c, and y, x of the patch, of pixels[c, r·tall + y, q·wide + x] · W[j, c, y, x] + b[j]."""
    batch, j, row, column = element.index
    tall, wide = element.trace.weight_shapes[element.stage.weights[0]][-2:]
    top, left = row * tall, column * wide
    here = (slice(top, top + tall), slice(left, left + wide))
    x = element.read(0, (batch, ALL, *here))  # (channel, y, x)
    name, filters = element.input_name(0), element.symbol(0, "W")
    biased = len(element.stage.weights) > 1
    formula = f"Σ over c, y, x of {name}{at(batch, 'c', f'{top} + y', f'{left} + x')} · {filters}{at(j, 'c', 'y', 'x')}"
    if biased:
        formula += f" + {element.symbol(1, 'b')}{at(j)}"
    note = f"patch {row},{column}: rows {top} to {top + tall - 1}, columns {left} to {left + wide - 1} of the image"

    def place(k: int) -> Place:
        c, down, across = np.unravel_index(k, x.shape)
        return int(c), int(down), int(across)

    def pixel(k: int) -> Place:
        c, down, across = place(k)
        return batch, c, top + down, left + across

    try:
        w, b = element.weight(0, (j,)), float(element.weight(1, (j,))) if biased else 0.0
    except InputError as error:
        single = Terms(x.ravel(), lambda k: Term(x.flat[k], (element.operand(0, pixel(k), x.flat[k]),)))
        return element.explain(
            formula, None, [NamedSum(f"pixels of patch {row},{column}", single)], notes=[note, str(error)]
        )
    with np.errstate(all="ignore"):
        values = np.append((x * w).ravel(), [b] * biased)

    def make(k: int) -> Term:
        if k == x.size:
            return Term(b, (element.parameter(1, "b", (j,), b),))
        operand = element.operand(0, pixel(k), x.flat[k])
        return Term(values[k], (operand, element.parameter(0, "W", (j, *place(k)), w.flat[k])))

    terms = Terms(values, make, np.append(np.ones(x.size, np.int64), [0] * biased))
    bound = rounding.of_products(element.value.dtype, terms, element.stored, b)
    return element.explain(formula, terms, notes=[note], bound=bound)


def for_each(element: Element) -> Explanation:
    """y[j] = v[j], whatever the image."""
    j = element.index[-1]
    vector = element.symbol(0, "v")
    shape = element.trace.weight_shapes[element.stage.weights[0]]
    place = ((0,) * (len(shape) - 1)) + (j,)
    notes = ["learnt, and the same for every image"]
    try:
        entry = float(element.weight(0, place))
    except InputError as error:
        return element.explain(f"{vector}{at(*place)}", None, notes=[*notes, str(error)])
    parameter = element.parameter(0, "v", place, entry)
    return element.explain(f"{vector}{at(*place)}", Terms([entry], lambda _: Term(entry, (parameter,)), 0), notes=notes)


def prepend(element: Element) -> Explanation:
    """The vectors stand first; token t after them is the patch in row t div columns, column t mod columns."""
    batch, token, j = element.index
    before = len(element.stage.inputs) - 1
    if token < before:
        return same(element, (batch, j), "before the patches", number=token)
    columns = element.input(before).shape[-1]
    row, column = divmod(token - before, columns)
    return same(element, (batch, j, row, column), f"patch {row},{column}", number=before)


def token_at(element: Element) -> Explanation:
    """x[j] = x[token, j]."""
    batch, j = element.index
    place = int(element.options["place"])
    return same(element, (batch, place, j), "")


def end_token(element: Element) -> Explanation:
    """x[j] = x[token, j] of the token that ends the text."""
    batch, j = element.index
    ids = element.read(1, (batch, ALL))
    number = element.options["number"]
    place = int(ids.argmax()) if number is None else int((ids == number).argmax())
    if number is None:
        why = f"id {int(ids[place])} is the largest of this text, and ends it"
    elif ids[place] == number:
        why = f"id {number} ends a text"
    else:
        why = f"no token has id {number}, which ends a text; transformers takes the first token then"
    return same(element, (batch, place, j), f"token {place}: {why}")


def patch_mean(element: Element) -> Explanation:
    """y[j] = Σₜ x[t, j] / n over the n patches."""
    batch, j = element.index
    before = int(element.options["before"])
    x = element.read(0, (batch, slice(before, None), j))
    share = element.constant(f"1/{len(x)}", 1 / len(x))
    terms = Terms(x / len(x), lambda t: Term(x[t] / len(x), (element.operand(0, (batch, t + before, j), x[t]), share)))
    name = element.input_name(0)
    formula = f"Σₜ {name}{at(batch, 't', j)} / {len(x)} over the tokens from {before} on"
    bound = rounding.of_products(element.value.dtype, terms, element.stored) + rounding.of_steps(
        element.value.dtype, 2, abs(element.stored)
    )
    return element.explain(formula, terms, bound=bound)


def average(element: Element) -> Explanation:
    """y = (a + b) / 2."""
    half = element.constant("1/2", 0.5)
    pair = [element.one(number, element.index) for number in (0, 1)]
    terms = Terms([operand.value / 2 for operand in pair], lambda i: Term(pair[i].value / 2, (pair[i], half)))
    place = at(*element.index)
    formula = f"({element.input_name(0)}{place} + {element.input_name(1)}{place}) / 2"
    return element.explain(formula, terms, bound=rounding.of_steps(element.value.dtype, 2, terms.magnitude))
