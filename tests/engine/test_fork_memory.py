"""Forks share one budget and give their memory back: no circle of references keeps what nobody has any more."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from encoder_tui.engine import Encoder, InputError, Run, Session, load
from encoder_tui.engine.program.trace import Trace
from session_kit import do, walk

TEXT = "the cat sat on the mat and " * 85  # 512 tokens, cut to 510


@pytest.fixture
def no_collector() -> Iterator[None]:
    """What goes away here goes by itself, not because circles are looked for."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def run_of(trace: Trace) -> Run:
    assert isinstance(trace, Run)
    return trace


@pytest.mark.sweep
def test_forks_stay_within_one_budget(minilm_dir: Path):
    budget = 256 << 20
    encoder = load(minilm_dir, "cpu", budget=budget)
    session = Session(encoder.run(encoder.read(TEXT, max_length=510)), encoder)
    largest = max(shadow.nbytes for shadow in run_of(session.trace).computation.shadows.values())
    for number in range(1, 13):
        do(session, "switch 0", "fork", f"scale layers.3.attention.weights[head={number % 12}] 0.5")
        walk(session.trace)
        assert run_of(session.trace).kept_bytes <= budget + 3 * largest
    kept = [
        tensor.untyped_storage()
        for trace in session.forks.values()
        for tensor in run_of(trace).computation.cache._tensors.values()
    ]
    assert sum({storage.data_ptr(): storage.nbytes() for storage in kept}.values()) == run_of(session.trace).kept_bytes
    assert run_of(session.trace).computation.cache.pool.evictions > 100


def test_values_of_forks_are_right_whatever_was_evicted(make_checkpoint: Callable[..., Path]):
    """Forks evict one another's values; what is computed again from what is shared is the same to the last bit."""
    directory = make_checkpoint(max_position_embeddings=128, hidden_size=64)
    lines = (
        "scale layers.0.attention.weights[head=1] 0.5",
        "patch layers.1.output[0, 0] = 0",
        "ablate embeddings.sum[0, 1]",
    )
    wanted = ("layers.0.attention.query_heads", "layers.1.attention.context", "output")
    texts = ["one two three four five six seven", "one"]
    whole: list[list[torch.Tensor]] = []
    for line in lines:
        run = Session(load(directory, "cpu").run(texts))
        do(run, line)
        whole.append([run.trace[name].tensor() for name in wanted])
    for budget in (0, 50_000, None):
        encoder = load(directory, "cpu", budget=budget)
        session = Session(encoder.run(texts), encoder)
        for line in lines:
            do(session, "switch 0", "fork", line)
        for _ in range(2):
            for name_at, name in enumerate(wanted):
                for number, run in list(session.forks.items())[1:]:
                    assert torch.equal(run[name].tensor(), whole[number - 1][name_at]), (budget, number, name)


def test_a_view_outlives_what_it_is_a_view_of(small: Encoder):
    """A fork that computes the heads, a view of the original's query, keeps that memory from being used again."""
    run = small.run("one two three")
    run["layers.0.attention.query"].tensor()
    fork = run.fork()
    heads = fork["layers.0.attention.query_heads"].tensor()
    fork.set_patches([])
    run.computation.cache.drop("layers.0.attention.query")
    fork["layers.0.attention.output"].tensor()
    run["layers.1.attention.query"].tensor()
    assert torch.equal(fork["layers.0.attention.query_heads"].tensor(), heads)


def test_what_is_upstream_is_computed_once(small: Encoder):
    """Whoever asks first: it is kept with the original, where every fork finds it."""
    run = small.run("one two three")
    first, second = run.fork(), run.fork()
    value = first.tensor("layers.0.ffn.up")
    assert run.tensor("layers.0.ffn.up") is value
    assert second.fork().tensor("layers.0.ffn.up") is value


def test_a_thousand_forks_leave_nothing(small: Encoder, no_collector: None):
    encoder = small
    session = Session(encoder.run("one two three"), encoder)
    walk(session.trace)
    before = run_of(session.trace).kept_bytes
    runs: list[weakref.ref[Trace]] = []
    for number in range(1, 1001):
        do(session, "fork", "scale layers.0.attention.weights[head=0] 0.5")
        if number % 10 == 0:  # a fork that nobody looks at keeps nothing; one that is looked at takes a while
            session.trace["output"].stats()
            session.trace.value("layers.0.output").read("0, 0")
        runs.append(weakref.ref(session.trace))
        do(session, f"drop {number}")
    assert run_of(session.trace).kept_bytes == before
    assert list(session.forks) == [0]
    assert sum(run() is not None for run in runs) <= 1  # the last is still held by what the command looked up
    assert len(run_of(session.trace).computation.cache.pool._caches) <= 2


def test_a_run_that_nobody_has_goes_at_once(small: Encoder, no_collector: None):
    run = small.run("one two three")
    run["output"].stats()
    run.extents.ends("layers.1.ffn.norm")
    gone = weakref.ref(run.tensor("layers.1.ffn.norm"))
    del run
    assert gone() is None


def test_a_thousand_forks_of_forks(small: Encoder):
    session = Session(small.run("one two"), small)
    do(session, *["fork"] * 1000)
    assert torch.equal(session.trace["output"].tensor(), session.forks[0]["output"].tensor())


def test_dropping_a_fork_keeps_its_forks(small: Encoder):
    session = Session(small.run("one two three"), small)
    do(session, "fork", "scale layers.0.output[0, 0] 2", "fork", "scale layers.1.output[0, 1] 3", "goto end")
    expected = session.trace["output"].tensor()
    assert do(session, "drop 1") == "dropped fork 1; in fork 2"
    assert do(session, "info forks").splitlines()[1].startswith("*   2 fork: scale layers.0.output[0, 0] 2; scale")
    assert torch.equal(session.trace["output"].tensor(), expected)
    assert do(session, "drop 2") == "dropped fork 2; in the original"
    do(session, "fork")
    assert 3 in session.forks  # no number is given twice


def test_what_was_compared_with_a_dropped_fork_is_forgotten(small: Encoder):
    session = Session(small.run("one two three"), small)
    do(session, "fork", "scale layers.0.output[0, 0] 2", "switch 0", "compare fork 1", "drop 1")
    assert session.reference is None


@pytest.mark.parametrize(
    ("line", "says"),
    [("drop 0", "0 is the original"), ("drop 4", "no fork number 4"), ("drop x", "not the number of a fork")],
)
def test_what_cannot_be_dropped(small: Encoder, line: str, says: str):
    session = Session(small.run("one"), small)
    with pytest.raises(InputError, match=says):
        do(session, line)


def test_a_refused_patch_leaves_redo_as_it_was(small: Encoder):
    session = Session(small.run("one two"), small)
    do(session, "patch layers.0.attention.weights = 0", "undo")
    for refused in ("patch tokens.ids[0, 1] = 999999", "patch layers.0.attention.weights[9] = 1", "patch output = x +"):
        with pytest.raises(InputError):
            do(session, refused)
        assert not run_of(session.trace).patches
    assert do(session, "redo") == "did again: patch layers.0.attention.weights = 0"
