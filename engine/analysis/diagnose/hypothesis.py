"""A cause that may be: what the other side does otherwise, and the edit of our run that does the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ...program.stage import Stage
from .edit import Edit

EditOf = Callable[[Stage], Edit | None]


@dataclass(frozen=True)
class Hypothesis:
    """What may be the cause, to be tried.

    Attributes:
        kind: what kind of cause, in a word or two that stay the same: `activation`.
        cause: what theirs does, and ours, as a clause: `theirs computes gelu_new, ours gelu`.
        at: the stage where it is to be seen.
        edit: the edit that makes ours do the same at a stage; None for stages that it does not concern.
        ours: what to change in ours to agree; "" where the cause says it.
        theirs: what to change in theirs.
        spreads: whether it may be so in other places as well.
        there: the stage of theirs that does it, as theirs calls it; "" where that is the one of the same name.
    """

    kind: str
    cause: str
    at: str
    edit: EditOf
    ours: str = ""
    theirs: str = ""
    spreads: bool = True
    there: str = ""


def only_at(name: str, edit: Edit) -> EditOf:
    """An edit for one stage alone."""
    return lambda stage: edit if stage.name == name else None
