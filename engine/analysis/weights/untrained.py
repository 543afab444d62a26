"""Rows of a token table that nobody trained: still as they were drawn, or the mean that new rows are given."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch

from ..checks.findings import Finding
from .stored import AxisSums, StoredWeight, StoredWeights
from .unlikely import span, unlikely

INITIAL = (0.02, 1.0)  # what transformers and torch draw tables with, where the config says nothing else
LEAST = 32  # numbers of a row from which on its deviation is known
SURE = 4.0  # deviations of what chance does to a row's size
NEAR = 0.05  # of the median distance from the mean: what is no distance


def untrained_rows(weights: StoredWeights) -> Iterator[Finding]:
    """Rows of tokens as they were before training, in a table whose other rows are not."""
    for weight in weights.sound:
        width = weight.figures.columns.size
        if not weights.is_vocabulary(weight) or width < LEAST or weight.figures.is_constant:
            continue
        sizes = np.sqrt(weight.figures.rows / width)
        rows: dict[str, tuple[int, ...]] = {}
        for initial in dict.fromkeys((weights.initial, *INITIAL)):
            said = f"as drawn before training, with a deviation of {initial:g} and no mean"
            rows[said] = _drawn(weights, weight, sizes, initial)
        rows["the mean of the table, as rows are that were added to it and not trained"] = _mean(weights, weight)
        for said, places in rows.items():
            if places and 2 * len(places) < len(sizes):
                verb = "is" if len(places) == 1 else "are"
                yield unlikely(
                    weight, "untrained row", f"{span(places, 'row')} {verb} {said}{weights.called(weight, places)}",
                    f"{len(places):,} of {len(sizes):,} rows {verb} so; the median row has a deviation of {np.median(sizes):.3g}",
                    f"print {weight.address}[{places[0]}]",
                )  # fmt: skip


def _drawn(weights: StoredWeights, weight: StoredWeight, sizes: AxisSums, initial: float) -> tuple[int, ...]:
    """Rows of the size they were drawn with, if their numbers together are as drawn and the other rows' are not."""
    slack = SURE / np.sqrt(2 * weight.figures.columns.size)
    if initial <= 0 or abs(np.median(sizes) / initial - 1) < 3 * slack:
        return ()
    places = _rows(weights, weight, np.abs(sizes / initial - 1) < slack)
    if not places:
        return ()
    rows = weight.tensor()[list(places[:1024])].to(device="cpu", dtype=torch.float64).numpy()
    centred = np.abs(rows.mean(1)) < SURE * initial / np.sqrt(rows.shape[1])
    tails = float((rows**4).mean() / (rows**2).mean() ** 2)  # 3 of a normal distribution
    # Rows that know nothing of one another have column means as small as chance makes them: 1.
    lean = float(np.abs(rows.mean(0)).mean() / (initial * np.sqrt(2 / np.pi / len(rows))))
    normal = abs(tails - 3) < SURE * np.sqrt(24 / rows.size) + 0.05
    return places if centred.all() and normal and lean < 1.2 + 1 / np.sqrt(rows.shape[1]) else ()


def _mean(weights: StoredWeights, weight: StoredWeight) -> tuple[int, ...]:
    """Rows that are the mean of the table, but for what is too little to be anything."""
    squares = weight.figures.rows
    mean = torch.zeros(weight.figures.columns.size, dtype=torch.float64)
    for _, block in weight.blocks():
        mean += block.sum(0, dtype=torch.float64) / squares.size
    along = np.concatenate([(block.to(torch.float64) @ mean).numpy() for _, block in weight.blocks()])
    away = np.sqrt(np.maximum(squares - 2 * along + float(mean @ mean), 0))
    return _rows(weights, weight, away < NEAR * np.median(away))


def _rows(weights: StoredWeights, weight: StoredWeight, where: npt.NDArray[np.bool_]) -> tuple[int, ...]:
    return tuple(row for row in weights.occurring(weight, np.flatnonzero(where)) if row != weights.padding)
