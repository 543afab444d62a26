"""Dropout that theirs did not switch off."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from ....debugger.faults.dropout import dropout_rate
from ....program.arrays import Array
from ....program.stage import Stage
from ....program.torch_calls import from_numpy
from ..case import Case
from ..edit import Edit, put_between
from ..hypothesis import Hypothesis, only_at
from ..otherwise import Otherwise, op_of

ENOUGH = 1 << 16  # numbers that are looked at


def dropout_left_on(case: Case) -> Iterator[Hypothesis]:
    """A value of which theirs has some numbers set to 0 and the others enlarged by as much: a stage's own, or what goes into it."""
    for suspect in case.suspects:
        other = case.others(suspect.name)
        if other is not None and (rate := _rate(other, case.mine(suspect.name))) is not None:
            edit = Edit({suspect.name: replace(suspect, op=_as_in_theirs(case, suspect, suspect.name))})
            yield _left_on(suspect, edit, rate)
        for name in suspect.inputs:
            yield from _on_the_way(case, suspect, name)
        rate = _draws(case, suspect) if other is not None else None
        if rate is not None:
            edit = Edit({suspect.name: replace(suspect, op=_as_in_theirs(case, suspect, suspect.name))})
            yield _left_on(suspect, edit, rate)


def _draws(case: Case, suspect: Stage) -> float | None:
    """The rate of a dropout that is part of theirs' stage, and switched on."""
    for step in getattr(case.theirs.program[suspect.name].op, "steps", ()):
        if step.word in ("dropout", "native_dropout") and step.arguments[-1] is True and step.arguments[1]:
            return float(step.arguments[1])
        if step.word == "scaled_dot_product_attention" and len(step.arguments) > 4 and step.arguments[4]:
            return float(step.arguments[4])
    return None


def _on_the_way(case: Case, suspect: Stage, name: str) -> Iterator[Hypothesis]:
    """Theirs drops out between two stages: what it makes there has no name of ours."""
    source = case.ours.program[name]
    if source.card.whole_numbers or not case.is_known(name):
        return
    mine = case.mine(name)
    for own in case.theirs.program:
        if own.name in case.ours.program or case.theirs.shapes[own.name] != mine.shape or not case.theirs.has(own.name):
            continue
        rate = _rate(case.theirs.value(own.name).read(), mine)
        if rate is None:
            continue
        edit = put_between(case.ours.program, name, _as_in_theirs(case, source, own.name), "dropped")
        called = getattr(case.theirs, "called", {}).get(own.name, own.name)
        yield replace(_left_on(suspect, edit, rate), there=called)


def _left_on(suspect: Stage, edit: Edit, rate: float) -> Hypothesis:
    return Hypothesis(
        "dropout left on", f"theirs is ours after dropout of {rate:.2g}: it runs in training mode", suspect.name,
        only_at(suspect.name, edit), theirs="model.eval()", spreads=False,
    )  # fmt: skip


def _rate(other: Array, mine: Array) -> float | None:
    rate = dropout_rate(np.asarray(other).ravel()[:ENOUGH], mine.ravel()[:ENOUGH])
    return None if rate is None else float(f"{rate:.2g}")


def _as_in_theirs(case: Case, stage: Stage, name: str) -> Otherwise:
    """An operation that gives what theirs has: dropout draws at random, and cannot be done again."""
    value, like = case.theirs.value(name).read(), case.ours.dtype(stage.name)

    def put(xs: Any, ws: Any) -> Any:
        return from_numpy(np.array(value)).to(case.ours.device, like)

    return Otherwise(op_of(stage), "as in theirs", put)
