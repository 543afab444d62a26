"""Breakpoints: by name, by glob, counted, temporary, switched off and on; forwards and backwards."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from encoder_tui.engine import Debugger, Encoder, InputError, Stage, Stop
from encoder_tui.engine.program.trace import Trace


class Holds:
    """A condition that holds on chosen stages, and remembers where it was asked."""

    text = "chosen"

    def __init__(self, *names: str):
        self.names = names
        self.asked: list[str] = []

    def holds(self, trace: Trace, stage: Stage):
        self.asked.append(stage.name)
        return "it is" if stage.name in self.names else ""

    def place(self, trace: Trace, stage: Stage):
        return ()


@pytest.fixture
def debugger(small: Encoder) -> Debugger:
    return Debugger(small.run("one two three"))


def stops(motion: Callable[[], Stop], times: int):
    return [
        stop.stage.name if stop.reason == "breakpoint" else stop.reason for stop in (motion() for _ in range(times))
    ]


def test_by_name(debugger: Debugger):
    found = debugger.add("layers.1.attention.weights")
    stop = debugger.cont()
    assert (stop.stage.name, stop.reason, stop.breakpoint.number) == (
        "layers.1.attention.weights",
        "breakpoint",
        found.number,
    )
    assert debugger.held
    assert debugger.cont().reason == "end"
    assert not debugger.held


def test_by_glob(debugger: Debugger):
    assert debugger.add("layers.*.attention.weights").stages == {
        f"layers.{layer}.attention.weights" for layer in (0, 1)
    }
    names = ["layers.0.attention.weights", "layers.1.attention.weights"]
    assert stops(debugger.cont, 3) == [*names, "end"]
    assert stops(debugger.reverse_cont, 3) == [*reversed(names), "start"]


@pytest.mark.parametrize("name", ["output", "encoder.layer.1.output.LayerNorm", "blocks.1.ln2.hook_out"])
def test_by_other_names(debugger: Debugger, name: str):
    debugger.add(name)
    assert debugger.cont().stage.name == "layers.1.ffn.norm"


@pytest.mark.parametrize("motion", ["step", "next", "finish"])
def test_every_motion_stops(debugger: Debugger, motion: str):
    debugger.add("embeddings.segment")
    assert getattr(debugger, motion)(20).stage.name == "embeddings.segment"
    debugger.goto(debugger.last)
    assert getattr(debugger, f"reverse_{motion}")(100).stage.name == "embeddings.segment"


def test_goto_does_not_stop(debugger: Debugger):
    debugger.add("*")
    assert debugger.goto(20).reason == "step"
    assert not debugger.held


def test_the_stage_one_stands_on_does_not_stop_again(debugger: Debugger):
    debugger.add("embeddings.sum")
    debugger.cont()
    assert debugger.cont().reason == "end"
    debugger.until("embeddings.sum")
    assert debugger.reverse_cont().reason == "start"


def test_temporary_stops_once(debugger: Debugger):
    debugger.add("layers.*.ffn.up", temporary=True)
    assert stops(debugger.cont, 2) == ["layers.0.ffn.up", "end"]
    assert not debugger.breakpoints


def test_ignore_counts(debugger: Debugger):
    number = debugger.add("layers.*.attention.query").number
    debugger.change(number, ignore=1)
    assert stops(debugger.cont, 2) == ["layers.1.attention.query", "end"]
    assert debugger.breakpoints[number].ignore == 0
    assert debugger.breakpoints[number].hits == 1


def test_disabled_does_not_stop_nor_count(debugger: Debugger):
    number = debugger.add("layers.*.ffn.up").number
    debugger.change(number, enabled=False)
    assert debugger.cont().reason == "end"
    assert debugger.breakpoints[number].hits == 0
    debugger.change(number, enabled=True)
    assert stops(debugger.reverse_cont, 3) == ["layers.1.ffn.up", "layers.0.ffn.up", "start"]
    assert debugger.breakpoints[number].hits == 2


def test_conditions_stop_only_where_they_hold(debugger: Debugger):
    condition = Holds("layers.1.ffn.up")
    debugger.add("layers.*.ffn.up", condition)
    stop = debugger.cont()
    assert (stop.stage.name, stop.held) == ("layers.1.ffn.up", "it is")
    assert condition.asked == ["layers.0.ffn.up", "layers.1.ffn.up"]


def test_ignore_counts_only_where_the_condition_holds(debugger: Debugger):
    number = debugger.add("*", Holds("embeddings.sum", "layers.0.ffn.up")).number
    debugger.change(number, ignore=1)
    assert debugger.cont().stage.name == "layers.0.ffn.up"


def test_two_on_one_stage(debugger: Debugger):
    first, second = debugger.add("embeddings.sum"), debugger.add("embeddings.*")
    assert debugger.at("embeddings.sum") == [first, second]
    assert debugger.until("embeddings.sum").breakpoint.number == second.number  # on embeddings.token


def test_delete(debugger: Debugger):
    number = debugger.add("embeddings.sum").number
    debugger.delete(number)
    assert debugger.cont().reason == "end"
    with pytest.raises(InputError, match=f"no breakpoint number {number}"):
        debugger.delete(number)


def test_numbers_are_not_used_again(debugger: Debugger):
    first = debugger.add("embeddings.sum").number
    debugger.delete(first)
    assert debugger.add("embeddings.sum").number == first + 1


def test_nothing_of_that_name(debugger: Debugger):
    with pytest.raises(InputError, match=r"layers\.0\.attention\.weights"):
        debugger.add("layers.0.attention.wieghts")
    assert not debugger.breakpoints


def test_another_trace_keeps_them(small: Encoder):
    """They stay, switched off or on as they were, with what they still let pass."""
    from encoder_tui.engine import Session

    session = Session(small.run("one"), small)
    session.debugger.add("layers.0.ffn.up")
    off = session.debugger.add("layers.1.ffn.up")
    session.debugger.change(off.number, enabled=False, ignore=3)
    session.show(small.run("two"))
    kept = list(session.debugger.breakpoints.values())
    assert [(found.pattern, found.enabled, found.ignore) for found in kept] == [
        ("layers.0.ffn.up", True, 0), ("layers.1.ffn.up", False, 3),
    ]  # fmt: skip
