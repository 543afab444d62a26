"""How one order is stopped from another thread, and no other."""

from __future__ import annotations


class CancelToken:
    """Belongs to one order from before it begins: cancelled early it still holds, cancelled late it stops nothing else."""

    def __init__(self) -> None:
        self._cancelled = False

    def cancel(self) -> None:
        """Stop what this is the token of, at the next place where it can stop."""
        self._cancelled = True

    @property
    def cancelled(self) -> bool:
        """Whether it is to stop."""
        return self._cancelled


def never() -> bool:
    """Nobody stops it."""
    return False
