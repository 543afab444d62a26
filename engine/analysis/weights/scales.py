"""A weight in another scale than those that do the same in other layers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ..checks.findings import Finding
from .stored import StoredWeights
from .unlikely import of_role, unlikely

LEAST = 3  # weights of a role in other layers, for a scale of theirs to be known
FACTOR = 4.0  # how far from the nearest of them; in trained encoders it is up to 1.6
FEW = 16  # numbers from which on a scale is known


def outlying_scales(weights: StoredWeights) -> Iterator[Finding]:
    """Matrices and gammas whose size is far from that of every other of their role; those of one layer are told of once."""
    by_layer: dict[int | None, Finding] = {}
    for weight in weights.sound:
        others = sorted(one.row_size for one in weights.siblings(weight) if one.row_size > 0)
        size = weight.row_size
        if not (weight.is_matrix or weight.symbol == "γ") or len(others) < LEAST or size <= 0 or weight.count < FEW:
            continue
        nearest = min(max(size / other, other / size) for other in others)
        spread = others[-1] / others[0]
        outside = size > others[-1] or size < others[0]
        if not outside or nearest < max(FACTOR, spread):
            continue
        layer = weight.stage.layer
        if layer in by_layer:
            by_layer[layer] = replace(by_layer[layer], more=by_layer[layer].more + 1)
            continue
        larger = "larger" if size > others[-1] else "smaller"
        by_layer[layer] = unlikely(
            weight, "scale",
            f"its numbers are {nearest:.3g} times {larger} than those of the nearest of its role: {size:.3g} (root mean square of "
            f"the median row), the others {others[0]:.3g} to {others[-1]:.3g}",
            of_role(weight).odds(0, len(others)),
        )  # fmt: skip
    yield from by_layer.values()
