"""Where a value too large to be kept is cut into blocks of rows: the same blocks whoever asks, so the same last bits."""

from __future__ import annotations

import math

from .shapes import Shadow

BLOCK_BYTES = 32 << 20
# A product of very few rows (1 to 3, as measured) goes through another kernel, whose last bits differ.
LEAST_ROWS = 32


def row_blocks(shadow: Shadow, longest: int) -> list[tuple[int, int]]:
    """Where the blocks of rows (the last axis but one) of a value begin and end.

    Args:
        shadow: shape and dtype of the value.
        longest: tokens of the batch, so that a square and what is made of its rows are cut alike.
    """
    count = shadow.shape[-2]
    width = max(shadow.shape[-1], longest)
    row_bytes = math.prod(shadow.shape[:-2]) * width * shadow.dtype.itemsize
    step = max(LEAST_ROWS, BLOCK_BYTES // max(1, row_bytes) // LEAST_ROWS * LEAST_ROWS)
    starts = range(0, max(1, count // step) * step, step)  # the last block takes what is left over as well
    return [(start, start + step if start != starts[-1] else count) for start in starts]
