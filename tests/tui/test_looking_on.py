"""Looking while a motion goes on: what is at hand is read between two of its stages, and the rest waits."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from encoder_tui.engine.commands.session import Session
from encoder_tui.engine.traces.at_hand import NotAtHand
from encoder_tui.tui.app import engine_thread
from encoder_tui.tui.app.engine_thread import Answered, EngineThread, Listed, Ready, Waits, Worked
from encoder_tui.tui.reading.work import Work
from fakes import Gate, fake_session
from test_engine_thread import SENDER, Post

GATE = "embeddings.norm"


class Motion:
    """A `continue` that is held up at a stage, and has been at it for a minute then."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(engine_thread, "monotonic", lambda: self.now)
        self.post, self.gate, self.session = Post(), Gate(), fake_session("")
        self.session.debugger.add(GATE, self.gate)
        self.engine = EngineThread(lambda progress: self.session, self.post)
        self.engine.begin()
        self.post.next(Listed)
        self.post.next(Ready)

    def begin(self, line: str = "continue", at_it: float = 60.0) -> None:
        self.engine.execute(line, "key")
        assert self.gate.reached.wait(30)
        self.now += at_it

    def want(self, key: str, run: Callable[[Session], Any], generation: int | None = None) -> None:
        self.engine.want(SENDER, Work(key, run, generation))

    def end(self) -> None:
        assert self.engine.close(30)
        assert self.post.messages.empty()


@pytest.fixture
def motion(monkeypatch: pytest.MonkeyPatch) -> Motion:
    return Motion(monkeypatch)


def where(session: Session) -> int:
    return session.debugger.position


def lacking(name: str, tries: list[int]) -> Callable[[Session], int]:
    """Work that needs a value which is there once the motion has come to it."""

    def run(session: Session) -> int:
        tries.append(where(session))
        if session.debugger.position < session.trace.program.index(name):
            raise NotAtHand(name)
        return where(session)

    return run


def test_work_is_done_between_two_stages_one_at_a_time(motion: Motion) -> None:
    at = motion.session.trace.program.index(GATE)
    motion.begin()
    motion.want("one", where)
    motion.want("two", where)
    motion.gate.opened.set()
    assert [(done.work.key, done.result) for done in (motion.post.next(Worked), motion.post.next(Worked))] == [
        ("one", at), ("two", at + 1),
    ]  # fmt: skip
    assert motion.post.next(Answered).reply.stop.reason == "end"
    motion.end()


def test_a_short_command_comes_before_all_work(motion: Motion) -> None:
    motion.begin(at_it=0.0)
    motion.want("one", where)
    motion.gate.opened.set()
    last = motion.post.next(Answered).position.cursor
    assert motion.post.next(Worked).result == last
    motion.end()


def test_what_is_not_at_hand_is_tried_again_when_the_motion_has_come_to_it(motion: Motion) -> None:
    tries = list[int]()
    program, name = motion.session.trace.program, "layers.1.attention.weights"
    motion.begin()
    motion.want("far", lacking(name, tries))
    motion.gate.opened.set()
    waits = motion.post.next(Waits)
    assert motion.engine.current(waits)
    assert motion.post.next(Worked).result == program.index(name)
    assert tries == [program.index(GATE), program.index(name)]
    motion.post.next(Answered)
    motion.end()


def test_what_was_there_and_is_not_any_more_waits_for_the_end(motion: Motion) -> None:
    tries = list[int]()

    def evicted(session: Session) -> str:
        tries.append(where(session))
        if motion.engine.running:
            raise NotAtHand("tokens.ids")
        return "computed"

    motion.begin()
    motion.want("behind", evicted)
    motion.gate.opened.set()
    motion.post.next(Waits)
    last = motion.post.next(Answered).position.cursor
    assert motion.post.next(Worked).result == "computed"
    assert tries == [motion.session.trace.program.index(GATE), last]
    motion.end()


def test_newer_work_takes_the_place_of_what_waits(motion: Motion) -> None:
    def lacks(session: Session) -> None:
        motion.want("same", lambda session: "newer")
        raise NotAtHand("layers.1.ffn.up")

    motion.begin()
    motion.want("same", lacks)
    motion.gate.opened.set()
    assert not motion.engine.current(motion.post.next(Waits))
    assert motion.post.next(Worked).result == "newer"
    motion.post.next(Answered)
    motion.end()


def test_a_motion_that_is_to_stop_looks_at_nothing_more(motion: Motion) -> None:
    motion.begin()
    motion.want("one", lambda session: motion.engine.running)
    motion.engine.interrupt()
    motion.gate.opened.set()
    assert motion.post.next(Answered).reply.stop.reason == "interrupt"
    assert motion.post.next(Worked).result == ""
    motion.end()


def test_an_interrupt_while_work_is_done_stops_both(motion: Motion) -> None:
    at, stopped = motion.session.trace.program.index(GATE), list[bool]()

    def run(session: Session) -> None:
        motion.engine.interrupt()
        stopped.append(session.stopped())

    motion.begin()
    motion.want("one", run)
    motion.gate.opened.set()
    motion.post.next(Worked)
    answer = motion.post.next(Answered)
    assert (answer.reply.stop.reason, answer.position.cursor) == ("interrupt", at)
    assert stopped == [True]
    motion.end()


def test_what_stops_work_does_not_stop_the_motion(motion: Motion) -> None:
    stopped = list[bool]()

    def run(session: Session) -> None:
        motion.want("same", lambda session: "newer")
        stopped.append(session.stopped())

    motion.begin()
    motion.want("same", run)
    motion.gate.opened.set()
    assert [motion.post.next(Worked).result for _ in range(2)] == [None, "newer"]
    assert motion.post.next(Answered).reply.stop.reason == "end"
    assert stopped == [True]
    motion.end()


def test_work_that_fails_brings_its_exception_and_the_motion_goes_on(motion: Motion) -> None:
    motion.begin()
    motion.want("bad", lambda session: 1 // 0)
    motion.gate.opened.set()
    assert isinstance(motion.post.next(Worked).result.__cause__, ZeroDivisionError)
    assert motion.post.next(Answered).reply.stop.reason == "end"
    motion.end()


def test_work_of_another_world_is_not_done(motion: Motion) -> None:
    motion.begin()
    motion.want("old", lambda session: session.trace.program.index("gone"), generation=7)
    motion.want("new", where, generation=motion.session.generation)
    motion.gate.opened.set()
    assert motion.post.next(Worked).work.key == "new"
    motion.post.next(Answered)
    motion.end()


def test_a_motion_keeps_nobody_waiting(motion: Motion) -> None:
    motion.begin()
    assert not motion.engine.keeps_waiting  # it is a motion: it looks up before the next stage
    motion.gate.opened.set()
    motion.post.next(Answered)
    assert not motion.engine.keeps_waiting  # nothing is being done
    motion.end()


def test_a_command_that_is_no_motion_keeps_waiting(motion: Motion, monkeypatch: pytest.MonkeyPatch) -> None:
    taken, opened = threading.Event(), threading.Event()

    def held(*arguments: Any) -> str:
        taken.set()
        assert opened.wait(30)
        return ""

    monkeypatch.setattr("encoder_tui.engine.commands.looking.write_stats", held)
    motion.engine.execute("stats tokens.ids", "key")
    assert taken.wait(30)
    assert not motion.engine.keeps_waiting
    motion.now += 60.0
    assert motion.engine.keeps_waiting
    opened.set()
    motion.post.next(Answered)
    motion.end()
