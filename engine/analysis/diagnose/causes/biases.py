"""A bias that is missing, or another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ....program.stage import Stage
from ....program.torch_calls import from_numpy
from ..case import Case, Float64s
from ..edit import Edit
from ..hypothesis import Hypothesis, only_at

if TYPE_CHECKING:
    import torch

ALIKE = 1e-3  # of the difference: how much what is the same for every token may still vary
NOUGHT = 1e-4  # of a bias: what counts as nothing beside it


def biases(case: Case) -> Iterator[Hypothesis]:
    """A product without its bias, or with what is the same for every token of the difference added to it."""
    for suspect in case.suspected("Linear"):
        if len(suspect.weights) == 2:
            yield Hypothesis(
                "bias missing", "theirs adds no bias, or one that is all zero", suspect.name, lambda stage: _without(case, stage),
                theirs=f"add the bias, {suspect.weights[1]} here",
            )  # fmt: skip
        pair = case.both(suspect.name)
        if pair is not None:
            yield from _constant(case, suspect, *pair)


def _without(case: Case, stage: Stage) -> Edit | None:
    if stage.kind != "Linear" or len(stage.weights) != 2:
        return None
    return Edit(weights={stage.weights[1]: case.ours.weights[stage.weights[1]] * 0})


def _constant(case: Case, suspect: Stage, mine: Float64s, other: Float64s) -> Iterator[Hypothesis]:
    """What is the same for every token."""
    apart = other - mine  # (row, feature)
    constant = np.median(apart, axis=0)
    if len(apart) < 3 or not np.isfinite(apart).all() or np.abs(apart - constant).max() > ALIKE * np.abs(apart).max():
        return
    if len(suspect.weights) == 1:
        yield _added(case, suspect, constant)
        return
    bias = case.ours.weights[suspect.weights[1]]
    ours = bias.double().cpu().numpy()
    changed = np.flatnonzero(np.abs(constant) > 10 * NOUGHT * np.abs(constant).max())
    now = ours + constant
    if np.abs(ours).max() <= NOUGHT * np.abs(now).max():
        cause = "theirs adds a bias that is all zero in ours"
    elif len(changed) <= max(1, len(constant) // 50):
        shown = ", ".join(f"{int(at)} ({ours[at]:.4g} in ours, {now[at]:.4g} in theirs)" for at in changed[:3])
        cause = f"theirs has another bias in {len(changed)} of {len(constant)} places: {shown}"
    else:
        cause = "theirs has another bias"
    weights = {suspect.weights[1]: _like(bias, now)}
    yield Hypothesis(
        "another bias", cause, suspect.name, only_at(suspect.name, Edit(weights=weights)),
        ours=f"load {suspect.weights[1]} from theirs", theirs=f"load the bias, {suspect.weights[1]} in ours", spreads=False,
    )  # fmt: skip


def _added(case: Case, suspect: Stage, constant: Float64s) -> Hypothesis:
    name = suspect.weights[0].removesuffix(".weight") + ".bias"
    edit = Edit(
        {suspect.name: replace(suspect, weights=(suspect.weights[0], name))},
        {name: _like(case.ours.weights[suspect.weights[0]], constant)},
    )
    return Hypothesis(
        "bias ours has not", "theirs adds a bias, ours has none there", suspect.name, only_at(suspect.name, edit),
        ours="the bias that theirs adds is not in the checkpoint, or is not read", theirs="no bias", spreads=False,
    )  # fmt: skip


def _like(tensor: torch.Tensor, numbers: Float64s) -> torch.Tensor:

    return from_numpy(numbers.copy()).to(tensor.device, tensor.dtype)
