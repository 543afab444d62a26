"""How far every family is from transformers' eager implementation: the README's table, measured.

    python tests/benchmarks/families.py

For each family a random checkpoint is saved by transformers and run by both, alone at several lengths up to the longest
and in a padded batch, in float32 on the CPU; the figure is the largest absolute difference at any stage that
transformers computes by itself.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "engine"))

from family_kit import Sample, differences, open_pair, random_model, reference_values, samples, tokens_for

HEAD = ("family", "for instance", "stages", "compared", "lengths", "largest difference")


def row(sample: Sample) -> tuple[str, ...]:
    """One family's line of the table."""
    encoder, theirs = open_pair(sample, random_model(sample))
    lengths = sorted({sample.shortest, 17, sample.longest})
    largest, compared = 0.0, 0
    for batch in (*([length] for length in lengths), [9, sample.shortest, 4]):
        run = encoder.run(tokens_for(sample, encoder, batch))
        expected = reference_values(sample, theirs, run)
        largest, compared = max([largest, *differences(run, expected).values()]), max(compared, len(expected))
    figure = "0.0" if not largest else f"{largest:.1g} ({sample.why_not})"
    return (
        sample.family, f"`{sample.example}`", str(len(encoder.program)), str(compared),
        f"{lengths[0]} to {lengths[-1]}" if len(lengths) > 1 else str(lengths[0]), figure,
    )  # fmt: skip


def table() -> str:
    """All families, in Markdown."""
    lines = [HEAD, ("---",) * len(HEAD), *map(row, samples())]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    print(table())
