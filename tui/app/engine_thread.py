"""The one thread that touches the engine. Orders go in by a queue; what comes of them comes back as messages."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any

from textual.message import Message

from ...engine.debugger.cancel import CancelToken
from ...engine.messages.errors import InputError
from ...engine.traces.at_hand import NotAtHand, only_at_hand
from ..reading.facts import look
from ..reading.work import LATE, Receiver, Work
from ..state.keymap import rebound
from ..state.position import Position
from .faults import Faults
from .pace import come_after_screen
from .wanted_work import GivesWay, Job, Lack, WantedWork

if TYPE_CHECKING:
    from ...engine.commands import CommandTable, Reply
    from ...engine.commands.session import Session
    from ..state.position import Position

Start = Callable[[Callable[..., None]], "Session"]


class Progress(Message):
    """How far loading has come: a few words and, where it is known, a share between 0 and 1."""

    def __init__(self, text: str, share: float | None = None) -> None:
        super().__init__()
        self.text, self.share = text, share


class TakesLong(Message):
    """A command says that it will take long, in a line, while it is at it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text


class Listed(Message):
    """The commands there are; known long before anything is loaded."""

    def __init__(self, table: CommandTable, refused: Sequence[str] = ()) -> None:
        super().__init__()
        self.table, self.refused = table, refused


class Ready(Message):
    """The engine stands; commands are run from now on."""

    def __init__(self, position: Position, notes: Sequence[str] = ()) -> None:
        super().__init__()
        self.position, self.notes = position, notes


class Failed(Message):
    """The engine did not come to stand."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error


class Answered(Message):
    """A command line has been run, or refused with `error`.

    Attributes:
        origin: who gave it: `key`, `console`, `script`.
        position: where the debugger stands after it.
    """

    def __init__(
        self, line: str, origin: str, reply: Reply | None, error: BaseException | None, position: Position
    ) -> None:
        super().__init__()
        self.line, self.origin, self.reply, self.error, self.position = line, origin, reply, error, position


class Worked(Message):
    """Work is done; `result` is what it returned, or the exception it raised.

    Attributes:
        position: where the debugger stands, if looking has changed what is known of it; None if not.
    """

    def __init__(
        self, sender: Receiver, work: Work, result: Any, ticket: int, position: Position | None = None
    ) -> None:
        super().__init__()
        self.sender, self.work, self.result, self.ticket, self.position = sender, work, result, ticket, position


class Waits(Message):
    """Work lacks something, and waits for the motion that goes on to come to it, or to end."""

    def __init__(self, sender: Receiver, work: Work, ticket: int) -> None:
        super().__init__()
        self.sender, self.work, self.ticket = sender, work, ticket


@dataclass(frozen=True, slots=True)
class _Line:
    text: str
    origin: str
    cancel: CancelToken


class EngineThread:
    """Runs `start` and then, one after the other, command lines and work; lines come first and are never dropped.

    Args:
        start: makes the session; called with a function to report progress to.
        post: takes a message to the screen's thread; callable from any thread.
        faults: where faults of ours are written down.
        keys: keys bound anew by a person, and their command lines.
    """

    def __init__(
        self,
        start: Start,
        post: Callable[[Message], object],
        faults: Faults | None = None,
        keys: Sequence[tuple[str, str]] = (),
    ) -> None:
        self._post, self._faults, self._keys = post, faults or Faults(), keys
        self._start = self._faults.watching(start)
        self._session: Session | None = None
        self._position: Position | None = None
        self._lines: deque[_Line] = deque()
        self._work = WantedWork()
        self._awake = threading.Condition()
        self._closing = self._rests = False
        self._running: _Line | None = None
        self._begun = 0.0
        self._looks_up = False
        self._working: Job | None = None
        self._thread = threading.Thread(target=self._live, name="engine", daemon=True)

    # -- called on the screen's thread ---------------------------------------------------------------------------

    def begin(self) -> None:
        """Start the thread."""
        self._thread.start()

    def execute(self, line: str, origin: str) -> None:
        """Have a command line run after those given before; an `Answered` will come."""
        with self._awake:
            self._lines.append(_Line(line, origin, CancelToken()))
            self._awake.notify()

    def want(self, sender: Receiver, work: Work) -> None:
        """Have work done once no command waits, or between two stages of a motion; newer work of the same key takes its place."""
        with self._awake:
            if self._working is not None and self._working.work.key == work.key:  # nobody waits for it any more
                self._working.cancel.cancel()
            self._work.add(sender, work)
            self._awake.notify()

    def current(self, message: Worked | Waits) -> bool:
        """Whether nothing newer has been asked for since."""
        return self._work.is_newest(message.work, message.ticket)

    @property
    def running(self) -> str:
        """The command line that is being run, "" when none is."""
        running = self._running
        return running.text if running else ""

    @property
    def at_it(self) -> float:
        """For how many seconds the command line that is being run has been run; 0.0 when none is."""
        return monotonic() - self._begun if self._running else 0.0

    @property
    def keeps_waiting(self) -> bool:
        """Whether what is asked for now is not begun soon: a command has been at it for long, and does not look up between stages."""
        return self.at_it > LATE and not self._looks_up

    @property
    def rests(self) -> bool:
        """Whether nothing is being done, nothing waits to be done, and all that came of it has been posted."""
        with self._awake:
            return self._rests and not self._lines and not self._work

    @property
    def cursor(self) -> int | None:
        """Where the debugger is at this moment, even in the middle of a motion: one int, safe to read."""
        return self._session.debugger.position if self._session else None

    def interrupt(self) -> int:
        """Stop what is being done, though it may not have begun to move, and forget the lines that wait.

        Returns:
            How many lines were forgotten.
        """
        with self._awake:
            forgotten = len(self._lines)
            self._lines.clear()
            if self._running:
                self._running.cancel.cancel()
            if self._working is not None:
                self._working.cancel.cancel()
        return forgotten

    def close(self, patience: float = 0.5) -> bool:
        """End the thread.

        Returns:
            Whether it has ended, and nothing goes on that it left; it may be deep in a library that cannot be interrupted.
        """
        self.interrupt()
        with self._awake:
            self._closing = True
            self._work.clear()
            self._awake.notify()
        if self._thread.ident is not None:
            self._thread.join(patience)
        goes_on = self._session is not None and self._session.trace.goes_on
        return not self._thread.is_alive() and not goes_on

    # -- the thread ----------------------------------------------------------------------------------------------

    def _live(self) -> None:
        come_after_screen()
        try:
            self._serve()
        except BaseException as error:
            self._send(Failed(self._named(error)))

    def _serve(self) -> None:
        from ...engine.commands import TABLE

        table, refused = rebound(TABLE, self._keys)
        self._send(Listed(table, refused))
        session = self._session = self._start(self._report)
        session.tell = lambda line: self._send(TakesLong(line))
        session.meanwhile = self._look_up
        self._position = look(session, None)
        self._send(Ready(self._position, session.notes))
        while True:
            with self._awake:
                self._rests = True
                self._awake.wait_for(lambda: self._closing or self._lines or self._work)
                self._rests = False
                if self._closing:
                    return
                line = self._lines.popleft() if self._lines else None
                self._begun, self._running, self._looks_up = monotonic(), line, False
                token = GivesWay(lambda: self._lines)
                self._working = job = self._work.take(token) if line is None else None
            if line:
                self._run(line, table, session, self._position)
            elif job and not job.work.is_stale(session):
                self._do(job, token, session, self._position)

    def _run(self, line: _Line, table: CommandTable, session: Session, before: Position) -> None:
        reply, problem, position = None, None, before
        try:
            reply = table.execute(session, line.text, line.cancel)
        except BaseException as error:
            problem = self._named(error)
        try:
            position = look(session, before)
        except BaseException as error:
            problem = problem or self._named(error)
        self._position, self._running = position, None
        self._send(Answered(line.text, line.origin, reply, problem, position))

    def _do(self, job: Job, token: GivesWay, session: Session, before: Position) -> None:
        position = None
        session.cancel = token
        try:
            result = job.work.run(session)
            session.end()
            if before.stale != session.trace.stale:
                position = self._position = look(session, before)  # what was stale has been computed
        except BaseException as error:
            result = self._named(error)
        session.end()
        if not token.gave_way:
            self._send(Worked(job.sender, job.work, result, job.ticket, position))
            return
        with self._awake:
            job.cancel = CancelToken()
            self._work.put_back(job)

    def _look_up(self) -> None:
        """During a motion: do work that needs nothing but what is at hand; other work waits for its end.

        One at most, so that the motion goes on however much is asked for; and only once the command has been at it for so long
        that it would be noticed: a short one comes before all work.
        """
        self._looks_up, session = True, self._session
        # seen without the lock: what comes a moment later is seen to before the next stage
        if session is None or not self._work or self.at_it <= LATE:
            return
        with self._awake:
            running = self._running
            stopping = running is None or running.cancel.cancelled
            self._working = job = None if stopping else self._work.to_try(session.debugger)
        if job is not None:
            self._try(job, session)

    def _try(self, job: Job, session: Session) -> None:
        """Do work in the middle of a command, unless something would have to be computed for it."""
        outer, session.cancel = session.cancel, job.cancel
        result, lack = None, None
        try:
            if not job.work.is_stale(session):
                with only_at_hand():
                    result = job.work.run(session)
        except NotAtHand as missing:
            lack = Lack(missing.name, session.debugger.position)
        except BaseException as error:
            result = self._named(error)
        session.end(outer)
        with self._awake:
            self._working = None
            if lack is None:
                self._work.remove(job)
            else:
                job.lack, job.cancel = lack, CancelToken()
        if lack is not None:
            self._send(Waits(job.sender, job.work, job.ticket))
        elif not job.work.is_stale(session):
            self._send(Worked(job.sender, job.work, result, job.ticket))

    def _named(self, error: BaseException) -> BaseException:
        """What is a person's business as it is; a fault of ours once it is written down."""
        return error if isinstance(error, InputError) else self._faults.told(error)

    def _report(self, text: str, share: float | None = None) -> None:
        self._send(Progress(text, share))

    def _send(self, message: Message) -> None:
        with suppress(RuntimeError):  # the screen is gone, and with it its event loop
            self._post(message)
