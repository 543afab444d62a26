"""The cursor against an independent model, and: however a stage is reached, its value is the same."""

from __future__ import annotations

import pytest
import torch
from encoder_tui.engine import Debugger, Encoder, Run
from encoder_tui.engine.commands import TABLE
from encoder_tui.engine.commands.session import Session
from encoder_tui.engine.debugger.cancel import CancelToken
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from models_of_motion import Walker
from session_kit import run_of

TEXTS = ["one two three", "four"]
COUNTED = ("step", "reverse_step", "next", "reverse_next", "finish", "reverse_finish")
quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def run(small: Encoder) -> Run:
    return small.run(TEXTS)


@pytest.fixture(scope="module")
def names(run: Run) -> list[str]:
    return [stage.name for stage in run.program]


def moves(size: int):
    counted = st.tuples(st.sampled_from(COUNTED), st.integers(1, 6))
    jumps = st.tuples(st.sampled_from(("until", "goto")), st.integers(0, size - 1))
    return st.lists(
        st.one_of(counted, jumps, st.tuples(st.sampled_from(("cont", "reverse_cont")), st.just(0))), max_size=12
    )


def perform(debugger: Debugger, word: str, count: int):
    if word in ("cont", "reverse_cont"):
        return getattr(debugger, word)()
    if word == "until":
        return debugger.until(debugger.trace.program[count].name)
    return getattr(debugger, word)(count)


@quick
@given(data=st.data())
def test_every_motion_as_the_model_says(run: Run, names: list[str], data: st.DataObject):
    stops = data.draw(st.sets(st.integers(0, len(names) - 1), max_size=4), label="breakpoints")
    debugger, walker = Debugger(run), Walker(names, stops)
    for at in stops:
        debugger.add(names[at])
    for word, count in data.draw(moves(len(names)), label="moves"):
        before = debugger.position
        stop = perform(debugger, word, count)
        assert stop.position == debugger.position == walker.move(word, count), (word, count)
        assert (stop.stage.name if stop.stage else None) == (names[stop.position] if stop.position >= 0 else None)
        stopped = word != "goto" and stop.position != before and stop.position in stops
        assert (stop.reason == "breakpoint") == debugger.held == stopped


@quick
@given(data=st.data())
def test_however_reached_the_value_is_the_same(small: Encoder, run: Run, names: list[str], data: st.DataObject):
    """`goto a` after any walk equals the first arrival at `a`, to the last bit; here with evictions on the way."""
    target = data.draw(st.sampled_from([name for name in names if name != "tokens.one_hot"]), label="target")
    budget = data.draw(st.sampled_from([None, 20_000]), label="budget")
    walked = run_of(small.program, small.weights, small.read(TEXTS), budget=budget)
    debugger = Debugger(walked)
    for word, count in data.draw(moves(len(names)), label="moves"):
        perform(debugger, word, count)
    stop = debugger.goto(walked.program.index(target))
    assert stop.position == walked.program.index(target)
    assert torch.equal(walked[target].tensor(), run[target].tensor())


@quick
@given(data=st.data())
@example(data=None)
def test_steps_can_be_taken_back(run: Run, names: list[str], data: st.DataObject):
    debugger = Debugger(run)
    count = data.draw(st.integers(1, len(names))) if data else len(names)
    debugger.step(count)
    assert debugger.position == count - 1
    debugger.reverse_step(count)
    assert debugger.position == -1


@pytest.mark.parametrize("word", COUNTED)
def test_every_motion_from_everywhere(run: Run, names: list[str], word: str):
    for start in range(-1, len(names)):
        debugger, walker = Debugger(run), Walker(names)
        debugger.goto(start)
        walker.at = start
        assert getattr(debugger, word)().position == walker.move(word, 1), start


def test_next_ends_on_the_last_stage_of_a_block(run: Run):
    debugger = Debugger(run)
    debugger.until("embeddings.norm")
    stops = [debugger.next().stage.name for _ in range(4)]
    assert stops == ["mask.additive", "layers.0.attention.norm", "layers.0.ffn.norm", "layers.1.attention.norm"]


def test_finish_ends_on_the_last_stage_of_a_layer(run: Run):
    debugger = Debugger(run)
    debugger.goto(run.program.index("layers.0.attention.scores"))
    assert debugger.finish().stage.name == "layers.0.ffn.norm"
    assert debugger.finish().stage.name == "layers.1.ffn.norm"
    assert debugger.reverse_finish().stage.name == "layers.0.ffn.norm"
    assert debugger.reverse_finish().stage.name == "mask.additive"


def test_the_ends_say_so(run: Run):
    debugger = Debugger(run)
    assert debugger.reverse_step().reason == "start"
    assert debugger.cont().reason == "end"
    assert debugger.cont().reason == "end"
    assert debugger.step(5).reason == "end"
    assert debugger.reverse_cont().reason == "start"
    assert debugger.reverse_finish().position == -1
    assert debugger.stage is None


def test_back_and_forward(run: Run):
    debugger = Debugger(run)
    places = [
        debugger.step().position,
        debugger.next().position,
        debugger.finish().position,
        debugger.reverse_next().position,
    ]
    assert [debugger.back().position for _ in range(4)] == [*places[-2::-1], -1]
    assert [debugger.forward().position for _ in range(4)] == places
    with pytest.raises(ValueError, match="last place"):
        debugger.forward()


def test_a_new_motion_forgets_the_way_forward(run: Run):
    debugger = Debugger(run)
    debugger.step(5)
    debugger.step(5)
    debugger.back()
    debugger.reverse_step()
    with pytest.raises(ValueError, match="last place"):
        debugger.forward()
    assert debugger.back().position == 4


def test_nothing_to_go_back_to(run: Run):
    with pytest.raises(ValueError, match="first place"):
        Debugger(run).back()


def test_until_goes_both_ways(run: Run):
    debugger = Debugger(run)
    debugger.until("layers.1.ffn.up")
    assert debugger.until("layers.0.ffn.up").stage.name == "layers.0.ffn.up"


def test_furthest_is_kept_when_going_back(run: Run):
    debugger = Debugger(run)
    debugger.step(9)
    debugger.reverse_cont()
    assert (debugger.position, debugger.furthest) == (-1, 8)


def test_nothing_is_computed_before_it_is_reached(small: Encoder):
    run = small.run("lazy")
    debugger = Debugger(run)
    assert run.kept_bytes == 0
    debugger.until("embeddings.token")
    assert "embeddings.token" in run.computation.cache
    assert "embeddings.position" not in run.computation.cache


def test_interrupt_stops_at_a_stage(small: Encoder):
    run = small.run("stop me")
    session, cancel = Session(run), CancelToken()
    reach = run.reach

    def cancelling(position: int):
        if position == 7:
            cancel.cancel()
        reach(position)

    run.reach = cancelling
    stop = TABLE.execute(session, "continue", cancel).stop
    assert stop is not None
    assert (stop.reason, stop.position) == ("interrupt", 7)
    assert session.debugger.cont().reason == "end", "the order is over, and its token stops nothing more"
    assert TABLE.execute(session, "continue").stop.reason == "end"


def test_an_order_is_stopped_before_it_has_begun_and_not_by_the_token_of_the_one_before(small: Encoder):
    session, early, late = Session(small.run("stop me")), CancelToken(), CancelToken()
    early.cancel()
    stop = TABLE.execute(session, "continue", early).stop
    assert (stop.reason, stop.position) == ("interrupt", -1)
    assert TABLE.execute(session, "step 2", late).stop.position == 1
    late.cancel()
    assert TABLE.execute(session, "continue").stop.reason == "end"
