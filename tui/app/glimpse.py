"""The screen's own copy of what it looks at, as a session to commands that only look."""

from __future__ import annotations

from ...engine.messages.errors import InputError
from ..state.position import Position


class Glimpse:
    """As much of a session as commands that only look need: names of stages, from the screen's own copy."""

    def __init__(self, position: Position | None) -> None:
        self._position = position

    def stage_or_here(self, name: str) -> str:
        """The stage that is named, or the one under the cursor."""
        if self._position is None:
            raise InputError("still loading: there are no stages yet")
        if name:
            return self._position.world.program.resolve(name, max(0, self._position.cursor))
        if not self._position.stage:
            raise InputError("the cursor is before the first stage; name a stage, or `step` first")
        return self._position.stage
