"""Values that are handed on and not kept: squares made of squares by one exact operation, which gives them again when they are looked at.

At 512 tokens the scaled scores of MiniLM take as much memory as the scores and the weights, and to touch new memory costs more than to
scale again what lies in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import torch

from ..program.program import Program
from .arena import LARGE
from .shapes import Shadow


class Fleeting:
    """Which values of a passage are fleeting, and those that are still needed to go on.

    Fleeting is what may be written over the first of its inputs (`Op.in_place`: scaled, masked), is large, and is all used up by the
    stages right behind it. Nothing such an operation does depends on how many threads there are, or on where the numbers lie.

    Args:
        program: the stages.
        shadows: what their values are made of.

    Attributes:
        passed: the fleeting ones that have been computed since something they are made of has changed.
    """

    def __init__(self, program: Program, shadows: Mapping[str, Shadow]) -> None:
        self.passed: set[str] = set()
        self._last = dict(_last_users(program, shadows))
        self._done: dict[str, list[str]] = {}  # what nobody needs any more once a stage is computed
        for name, user in self._last.items():
            self._done.setdefault(user, []).append(name)
        self._held: dict[str, torch.Tensor] = {}

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._last)

    def __contains__(self, name: str) -> bool:
        return name in self._last

    def get(self, name: str) -> torch.Tensor | None:
        """A value that is still there to go on from."""
        return self._held.get(name)

    def hand_on(self, name: str, tensor: torch.Tensor) -> None:
        """Take a value that has just been computed."""
        self._held[name] = tensor
        self.passed.add(name)

    def computed(self, name: str) -> None:
        """A stage is computed: what only it was waited for with goes."""
        for each in self._done.get(name, ()):
            self._held.pop(each, None)

    def take_out(self, name: str) -> torch.Tensor | None:
        """A value that is to be kept after all; None where it is not there."""
        return self._held.pop(name, None)

    def forget(self, name: str) -> None:
        """A value that would be another one now."""
        self._held.pop(name, None)
        self.passed.discard(name)

    def clear(self) -> None:
        """Forget every value."""
        self._held.clear()
        self.passed.clear()


def _last_users(program: Program, shadows: Mapping[str, Shadow]) -> Iterator[tuple[str, str]]:
    """Of each value that is fleeting the last stage that is made of it."""
    large = {name for name, shadow in shadows.items() if shadow.nbytes >= LARGE}
    if not large:
        return
    place: Callable[[str], int] = program.index
    for name in large:
        stage, op = program.pairs[name]
        users = program.users(name)
        if op.in_place and users and stage.inputs[0] in large:
            last = max(users, key=place)
            if place(last) - place(name) <= len(users):
                yield name, last
