"""Squares that are handed on and not kept: what is looked at has the same bits, whatever was passed by before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from encoder_tui.engine import Encoder, Run, load
from encoder_tui.engine.traces import arena, fleeting
from family_kit import open_pair, random_model, sample_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

TEXTS = ["The cat sat on the mat.", "A dog."]
SCALED, MASKED = "layers.0.attention.scaled", "layers.0.attention.masked"


@pytest.fixture
def every_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is fleeting when it is large is so at any size."""
    monkeypatch.setattr(fleeting, "LARGE", 1)


@pytest.fixture(scope="module")
def encoder(make_checkpoint: Callable[..., Path]) -> Encoder:
    return load(make_checkpoint(), "cpu")


def walked(encoder: Encoder) -> Run:
    """Every stage reached, none looked at."""
    run = encoder.run(TEXTS)
    for position in range(len(run.program)):
        run.reach(position)
    return run


def kept(run: Run) -> set[str]:
    return set(run.computation.cache.names())


def held(run: Run) -> Sequence[str]:
    return list(run.computation._fleeting._held)


def plain(encoder: Encoder) -> dict[str, torch.Tensor]:
    """Every value of a run that keeps all of them."""
    with pytest.MonkeyPatch.context() as context:
        context.setattr(fleeting, "LARGE", 1 << 60)
        run = walked(encoder)
        assert kept(run) >= {SCALED, MASKED}
        return {stage.name: run[stage.name].tensor() for stage in run.program}


@pytest.mark.usefixtures("every_size")
def test_what_is_passed_by_is_not_kept_and_what_is_looked_at_is(encoder: Encoder):
    wanted, run = plain(encoder), walked(encoder)
    assert not kept(run) & {SCALED, MASKED}
    assert not held(run)
    assert {"layers.0.attention.scores", "layers.0.attention.weights"} <= kept(run)
    for name, value in wanted.items():
        assert torch.equal(run[name].tensor(), value), name
    assert kept(run) >= {SCALED, MASKED}
    assert not held(run)


@pytest.mark.usefixtures("every_size")
def test_where_one_stands_nothing_is_computed_a_second_time(encoder: Encoder):
    run = encoder.run(TEXTS)
    for position in range(run.program.index(MASKED) + 1):
        run.reach(position)
    assert held(run) == [MASKED]
    there = run.computation.known(MASKED)
    assert there is not None
    assert run.tensor(MASKED) is there
    assert MASKED in kept(run)


@pytest.mark.usefixtures("every_size")
@pytest.mark.parametrize("family", ["ModernBERT", "T5", "DeBERTa"])
def test_families_whose_squares_are_made_otherwise(family: str):
    sample = sample_of(family)
    encoder, _ = open_pair(sample, random_model(sample))
    ids = [[5, 6, 7, 8, 9, 3], [4, 5]]
    with pytest.MonkeyPatch.context() as context:
        context.setattr(fleeting, "LARGE", 1 << 60)
        whole = encoder.run_ids(ids)
        wanted = {stage.name: whole[stage.name].tensor() for stage in whole.program}
    run = encoder.run_ids(ids)
    for position in range(len(run.program)):
        run.reach(position)
    assert run.computation._fleeting.passed
    assert not held(run)
    for name, value in wanted.items():
        assert torch.equal(run[name].tensor(), value), name


@pytest.mark.usefixtures("every_size")
def test_what_was_passed_by_is_stale_after_a_patch_as_well(encoder: Encoder):
    run = walked(encoder)
    before = run.fork()
    run.set_patches([change(run)])
    assert {SCALED, MASKED, "layers.0.attention.weights"} <= run.stale
    walk(run)
    assert not run.stale
    assert not held(run)
    assert not before.stale


@pytest.mark.usefixtures("every_size")
def test_a_patch_upon_one_is_kept(encoder: Encoder):
    run = encoder.run(TEXTS)
    run.override(SCALED, torch.zeros(run.shapes[SCALED]))
    walk(run)
    assert SCALED in kept(run)
    assert not run.tensor(SCALED).any()


def test_a_small_value_is_kept(encoder: Encoder):
    assert kept(walked(encoder)) >= {SCALED, MASKED}
    assert not walked(encoder).computation._fleeting


@pytest.mark.usefixtures("every_size")
def test_where_it_is_counted_who_was_used_last_all_is_kept(make_checkpoint: Callable[..., Path]):
    encoder = load(make_checkpoint(), "cpu", budget=1 << 17)
    run = walked(encoder)
    assert run.computation.cache.pool.counting
    assert not run.computation._fleeting.passed


def test_memory_is_used_again_from_layer_to_layer(make_checkpoint: Callable[..., Path]):
    """Eight layers whose scaled scores are as large as a piece: one or two lie in memory, not eight."""
    if arena.HUGE_PAGES is None:
        pytest.skip("torch allocates everything here")
    encoder = load(make_checkpoint(num_hidden_layers=8, max_position_embeddings=1024), "cpu")
    heads = encoder.run("a").shapes[SCALED][1]
    tokens = int((fleeting.LARGE / 4 / heads) ** 0.5) + 1
    run = encoder.run_ids([[5] * tokens])
    assert run.computation.shadows[SCALED].nbytes >= fleeting.LARGE
    places: set[int] = set()
    for position, stage in enumerate(run.program):
        run.reach(position)
        tensor = run.computation._fleeting.get(stage.name)
        if tensor is not None:
            places.add(tensor.data_ptr())
    assert len(run.computation._fleeting.passed) == 16
    assert len(places) <= 2


@pytest.mark.usefixtures("every_size")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["reach", "read", "patch", "fork", "restore"]), st.integers(0, 200)), max_size=12
    )
)
def test_any_order_gives_the_same_bits(encoder: Encoder, steps: list[tuple[str, int]]):
    runs, others = [encoder.run(TEXTS)], [encoder.run(TEXTS)]
    others[0].computation._fleeting = fleeting.Fleeting(others[0].program, {})
    for what, number in steps:
        at = number % len(runs)
        run, other = runs[at], others[at]
        position = number % len(run.program)
        name = run.program.stages[position].name
        if what == "reach":
            run.reach(position)
            other.reach(position)
        elif what == "read":
            assert torch.equal(run[name].tensor(), other[name].tensor()), name
        elif what == "patch":
            for each in (run, other):
                each.set_patches([change(each)])
        elif what == "restore":
            for each in (run, other):
                each.set_patches([])
        else:
            for several in (runs, others):
                several.append(several[at].fork())
            others[-1].computation._fleeting = fleeting.Fleeting(other.program, {})
        assert run.stale == other.stale
    for run, other in zip(runs, others, strict=True):
        for stage in run.program:
            assert torch.equal(run[stage.name].tensor(), other[stage.name].tensor()), stage.name


def walk(run: Run) -> None:
    for position in range(len(run.program)):
        run.reach(position)


def change(run: Run):
    """A change of the scores of the first layer."""
    from encoder_tui.engine.program.patch import Patch
    from encoder_tui.engine.traces.patches.changes import Replace

    name = "layers.0.attention.query"
    shape = run.shapes[name]
    return Patch(name, "patch it", Replace(tuple(slice(None) for _ in shape), torch.zeros(shape)))
