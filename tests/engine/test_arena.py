"""Memory for values: side by side, used again once nobody has it, given back, and counted where it may have to go."""

from __future__ import annotations

import gc
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
import torch
from encoder_tui.engine import Encoder, load
from encoder_tui.engine.traces import arena
from encoder_tui.engine.traces.arena import LARGE, PIECE, RESERVE, SMALL, Arena, one_value
from encoder_tui.engine.traces.run import Run

pytestmark = pytest.mark.skipif(arena.HUGE_PAGES is None, reason="the system has no huge pages to ask for")

MIB = 1 << 20


@pytest.fixture(autouse=True)
def nothing_in_reserve() -> Generator[None]:
    gc.collect()
    arena._reserve.clear()
    yield
    arena._reserve.clear()


def idle(of: arena.Idle) -> int:
    return sum(size * len(pieces) for size, pieces in of.items())


def test_values_lie_side_by_side_and_apart():
    """Each can be written to whole without a neighbour's changing, and begins where torch's own would."""
    here = Arena()
    shapes = [((3, 70_000), torch.float32), ((250_001,), torch.bool), ((90_000,), torch.bfloat16), ((1,), torch.int64)]
    shapes += [((PIECE // 8 + 1,), torch.float64), ((0, 4), torch.float32)]
    values = [here.empty(shape, dtype) for shape, dtype in shapes * 3]
    for number, value in enumerate(values):
        value.fill_(number % 2)
    for number, (value, (shape, dtype)) in enumerate(zip(values, shapes * 3, strict=True)):
        assert value.shape == shape
        assert value.dtype == dtype
        assert value.data_ptr() % 64 == 0
        assert bool((value == number % 2).all())
    shared = [value for value in values if SMALL <= value.nbytes <= PIECE]
    assert len({here.piece(value.data_ptr()) for value in shared}) == 1
    assert here.piece(values[3].data_ptr()) is None
    assert here.piece(values[4].data_ptr()) is None


def test_a_piece_is_used_again_once_nobody_has_it():
    here = Arena()
    first, second = (here.empty((MIB,), torch.float32) for _ in range(2))
    place = first.data_ptr()
    filled = [here.empty((PIECE,), torch.uint8) for _ in range(1)]  # the first piece is not asked for more
    del first
    assert here.empty((PIECE,), torch.uint8).data_ptr() not in (place, second.data_ptr())
    del second
    assert here.empty((PIECE,), torch.uint8).data_ptr() == place
    del filled


def test_an_arena_leaves_a_little_to_the_next_one():
    here = Arena()
    values = [here.empty((PIECE,), torch.uint8) for _ in range(2 * RESERVE // PIECE)]
    places = {value.data_ptr() for value in values}
    del values, here
    assert idle(arena._reserve) == RESERVE
    assert Arena().empty((MIB,), torch.float32).data_ptr() in places


def test_what_is_given_up_goes_back_to_the_system():
    here = Arena()
    first, value = (here.empty((PIECE,), torch.uint8) for _ in range(2))
    del first
    assert idle(here._idle) == PIECE
    here.give_up()
    assert idle(here._idle) == 0
    here.close()
    del value
    assert idle(here._idle) == idle(arena._reserve) == 0


def test_a_value_alone_goes_with_its_memory():
    value = one_value((LARGE,), torch.float32)
    value.fill_(1.0)
    assert value.shape == (LARGE,)
    del value
    assert idle(arena._reserve) == 0


def pieces(run: Run) -> set[tuple[int, int] | None]:
    tensors = run.computation.cache.tensors()
    pool = run.computation.cache.pool
    assert pool._arena is not None
    return {pool._arena.piece(tensor.untyped_storage().data_ptr()) for tensor in tensors} - {None}


def walked(encoder: Encoder) -> Run:
    run = encoder.run("one two three four " * 20)
    for position in range(len(run.program)):
        run.reach(position)
    return run


@pytest.fixture
def wide(make_checkpoint: Callable[..., Path]) -> Path:
    """A model whose values are large enough for pieces."""
    return make_checkpoint(max_position_embeddings=128, hidden_size=512, intermediate_size=2048)


def test_counting_begins_when_values_might_have_to_go(wide: Path):
    """A fork is one too many for the budget: what lies side by side is counted by its piece, and evicted until that is gone."""
    whole = walked(load(wide, "cpu"))
    shadows = whole.computation.shadows
    expected = sum(shadow.nbytes for name, shadow in shadows.items() if not whole.is_windowed(name))
    budget = int(1.5 * expected)
    encoder = load(wide, "cpu", budget=budget)
    run = walked(encoder)
    pool = run.computation.cache.pool
    assert not pool.counting
    assert pieces(run)
    assert run.kept_bytes == whole.kept_bytes
    fork = run.fork()
    assert pool.counting
    assert run.kept_bytes >= whole.kept_bytes  # a piece is counted whole
    fork.override("embeddings.sum", fork.tensor("embeddings.sum") * 2)
    for position in range(len(run.program)):
        for each in (run, fork):
            each.reach(position)
            assert each.kept_bytes <= budget
    for stage in run.program:
        assert torch.equal(run.tensor(stage.name), whole.tensor(stage.name)), stage.name


def test_a_run_too_large_counts_from_the_start(wide: Path):
    whole = walked(load(wide, "cpu"))
    run = walked(load(wide, "cpu", budget=whole.kept_bytes // 2))
    assert run.computation.cache.pool.counting
    assert not pieces(run)
    assert run.kept_bytes <= whole.kept_bytes // 2
    assert torch.equal(run.tensor("layers.1.ffn.norm"), whole.tensor("layers.1.ffn.norm"))


def test_a_patch_computes_in_memory_that_others_left(wide: Path):
    """Thirty patches of the first layer take no more memory than a few."""
    run = walked(load(wide, "cpu"))
    most = len(pieces(run))
    for number in range(30):
        run.override("embeddings.sum", torch.full(run.shapes["embeddings.sum"], float(number)))
        for position in range(len(run.program)):
            run.reach(position)
        assert len(pieces(run)) <= most + 2  # the first and the last are in part others'
    there = run.computation.cache.pool._arena
    assert there is not None
    assert idle(there._idle) <= (most + 2) * PIECE


def test_without_huge_pages_all_is_torchs(wide: Path, monkeypatch: pytest.MonkeyPatch):
    expected = walked(load(wide, "cpu")).tensor("layers.1.ffn.norm")
    monkeypatch.setattr(arena, "HUGE_PAGES", None)
    run = walked(load(wide, "cpu"))
    assert not pieces(run)
    assert torch.equal(run.tensor("layers.1.ffn.norm"), expected)
