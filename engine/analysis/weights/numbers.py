"""Numbers that are none: NaN, infinite, or so small that they are subnormal."""

from __future__ import annotations

from collections.abc import Iterator

from ..checks.findings import Finding
from .stored import StoredWeights
from .unlikely import unlikely

MANY = 0.01  # share of a weight's numbers from which on subnormal ones are told of


def odd_numbers(weights: StoredWeights) -> Iterator[Finding]:
    """Weights with NaN or infinite numbers, or with many subnormal ones."""
    every = [weight for weight in weights if weight.count]
    lost = [weight for weight in every if not weight.figures.is_finite]
    for weight in lost:
        figures = weight.figures
        kinds = [f"{figures.not_numbers:,} NaN"] * bool(figures.not_numbers)
        kinds += [f"{figures.infinite:,} infinite"] * bool(figures.infinite)
        assert figures.first_bad is not None
        place = figures.first_bad[1:] if weight.is_vector else figures.first_bad
        yield unlikely(
            weight, "not finite",
            f"of {weight.count:,} numbers {' and '.join(kinds)}, the first at [{', '.join(map(str, place))}]",
            f"{len(lost)} of {len(every)} weights {'has' if len(lost) == 1 else 'have'} such a number",
            "`break unexpected` stops where it comes to matter",
        )  # fmt: skip
    small = [weight for weight in every if weight.figures.subnormal > max(MANY * weight.count, 1)]
    if 2 * len(small) < len(every):
        for weight in small:
            yield unlikely(
                weight, "subnormal",
                f"{weight.figures.subnormal:,} of its {weight.count:,} numbers are subnormal in float32, below 1.2e-38: "
                "as of bytes that were read as another dtype, or of features that decayed away",
                f"{len(small)} of {len(every)} weights {'has' if len(small) == 1 else 'have'} more than one in a hundred",
            )  # fmt: skip
