"""Why a number of a word2vec program is what it is: windows, their sums, losses, and the words drawn against."""

from __future__ import annotations

import math

import numpy as np

from ...messages.errors import InputError
from ...ops import rounding
from ...ops.activations import SIGMOID
from ...ops.element import ALL, Element, Place, at
from ...program.explanation import Explanation, Operand, Term, Terms
from ...program.index import offset


def around(element: Element) -> Explanation:
    """ids[t, place] = tokens.ids[t + offset], the padding id beyond the ends of the text."""
    batch, token, place = element.index
    far, there = _offset(element), _there(element)
    what = f"place {place} is {far:+d} from {element.token('token', token)}"
    if there is None:
        terms = Terms([element.stored], lambda _: Term(element.stored, (), "padding"), 0)
        return element.explain("padding", terms, notes=[f"{what}: beyond the end of the text"])
    operand = element.one(0, (batch, there))
    terms = Terms([operand.value], lambda _: Term(operand.value, (operand,)))
    formula = f"{element.input_name(0)}{at(batch, _sum(token, far))}"
    return element.explain(formula, terms, notes=[f"{what}: {element.trace.word(int(operand.value))!r}"])


def around_mask(element: Element) -> Explanation:
    """mask[t, place] = tokens.mask[t + offset] · tokens.mask[t], 0 beyond the ends of the text."""
    batch, token, _ = element.index
    far, there = _offset(element), _there(element)
    if there is None:
        terms = Terms([0.0], lambda _: Term(0.0, (), "beyond the end"), 0)
        return element.explain("0 beyond the ends of the text", terms, notes=["the text has no word here"])
    pair = (element.one(0, (batch, there)), element.one(0, (batch, token)))
    value = pair[0].value * pair[1].value
    terms = Terms([value], lambda _: Term(value, pair), 2)
    name = element.input_name(0)
    return element.explain(f"{name}{at(batch, _sum(token, far))} · {name}{at(batch, token)}", terms)


def _offset(element: Element) -> int:
    """How far the place is from its token."""
    return offset(element.index[-1], element.value.shape[-1])


def _sum(token: int, far: int) -> str:
    """`3 − 2`."""
    return f"{token} {'−' if far < 0 else '+'} {abs(far)}"


def _there(element: Element) -> int | None:
    """The token at the place; None beyond the ends of the text."""
    there = element.index[1] + _offset(element)
    return there if 0 <= there < element.value.shape[1] else None


def place_sum(element: Element) -> Explanation:
    """y[j] = Σ_place x[place, j] · mask[place]: the one-hot rows of the context, added, times the shared table."""
    batch, token, j = element.index
    x, mask = element.read(0, (batch, token, ALL, j)), element.read(1, (batch, token, ALL))
    with np.errstate(all="ignore"):
        values = np.where(mask != 0, x, 0.0)

    def make(place: int) -> Term:
        vector = element.operand(0, (batch, token, place, j), x[place])
        return Term(values[place], (vector, element.operand(1, (batch, token, place), mask[place])))

    terms = Terms(values, make, 2)
    formula = f"Σₚ {element.input_name(0)}{at(batch, token, 'p', j)} · {element.input_name(1)}{at(batch, token, 'p')}"
    note = f"{int((mask != 0).sum())} of {len(mask)} places around {element.token('token', token)} hold a word"
    bound = rounding.of_additions(element.value.dtype, terms)
    return element.explain(formula, terms, notes=[note], bound=bound)


def place_mean(element: Element) -> Explanation:
    """y[j] = sum[j] / how many words it is of, at least 1."""
    batch, token, _ = element.index
    x = element.one(0, element.index)
    count = float(element.read(1, (batch, token, ALL)).sum())
    divisor = max(count, 1.0)
    value = x.value / divisor
    terms = Terms([value], lambda _: Term(value, (x, element.constant(f"1/{divisor:g}", 1 / divisor))))
    notes = [] if count else [f"no word stands around {element.token('token', token)}, so there is nothing to average"]
    formula = f"{element.input_name(0)}{at(*element.index)} / Σₚ {element.input_name(1)}{at(batch, token, 'p')}"
    bound = rounding.of_steps(element.value.dtype, 4, abs(value))
    return element.explain(formula, terms, facts={"words around": count}, notes=notes, bound=bound)


def word_bias(element: Element) -> Explanation:
    """y[j] = x[j] + b[j]."""
    j = element.index[-1]
    x, symbol = element.one(0, element.index), element.symbol(0, "b")
    formula = f"{element.input_name(0)}{at(*element.index)} + {symbol}{at(j)}"
    try:
        b = float(element.weight(0, (j,)))
    except InputError as error:
        terms = Terms([element.stored], lambda _: Term(element.stored, (x,), "with its bias"))
        return element.explain(formula, terms, notes=[str(error)])
    pair = (x, element.parameter(0, "b", (j,), b))
    terms = Terms([x.value, b], lambda i: Term(pair[i].value, (pair[i],)), [1, 0])
    return element.explain(formula, terms, bound=rounding.of_additions(element.value.dtype, terms))


def pick(element: Element) -> Explanation:
    """y[t] = x[t, id]: the entry that the target word has in its row."""
    number = element.one(1, element.index)
    place = (*element.index[:2], int(number.value))
    entry = element.one(0, place)
    terms = Terms([entry.value], lambda _: Term(entry.value, (entry,)))
    row = element.read(0, (*element.index[:2], ALL))
    larger = int((row > entry.value).sum())
    notes = [f"{number.place} = {number.value:g} {element.trace.word(int(number.value))!r}"]
    notes.append(f"{larger:,} of {len(row):,} words have more")
    formula = f"{element.input_name(0)}{at(*place[:2], f'{element.input_name(1)}{at(*element.index)}')}"
    return element.explain(formula, terms, notes=notes)


def negative_log(element: Element) -> Explanation:
    """y = −log p, in nats; 0 where there is nothing to guess."""
    p, mask = element.one(0, element.index), element.one(1, element.index)
    seen = mask.value != 0
    value = _minus_log(p.value) if seen else 0.0
    terms = Terms([value], lambda _: Term(value, (p, mask), "−log p" if seen else "0 where the mask is 0"), 2)
    formula = f"−log {p.place}" if seen else f"0 where {mask.place} = 0"
    notes = [] if seen else ["no word to guess here"]
    if seen and p.value == 0:
        notes.append(f"the probability is 0 in {element.value.dtype}, and the logarithm of 0 is −∞")
    return element.explain(formula, terms, notes=notes, bound=rounding.of_steps(element.value.dtype, 8, abs(value)))


def mean_loss(element: Element) -> Explanation:
    """y = Σ loss / Σ mask over a text, at least 1 below."""
    (batch,) = element.index
    loss, mask = element.read(0, (batch,)), element.read(1, (batch,))
    count = max(float(mask.sum()), 1.0)
    shape, flat = loss.shape, loss.ravel()
    one = element.constant(f"1/{count:g}", 1 / count)
    with np.errstate(all="ignore"):
        values = flat / count

    def make(i: int) -> Term:
        place = (batch, *map(int, np.unravel_index(i, shape)))
        return Term(values[i], (element.operand(0, place, flat[i]), one))

    terms = Terms(values, make)
    name, seen = element.input_name(0), element.input_name(1)
    bound = rounding.of_products(element.value.dtype, terms, element.stored)
    bound += rounding.of_steps(element.value.dtype, 3, terms.magnitude)
    return element.explain(f"Σ {name}{at(batch)} / Σ {seen}{at(batch)}", terms, facts={f"Σ {seen}": count}, bound=bound)


def dots(element: Element) -> Explanation:
    """y = Σⱼ vector[j] · x[j]."""
    row, lead = (*element.index, ALL), element.index[:2]
    left, right = element.read(0, row), element.read(1, (*lead, ALL))
    with np.errstate(all="ignore"):
        values = left * right

    def make(j: int) -> Term:
        return Term(
            values[j], (element.operand(0, (*element.index, j), left[j]), element.operand(1, (*lead, j), right[j]))
        )

    terms = Terms(values, make, 2)
    formula = f"Σⱼ {element.input_name(0)}{at(*element.index, 'j')} · {element.input_name(1)}{at(*lead, 'j')}"
    return element.explain(formula, terms, bound=rounding.of_products(element.value.dtype, terms, element.stored))


def sigmoid(element: Element) -> Explanation:
    """σ(x) = 1 / (1 + exp(−x)), or of −x."""
    x = element.one(0, element.index)
    sign = -1.0 if element.options.get("negated") else 1.0
    value = SIGMOID.output(sign * x.value)
    written = f"σ({'−' if sign < 0 else ''}{x.place})"
    terms = Terms([value], lambda _: Term(value, (x,), f"1 / (1 + exp({'' if sign < 0 else '−'}x))"))
    facts = {"input": x.value, "output": value, "slope": sign * value * (1 - value)}
    # exp(−x) takes the error of its input for a relative one.
    bound = rounding.of_steps(element.value.dtype, 16 + 2 * abs(x.value), value) if math.isfinite(x.value) else math.nan
    return element.explain(written, terms, facts=facts, bound=bound)


def sampling_loss(element: Element) -> Explanation:
    """y = −log σ(target) − Σₙ log σ(−negative), in nats; 0 where there is nothing to guess."""
    where = element.index
    target, mask = element.one(0, where), element.one(2, where)
    if not mask.value:
        terms = Terms([0.0], lambda _: Term(0.0, (mask,), "0 where the mask is 0"))
        return element.explain(f"0 where {mask.place} = 0", terms, notes=["no word to guess here"])
    row = element.read(1, (*where, ALL))
    operands: list[Operand] = [target, *(element.operand(1, (*where, n), x) for n, x in enumerate(row))]
    values = [_minus_log(operand.value) for operand in operands]
    terms = Terms(values, lambda i: Term(values[i], (operands[i],), "−log"))
    formula = f"−log {element.input_name(0)}{at(*where)} − Σₙ log {element.input_name(1)}{at(*where, 'n')}"
    bound = rounding.of_additions(element.value.dtype, terms)
    bound += rounding.of_steps(element.value.dtype, 8, terms.magnitude)
    return element.explain(formula, terms, bound=bound)


def _minus_log(p: float) -> float:
    if math.isnan(p) or p < 0:
        return math.nan
    return -math.log(p) if p else math.inf


def negatives(element: Element) -> Explanation:
    """A word drawn by its share of the noise, the target left out."""
    place: Place = element.index[:-1]
    target = element.one(0, place)
    drawn, own = int(element.stored), int(target.value)
    word = element.trace.word
    terms = Terms(
        [element.stored], lambda _: Term(element.stored, (target,), f"drawn with seed {element.options['seed']}")
    )
    notes = [f"{drawn} is {word(drawn)!r}; the target, which is never drawn, is {own} {word(own)!r}"]
    facts = {}
    try:
        noise = element.weight(0, (ALL,))
    except InputError as error:
        notes.append(str(error))
    else:
        chance = float(noise[drawn] / (noise.sum() - noise[own]))
        facts = {"its weight": float(noise[drawn]), "its chance": chance}
        if drawn == own:
            notes.append("it is the target: the target was changed, or this was put here by hand")
    symbol = element.symbol(0, "noise")
    return element.explain(
        f"a word ≠ {element.input_name(0)}{at(*place)}, drawn by {symbol}", terms, facts=facts, notes=notes
    )
