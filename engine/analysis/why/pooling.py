"""One vector for a whole text: means over tokens, the largest, the first or the last token, several side by side."""

from __future__ import annotations

import numpy as np

from ...ops import rounding
from ...ops.element import ALL, Element, at
from ...program.explanation import Explanation, Floats, Term, Terms

LEAST = 1e-9


def without_prompt(element: Element) -> Explanation:
    """y[t] = mask[t] · (1 − prompt[t])."""
    mask, prompt = element.one(0, element.index), element.one(1, element.index)
    value = mask.value * (1.0 - prompt.value)
    terms = Terms([value], lambda _: Term(value, (mask, prompt), "mask · (1 − prompt)"))
    who = element.token("token", element.index[1])
    note = f"{who} {'counts' if value else 'is padding' if not mask.value else 'is of the prompt, and does not count'}"
    return element.explain(f"{mask.place} · (1 − {prompt.place})", terms, notes=[note])


def mean_pool(element: Element) -> Explanation:
    """y[j] = Σₜ x[t, j] · mask[t] / Σₜ mask[t], over the tokens that are not padding; or divided by the root of that."""
    batch, _ = element.index
    mask = element.read(1, (batch, ALL))
    count = max(float(mask.sum()), LEAST)
    root = bool(element.options.get("root", False))
    seen = element.input_name(1)
    below = f"{'√' * root}Σₜ {seen}{at(batch, 't')}"
    return _weighted(
        element, mask, count**0.5 if root else count, f"{seen}{at(batch, 't')}", below, {f"Σ {seen}": count}
    )


def weighted_mean(element: Element) -> Explanation:
    """y[j] = Σₜ t · x[t, j] · mask[t] / Σₜ t · mask[t], t from 1 at the first token that is not padding."""
    batch, _ = element.index
    mask = element.read(1, (batch, ALL))
    whole = element.read(2, (batch, ALL)) if len(element.stage.inputs) > 2 else mask
    weights = mask * (np.arange(1, len(mask) + 1) - int(whole.argmax()))
    total = max(float(weights.sum()), LEAST)
    seen = element.input_name(1)
    written = f"t · {seen}{at(batch, 't')}"
    return _weighted(element, weights, total, written, f"Σₜ {written}", {"Σ weights": total})


def _weighted(
    element: Element, weights: Floats, divisor: float, written: str, below: str, facts: dict[str, float]
) -> Explanation:
    batch, j = element.index
    x = element.read(0, (batch, ALL, j))
    with np.errstate(all="ignore"):
        values = x * weights / divisor

    def make(t: int) -> Term:
        share = element.constant(f"{weights[t]:g}/{divisor:.6g}", weights[t] / divisor)
        return Term(values[t], (element.operand(0, (batch, t, j), x[t]), share))

    terms = Terms(values, make)
    formula = f"Σₜ {element.input_name(0)}{at(batch, 't', j)} · {written} / {below}"
    bound = rounding.of_products(element.value.dtype, terms, element.stored)
    bound += rounding.of_steps("float32" if element.value.dtype != "float64" else "float64", 4, abs(element.stored))
    return element.explain(formula, terms, facts=facts, bound=bound + 2 * rounding.UNIT["float64"])


def max_pool(element: Element) -> Explanation:
    """y[j] = maxₜ x[t, j] over the tokens that are not padding."""
    batch, j = element.index
    x, mask = element.read(0, (batch, ALL, j)), element.read(1, (batch, ALL))
    shown = np.where(mask != 0, x, -np.inf)
    place = int(shown.argmax())
    terms = Terms(
        [shown[place]], lambda _: Term(shown[place], (element.operand(0, (batch, place, j), x[place]),), "largest")
    )
    second = np.delete(shown, place)
    notes = [f"the largest stands at {element.token('token', place)}"]
    if second.size and np.isfinite(second.max()):
        notes.append(f"the next is {second.max():.6g}")
    return element.explain(f"maxₜ {element.input_name(0)}{at(batch, 't', j)} where the mask is 1", terms, notes=notes)


def first_seen(element: Element) -> Explanation:
    """y[j] = x[t, j] at the first token that is not padding."""
    return _one_token(element, int(element.read(1, (element.index[0], ALL)).argmax()), "first")


def last_seen(element: Element) -> Explanation:
    """y[j] = x[t, j] at the last token that is not padding."""
    mask = element.read(1, (element.index[0], ALL))
    return _one_token(element, len(mask) - 1 - int(mask[::-1].argmax()) if mask.any() else 0, "last")


def _one_token(element: Element, place: int, which: str) -> Explanation:
    batch, j = element.index
    x = element.one(0, (batch, place, j))
    stands = float(element.input(1).read((batch, place)))
    value = x.value if which == "first" else x.value * stands
    terms = Terms([value], lambda _: Term(value, (x,), f"{which} token"))
    return element.explain(
        f"{element.input_name(0)}{at(batch, place, j)}, the {which} token that is not padding", terms
    )


def beside(element: Element) -> Explanation:
    """y = x₁, x₂, ... one after another."""
    *lead, j = element.index
    for number in range(len(element.stage.inputs)):
        size = element.input(number).shape[-1]
        if j < size:
            x = element.one(number, (*lead, j))
            terms = Terms([x.value], lambda _, x=x: Term(x.value, (x,)))
            return element.explain(f"{element.input_name(number)}{at(*lead, j)}", terms)
        j -= size
    raise AssertionError(element.index)
