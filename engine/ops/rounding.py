"""How far a stored number may be from the exact value of its formula: bounds from the literature, by kind of operation.

`u` is the unit roundoff, half the distance from 1 to the next number. A sum of n terms, added in any order, is off by at
most γₙ · Σ|term| with γₙ = n u / (1 − n u) (Higham, Accuracy and Stability of Numerical Algorithms, 2nd edition, section
3.1 and problem 3.4). Kernels for float16 and bfloat16 add in float32 and round their results.
"""

from __future__ import annotations

import math

from ..program.explanation import Terms

UNIT = {"float64": 2.0**-53, "float32": 2.0**-24, "float16": 2.0**-11, "bfloat16": 2.0**-8}
# What may vanish altogether: the smallest normal number (some kernels flush), in float16 the smallest there is.
TINY = {"float64": 2.0**-1022, "float32": 2.0**-126, "float16": 2.0**-24, "bfloat16": 2.0**-126}
# torch's vectorised softmax takes an exp that is good to 20 units in the last place (`exp_u20`): 40 u.
EXP = 40


def unit(dtype: str) -> float:
    """Unit roundoff of a dtype; 0 for whole numbers."""
    return UNIT.get(dtype, 0.0)


def within(dtype: str) -> float:
    """Unit roundoff of what kernels add in."""
    return min(unit(dtype), UNIT["float32"])


def gamma(count: float, u: float) -> float:
    """γₙ; infinite where rounding may take everything."""
    return count * u / (1 - count * u) if count * u < 1 else math.inf


def of_products(dtype: str, terms: Terms, stored: float, bias: float = 0.0) -> float:
    """A sum of products and a bias: γₙ Σ|term|; below float32, two roundings of the result besides."""
    low = 2 * unit(dtype) * (abs(stored) + 2 * abs(bias)) if unit(dtype) > within(dtype) else 0.0
    return gamma(len(terms) + 1, within(dtype)) * terms.magnitude + low + len(terms) * TINY.get(dtype, 0.0)


def of_additions(dtype: str, terms: Terms) -> float:
    """Additions one after the other, each rounded to the dtype: γ₍ₙ₋₁₎ Σ|term|."""
    return gamma(len(terms) - 1, unit(dtype)) * terms.magnitude + 2 * UNIT["float64"] * terms.magnitude


def of_softmax(dtype: str, weight: float, distance: float, mean_distance: float, count: int) -> float:
    """exp(x − max) / Σ: relative (n + 2 · exp + |x − max| + its mean over the row + 8) u.

    Args:
        weight: the exact one.
        distance: |x − max| of this element; mean_distance: the mean over the row by weight.
        count: of elements in the row.
    """
    steps = count + 2 * EXP + distance + mean_distance + 8
    low = 2 * unit(dtype) * weight if unit(dtype) > within(dtype) else 0.0
    return steps * within(dtype) * weight + low + (count + 1) * TINY.get(dtype, 0.0)


def of_norm(dtype: str, scale: float, spread: float, mean: float, variance: float, epsilon: float, count: int) -> float:
    """(x − mean) / √(variance + ε) · γ + β, computed as x · s − mean · s with s = 1/√(variance + ε).

    The mean is off by γₙ · mean|x|, the variance by n u √(variance (variance + mean²)) (Welford's and pairwise sums; Chan,
    Golub and LeVeque 1983), and its root by half of that.

    Args:
        scale: |γ| s (|x| + |mean| + mean|x|) + |β|; spread: |γ| s |x − mean|.
        mean, variance, epsilon, count: of the row.
    """
    u = within(dtype)
    off = count * u * (math.sqrt(variance * (variance + mean * mean)) + count * u * mean * mean)
    root = off / (variance + epsilon) if variance + epsilon else math.inf
    return gamma(count + 12, u) * scale + root * spread + 2 * unit(dtype) * scale + TINY.get(dtype, 0.0)


def of_steps(dtype: str, steps: float, magnitude: float) -> float:
    """A few operations in a row on numbers of a magnitude, each rounded to the dtype."""
    return steps * unit(dtype) * magnitude + (TINY.get(dtype, 0.0) if steps else 0.0)
