"""The patches that a run has, in the order they were made, and what of it concerns each stage."""

from __future__ import annotations

from collections.abc import Sequence

from ...program.patch import Patch


class PatchSet:
    """Patches by stage; never changed, only replaced.

    Args:
        patches: in the order they were made.
    """

    def __init__(self, patches: Sequence[Patch] = ()) -> None:
        self.all = tuple(patches)
        self._by_stage: dict[str, tuple[Patch, ...]] = {}
        for patch in self.all:
            self._by_stage[patch.stage] = (*self._by_stage.get(patch.stage, ()), patch)
        self.names = frozenset(self._by_stage)

    def __contains__(self, name: object) -> bool:
        return name in self._by_stage

    def of(self, name: str) -> tuple[Patch, ...]:
        """Those of one stage."""
        return self._by_stage.get(name, ())

    def differing(self, other: PatchSet) -> set[str]:
        """Stages that have other patches here than there."""
        return {name for name in self.names | other.names if self.of(name) != other.of(name)}
