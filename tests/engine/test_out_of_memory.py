"""Memory that is full: values are given up and computed again, or one line says what does not fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from encoder_tui.engine import Encoder, InputError
from encoder_tui.engine.ops import Scores
from encoder_tui.engine.traces.out_of_memory import is_full, with_room
from encoder_tui.engine.traces.run import Run
from session_kit import run_of, walk

SCORES = "layers.1.attention.scores"
SAID = torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 48.00 GiB.")


class Full:
    """In place of the computation of scores: memory that holds no more than some bytes of values beside them."""

    def __init__(self, most: int, error: Exception = SAID) -> None:
        self.most, self.error, self.times, self.limit = most, error, 0, 1 << 40
        self.runs: list[Run] = []
        self.compute = Scores.compute

    def __call__(self, op: Any, inputs: Any, weights: Any, out: Any):
        if sum(run.kept_bytes for run in self.runs) > self.most and self.times < self.limit:
            self.times += 1
            raise self.error
        return self.compute(op, inputs, weights, out)


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Full]:
    def put(most: int, *runs: Run, error: Exception = SAID) -> Full:
        fake = Full(most, error)
        fake.runs += runs

        def compute(*given: Any) -> Any:
            return fake(*given)

        monkeypatch.setattr(Scores, "compute", compute)
        return fake

    return put


def test_what_was_given_up_comes_out_the_same(small: Encoder, full: Callable[..., Full]):
    whole, run = small.run("one two three four"), small.run("one two three four")
    walk(whole)
    fake = full(whole.kept_bytes // 2, run)
    walk(run)
    assert fake.times
    for stage in run.program:
        assert torch.equal(run[stage.name].tensor(), whole[stage.name].tensor()), stage.name


def test_a_far_jump_survives_too(small: Encoder, full: Callable[..., Full]):
    whole, run = small.run("one two three four"), small.run("one two three four")
    fake = full(5000, run)
    found = run["output"].tensor()
    assert fake.times
    fake.most = 1 << 40
    assert torch.equal(found, whole["output"].tensor())


def test_what_does_not_fit_at_all_is_one_line_and_the_run_goes_on(small: Encoder, full: Callable[..., Full]):
    run = small.run("one two three four")
    walk(run)
    run.override("embeddings.norm", run["embeddings.norm"].tensor() * 2)
    fake = full(-1, run)
    with pytest.raises(InputError) as told:
        run[SCORES].read()
    line = str(told.value)
    assert "\n" not in line
    assert (
        "memory of cpu is full at layers.0.attention.scores, [1, 4, 6, 6] in float32, which takes 0.000549 MiB" in line
    )
    assert "--memory SIZE" in line
    fake.most = 1 << 40
    assert run[SCORES].read().shape == (1, 4, 6, 6)


def test_the_run_that_a_fork_is_of_makes_room(small: Encoder, full: Callable[..., Full]):
    run = small.run("one two three four")
    walk(run)
    fork = run.fork()
    fork.override("embeddings.norm", run["embeddings.norm"].tensor() * 2)
    fake = full(run.kept_bytes // 2, run)
    fork[SCORES].read()
    assert fake.times
    assert "output" not in run.computation.cache


def test_rows_of_a_square_that_is_never_whole(small: Encoder, full: Callable[..., Full]):
    tokens = small.read("one two three four")
    small.budget, budget = 1500, small.budget
    run, same = small.run(tokens), small.run(tokens)
    small.budget = budget
    assert run.is_windowed(SCORES)
    expected = same[SCORES].read()
    fake = full(-1, run)
    fake.limit = 1
    assert (run[SCORES].read() == expected).all()
    assert fake.times == 1
    fake.limit = 100
    run.computation.give_up()
    with pytest.raises(InputError, match="is full at"):
        run[SCORES].read()


def test_no_other_error_is_taken_for_it(small: Encoder, full: Callable[..., Full]):
    run = small.run("one two")
    walk(run)
    run.computation.give_up()
    full(-1, run, error=RuntimeError("expected scalar type Float but found Half"))
    with pytest.raises(RuntimeError, match="expected scalar type"):
        run[SCORES].read()


@pytest.mark.parametrize(
    "error",
    [
        SAID,
        RuntimeError("[enforce fail at alloc_cpu.cpp:121] . DefaultCPUAllocator: can't allocate memory: you tried"),
        RuntimeError("MPS backend out of memory (MPS allocated: 8.00 GB, other allocations: 1.00 GB)"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        MemoryError(),
    ],
)
def test_what_says_that_memory_is_full(error: Exception):
    assert is_full(error)


def test_really_too_large(small: Encoder):
    """torch's own refusal on the CPU, of more than any machine has."""
    run = small.run("one two")
    with pytest.raises(InputError, match=r"memory of cpu is full at tokens\.ids"):
        with_room(run.computation, "tokens.ids", lambda: torch.empty(1 << 50))


def test_a_device_is_called_as_its_tensors_call_it(small: Encoder):
    """A buffer that is asked for by another name of the same device would never be used again, and never be freed."""
    tokens = small.read("one two")
    weights = dict(small.weights)
    sized = run_of(small.program, weights, tokens).computation
    budget = sum(shadow.nbytes for name, shadow in sized.shadows.items() if not sized.is_windowed(name))
    run = run_of(small.program, weights, tokens, device="cpu:0", budget=budget)  # so much that it counts
    walk(run)
    pool = run.release()
    idle = pool._free_bytes
    again = run_of(small.program, weights, tokens, device="cpu:0", budget=budget, pool=pool)
    walk(again)
    assert again.device == again["output"].tensor().device
    assert pool._free_bytes < idle / 2
