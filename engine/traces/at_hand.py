"""Looking at what is there: for who reads while something else is being computed, and must not have more computed in between."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

_only: ContextVar[bool] = ContextVar("only_at_hand", default=False)


class NotAtHand(Exception):
    """A value would have to be computed. Not an `InputError`: whoever reads tells those to people, and this is nobody's mistake.

    Args:
        name: the stage whose value it is.
    """

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is not at hand")
        self.name = name


@contextmanager
def only_at_hand() -> Generator[None]:
    """Inside, what this thread reads is at hand, of whichever run it is, or raises `NotAtHand`; nothing is computed or evicted for it."""
    token = _only.set(True)
    try:
        yield
    finally:
        _only.reset(token)


def expect_at_hand(name: str) -> None:
    """Called before a value is computed.

    Raises:
        NotAtHand: this thread reads only what is at hand.
    """
    if _only.get():
        raise NotAtHand(name)
