"""Dropout that theirs did not switch off."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from ....debugger.faults.dropout import dropout_rate
from ....program.arrays import Array
from ....program.stage import Shape, Stage
from ....program.torch_calls import from_numpy
from ....traces.matched import Matched
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
            yield _left_on(suspect, _edit_at(case, suspect, other), rate)
        for name in suspect.inputs:
            yield from _on_the_way(case, suspect, name)
        rate = _draws(case, suspect) if other is not None else None
        if other is not None and rate is not None:
            yield _left_on(suspect, _edit_at(case, suspect, other), rate)


def _draws(case: Case, suspect: Stage) -> float | None:
    """The rate of a dropout that is part of theirs' stage, and switched on."""
    for step in getattr(_operation_of_theirs(case, suspect.name), "steps", ()):
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
    for called, shape, read in _nameless(case):
        if shape == mine.shape and (rate := _rate(value := read(), mine)) is not None:
            edit = put_between(case.ours.program, name, _as_in_theirs(case, source, value), "dropped")
            yield replace(_left_on(suspect, edit, rate), there=called)


def _nameless(case: Case) -> Iterator[tuple[str, Shape, Callable[[], Array]]]:
    """Values of theirs that no stage of ours is, by what they are called there."""
    theirs = case.theirs
    if isinstance(theirs, Matched):  # whose program is ours
        taken = {match.theirs for match in theirs.matches}
        yield from ((name, tensor.shape, tensor.read) for name, tensor in theirs.tensors.items() if name not in taken)
        return
    called = getattr(theirs, "called", {})
    for own in theirs.program:
        if own.name not in case.ours.program and theirs.has(own.name):
            yield called.get(own.name, own.name), theirs.shapes[own.name], theirs.value(own.name).read


def _operation_of_theirs(case: Case, name: str) -> object:
    """What theirs computes a stage of ours with; None where that is not known."""
    theirs = case.theirs
    if not isinstance(theirs, Matched):
        return theirs.program[name].op
    called = theirs.by_stage[name].theirs
    return theirs.origin.program[called].op if theirs.origin is not None and called in theirs.origin.program else None


def _left_on(suspect: Stage, edit: Edit, rate: float) -> Hypothesis:
    return Hypothesis(
        "dropout left on", f"theirs is ours after dropout of {rate:.2g}: it runs in training mode", suspect.name,
        only_at(suspect.name, edit), theirs="model.eval()", spreads=False,
    )  # fmt: skip


def _rate(other: Array, mine: Array) -> float | None:
    rate = dropout_rate(np.asarray(other).ravel()[:ENOUGH], mine.ravel()[:ENOUGH])
    return None if rate is None else float(f"{rate:.2g}")


def _edit_at(case: Case, suspect: Stage, value: Array) -> Edit:
    return Edit({suspect.name: replace(suspect, op=_as_in_theirs(case, suspect, value))})


def _as_in_theirs(case: Case, stage: Stage, value: Array) -> Otherwise:
    """An operation that gives what theirs has: dropout draws at random, and cannot be done again."""
    like = case.ours.dtype(stage.name)

    def put(xs: Any, ws: Any) -> Any:
        return from_numpy(np.array(value)).to(case.ours.device, like)

    return Otherwise(op_of(stage), "as in theirs", put)
