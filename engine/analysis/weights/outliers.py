"""A few rows, columns or heads of a weight in another scale than the rest, as after a scale of quantisation that is broken."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..checks.findings import Finding
from .edges import Edge, edge
from .stored import AxisSums, StoredWeight, StoredWeights
from .unlikely import MATRICES, Like, in_heads, span, unlikely

# How many times they must stand off. In trained encoders rows stand off by up to 2.5, single columns by 4 (features that a
# model keeps large, or neurons that died), heads by 1.5 (bundled model, all-MiniLM-L6-v2).
ROW, COLUMN, HEAD = 4.0, 8.0, 4.0
LEAST = 16  # numbers of a row from which on chance alone no longer makes it twice its neighbours
PAST = 1.5  # how many times farther, by their logarithm, than the rest is spread


def outlying_rows(weights: StoredWeights) -> Iterator[Finding]:
    """Rows and columns of matrices and rows of tables whose size is far from that of the others."""
    for what, least, sizes in (("row", ROW, _rows), ("column", COLUMN, _columns), ("head", HEAD, _heads)):
        edges = {weight: _edges(sizes(weight)) for weight in weights.sound}
        factors = {weight: max((one.factor for one in both), default=1.0) for weight, both in edges.items()}
        for weight, both in edges.items():
            like = [one for one in edges if edges[one] and one is not weight and one.is_table == weight.is_table]
            for one in both:
                if one.factor < least or np.log(one.factor) < PAST * np.log(one.spread):
                    continue
                if what == "row" and not weights.occurring(weight, one.places):
                    continue
                siblings = [factors[other] for other in weights.siblings(weight) if other in edges]
                if 10 * sum(factor >= least for factor in siblings) > len(siblings) + 9:
                    continue  # what several layers have is the model's way
                yield _told(weight, what, one, [factors[other] for other in like], sizes(weight))


def _told(weight: StoredWeight, what: str, one: Edge, others: list[float], sizes: AxisSums) -> Finding:
    where = span(one.places, what) + ("" if what == "head" else in_heads(weight, one.places, what == "row"))
    size = float(np.exp(np.log(sizes[list(one.places)]).mean()) / np.median(sizes[sizes > 0]))
    times = f"{size:.3g} times" if one.large else f"1/{1 / size:.3g}"
    alone = len(one.places) == 1
    said = (
        f"{where} {'is' if alone else 'are'} {times} as large as the median {what}, {one.factor:.3g} times "
        f"{'larger' if one.large else 'smaller'} than the next of {sizes.size:,}: as after a scale of quantisation that is broken"
    )
    like = Like("table", "tables") if weight.is_table else MATRICES
    odds = like.odds(sum(other >= one.factor for other in others), len(others))
    odds = (
        f"{odds}; the widest gap there is {max(others):.3g} times" if others else "there is no other to hold it against"
    )
    return unlikely(weight, f"outlying {what}", said, odds, f"print {weight.address}[{_index(one, what, weight)}]")


def _index(one: Edge, what: str, weight: StoredWeight) -> str:
    place = min(one.places)
    if what == "head":
        rows = weight.rows_are_heads
        size = (weight.figures.rows if rows else weight.figures.columns).size // weight.heads
        window = f"{place * size}:{place * size + size}"
        return window if rows else f":, {window}"
    return str(place) if what == "row" else f":, {place}"


def _edges(sizes: AxisSums) -> list[Edge]:
    both = [edge(sizes, large) for large in (True, False)] if sizes.size >= 4 else []
    return [one for one in both if one is not None]


def _rows(weight: StoredWeight) -> AxisSums:
    """The size of each row, where they are long enough to have one."""
    if weight.is_vector or weight.figures.columns.size < LEAST:
        return np.zeros(0)
    return np.sqrt(weight.figures.rows)


def _columns(weight: StoredWeight) -> AxisSums:
    return np.sqrt(weight.figures.columns) if weight.is_matrix and weight.figures.rows.size >= LEAST else np.zeros(0)


def _heads(weight: StoredWeight) -> AxisSums:
    """The size of each head's rows or columns."""
    sizes = weight.figures.rows if weight.rows_are_heads else weight.figures.columns
    if weight.heads < 4 or not weight.is_matrix or sizes.size % weight.heads:
        return np.zeros(0)
    return np.sqrt(sizes.reshape(weight.heads, -1).sum(1))
