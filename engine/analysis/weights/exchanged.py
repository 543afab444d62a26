"""Query and key exchanged, as far as their biases tell.

Exchanged matrices alone cannot be told: the scores are transposed, and nothing about either matrix says which it is. A key's
bias adds the same to all scores of a query, which the softmax takes away again: training leaves it near zero, unlike a query's.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..checks.findings import Finding
from .stored import StoredWeight, StoredWeights
from .unlikely import Like, unlikely

APART = 3.0  # how many times larger a query's bias must be than a key's, in every other layer


def exchanged_queries(weights: StoredWeights) -> Iterator[Finding]:
    """Attentions whose key has a bias and whose query has none to speak of, where it is the other way round in all others."""
    by_address = {weight.address: weight for weight in weights.sound}
    pairs: list[tuple[StoredWeight, float, float]] = []
    for weight in weights.sound:
        other = by_address.get(f"{weight.stage.block}.key@b")
        if weight.address == f"{weight.stage.block}.query@b" and other is not None and weight.count == other.count:
            query, key = (float(np.median(np.abs(one.vector))) for one in (weight, other))
            pairs.append((weight, query, key))
    for weight, query, key in pairs:
        others = [(one, two) for at, one, two in pairs if at is not weight]
        if len(others) < 2 or query * APART >= key or not all(one > APART * two for one, two in others):
            continue
        least = min(one / max(two, 1e-30) for one, two in others)
        yield unlikely(
            weight, "query and key",
            f"the query's bias is {key / max(query, 1e-30):.3g} times smaller than the key's (medians {query:.3g} and {key:.3g}), in every other "
            f"layer at least {least:.3g} times larger: as if query and key were exchanged",
            Like("attention", "attentions").odds(0, len(others)), f"print {weight.stage.block}.query@b and {weight.stage.block}.key@b",
        )  # fmt: skip
