"""What queries and keys say of a square of scores that is never built: its figures lie in the ranges that follow from them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from encoder_tui.engine.ops import AdditiveMask, AddMask, Op, Scale, Scores, no_memory
from encoder_tui.engine.ops.moments import Moments, of_square
from encoder_tui.engine.program.figures import FROM_STATS
from encoder_tui.engine.program.stats import gather
from encoder_tui.engine.traces.ranges.figures import by_moments
from hypothesis import given, settings
from hypothesis import strategies as some

DTYPES = ["float32", "float64", "bfloat16", "float16"]
WORDS = ("mean", "std", "norm", "min", "max", "absmax")
Known = tuple[torch.Tensor, Moments | None]


class Sources:
    """Tensors at hand, and what is known of them."""

    def __init__(self, dtype: torch.dtype, *given: Known) -> None:
        self.dtype, self._given = dtype, given

    def tensor(self, place: int) -> torch.Tensor | None:
        return self._given[place][0]

    def moments(self, place: int) -> Moments | None:
        return self._given[place][1]


def made(op: Op, dtype: torch.dtype, *given: Known) -> Known:
    result = op.compute([tensor for tensor, _ in given], (), no_memory)
    return result, op.moments(Sources(dtype, *given))


def expect_in_ranges(known: Known) -> None:
    tensor, moments = known
    assert moments is not None
    stats = gather([tensor.double().numpy()])
    if stats.finite < stats.count:
        return  # such a value is never asked for its moments
    for word in WORDS:
        ends = by_moments(word, moments, stats.count)
        assert ends is None or ends[0] <= FROM_STATS[word](stats) <= ends[1], word


@settings(deadline=None)
@given(data=some.data())
def test_figures_of_squares_lie_in_their_ranges(data: some.DataObject) -> None:
    dtype = getattr(torch, data.draw(some.sampled_from(DTYPES), label="dtype"))
    batch, heads, queries, size = (data.draw(some.integers(1, most)) for most in (2, 3, 40, 9))
    generator = torch.Generator().manual_seed(data.draw(some.integers(0, 1 << 20)))
    scales, shifts = some.sampled_from([1e-30, 1e-6, 1.0, 30.0, 1e12]), some.sampled_from([0.0, 0.0, 1.0, -100.0])

    def drawn() -> torch.Tensor:
        numbers = torch.randn(batch, heads, queries, size, generator=generator, dtype=torch.float64)
        return ((numbers + data.draw(shifts)) * data.draw(scales)).to(dtype)

    scores = made(Scores(), dtype, (drawn(), None), (drawn(), None))
    expect_in_ranges(scores)
    scaled = made(Scale(size), dtype, scores)
    expect_in_ranges(scaled)
    seen = torch.ones(batch, queries, dtype=torch.int64)
    seen[:, data.draw(some.integers(1, queries)) :] = 0
    window = data.draw(some.sampled_from([None, 0, 3, 100]))
    mask = made(AdditiveMask(str(dtype)[6:], causal=data.draw(some.booleans()), window=window), dtype, (seen, None))
    expect_in_ranges((mask[0].contiguous(), mask[1]))
    expect_in_ranges(made(AddMask(), dtype, scaled, mask))


def test_of_float32_the_range_is_narrow():
    """Of numbers as they are in a model it is told to four digits, although no score was computed."""
    query, key = (torch.randn(1, 2, 500, 64, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1))
    moments = of_square(query, key, torch.float32)
    assert moments is not None
    low, high = by_moments("std", moments, 2 * 500 * 500) or (0, 0)
    exact = float(np.std((query.double() @ key.double().mT).numpy()))
    assert low <= exact <= high
    assert high - low < 1e-3 * exact


def test_where_products_round_more_than_the_dtype_nothing_is_said():
    query = torch.ones(1, 1, 4, 4)
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision("medium")
        assert of_square(query, query, torch.float32) is None
    finally:
        torch.set_float32_matmul_precision(before)
    assert of_square(query, query, torch.float32) is not None


@pytest.mark.parametrize("number", [math.nan, math.inf, 1e200])
def test_what_is_no_number_or_too_large_to_be_squared_says_nothing(number: float):
    query, key = torch.ones(1, 1, 4, 4, dtype=torch.float64), torch.ones(1, 1, 4, 4, dtype=torch.float64)
    query[0, 0, 1, 2] = number
    moments = of_square(query, key, torch.float64)
    assert moments is None or all(by_moments(word, moments, 16) is None for word in WORDS)


def test_minus_infinity_in_a_mask_says_nothing_unless_nothing_is_hidden():
    seen = torch.ones(1, 6, dtype=torch.int64)
    assert AdditiveMask("float32", infinite=True).moments(Sources(torch.float32, (seen, None))) is not None
    assert AdditiveMask("float32", window=2, infinite=True).moments(Sources(torch.float32, (seen, None))) is None
