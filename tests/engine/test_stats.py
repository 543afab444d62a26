"""Statistics against numpy's, on the numbers that hurt; and blocks that give the elements in order."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest
from encoder_tui.engine import Encoder
from encoder_tui.engine.debugger.conditions import StageScope
from encoder_tui.engine.program import value as value_module
from encoder_tui.engine.program.figures import FROM_STATS
from encoder_tui.engine.program.stats import gather
from encoder_tui.engine.program.value import ArrayValue
from encoder_tui.engine.traces.one_hot import OneHotValue
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray


def stats_of(array: NDArray[Any]):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return ArrayValue("x", tuple(f"axis{i}" for i in range(array.ndim)), array).stats()


def check(array: NDArray[Any]):
    found = stats_of(array)
    real = array[np.isfinite(array)].astype(np.float64)
    assert (found.count, found.finite) == (array.size, real.size)
    assert found.nan == np.isnan(array).sum()
    assert found.inf == np.isinf(array).sum()
    assert found.zeros == (array == 0).sum()
    if not real.size:
        assert all(map(math.isnan, (found.min, found.max, found.mean, found.std, found.norm)))
        return
    assert (found.min, found.max) == (real.min(), real.max())
    close: dict[str, Any] = {"rel": 1e-9, "abs": 1e-9 * max(1e-300, np.abs(real).max())}
    assert found.mean == pytest.approx(real.mean(), **close)
    assert found.std == pytest.approx(real.std(), **close)
    assert found.norm == pytest.approx(math.hypot(*real), **close)
    assert sum(found.histogram) == real.size


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int64, np.bool_])
def test_dtypes(dtype: type[np.generic]):
    check((np.random.default_rng(0).standard_normal((7, 5, 3)) * 5).astype(dtype))


@pytest.mark.parametrize(
    "numbers",
    [
        [math.nan], [math.inf, -math.inf], [math.nan, math.inf, 1.0, -0.0], [], [0.0], [5.0] * 9,
        [3.4028235e38, -3.4028235e38], [1e-45, 0.0], [1.4073749e14], [1e30] * 3,
    ],
    ids=str,
)  # fmt: skip
def test_numbers_that_hurt(numbers: list[float]):
    check(np.array(numbers, np.float32))


def test_float16_does_not_overflow():
    check(np.full(1000, 60_000, np.float16))


def test_squares_beyond_float64_are_infinite():
    found = stats_of(np.array([1e200, 3e200]))
    assert (found.max, found.mean, found.std, found.norm) == (3e200, 2e200, math.inf, math.inf)
    vanished = stats_of(np.array([1e-170, 3e-170]))
    assert (vanished.min, vanished.mean, vanished.std, vanished.norm) == (1e-170, 2e-170, 0, 0)


@settings(max_examples=60, deadline=None)
@given(array=hnp.arrays(np.float32, hnp.array_shapes(max_dims=4, max_side=6), elements=st.floats(width=32)))
def test_any_floats(array: NDArray[Any]):
    check(array)


def test_histogram_is_numpys():
    array = np.random.default_rng(1).standard_normal(10_000).astype(np.float32)
    assert stats_of(array).histogram == tuple(np.histogram(array.astype(np.float64), bins=40)[0])


def test_gathered_in_blocks_or_whole():
    array = np.random.default_rng(2).standard_normal(10_001) * 1e3 + 1e6
    whole, parts = gather([array], [array]), gather(np.array_split(array, 100), np.array_split(array, 100))
    assert parts.mean == pytest.approx(whole.mean, rel=1e-14)
    assert parts.std == pytest.approx(whole.std, rel=1e-10)
    assert (parts.min, parts.max, parts.histogram) == (whole.min, whole.max, whole.histogram)


@pytest.mark.parametrize("block", [1, 7, 30, 1000])
@pytest.mark.parametrize(
    "index", ["", "0", ":, 1", "..., 2", "::-1", "1:1", ":, ::-2, 1:", "0, 0, 0"],
)  # fmt: skip
def test_blocks_are_the_window_in_order(block: int, index: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(value_module, "BLOCK_ELEMENTS", block)
    value = ArrayValue("x", ("a", "b", "c"), np.arange(4 * 5 * 6).reshape(4, 5, 6))
    blocks = list(value.blocks(index))
    assert all(piece.size <= max(block, 1) for piece in blocks)
    joined = np.concatenate([piece.ravel() for piece in blocks])
    assert np.array_equal(joined, value.read(index).ravel())


def test_one_hot_is_counted_without_being_built(small: Encoder, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(value_module, "BLOCK_ELEMENTS", 10_000)
    run = small.run("one two three")
    value = run["tokens.one_hot"]
    sizes = [piece.size for piece in value.blocks()]
    assert max(sizes) <= 10_000
    stats = value.stats()
    assert (stats.count, stats.zeros, stats.max) == (5 * 30522, 5 * 30521, 1)


@pytest.mark.parametrize("recorded", [False, True])
def test_figures_of_one_hot_rows_are_known(small: Encoder, recorded: bool):
    run = small.run(["one two three", "one"])
    value = run["tokens.one_hot"]
    if recorded:
        value = OneHotValue(value.name, value.axes, run.tokens.ids, value.shape)
    stats = value.stats(histogram=False)
    for word, of in FROM_STATS.items():
        assert value.quick(word) == pytest.approx(of(stats), rel=1e-12), word
    assert value.quick("max", "0, 0, :3") is None


def test_entropy_of_a_window_read_in_blocks(small: Encoder, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(value_module, "BLOCK_ELEMENTS", 8)
    run = small.run("one two three")
    name = "layers.0.attention.weights"
    weights = run[name].read().astype(np.float64)[0]
    found = StageScope(run, run.program[name]).call("entropy", run[name].read("0"))
    assert found == pytest.approx(-(weights * np.log(weights)).sum(-1).mean())
