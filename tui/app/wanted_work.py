"""Work that is wanted of the engine's thread: what takes whose place, what may be done while a motion goes on, what must wait."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING

from ...engine.debugger.cancel import CancelToken
from ..reading.work import LATE, Receiver, Work

if TYPE_CHECKING:
    from ...engine.debugger.cursor import Debugger


class GivesWay(CancelToken):
    """Belongs to work: it is stopped as well where a command has come and it is not done soon; then it is done after that.

    What is done soon is seen before the command, so that a key that is held down shows all it passes.

    Args:
        waits: whether a command does.

    Attributes:
        gave_way: whether it was stopped for one.
    """

    def __init__(self, waits: Callable[[], object]) -> None:
        super().__init__()
        self._waits, self._begun, self.gave_way = waits, monotonic(), False

    def cancel(self) -> None:
        """Stop it for good."""
        super().cancel()
        self.gave_way = False

    @property
    def cancelled(self) -> bool:
        """Whether it is to stop."""
        if not self._cancelled and not self.gave_way:
            self.gave_way = bool(self._waits()) and monotonic() - self._begun > LATE
        return self._cancelled or self.gave_way


@dataclass(frozen=True, slots=True)
class Lack:
    """What work was found to need that was not there.

    Attributes:
        name: the stage whose value it is.
        position: where the debugger stood then.
    """

    name: str
    position: int


@dataclass(slots=True, eq=False)
class Job:
    """Work, who wants it, and what stops it.

    Attributes:
        ticket: how often work of its key has been wanted.
        lack: what it waits for; None as long as it has not been tried.
    """

    sender: Receiver
    work: Work
    ticket: int
    lack: Lack | None = None
    cancel: CancelToken = field(default_factory=CancelToken)

    def may_be_at_hand(self, debugger: Debugger) -> bool:
        """Whether to try it between two stages: not again before the motion has come to what it lacks, nor if it had been there before."""
        if self.lack is None:
            return True
        program = debugger.trace.program
        return self.lack.name in program and self.lack.position < program.index(self.lack.name) <= debugger.position


class WantedWork:
    """The newest work of each key, in the order in which it was asked for. For whoever holds the engine thread's lock."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._tickets: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._jobs)

    def add(self, sender: Receiver, work: Work) -> None:
        """Take up work; it takes the place of older work of its key."""
        ticket = self._tickets[work.key] = self._tickets.get(work.key, 0) + 1
        self._jobs.pop(work.key, None)
        self._jobs[work.key] = Job(sender, work, ticket)

    def is_newest(self, work: Work, ticket: int) -> bool:
        """Whether nothing newer of its key has been asked for since."""
        return self._tickets.get(work.key) == ticket

    def take(self, token: CancelToken) -> Job:
        """The one that has waited longest, which waits no more; `token` stops it."""
        job = self._jobs.pop(next(iter(self._jobs)))
        job.cancel = token
        return job

    def put_back(self, job: Job) -> None:
        """Have a job wait again, unless newer work has taken its place."""
        self._jobs.setdefault(job.work.key, job)

    def to_try(self, debugger: Debugger) -> Job | None:
        """The first that may need nothing but what is at hand; it waits on, until it is known that it does."""
        return next((job for job in self._jobs.values() if job.may_be_at_hand(debugger)), None)

    def remove(self, job: Job) -> None:
        """Have a job wait no more, unless newer work has taken its place."""
        if self._jobs.get(job.work.key) is job:
            del self._jobs[job.work.key]

    def clear(self) -> None:
        """Forget them all."""
        self._jobs.clear()
