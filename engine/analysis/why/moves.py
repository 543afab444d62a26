"""Numbers that only change their place: heads apart and together, the first token, the best words."""

from __future__ import annotations

import numpy as np

from ...ops import rounding
from ...ops.element import ALL, Element, at
from ...ops.terms import same
from ...program.explanation import Explanation, Term, Terms


def dropout_mask(element: Element) -> Explanation:
    """0 if the draw said so, else 1 / (1 − rate)."""
    rate = float(element.options["rate"])
    value = 1 / (1 - rate) if element.stored else 0.0
    what = "kept" if element.stored else "dropped"
    terms = Terms([value], lambda _: Term(value, (element.constant(f"1/(1 − {rate:g})", 1 / (1 - rate)),), what), 0)
    notes = [f"{what} by the draw of seed {element.options['seed']}, as one in {1 / rate:.4g} is dropped"]
    formula = f"0 with probability {rate:g}, else 1/(1 − {rate:g})"
    return element.explain(formula, terms, notes=notes, bound=rounding.of_steps(element.value.dtype, 2, value))


def dropout(element: Element) -> Explanation:
    """y = x · mask: 0 where the mask drops it, else x / (1 − rate)."""
    x, mask = element.one(0, element.index), element.one(1, element.index)
    terms = Terms([x.value * mask.value], lambda _: Term(x.value * mask.value, (x, mask)), 2)
    formula = f"{element.input_name(0)}{at(*element.index)} · {element.input_name(1)}{at(*element.index)}"
    return element.explain(formula, terms, bound=rounding.of_steps(element.value.dtype, 1, terms.magnitude))


def first_token(element: Element) -> Explanation:
    """x[j] = x[token 0, j]."""
    batch, j = element.index
    return same(element, (batch, 0, j), "")


def pick(element: Element) -> Explanation:
    """y[...] = x[..., place]."""
    return same(element, (*element.index, int(element.options["place"])), "")


def best(element: Element) -> Explanation:
    """The id at a rank: the place of the largest entry, of the next, and so on."""
    *lead, rank = element.index
    row = element.read(0, (*lead, ALL))
    number = int(element.stored)
    operand = element.operand(0, (*lead, number), row[number])
    larger = int((row > row[number]).sum())
    notes = [f"{larger} of {len(row):,} entries are larger; the number is the place of this one"]
    ids = np.asarray(element.value.read((*lead, ALL)))
    for other in (rank - 1, rank + 1):
        if 0 <= other < len(ids):
            word = f" {element.value.word(int(ids[other]))!r}" if element.value.holds_ids else ""
            notes.append(f"rank {other}: {ids[other]}{word} with {row[int(ids[other])]:.6g}")
    terms = Terms([element.stored], lambda _: Term(element.stored, (operand,), "place of"))
    which = f"number {rank + 1} by size" if rank else "the largest"
    formula = f"place of {which} among {element.input_name(0)}{at(*lead, 'v')}"
    return element.explain(formula, terms, notes=notes)
