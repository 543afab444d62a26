"""What panes ask of the engine's thread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from textual.message import Message

from ...engine.program.addresses import stage_at

if TYPE_CHECKING:
    from ...engine.commands.session import Session


LATE = 0.12  # seconds after which it is said of something that it is waited for; anything sooner would only flicker


@dataclass(frozen=True, slots=True)
class Work:
    """Something to be computed on the engine's thread.

    Attributes:
        key: newer work of the same key replaces older work that has not begun; what was begun is finished, and its
            result is dropped if newer work of that key has been asked for since.
        run: takes the session, returns something small and made for the screen (numpy arrays, strings), never a tensor.
        generation: of the session, as whoever asks knows it; when it is another by then, the work is not done: the names and
            places it speaks of may be gone, and the new ones are on their way to whoever asked. None where it holds always.
    """

    key: str
    run: Callable[[Session], Any]
    generation: int | None = None

    def is_stale(self, session: Session) -> bool:
        """Whether what it was asked about no longer holds."""
        return self.generation is not None and self.generation != session.generation


def see(session: Session, address: str) -> None:
    """Compute what is to be looked at, where the cursor has not been; see `Session.see`. Runs on the engine's thread."""
    session.see(stage_at(address))


class Receiver(Protocol):
    """A widget that asks for work."""

    @property
    def is_attached(self) -> bool:
        """Whether it is on the screen still."""
        ...

    def receive(self, work: Work, result: Any) -> None:
        """Take what came of it."""

    def failed(self, work: Work, text: str) -> None:
        """Nothing came of it, and this is why; the console says so too."""

    def must_wait(self) -> None:
        """What was asked for waits for a command that has been at it for long: whoever asked says so at once."""


class Wanted(Message):
    """A widget asks for work; the app sees to it and calls the widget's `receive(work, result)` on the UI's thread.

    It is posted to the app, not handed up from parent to parent: work is begun in the order in which it was asked for,
    from however deep.
    """

    def __init__(self, sender: Receiver, work: Work) -> None:
        super().__init__()
        self.sender = sender
        self.work = work
