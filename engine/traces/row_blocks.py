"""Where a value too large to be kept is cut into blocks of rows: the same blocks whoever asks, so the same last bits."""

from __future__ import annotations

import math
from typing import NamedTuple

from .shapes import Shadow

BLOCK_BYTES = 32 << 20
# Of one head: scores, softmax and both products are quickest where a block of them stays near the processor, and products
# are slow with fewer rows (8,192 tokens: 2.8 s a layer with 256 rows of one head, 4.3 with 64 of twelve).
HEAD_BYTES = 8 << 20
# A product of very few rows (1 to 3, as measured) goes through another kernel, whose last bits differ.
LEAST_ROWS = 32


class RowBlock(NamedTuple):
    """What is computed together of a value in rows.

    Attributes:
        start, stop: rows, of the last axis but one.
        heads: which (`slice(3, 4)`), of the second of four axes; None where all are computed together.
        keys: which, of the last axis, where the others cannot have any weight; None for all.
    """

    start: int
    stop: int
    heads: slice | None = None
    keys: slice | None = None


def row_blocks(shadow: Shadow, longest: int, together: int | None = None) -> list[tuple[int, int]]:
    """Where the blocks of rows (the last axis but one) of a value begin and end.

    Args:
        shadow: shape and dtype of the value.
        longest: tokens of the batch, so that a square and what is made of its rows are cut alike.
        together: of how many heads rows are computed together; None for all.
    """
    count = shadow.shape[-2]
    width = max(shadow.shape[-1], longest)
    lead = math.prod(shadow.shape[:-2]) if together is None else together
    row_bytes = lead * width * shadow.dtype.itemsize
    most = BLOCK_BYTES if together is None else min(BLOCK_BYTES, together * HEAD_BYTES)
    step = max(LEAST_ROWS, most // max(1, row_bytes) // LEAST_ROWS * LEAST_ROWS)
    starts = range(0, max(1, count // step) * step, step)  # the last block takes what is left over as well
    return [(start, start + step if start != starts[-1] else count) for start in starts]


def head_groups(heads: int, threads: int) -> list[slice]:
    """Heads in groups that can be computed apart and come out the same.

    No group is smaller than the number of threads, where there are so many heads: torch's library shares out the heads of one product among
    threads where there are enough, and cuts one head's sums among them where there are not, which rounds otherwise.
    """
    count = max(1, heads // threads)
    return [slice(heads * at // count, heads * (at + 1) // count) for at in range(count)]
