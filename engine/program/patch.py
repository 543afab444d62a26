"""A patch: one change put by hand upon what a stage computes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import torch


class Change(Protocol):
    """What a patch does to a value."""

    def apply(self, value: torch.Tensor) -> None:
        """Change the tensor in place; it is a copy made for this."""


@dataclass(frozen=True, eq=False, slots=True)
class Patch:
    """One change to one stage.

    Attributes:
        stage: its canonical name.
        text: the command as typed, for people.
        change: what is done.
    """

    stage: str
    text: str
    change: Change
