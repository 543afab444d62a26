"""Layers that are exchanged, stand twice, or are off by one: whose weights a layer of theirs has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from ....program.stage import Stage
from ..case import Case
from ..edit import Edit
from ..hypothesis import Hypothesis, only_at
from ..otherwise import op_of, plainly

if TYPE_CHECKING:
    import torch

CLOSE = 1e-2  # of the largest number: how near the right layer's weights must come


def other_layers(case: Case) -> Iterator[Hypothesis]:
    """The layers whose weights make the first stage of theirs, exchanged with ours and in its place."""
    suspect = next((stage for stage in case.suspects if stage.weights and stage.layer is not None), None)
    if suspect is None or suspect.layer is None:
        return
    here = suspect.layer
    for other in range(case.ours.program.layers):
        if other == here or not _fits(case, suspect, other):
            continue
        one, two = _weights_of(case, here, other), _weights_of(case, other, here)
        if not one or not two:
            continue
        yield Hypothesis(
            "layers exchanged", f"theirs has layers {min(here, other)} and {max(here, other)} exchanged", suspect.name,
            only_at(suspect.name, Edit(weights={**one, **two})), ours=f"exchange the weights of layers {here} and {other}",
            theirs=f"exchange the weights of layers {here} and {other}", spreads=False,
        )  # fmt: skip
        yield Hypothesis(
            "weights of another layer", f"theirs has in layer {here} the weights that ours has in layer {other}", suspect.name,
            only_at(suspect.name, Edit(weights=one)), theirs=f"load layer {here}", spreads=False,
        )  # fmt: skip
        for which, order in _off_by_one(here, other, case.ours.program.layers - 1):
            edit = Edit()
            for layer, there in order.items():
                edit = edit | Edit(weights=_weights_of(case, layer, there))
            yield Hypothesis(
                "layers off by one", f"theirs has from layer {here} on the weights of the layer {which}", suspect.name,
                only_at(suspect.name, edit), theirs="begin to count layers where ours does", spreads=False,
            )  # fmt: skip


def _off_by_one(here: int, other: int, last: int) -> Iterator[tuple[str, dict[int, int]]]:
    """From a layer on whose weights each has, where the first of them has those of another: in words, and layer by layer."""
    after = {layer: layer + 1 for layer in range(here, last)}
    before = {layer: layer - 1 for layer in range(here + 1, last + 1)}
    if other == here + 1:
        yield "after", after
        yield f"after, and in the last those of layer {here}", {**after, last: here}
    if other == here - 1:
        yield "before", {here: other, **before}
    if other == last > here + 1:
        yield f"before, and in layer {here} those of the last", {here: last, **before}


def _fits(case: Case, suspect: Stage, other: int) -> bool:
    """Whether another layer's weights make of our inputs what theirs has; True where that cannot be told here."""
    there = case.others(suspect.name)
    if there is None:
        return True
    twin = suspect.name.replace(f"layers.{suspect.layer}.", f"layers.{other}.", 1)
    if twin not in case.ours.program:
        return False
    stage = case.ours.program[twin]
    inputs = [case.ours.tensor(name) for name in suspect.inputs]
    try:
        made = plainly(op_of(stage), inputs, [case.ours.weights[name] for name in stage.weights])
    except RuntimeError:  # sizes that do not fit
        return False
    numbers = made.detach().double().cpu().numpy()
    size = float(np.abs(there).max()) or 1.0
    real = case.ours.original_inputs.sequences[suspect.sequence].mask != 0
    apart = np.abs(numbers - there)
    if apart.shape[:2] == real.shape:
        apart = apart[real]
    return bool(apart.max() <= CLOSE * size)


def _weights_of(case: Case, here: int, other: int) -> dict[str, torch.Tensor]:
    """The other layer's weights under this one's names."""
    mine = {name for stage in case.ours.program if stage.layer == here for name in stage.weights}
    weights: dict[str, torch.Tensor] = {}
    for name in mine:
        twin = re.sub(rf"\b{here}\b", str(other), name, count=1)
        if twin not in case.ours.program.weights or case.ours.weights[twin].shape != case.ours.weights[name].shape:
            continue
        weights[name] = case.ours.weights[twin]
    return weights
