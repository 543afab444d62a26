"""Dropout that theirs did not switch off."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ....debugger.faults.dropout import dropout_rate
from ....program.stage import Stage
from ....program.torch_calls import from_numpy
from ..case import Case
from ..edit import Edit
from ..hypothesis import Hypothesis, only_at
from ..otherwise import Otherwise, op_of

ENOUGH = 1 << 16  # numbers that are looked at


def dropout_left_on(case: Case) -> Iterator[Hypothesis]:
    """A value of which theirs has some numbers set to 0 and the others enlarged by as much."""
    for suspect in case.suspects:
        yield from _here(case, suspect)


def _here(case: Case, suspect: Stage) -> Iterator[Hypothesis]:
    other = case.others(suspect.name)
    if other is None:
        return
    mine = case.mine(suspect.name)
    rate = dropout_rate(other.ravel()[:ENOUGH], mine.ravel()[:ENOUGH])
    if rate is None:
        return
    value = case.theirs.value(suspect.name).read()

    def put(xs: Any, ws: Any) -> Any:

        like = case.ours.tensor(suspect.name)
        return from_numpy(value.copy()).to(like.device, like.dtype)

    edit = Edit({suspect.name: replace(suspect, op=Otherwise(op_of(suspect), "as in theirs", put))})
    yield Hypothesis(
        "dropout left on", f"theirs is ours after dropout of {rate:.2g}: it runs in training mode", suspect.name,
        only_at(suspect.name, edit), theirs="model.eval()", spreads=False,
    )  # fmt: skip
