"""Rows, columns and whole heads that are all zero: nothing goes through them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..checks.findings import Finding
from .stored import StoredWeight, StoredWeights
from .unlikely import MATRICES, Like, in_heads, span, unlikely


def dead_rows(weights: StoredWeights) -> Iterator[Finding]:
    """Rows and columns of zeros in matrices, where few other matrices have any, and rows of zeros in tables."""
    matrices = [weight for weight in weights.sound if weight.is_matrix and not weight.figures.is_constant]
    for what in ("row", "column"):
        zeros = {weight: _zeros(weights, weight, what) for weight in matrices}
        dead = [weight for weight in matrices if zeros[weight]]
        if 4 * len(dead) > len(matrices) and len(dead) > 1:
            continue  # pruned, as a whole
        for weight in dead:
            places = zeros[weight]
            size = (weight.figures.rows if what == "row" else weight.figures.columns).size
            whole = in_heads(weight, places, what == "row")
            said = f"{span(places, what)}{whole} of {size:,} {'is' if len(places) == 1 else 'are'} all zero"
            yield unlikely(weight, f"dead {what}", said, MATRICES.odds(len(dead) - 1, len(matrices) - 1))
    tables = [weight for weight in weights.sound if weight.is_table and not weight.figures.is_constant]
    lacking = {weight: _unset(weights, weight) for weight in tables}
    for weight in tables:
        if lacking[weight] and 2 * len(lacking[weight]) < weight.figures.rows.size:
            places = lacking[weight]
            said = (
                f"{span(places, 'row')} of {weight.figures.rows.size:,} {'is' if len(places) == 1 else 'are'} all zero"
            )
            others = sum(bool(lacking[one]) for one in tables) - 1
            yield unlikely(
                weight, "dead row", said + weights.called(weight, places),
                Like("table", "tables").odds(others, len(tables) - 1) + ", but for the row of padding"
            )  # fmt: skip


def _zeros(weights: StoredWeights, weight: StoredWeight, what: str) -> tuple[int, ...]:
    if what == "row":
        if weights.is_vocabulary(weight):
            return _unset(weights, weight)
        return tuple(int(row) for row in weight.figures.zero_rows)
    return tuple(int(column) for column in np.flatnonzero(weight.figures.columns == 0))


def _unset(weights: StoredWeights, weight: StoredWeight) -> tuple[int, ...]:
    """Rows of zeros in a table that are of no padding: positions begin after two rows that are of none."""
    zeros = weight.figures.zero_rows
    if weights.is_vocabulary(weight):
        return tuple(row for row in weights.occurring(weight, zeros) if row != weights.padding)
    return tuple(int(row) for row in zeros if row > 1 or weight.figures.rows.size == 2)
