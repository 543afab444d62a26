"""Any budget for kept values, and any order of reading, gives the same bits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import THREE
from encoder_tui.engine import Encoder, Run, load
from encoder_tui.engine.traces import row_blocks as blocks_module
from encoder_tui.engine.traces.cache import Cache, MemoryPool
from encoder_tui.engine.traces.shapes import Shadow
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

TEXTS = ["The cat sat on the mat. " * 17, *THREE]


@pytest.fixture(scope="module")
def directory(make_checkpoint: Callable[..., Path]) -> Path:
    return make_checkpoint(max_position_embeddings=128, hidden_size=64)


@pytest.fixture(scope="module")
def whole(directory: Path) -> dict[str, torch.Tensor]:
    """Every value, from a run without a limit."""
    run = load(directory, "cpu").run(TEXTS)
    return {stage.name: run[stage.name].tensor() for stage in run.program}


def limited(directory: Path, budget: int | None):
    return load(directory, "cpu", budget=budget).run(TEXTS)


def assert_same(run: Run, name: str, whole: dict[str, torch.Tensor]):
    assert torch.equal(run[name].tensor(), whole[name]), name


def test_quadratic_stages_are_windowed(
    directory: Path, whole: dict[str, torch.Tensor], monkeypatch: pytest.MonkeyPatch
):
    """With next to no budget nothing quadratic is ever whole, and the smallest blocks of rows give the same bits."""
    monkeypatch.setattr(blocks_module, "BLOCK_BYTES", 1)
    run = limited(directory, 1)
    square = [
        stage.name for stage in run.program if stage.axes[-2:] == ("query", "key") and stage.inputs[0] != "tokens.mask"
    ]
    assert square
    assert all(run.is_windowed(name) for name in square)
    assert len(run.row_blocks(square[0])) > 2
    for name in whole:
        assert_same(run, name, whole)


@pytest.mark.parametrize("block", [400_000, 10_000_000])
def test_blocks_of_rows_equal_the_whole(
    directory: Path, whole: dict[str, torch.Tensor], block: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(blocks_module, "BLOCK_BYTES", block)
    run = limited(directory, 1)
    for name in whole:
        assert_same(run, name, whole)


def test_predictions_too_are_the_same(make_checkpoint: Callable[..., Path]):
    """Probabilities over the vocabulary are by far the largest value of a short text."""
    directory = make_checkpoint(head=True)
    free, limited = load(directory, "cpu").run(THREE), load(directory, "cpu", budget=100_000).run(THREE)
    assert limited.is_windowed("head.words.probabilities")
    for name in ("head.words.best", "head.words.probabilities"):
        assert torch.equal(limited[name].tensor(), free[name].tensor())


@pytest.mark.parametrize("tokens", [1, 2, 31, 32, 63, 64, 65, 512, 513])
@pytest.mark.parametrize("block", [1, 1 << 16, 1 << 30])
def test_blocks_cover_every_row_once(small: Encoder, tokens: int, block: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(blocks_module, "BLOCK_BYTES", block)
    run = small.run("one two three")
    name = "layers.0.attention.weights"
    run.computation.shadows = {**run.computation.shadows, name: Shadow((1, 4, tokens, tokens), torch.float32)}
    rows = [row for start, stop in run.row_blocks(name) for row in range(start, stop)]
    assert rows == list(range(tokens))


@pytest.mark.parametrize("block", [1, 700_000, 5_000_000])
def test_blocks_of_rows_in_a_real_model(minilm: Encoder, minilm_dir: Path, block: int, monkeypatch: pytest.MonkeyPatch):
    """Matrix kernels change with the number of rows; at these sizes too the bits must not."""
    text = "The cat sat on the mat. " * 28
    free = minilm.run(text)
    expected = {
        name: free[name].tensor()
        for name in ("layers.0.attention.weights", "layers.1.attention.context", "layers.1.output")
    }
    monkeypatch.setattr(blocks_module, "BLOCK_BYTES", block)
    run = load(minilm_dir, "cpu", budget=1).run(text)
    assert run.is_windowed("layers.0.attention.weights")
    for name in expected:
        assert_same(run, name, expected)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_budget_any_order(directory: Path, whole: dict[str, torch.Tensor], data: st.DataObject):
    budget = data.draw(st.sampled_from([0, 1, 10_000, 50_000, 200_000, 1_000_000, 10_000_000, None]), label="budget")
    names = data.draw(st.lists(st.sampled_from(sorted(whole)), max_size=12), label="order")
    run = limited(directory, budget)
    for name in names:
        assert_same(run, name, whole)


@pytest.mark.parametrize("budget", [100_000, 400_000])
def test_the_budget_is_kept(minilm_dir: Path, budget: int):
    """Between computations no more is kept than the budget allows, beyond what the last one needed."""
    run = load(minilm_dir, "cpu", budget=budget).run("one two three four five six seven")
    for position, stage in enumerate(run.program):
        run.reach(position)
        needed = [name for name in (stage.name, *stage.inputs) if not run.is_windowed(name)]
        assert run.kept_bytes <= budget + 2 * sum(run.computation.shadows[name].nbytes for name in needed), stage.name


def test_eviction_happens_at_all(minilm_dir: Path):
    """Else the tests above would say nothing."""
    run = load(minilm_dir, "cpu", budget=100_000).run("one two three four five six seven")
    run.reach(len(run.program) - 1)
    assert run.computation.cache.pool.evictions > 10


def test_values_read_are_ones_own(small: Encoder):
    """Writing to what was read changes nothing in the run, whatever its dtype and however it was cut."""
    run = small.run(THREE)
    for name in ("tokens.ids", "embeddings.norm", "layers.0.attention.query_heads", "mask.additive", "output"):
        before = run[name].numpy()
        for index in ("", "...", "0", "0, 0"):
            window = run[name].read(index)
            window[...] = 0
        run[name].tensor().zero_()
        run[name].numpy()[...] = 7
        assert (run[name].numpy() == before).all(), name


def test_weights_are_not_written_to(small: Encoder):
    """An op that wrote its result over an input or a weight would give the second run other numbers."""
    first = small.run(THREE)["output"].tensor()
    small.run("something else entirely")["output"].tensor()
    assert torch.equal(small.run(THREE)["output"].tensor(), first)


@pytest.mark.parametrize("borrowed", [{"given": True}, {"borrowed": ("y",)}, {}], ids=str)
def test_memory_of_others_is_never_computed_in(borrowed: dict[str, Any]):
    """Neither what was given, whatever part of it a value is, nor a weight that is a value."""
    given = torch.ones(4, 6)
    more: dict[str, Any] = {"given": [given]} if borrowed.get("given") else borrowed
    cache = Cache(MemoryPool(budget=8 * given.nbytes), **more, expected=8 * given.nbytes)  # too much, so it counts
    cache.put("y", given.view(2, 2, 6))
    cache.put("z", given.view(2, 2, 6))
    cache.drop("y")
    cache.drop("z")
    shared = cache.pool.buffer((2, 2, 6), torch.float32, given.device).data_ptr() == given.data_ptr()
    assert shared == (not borrowed)  # what a run has computed itself is computed in again
