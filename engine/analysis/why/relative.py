"""What distances between tokens come to: places, buckets, biases; and the norm and the gate that go with them in T5."""

from __future__ import annotations

from ...ops.element import Element, at
from ...ops.terms import by_root
from ...program.explanation import Explanation, Term, Terms


def relative_index(element: Element) -> Explanation:
    """index = distance + span, kept within the table."""
    span = int(element.options["span"])
    far = element.one(0, element.index)
    value = min(max(far.value + span, 0.0), 2.0 * span - 1)
    terms = Terms([value], lambda _: Term(value, (far,), f"+ {span}"))
    notes = ["beyond the table: its end is taken"] * (value != far.value + span)
    return element.explain(f"{far.place} + {span}, from 0 to {2 * span - 1}", terms, notes=notes)


def content_to_position(element: Element) -> Explanation:
    """y[q, k] = x[q, index[q, k]] / √size: which of the query's scores for distances is that of the key."""
    batch, head, query, key = element.index
    place = int(element.input(1).read((query, key)))
    x = element.one(0, (batch, head, query, place))
    formula = f"{element.input_name(0)}{at(batch, head, query, f'{element.input_name(1)}{at(query, key)}')}"
    return by_root(element, x, formula, int(element.options["size"]), _distance(element, place))


def position_to_content(element: Element) -> Explanation:
    """y[q, k] = x[k, index[q, k]] / √size: which of the key's scores for distances is that of the query."""
    batch, head, query, key = element.index
    place = int(element.input(1).read((query, key)))
    x = element.one(0, (batch, head, key, place))
    formula = f"{element.input_name(0)}{at(batch, head, key, f'{element.input_name(1)}{at(query, key)}')}"
    return by_root(element, x, formula, int(element.options["size"]), _distance(element, place))


def _distance(element: Element, place: int) -> list[str]:
    return [
        f"row {place} of the relative positions, that of {element.token('query', element.index[2])} and {element.token('key', element.index[3])}"
    ]
