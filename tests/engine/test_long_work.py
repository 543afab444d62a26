"""Work that takes long can be left: the waiting stops at once, the product goes on, and every number is the same afterwards."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from encoder_tui.engine import Encoder, InputError, Run, Session
from encoder_tui.engine.commands import TABLE
from encoder_tui.engine.debugger.cancel import CancelToken
from encoder_tui.engine.debugger.cursor import Debugger
from encoder_tui.engine.ops.attention import Softmax
from encoder_tui.engine.ops.linear import Linear
from encoder_tui.engine.traces import long_work
from encoder_tui.engine.traces.at_hand import NotAtHand, only_at_hand
from encoder_tui.engine.traces.long_work import long_stages
from family_kit import open_pair, random_model, random_tokens
from family_modernbert import SAMPLE

UP = "layers.1.ffn.up_gate"
PATIENCE = 30.0  # seconds before a test that waits gives up; no test passes by waiting


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return open_pair(SAMPLE, random_model(SAMPLE, hidden_size=64, num_hidden_layers=3), "float32")[0]


@pytest.fixture(autouse=True)
def _everything_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_work, "LONG", 0)
    monkeypatch.setattr(long_work, "EVERY", 0.001)


def run_of(encoder: Encoder, budget: int | None = None) -> Run:
    encoder.budget = budget
    return encoder.run(random_tokens([70, 50], np.random.default_rng(0), encoder))


def differing(one: Run, other: Run) -> list[str]:
    return [stage.name for stage in one.program if not torch.equal(one.tensor(stage.name), other.tensor(stage.name))]


class Held:
    """Products of one size, held up until a test lets them go.

    Attributes:
        begun: one has begun.
        opened: they may go on.
        count: how many were begun.
        threads: the names of the threads that computed them.
    """

    def __init__(self, weight: torch.Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun, self.opened, self.count, self.threads = threading.Event(), threading.Event(), 0, list[str]()
        compute = Linear.compute

        def held(op: Linear, inputs: Sequence[Any], weights: Sequence[Any], out: Any) -> torch.Tensor:
            if weights[0] is weight:
                self.count += 1
                self.threads.append(threading.current_thread().name)
                self.begun.set()
                assert self.opened.wait(PATIENCE)
            return compute(op, inputs, weights, out)

        monkeypatch.setattr(Linear, "compute", held)


@pytest.fixture
def held(encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    held = Held(encoder.weights[encoder.program[UP].weights[0]], monkeypatch)
    yield held
    held.opened.set()


def left(run: Run, held: Held) -> Session:
    """A session that was told to stop in the middle of a product, and has."""
    session, token = Session(run), CancelToken()
    canceller = threading.Thread(target=lambda: held.begun.wait(PATIENCE) and token.cancel())
    canceller.start()
    stop = TABLE.execute(session, "continue", token).stop
    canceller.join()
    assert stop is not None
    assert stop.reason == "interrupt"
    assert stop.position == run.program.index(UP) - 1
    assert run.goes_on
    return session


def test_the_waiting_stops_and_the_product_goes_on(encoder: Encoder, held: Held):
    run = run_of(encoder)
    session = left(run, held)
    before = run.program[UP].inputs[0]
    assert np.isfinite(run.value(before).read()).all(), "what is known can be looked at meanwhile"
    held.opened.set()
    stop = TABLE.execute(session, "continue").stop
    assert stop is not None
    assert stop.reason == "end"
    assert not run.goes_on
    assert held.count == 1, "what was made meanwhile is taken"
    assert threading.current_thread().name not in held.threads
    assert not differing(run, run_of(encoder))


def test_what_is_known_is_looked_at_while_a_product_is_waited_for(encoder: Encoder, held: Held):
    run, seen = run_of(encoder), list[int]()
    session = Session(run)

    def look() -> None:
        if held.begun.is_set() and not held.opened.is_set():
            with only_at_hand():
                run.value(run.program[UP].inputs[0]).read()
                with pytest.raises(NotAtHand):
                    run.value(UP).read()
            seen.append(session.debugger.position)
            held.opened.set()

    session.meanwhile = look
    TABLE.execute(session, "continue")
    assert seen == [run.program.index(UP) - 1]
    assert not differing(run, run_of(encoder))


def test_who_waits_for_what_was_left_can_be_told_to_stop(encoder: Encoder, held: Held):
    run = run_of(encoder)
    session, token = left(run, held), CancelToken()
    for name in (UP, "layers.2.attention.weights"):
        token.cancel()
        session.begin("look", token)
        with pytest.raises(InputError, match=f"stopped while {UP} was computed"):
            run.value(name).tensor()
        session.end()
    assert run.goes_on


def test_what_was_left_is_dropped_where_its_inputs_are_others(encoder: Encoder, held: Held):
    run, patch = run_of(encoder), "patch layers.0.output[0, 3, :] = 0"
    session = left(run, held)
    held.opened.set()
    TABLE.execute(session, patch)
    TABLE.execute(session, "continue")
    assert held.count == 2
    fresh = run_of(encoder)
    TABLE.execute(Session(fresh), patch)
    assert not differing(run, fresh)


def test_what_was_left_reads_nothing_that_is_written_to(encoder: Encoder, held: Held):
    """With no room for anything the next value takes the memory of one that was evicted: it waits until nothing reads that any more."""
    run = run_of(encoder, 1)
    session = left(run, held)
    held.opened.set()
    for name in ("layers.0.ffn.norm", "layers.0.attention.weights", UP):
        assert torch.equal(run.value(name).tensor(), run_of(encoder).tensor(name))
    TABLE.execute(session, "continue")
    assert not differing(run, run_of(encoder))


@pytest.mark.parametrize("budget", [None, 400_000])
@pytest.mark.parametrize("every", [2, 7, 40])
def test_left_at_any_place_all_is_the_same(
    encoder: Encoder, every: int, budget: int | None, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(long_work, "EVERY", 0)
    run, asked = run_of(encoder, budget), 0

    def stopped() -> bool:
        nonlocal asked
        asked += 1
        return stops < 30 and asked % every == 0

    debugger, stops = Debugger(run), 0
    run.stop_when(stopped)
    while debugger.cont().reason == "interrupt":
        stops += 1
    run.stop_when(long_work.nobody)
    assert stops
    assert not differing(run, run_of(encoder))


def test_an_error_of_the_product_is_told_to_who_waits(encoder: Encoder, monkeypatch: pytest.MonkeyPatch):
    def full(op: Softmax, inputs: Sequence[Any], weights: Sequence[Any], out: Any) -> torch.Tensor:
        raise RuntimeError("not enough memory: you tried to allocate 1 byte")

    monkeypatch.setattr(Softmax, "compute", full)
    run = run_of(encoder)
    Session(run)
    with pytest.raises(InputError, match="memory of cpu is full at layers"):
        run.tensor("layers.2.ffn.norm")
    assert not run.goes_on


def test_where_nobody_stops_anything_there_is_no_other_thread(encoder: Encoder, held: Held):
    held.opened.set()
    run_of(encoder).tensor(UP)
    assert set(held.threads) == {threading.current_thread().name}


def test_modes_of_a_thread_come_along(encoder: Encoder, held: Held):
    held.opened.set()
    run = run_of(encoder)
    Session(run)
    with torch.inference_mode():
        assert run.tensor(UP).is_inference()
    assert threading.current_thread().name not in held.threads


def test_what_takes_long(encoder: Encoder, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(long_work, "LONG", 2 * 70 * 64 * 64)
    run = run_of(encoder)
    stages = long_stages(run.program, run.computation.shadows, torch.device("cpu"))
    long = {name.partition("layers.1.")[2] for name in stages}
    assert {"ffn.up_gate", "attention.output", "attention.scores", "attention.context"} <= long
    assert not {"ffn.norm", "attention.residual", "attention.query_heads"} & long
    assert not long_stages(run.program, run.computation.shadows, torch.device("meta"))
