"""The engine's thread: order, coalescing, staleness, interruption."""

from __future__ import annotations

import os
import queue
import sys
import threading
from typing import Any

import pytest
from encoder_tui.engine.commands import CommandTable
from encoder_tui.engine.messages.errors import InputError
from encoder_tui.tui.app import engine_thread, wanted_work
from encoder_tui.tui.app.engine_thread import (
    Answered,
    EngineThread,
    Failed,
    Listed,
    Progress,
    Ready,
    Start,
    TakesLong,
    Worked,
)
from encoder_tui.tui.app.faults import OwnFault
from encoder_tui.tui.app.pace import BEHIND
from encoder_tui.tui.reading.work import Work
from fakes import FakeTrace, Gate, fake_session
from textual.message import Message

SENDER: Any = object()


class Post:
    """Takes messages, and gives them out in order."""

    def __init__(self) -> None:
        self.messages: queue.Queue[Message] = queue.Queue()

    def __call__(self, message: Message) -> None:
        self.messages.put(message)

    def next(self, kind: type[Any]) -> Any:
        message = self.messages.get(timeout=30)
        assert isinstance(message, kind), message
        return message


@pytest.fixture
def post() -> Post:
    return Post()


def begun(post: Post, start: Start | None = None) -> EngineThread:
    engine = EngineThread(start or (lambda progress: fake_session("")), post)
    engine.begin()
    post.next(Listed)
    return engine


def ready(post: Post) -> EngineThread:
    engine = begun(post)
    post.next(Ready)
    return engine


def blocked(engine: EngineThread) -> threading.Event:
    """Have the thread in the middle of some work called `first`, until the event is set."""
    begun, gate = threading.Event(), threading.Event()

    def run(session: Any) -> bool:
        begun.set()
        return gate.wait(30)

    engine.want(SENDER, Work("first", run))
    assert begun.wait(30)
    return gate


def test_a_command_that_takes_long_says_so_before_it_is_done(post: Post) -> None:
    engine = ready(post)
    engine.want(SENDER, Work("first", lambda session: session.tell("this takes minutes")))
    assert post.next(TakesLong).text == "this takes minutes"
    post.next(Worked)
    engine.close()


def test_loading_tells_how_far_it_is(post: Post) -> None:
    def start(progress: Any) -> Any:
        progress("reading weights", 0.5)
        progress("reading the text")
        return fake_session("")

    begun(post, start=start)
    assert [(found.text, found.share) for found in (post.next(Progress), post.next(Progress))] == [
        ("reading weights", 0.5), ("reading the text", None),
    ]  # fmt: skip
    assert post.next(Ready).position.cursor == -1


def test_a_start_that_fails_says_why(post: Post) -> None:
    def start(progress: Any) -> Any:
        raise InputError("text 0 is empty")

    engine = begun(post, start=start)
    assert str(post.next(Failed).error) == "text 0 is empty"
    assert engine.close(30)


def test_lines_run_in_order_and_an_error_stops_none_of_them(post: Post) -> None:
    engine = ready(post)
    for line in ("step 3", "nonsense", "step", "break nosuch", "reverse-step"):
        engine.execute(line, "console")
    answers = [post.next(Answered) for _ in range(5)]
    assert [found.line for found in answers] == ["step 3", "nonsense", "step", "break nosuch", "reverse-step"]
    assert [found.position.cursor for found in answers] == [2, 2, 3, 3, 2]
    assert [type(found.error) for found in answers] == [type(None), InputError, type(None), InputError, type(None)]
    assert engine.close(30)


@pytest.mark.skipif(sys.platform != "linux", reason="no other system has priorities of threads")
def test_what_computes_comes_after_the_screen(post: Post) -> None:
    mine = priority()

    def run(session: Any) -> tuple[int, int]:
        made = list[int]()
        thread = threading.Thread(target=lambda: made.append(priority()))
        thread.start()
        thread.join()
        return priority(), made[0]

    engine = ready(post)
    engine.want(SENDER, Work("first", run))
    behind = min(mine + BEHIND, 19)
    assert post.next(Worked).result == (behind, behind)
    assert priority() == mine
    assert engine.close(30)


def priority() -> int:
    """How far behind others the thread is that asks."""
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


def test_newer_work_takes_the_place_of_older_that_has_not_begun(post: Post) -> None:
    engine = ready(post)
    gate = blocked(engine)
    for number in range(5):
        engine.want(SENDER, Work("same", lambda session, number=number: number))
    engine.want(SENDER, Work("other", lambda session: "other"))
    gate.set()
    found = [post.next(Worked) for _ in range(3)]
    assert [(message.work.key, message.result) for message in found] == [
        ("first", True), ("same", 4), ("other", "other"),
    ]  # fmt: skip
    assert post.messages.empty()


def test_a_result_is_stale_once_newer_work_is_asked_for(post: Post) -> None:
    engine = ready(post)
    engine.want(SENDER, Work("same", lambda session: 1))
    first = post.next(Worked)
    assert engine.current(first)
    engine.want(SENDER, Work("same", lambda session: 2))
    assert not engine.current(first)
    assert engine.current(post.next(Worked))


@pytest.mark.parametrize(
    ("what", "stops"), [("newer work of its kind", True), ("an interrupt", True), ("work of another kind", False)]
)
def test_a_look_is_stopped_by_what_makes_it_needless(post: Post, what: str, stops: bool) -> None:
    engine = ready(post)
    stopped: list[bool] = []
    begun, gate = threading.Event(), threading.Event()

    def run(session: Any) -> None:
        begun.set()
        assert gate.wait(30)
        stopped.append(session.stopped())

    engine.want(SENDER, Work("look", run))
    assert begun.wait(30)
    match what:
        case "an interrupt":
            engine.interrupt()
        case "newer work of its kind":
            engine.want(SENDER, Work("look", lambda session: None))
        case _:
            engine.want(SENDER, Work("another", lambda session: None))
    gate.set()
    post.next(Worked)
    assert stopped == [stops]


def test_commands_go_before_work(post: Post) -> None:
    engine = ready(post)
    gate = blocked(engine)
    engine.want(SENDER, Work("second", lambda session: session.debugger.position))
    engine.execute("step 2", "key")
    gate.set()
    assert post.next(Worked).work.key == "first"
    assert post.next(Answered).position.cursor == 1
    assert post.next(Worked).result == 1


def test_work_that_fails_brings_its_exception(post: Post) -> None:
    engine = ready(post)
    engine.want(SENDER, Work("bad", lambda session: 1 // 0))
    assert isinstance(post.next(Worked).result.__cause__, ZeroDivisionError)
    engine.execute("step", "key")
    assert post.next(Answered).position.cursor == 0


def test_interrupting_stops_the_motion_and_forgets_what_waits(post: Post) -> None:
    session, gate = fake_session(""), Gate()
    session.debugger.add("embeddings.token", gate)
    engine = begun(post, start=lambda progress: session)
    post.next(Ready)
    for line in ("continue", "reverse-continue", "step"):
        engine.execute(line, "script")
    assert gate.reached.wait(30)
    assert engine.running == "continue"
    assert engine.cursor == session.trace.program.index("embeddings.token")
    assert engine.interrupt() == 2
    gate.opened.set()
    answer = post.next(Answered)
    assert answer.reply.stop.reason == "interrupt"
    assert answer.position.stage == "embeddings.token"
    assert engine.close(30)
    assert post.messages.empty()


def test_an_interrupt_that_comes_before_the_motion_has_begun_still_stops_it(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, taken, opened = ready(post), threading.Event(), threading.Event()
    execute = CommandTable.execute

    def late(*arguments: Any) -> Any:  # the line is taken up, and nothing of it has been done
        taken.set()
        assert opened.wait(30)
        return execute(*arguments)

    monkeypatch.setattr(CommandTable, "execute", late)
    engine.execute("continue", "key")
    assert taken.wait(30)
    assert engine.interrupt() == 0
    opened.set()
    answer = post.next(Answered)
    assert (answer.reply.stop.reason, answer.position.cursor) == ("interrupt", -1)
    engine.execute("continue", "key")
    assert post.next(Answered).reply.stop.reason == "end"
    assert engine.close(30)


def test_how_long_a_command_has_been_at_it(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    engine, taken, opened = ready(post), threading.Event(), threading.Event()
    now, execute = [100.0], CommandTable.execute

    def held(*arguments: Any) -> Any:
        taken.set()
        assert opened.wait(30)
        return execute(*arguments)

    monkeypatch.setattr(engine_thread, "monotonic", lambda: now[0])
    monkeypatch.setattr(CommandTable, "execute", held)
    assert engine.at_it == 0.0
    engine.execute("step", "key")
    assert taken.wait(30)
    now[0] = 107.0
    assert engine.at_it == 7.0
    opened.set()
    post.next(Answered)
    assert engine.at_it == 0.0
    assert engine.close(30)


def test_an_interrupt_that_comes_after_the_motion_has_ended_does_not_stop_the_next(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, ended, opened = ready(post), threading.Event(), threading.Event()
    look = engine_thread.look

    def late(*arguments: Any) -> Any:  # the motion is over, and the line still counts as being run
        ended.set()
        assert opened.wait(30)
        return look(*arguments)

    monkeypatch.setattr(engine_thread, "look", late)
    engine.execute("step 3", "key")
    assert ended.wait(30)
    assert engine.running == "step 3"
    engine.interrupt()
    opened.set()
    answer = post.next(Answered)
    assert (answer.reply.stop.reason, answer.position.cursor) == ("step", 2)
    engine.execute("continue", "key")
    assert post.next(Answered).reply.stop.reason == "end"
    assert engine.close(30)


def test_interrupting_nothing_does_not_stop_the_next_motion(post: Post) -> None:
    engine = ready(post)
    assert engine.interrupt() == 0
    engine.execute("continue", "key")
    assert post.next(Answered).reply.stop.reason == "end"


def test_closing_does_not_wait_for_what_cannot_be_stopped(post: Post) -> None:
    engine = ready(post)
    gate = blocked(engine)
    assert not engine.close(0.01)
    gate.set()
    assert engine.close(30)


def test_work_asked_for_before_another_world_is_not_done(post: Post) -> None:
    engine = ready(post)
    engine.want(SENDER, Work("old", lambda session: session.trace.program.index("gone"), generation=7))
    engine.want(SENDER, Work("new", lambda session: session.generation, generation=0))
    found = post.next(Worked)
    assert (found.work.key, found.result) == ("new", 0)
    assert engine.close(30)


def test_a_fault_of_ours_is_written_down_and_the_session_goes_on(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = ready(post)
    monkeypatch.setattr("encoder_tui.engine.commands.looking.write_stats", None)
    for line in ("step", "stats tokens.ids", "step"):
        engine.execute(line, "console")
    answers = [post.next(Answered) for _ in range(3)]
    assert [type(found.error) for found in answers] == [type(None), OwnFault, type(None)]
    assert "again.txt` does again what was done" in str(answers[1].error)
    assert answers[2].position.cursor == 1
    assert engine.close(30)


def test_what_cannot_be_looked_at_is_told_and_what_was_known_stays(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = ready(post)
    monkeypatch.setattr("encoder_tui.tui.reading.facts.forks_of", None)
    engine.execute("step", "console")
    found = post.next(Answered)
    assert isinstance(found.error, OwnFault)
    assert found.position.cursor == -1
    assert engine.close(30)


def test_a_thread_that_ends_says_so(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = ready(post)
    monkeypatch.setattr(engine, "_run", None)
    engine.execute("step", "console")
    assert isinstance(post.next(Failed).error, OwnFault)
    assert engine.close(30)


# -- looking, where there are commands ---------------------------------------------------------------------------


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is done has been done for long."""
    for module in (engine_thread, wanted_work):
        monkeypatch.setattr(module, "LATE", 0.0)


def test_a_look_that_takes_long_gives_way_to_a_command_and_is_taken_up_after_it(post: Post, at_once: None) -> None:
    engine, begun, runs = ready(post), threading.Event(), list[int]()

    def run(session: Any) -> int:
        runs.append(len(session.debugger.breakpoints))
        begun.set()
        while len(runs) == 1:  # until it is stopped
            if session.stopped():
                raise InputError("stopped on the way")
        return runs[-1]

    engine.want(SENDER, Work("look", run))
    assert begun.wait(30)
    engine.execute("break output", "key")  # no motion, during which it would be done as well
    assert len(post.next(Answered).position.breakpoints) == 1
    found = post.next(Worked)
    assert (found.result, runs) == (1, [0, 1])
    assert engine.close(30)
    assert post.messages.empty()


def test_newer_work_is_done_in_place_of_what_gave_way(post: Post, at_once: None) -> None:
    engine, begun = ready(post), threading.Event()

    def run(session: Any) -> str:
        begun.set()
        while not session.cancel.gave_way:
            session.stopped()
        engine.want(SENDER, Work("look", lambda session: "newer"))
        return "older"

    engine.want(SENDER, Work("look", run))
    assert begun.wait(30)
    engine.execute("break output", "key")
    assert not engine.current(post.next(Worked))  # nobody waits for it any more, so it is not taken up again
    post.next(Answered)
    assert post.next(Worked).result == "newer"
    assert engine.close(30)
    assert post.messages.empty()


def test_a_look_that_gave_way_and_is_stopped_is_not_taken_up_again(post: Post, at_once: None) -> None:
    engine, begun = ready(post), threading.Event()

    def run(session: Any) -> None:
        begun.set()
        while not session.stopped():
            pass
        engine.interrupt()
        raise InputError("stopped on the way")

    engine.want(SENDER, Work("look", run))
    assert begun.wait(30)
    engine.execute("break output", "key")
    assert isinstance(post.next(Worked).result, InputError)
    assert engine.close(30)
    assert post.messages.empty()


def test_a_look_that_is_soon_done_is_seen_before_the_command(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wanted_work, "LATE", float("inf"))
    engine, begun, given = ready(post), threading.Event(), threading.Event()

    def run(session: Any) -> bool:
        begun.set()
        assert given.wait(30)
        return session.stopped()

    engine.want(SENDER, Work("look", run))
    assert begun.wait(30)
    engine.execute("step", "key")
    given.set()
    assert post.next(Worked).result is False
    post.next(Answered)


def test_closing_tells_of_what_goes_on_though_nobody_waits(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = ready(post)
    monkeypatch.setattr(FakeTrace, "goes_on", True)
    assert not engine.close(30)
    monkeypatch.setattr(FakeTrace, "goes_on", False)
    assert engine.close(30)
