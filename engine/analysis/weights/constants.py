"""Weights of one number throughout, where others of their kind are not."""

from __future__ import annotations

from collections.abc import Iterator

from ..checks.findings import Finding
from .stored import StoredWeight, StoredWeights
from .unlikely import MATRICES, Like, of_role, unlikely


def constant_weights(weights: StoredWeights) -> Iterator[Finding]:
    """A bias, gamma or matrix whose numbers are all the same, as no other's of its role are.

    Before training all biases are zero and all gammas one: then none is told of. Nor is one that has no like, such as the bias
    of a pooler that nobody trained.
    """
    for weight in weights.sound:
        if not weight.figures.is_constant or weight.count < 2:
            continue
        like = _like(weights, weight)
        alike = sum(one.figures.is_constant for one in like)
        number = weight.figures.least
        if not like or 10 * alike > len(like):
            continue
        what = "all zero" if number == 0 else f"{number:g} throughout"
        why = (
            "as of one that was left out or never trained"
            if weight.is_vector
            else "so that nothing comes through it"
            if weight.is_matrix
            else "so that it adds nothing"
        )
        yield unlikely(weight, "constant", f"it is {what}, {why}", _called(weight).odds(alike, len(like)))


def _like(weights: StoredWeights, weight: StoredWeight) -> list[StoredWeight]:
    """Those it is held against: of its role, of all layer norms, of all matrices; none for a bias that is alone in its role."""
    if weight.is_matrix:
        return [one for one in weights.sound if one.is_matrix and one is not weight]
    if weight.is_table:  # a table of one row is the same for every token: some leave it zero
        trained = not weights.is_untrained and weight.figures.rows.size > 1
        return [one for one in weights.sound if not one.is_vector and one is not weight] if trained else []
    if weight.symbol in ("γ", "β"):
        return [one for one in weights.sound if one.symbol == weight.symbol and one is not weight]
    return weights.siblings(weight)


def _called(weight: StoredWeight) -> Like:
    if weight.is_matrix:
        return MATRICES
    if weight.is_table:
        return Like("matrix or table", "matrices and tables")
    if weight.symbol in ("γ", "β"):
        return Like(weight.symbol, f"{weight.symbol}s")
    return of_role(weight)
