"""What would come out other than it last did, and has not been computed again yet."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..program.program import Program
from .patches.patch_set import PatchSet


class Outdated:
    """Of each value that a patch has dropped the patches it was last computed with: where those differ upstream of it now, it is stale.

    Whoever takes a change back without having looked finds what there was: that it is gone makes it no other.

    Args:
        program: the stages.

    Attributes:
        names: what is stale.
    """

    def __init__(self, program: Program) -> None:
        self.names: frozenset[str] = frozenset()
        self._program = program
        self._dropped: dict[str, PatchSet] = {}

    def drop(self, names: Iterable[str], patches: PatchSet) -> None:
        """Values are about to be dropped that were computed with these patches."""
        self._dropped.update((name, patches) for name in names)

    def compare(self, patches: PatchSet, is_computed: Callable[[str], bool]) -> None:
        """Find out what is stale with these patches.

        Args:
            is_computed: whether a value is there all the same: the run this is a fork of may have it.
        """
        since: dict[PatchSet, set[str]] = {}
        for name, then in self._dropped.items():
            since.setdefault(then, set()).add(name)
        apart = (names & self._program.all_downstream(patches.differing(then)) for then, names in since.items())
        self.names = frozenset(name for names in apart for name in names if not is_computed(name))

    def computed(self, name: str) -> None:
        """A value is computed now."""
        if self._dropped.pop(name, None) is not None:
            self.names -= {name}
