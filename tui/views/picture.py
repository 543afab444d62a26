"""What a view asks the engine's thread for, and what it has on screen then."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.style import Style

from ..state.plane import Plane
from ..state.subject import Subject

if TYPE_CHECKING:
    from ...engine.commands.session import Session

StyledPieces = Iterable[tuple[str, Style]]


@dataclass(frozen=True, slots=True)
class PictureRequest:
    """What a view needs to paint.

    Attributes:
        key: equal requests have equal results as long as the session's generation is the same.
        run: computes it on the engine's thread.
        cost: how many bytes the result will hold.
        sees: whether what is looked at has to be there before; not where `run` sees to what it reads.
    """

    key: Hashable
    run: Callable[[Session], Any]
    cost: int = 1024
    sees: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """What is on screen: numbers and the subject they belong to."""

    subject: Subject
    plane: Plane
    frame: Any


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why there are no numbers."""

    text: str
