"""Addresses of values: `STAGE` is what a stage computes, `STAGE@WHAT` is whatever else there is of it: a weight, a difference."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from ..messages.errors import InputError
from .stage import Stage

if TYPE_CHECKING:
    from .value import Value  # which takes numpy along; a screen reads addresses before it has that

AT = "@"

# What a stage has besides its value, by what stands after the `@`; each is made when it is asked for.
ValuesBeside = Mapping[str, "Callable[[], Value]"]


def stage_at(address: str) -> str:
    """The stage of an address: `layers.0.ffn.up` of `layers.0.ffn.up@W`."""
    return address.strip().partition(AT)[0]


def value_beside(stage: Stage, beside: ValuesBeside, what: str) -> Value:
    """The value of `STAGE@WHAT`.

    Raises:
        InputError: the stage has nothing of that name, or it cannot be made.
    """
    if what not in beside:
        raise has_none(stage, beside, what)
    value = beside[what]()
    value.name = f"{stage.name}{AT}{what}"
    return value


def matching(beside: ValuesBeside, what: str) -> list[str]:
    """What of it a word or glob means: `W`, `*`."""
    return [what] if what in beside else fnmatch.filter(beside, what)


def has_none(stage: Stage, beside: Iterable[str], what: str) -> InputError:
    """To be raised: what a stage has, where something else was asked for."""
    known = ", ".join(f"{stage.name}{AT}{each}" for each in beside)
    return InputError(
        f"{stage.name} has no {what!r} beside its value; " + (f"it has {known}" if known else "it has nothing else")
    )
