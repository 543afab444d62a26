"""Looking on while a motion goes on: only what is there is read, nothing is computed or evicted, and every number is the same."""

from __future__ import annotations

import numpy as np
import pytest
from encoder_tui.engine import Debugger, Encoder, Run
from encoder_tui.engine.commands.session import Session
from encoder_tui.engine.traces.at_hand import NotAtHand, only_at_hand
from session_kit import do, run_of

TEXTS = ["one two three", "four"]
WEIGHTS = "layers.0.attention.weights"


def test_what_is_there_is_read_and_what_is_not_stays_away(small: Encoder) -> None:
    run = small.run(TEXTS)
    scores = run["layers.0.attention.scores"].read()
    kept = run.kept_bytes
    with only_at_hand():
        assert np.array_equal(run["layers.0.attention.scores"].read(), scores)
        with pytest.raises(NotAtHand) as missing:
            run[WEIGHTS].read((0, 0))
    assert missing.value.name == WEIGHTS
    assert run.kept_bytes == kept
    assert run[WEIGHTS].read((0, 0)).shape == run[WEIGHTS].shape[2:]


def test_it_ends_with_the_block_whatever_ended_that(small: Encoder) -> None:
    run = small.run(TEXTS)
    with pytest.raises(ZeroDivisionError), only_at_hand():
        _ = 1 // 0
    assert run[WEIGHTS].read().size


def test_figures_of_what_is_there(small: Encoder) -> None:
    run = small.run(TEXTS)
    figures = run[WEIGHTS].stats()
    with only_at_hand():
        assert run[WEIGHTS].stats() == figures
        with pytest.raises(NotAtHand):
            run["layers.1.attention.weights"].stats()


def test_a_value_that_is_never_whole_is_not_made_of_its_rows(small: Encoder) -> None:
    run = run_of(small.program, small.weights, small.read(TEXTS), budget=1)
    assert run.is_windowed(WEIGHTS)
    with only_at_hand():
        for look in (lambda: run[WEIGHTS].read((0, 0)), run[WEIGHTS].stats, lambda: run.finite(WEIGHTS)):
            with pytest.raises(NotAtHand):
                look()


def test_what_was_evicted_is_not_at_hand(small: Encoder) -> None:
    run = run_of(small.program, small.weights, small.read(TEXTS), budget=20_000)
    for position in range(len(run.program)):
        run.reach(position)
    evictions = run.computation.cache.pool.evictions
    gone = [name for name in run.shapes if run.computation.known(name) is None and not run.is_windowed(name)]
    assert evictions
    assert gone
    with only_at_hand(), pytest.raises(NotAtHand):
        run[gone[0]].read()
    assert run.computation.cache.pool.evictions == evictions


def test_a_fork_has_at_hand_what_it_shares(small: Encoder) -> None:
    session = Session(small.run(TEXTS), small)
    do(session, "goto layers.0.ffn.up", "fork", f"scale {WEIGHTS} 0.5")
    assert isinstance(session.trace, Run)
    session.trace[WEIGHTS].read()
    with only_at_hand():
        session.trace["layers.0.attention.scores"].read()
        session.trace[WEIGHTS].read()
        with pytest.raises(NotAtHand):
            session.trace["layers.0.attention.context"].read()


def test_looking_on_sees_every_stage_that_a_motion_has_come_past(small: Encoder) -> None:
    run, seen = small.run(TEXTS), list[int]()
    expected = {stage.name: run[stage.name].read() for stage in run.program if not run.is_windowed(stage.name)}
    run.release()

    def look_on() -> bool:
        seen.append(debugger.position)
        if debugger.stage is not None and debugger.stage.name in expected:
            with only_at_hand():
                assert np.array_equal(run[debugger.stage.name].read(), expected[debugger.stage.name])

        return False

    debugger = Debugger(run, look_on)
    debugger.cont()
    assert seen == list(range(-1, debugger.last))
    seen.clear()
    debugger.reverse_step(2)
    assert seen == [debugger.last, debugger.last - 1]
    seen.clear()
    debugger.goto(3)
    assert not seen


def test_a_session_is_looked_at_in_every_fork(small: Encoder) -> None:
    session, seen = Session(small.run(TEXTS), small), list[int]()
    session.meanwhile = lambda: seen.append(session.branches.current.number)
    do(session, "step", "fork", "step 2", "switch 0", "step")
    assert seen == [0, 1, 1, 0]
    session.show(small.run(["another"]))
    do(session, "step")
    assert len(seen) == 5
