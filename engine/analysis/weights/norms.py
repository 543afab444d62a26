"""Gamma and beta of one layer norm, each with the statistics of the other."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..checks.findings import Finding
from .stored import StoredWeight, StoredWeights
from .unlikely import NORMS, unlikely

APART = 2.0  # how many times larger a gamma is than its beta where that tells the two apart
ONE_SIGN = 0.9  # share of a gamma's numbers that have one sign


def exchanged_norms(weights: StoredWeights) -> Iterator[Finding]:
    """Layer norms whose gamma is as the others' betas are, and whose beta as their gammas."""
    pairs = norm_pairs(weights)
    levels = [(_level(gamma), _level(beta)) for gamma, beta in pairs]
    for at, (gamma, beta) in enumerate(pairs):
        others = [level for place, level in enumerate(levels) if place != at]
        usual = [(scale, shift) for scale, shift in others if scale > APART * shift]
        scale, shift = levels[at]
        if len(others) < 2 or 10 * len(usual) < 9 * len(others) or shift <= APART * scale:
            continue
        scales, shifts = [one for one, _ in usual], [one for _, one in usual]
        if not min(scales) / 2 <= shift <= max(scales) * 2 or scale > max(max(shifts) * 2, 1e-6):
            continue  # exchanged they would be no more usual
        if max(float((beta.vector > 0).mean()), float((beta.vector < 0).mean())) < ONE_SIGN:
            continue
        yield unlikely(
            gamma, "gamma and beta",
            f"γ and β have each other's statistics: the median magnitude of γ is {scale:.3g} and of β {shift:.3g}; exchanged "
            f"they would be like those of the other layer norms, γ {min(scales):.3g} to {max(scales):.3g} and β "
            f"{min(shifts):.3g} to {max(shifts):.3g}",
            NORMS.odds(sum(other > scale for scale, other in others), len(others)),
            f"print {gamma.address} and {beta.address}",
        )  # fmt: skip


def norm_pairs(weights: StoredWeights) -> list[tuple[StoredWeight, StoredWeight]]:
    """Gamma and beta of every layer norm that has both, in order."""
    by_address = {weight.address: weight for weight in weights.sound}
    gammas = [weight for weight in weights.sound if weight.symbol == "γ"]
    pairs = [(gamma, by_address.get(gamma.address[:-1] + "β")) for gamma in gammas]
    return [(gamma, beta) for gamma, beta in pairs if beta is not None]


def _level(weight: StoredWeight) -> float:
    return float(np.median(np.abs(weight.vector)))
