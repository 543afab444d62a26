"""Weights that are others over again: equal, transposed, a whole layer, heads or rows of one matrix."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
import torch

from ..checks.findings import Finding
from .stored import StoredWeight, StoredWeights
from .unlikely import LAYERS, MATRICES, WEIGHTS, in_heads, span, unlikely

LEAST = 16  # numbers from which on two weights are not equal by chance


def equal_weights(weights: StoredWeights) -> Iterator[Finding]:
    """Weights that have another's numbers, the same way round or transposed; those of a whole layer are told of once."""
    pairs = _pairs(weights)
    layers = _layers(weights, pairs)
    numbers = {weight.stage.layer for weight in weights.sound} - {None}
    if layers and len(layers) == len(numbers) - 1 and weights.is_untrained:
        weights.notes.append(
            "each layer is a copy of the first, as torch's nn.TransformerEncoder makes them to begin with"
        )
        return
    for layer, other in layers.items():
        held = [weight for weight in weights.sound if weight.stage.layer == layer]
        yield unlikely(
            held[0],
            "layer twice",
            f"layer {layer} is layer {other} over again: its matrices are equal to the last bit",
            LAYERS.odds(len(layers) - 1, len(numbers) - 1),
            f"print {held[0].address}",
            len(held) - 1,
        )
    every = [weight for weight in weights.sound if not weight.is_vector]
    for weight, other, transposed in pairs:
        if weight.stage.layer in layers and layers[weight.stage.layer] == other.stage.layer:
            continue
        how = "the transpose of" if transposed else "equal to"
        alike = sum(not one.is_vector for one, _, _ in pairs) - 1
        odds = (
            MATRICES.odds(max(0, alike), len(every) - 1)
            if not weight.is_vector
            else WEIGHTS.odds(len(pairs) - 1, len(weights) - 1)
        )
        yield unlikely(
            weight, "equal", f"it is {how} {other.address} to the last bit, and is stored apart from it", odds,
            f"print {weight.address} and {other.address}",
        )  # fmt: skip


def _pairs(weights: StoredWeights) -> list[tuple[StoredWeight, StoredWeight, bool]]:
    """Each weight that is an earlier one over again, that one, and whether transposed."""
    known: dict[tuple[int, float, float], list[StoredWeight]] = {}
    pairs: list[tuple[StoredWeight, StoredWeight, bool]] = []
    for weight in weights.sound:
        figures = weight.figures
        if figures.is_constant or weight.count < LEAST:
            continue
        alike = known.setdefault((weight.count, figures.least, figures.most), [])
        for other in alike:
            way = _way(weight.tensor(), other.tensor())
            if way is not None:
                pairs.append((weight, other, way))
                break
        else:
            alike.append(weight)
    return pairs


def _way(one: torch.Tensor, other: torch.Tensor) -> bool | None:
    """Whether they are equal transposed; None where they are not equal at all, or one and the same memory."""
    if one.data_ptr() == other.data_ptr() and one.stride() == other.stride():
        return None
    wide = torch.promote_types(one.dtype, other.dtype)
    if one.shape == other.shape and torch.equal(one.to(wide), other.to(wide)):
        return False
    if min(one.shape) > 1 and one.shape == other.shape[::-1] and torch.equal(one.to(wide), other.to(wide).T):
        return True
    return None


def _layers(weights: StoredWeights, pairs: list[tuple[StoredWeight, StoredWeight, bool]]) -> dict[int, int]:
    """Layers every matrix of which is that of another in the same place -> which."""
    layers: dict[int, int] = {}
    matrices = [weight for weight in weights.sound if weight.is_matrix and weight.stage.layer is not None]
    for layer in dict.fromkeys(weight.stage.layer for weight in matrices):
        assert layer is not None
        mine = [weight for weight in matrices if weight.stage.layer == layer]
        others = [
            other.stage.layer
            for weight, other, transposed in pairs
            if weight in mine and not transposed and weight.role == other.role
        ]
        if len(others) == len(mine) > 1 and len(set(others)) == 1 and others[0] is not None:
            layers[layer] = others[0]
    return layers


def equal_rows(weights: StoredWeights) -> Iterator[Finding]:
    """Rows of a matrix or table that are other rows of it over again."""
    having: list[tuple[StoredWeight, list[list[int]]]] = []
    every = [weight for weight in weights.sound if not weight.is_vector and not weight.figures.is_constant]
    every = [weight for weight in every if weight.figures.columns.size >= LEAST]
    for weight in every:
        groups = _groups(weights, weight)
        if groups:
            having.append((weight, groups))
    if 4 * len(having) > len(every) and len(having) > 1:
        return
    for weight, groups in having:
        again = [row for group in groups for row in group[1:]]
        first = [group[0] for group in groups]
        head = in_heads(weight, again, True)
        whose = in_heads(weight, first, True) if head else ""
        said = f"{span(again, 'row')}{head} of {weight.figures.rows.size:,} {'is' if len(again) == 1 else 'are'} equal to {span(first, 'row')}{whose}"
        yield unlikely(
            weight, "rows twice", said + " to the last bit" + weights.called(weight, again),
            MATRICES.odds(len(having) - 1, len(every) - 1) if weight.is_matrix else WEIGHTS.odds(len(having) - 1, len(every) - 1),
        )  # fmt: skip


def _groups(weights: StoredWeights, weight: StoredWeight) -> list[list[int]]:
    """Rows that are equal, each group in order; rows of zeros, of padding and of no word are left out."""
    tensor = weight.tensor()
    skipped = set(weight.figures.zero_rows.tolist())
    first = tensor[:, : max(1, 8 // tensor.element_size())].to("cpu", copy=True).contiguous()
    keys = (
        first.view(torch.int64)[:, 0].numpy()
        if first.shape[1] * first.element_size() == 8
        else np.zeros(len(first), np.int64)
    )
    _, places, counts = np.unique(keys, return_inverse=True, return_counts=True)
    rows = np.flatnonzero(counts[places] > 1)
    alike: dict[bytes, list[int]] = {}
    for row in rows.tolist():
        if row in skipped:
            continue
        if weights.stopped():
            break
        numbers = tensor[row].to("cpu").contiguous().view(torch.uint8).numpy()
        alike.setdefault(hashlib.blake2b(numbers.tobytes(), digest_size=16).digest(), []).append(row)
    groups = [list(weights.occurring(weight, group)) for group in alike.values() if len(group) > 1]
    return [group for group in groups if len(group) > 1]
