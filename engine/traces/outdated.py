"""What somebody has asked for and would get another answer to now."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..program.program import Program
from .patches.patch_set import PatchSet


class Outdated:
    """Of each value that was asked for the patches there were then: where those differ upstream of it now, it is stale.

    Whoever takes a change back without having looked finds what there was: that it is gone makes it no other. And what was computed
    on the way to something else nobody has seen.

    Args:
        program: the stages.
        asked: what was asked for, with which patches.

    Attributes:
        names: what is stale.
    """

    def __init__(self, program: Program, asked: Iterable[tuple[str, PatchSet]] = ()) -> None:
        self.names: frozenset[str] = frozenset()
        self._program = program
        self._asked = dict(asked)

    def ask(self, name: str, patches: PatchSet) -> None:
        """Somebody looks at a value, whether it is computed for that or not."""
        self._asked[name] = patches
        if name in self.names:
            self.names -= {name}

    def pass_by(self, names: Iterable[str], patches: PatchSet) -> None:
        """Somebody goes past these values."""
        self._asked.update(dict.fromkeys(names, patches))

    def compare(self, patches: PatchSet, is_computed: Callable[[str], bool]) -> None:
        """Find out what is stale with these patches.

        Args:
            is_computed: whether a value is there all the same: the run this is a fork of may have it.
        """
        since: dict[PatchSet, set[str]] = {}
        for name, then in self._asked.items():
            since.setdefault(then, set()).add(name)
        apart = (names & self._program.all_downstream(patches.differing(then)) for then, names in since.items())
        self.names = frozenset(name for names in apart for name in names if not is_computed(name))

    def computed(self, name: str) -> None:
        """A value is computed now."""
        if name in self.names:
            self.names -= {name}

    def fork(self) -> Outdated:
        """The same for another run with the same patches: nothing is stale there yet."""
        return Outdated(self._program, self._asked.items())
