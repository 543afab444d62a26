"""Weights that are others: transposed, broken in one row, another matrix of ours, different by a low rank, or simply different."""

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
from ..weights_apart import WeightApart, described
from .scales import constant_ratio, tidy

if TYPE_CHECKING:
    import torch

FEW = 0.02  # share of the rows that may be broken
CLOSE = 1e-3
FEWEST = 8  # rows that tell one feature from all others
LOW = 1e-4  # of the largest singular value: what counts as none


def products(case: Case) -> Iterator[Hypothesis]:
    """Theirs' weights in the place of ours where they are at hand; else what a product's result tells of them."""
    for suspect in case.suspects:
        if not suspect.weights:
            continue
        apart = _apart(case, suspect)
        if apart:
            yield from _of_weights(case, suspect, apart)
            continue  # else theirs does something besides: an adapter that is added to the same product
        if suspect.kind == "Linear":
            yield from _transposed(case, suspect)
            yield from _times_a_factor(case, suspect)
            yield from _of_rows(case, suspect)
            yield from _of_a_column(case, suspect)
            yield from _of_low_rank(case, suspect)
        yield from _of_table(case, suspect)


# -- with weights at hand ----------------------------------------------------------------------------------------------


def _apart(case: Case, stage: Stage) -> dict[str, WeightApart]:
    """What is different about the weights of a stage, by their names in ours."""
    import torch

    theirs = case.their_weights(stage)
    if theirs is None:
        return {}
    unlike: dict[str, WeightApart] = {}
    for name, other in zip(stage.weights, theirs, strict=True):
        mine = case.ours.weights[name]
        if mine.ndim == 2 and mine.shape == other.T.shape != other.shape:
            other = other.T  # stored the other way, as a Conv1D has it
        if mine.shape == other.shape and not torch.equal(mine, other):
            unlike[name] = described(
                name,
                mine,
                other,
                case.ours.weights,
                _tables(case) if stage.kind == "Linear" else (),
                tied_to(case, stage, name),
            )
    return unlike


def _tables(case: Case) -> list[str]:
    """Our weights that are looked up."""
    return [name for stage in case.ours.program if stage.card.looks_up for name in stage.weights]


def tied_to(case: Case, stage: Stage, name: str) -> str:
    """The table that a product's weight is, under whatever name; "" for none."""
    import torch

    mine, tables = case.ours.weights[name], _tables(case) if stage.kind == "Linear" else []
    same = (table for table in tables if case.ours.weights[table].shape == mine.shape)
    return next((table for table in same if table == name or torch.equal(case.ours.weights[table], mine)), "")


def _of_weights(case: Case, suspect: Stage, apart: dict[str, WeightApart]) -> Iterator[Hypothesis]:
    first = next(iter(apart.values()))

    def edit(stage: Stage) -> Edit | None:
        other = _apart(case, stage) if stage.weights else {}
        weights = {name: each.weight for name, each in other.items() if each.kind == first.kind}
        if stage.name == suspect.name:
            weights = {name: each.weight for name, each in other.items()}
        if first.tied and stage.name == suspect.name:
            return _of_its_own(stage, weights)
        return Edit(weights=weights) if weights else None

    yield Hypothesis(
        first.kind, "; ".join(each.cause for each in apart.values()), suspect.name, edit,
        ours=f"load {', '.join(apart)} from theirs", theirs=f"load {', '.join(apart)} as it is in ours",
    )  # fmt: skip


def _of_its_own(stage: Stage, weights: dict[str, torch.Tensor]) -> Edit:
    """A tied weight stands in two places, and one of them is another."""
    names = {name: f"{stage.name}.{name}" for name in weights}
    return Edit(
        {stage.name: replace(stage, weights=tuple(names.get(name, name) for name in stage.weights))},
        {names[name]: weight for name, weight in weights.items()},
    )


# -- with values alone -------------------------------------------------------------------------------------------------


def _transposed(case: Case, suspect: Stage) -> Iterator[Hypothesis]:
    weight = case.ours.weights[suspect.weights[0]]
    if weight.shape[0] != weight.shape[1]:
        return

    def edit(stage: Stage) -> Edit | None:
        if stage.kind != "Linear" or len(set(case.ours.weights[stage.weights[0]].shape)) != 1:
            return None
        return Edit(weights={stage.weights[0]: case.ours.weights[stage.weights[0]].T.contiguous()})

    yield Hypothesis(
        "weight transposed", f"theirs multiplies by {suspect.weights[0]} transposed", suspect.name, edit, theirs="x @ W.T + b"
    )  # fmt: skip


def _of_rows(case: Case, suspect: Stage) -> Iterator[Hypothesis]:
    """Few features are others: rows of the weight."""
    pair = case.both(suspect.name)
    if pair is None:
        return
    mine, other = pair
    size = np.abs(other).max()
    rows = np.flatnonzero(np.abs(other - mine).max(axis=0) > CLOSE * size / 10)
    if not 0 < len(rows) <= max(1, int(FEW * mine.shape[1])):
        return
    weight, bias = case.ours.weights[suspect.weights[0]].clone(), 0.0
    biases = case.ours.weights[suspect.weights[1]].double().cpu().numpy() if len(suspect.weights) == 2 else None
    said: list[str] = []
    for row in rows:
        bias = biases[row] if biases is not None else 0.0
        a, b = mine[:, row] - bias, other[:, row] - bias
        factor = float(a @ b) / (float(a @ a) or 1.0)
        if np.abs(b - factor * a).max() > CLOSE * np.abs(b).max():
            return
        weight[row] *= factor
        said.append(f"row {int(row)} is ours times {factor:.4g}")
    shown = ", ".join(said[:3]) + (f" and {len(said) - 3} more" if len(said) > 3 else "")
    yield Hypothesis(
        "rows scaled", f"in the weights of theirs {shown}: a scale of one channel, as of quantised weights", suspect.name,
        only_at(suspect.name, Edit(weights={suspect.weights[0]: weight})), theirs=f"the scale of {'these rows' if len(rows) > 1 else 'this row'}",
        spreads=False,
    )  # fmt: skip


def _times_a_factor(case: Case, suspect: Stage) -> Iterator[Hypothesis]:
    """Every feature is as many times larger, the bias left aside; without one `scales` sees it."""
    pair = case.both(suspect.name) if len(suspect.weights) == 2 else None
    if pair is None:
        return
    bias = case.ours.weights[suspect.weights[1]].double().cpu().numpy()
    factor = constant_ratio(pair[0] - bias, pair[1] - bias)
    if factor is None or abs(factor - 1) < FEW:
        return
    weight, written = case.ours.weights[suspect.weights[0]], tidy(case, factor)
    yield Hypothesis(
        "weights times a factor", f"theirs has {suspect.weights[0]} of ours times {written}", suspect.name,
        only_at(suspect.name, Edit(weights={suspect.weights[0]: weight * factor})), theirs=f"divide {suspect.weights[0]} by {written}",
        spreads=False,
    )  # fmt: skip


def _of_a_column(case: Case, suspect: Stage) -> Iterator[Hypothesis]:
    """The difference is one feature of the input, times what its column of the weight has more."""
    pair, source = case.both(suspect.name), case.both(suspect.inputs[0])
    if pair is None or source is None:
        return
    apart, x = pair[1] - pair[0], source[0]  # (row, out), (row, in)
    if len(apart) < FEWEST or not np.isfinite(apart).all() or not apart.any() or not np.isfinite(x).all():
        return
    row = apart[:, np.abs(apart).max(axis=0).argmax()]  # one output: a number times the feature
    lengths = np.linalg.norm(x, axis=0) * np.linalg.norm(row)
    alike = np.abs(x.T @ row) / np.where(lengths > 0, lengths, np.inf)
    at = int(alike.argmax())
    more = x[:, at] @ apart / float(x[:, at] @ x[:, at])  # (out,)
    if np.abs(apart - np.outer(x[:, at], more)).max() > CLOSE * np.abs(apart).max():
        return
    weight = case.ours.weights[suspect.weights[0]].clone()
    mine = weight[:, at].double().cpu().numpy()
    factor = 1 + float(mine @ more) / (float(mine @ mine) or 1.0)
    scaled = np.abs(mine + more - factor * mine).max() <= 10 * CLOSE * np.abs(mine + more).max()
    said = f"is ours times {factor:.4g}" if scaled else "is another"
    weight[:, at] = from_numpy(mine + more).to(weight.device, weight.dtype)
    yield Hypothesis(
        "few columns", f"in the weights of theirs column {at} {said}, that of input {at}, alone", suspect.name,
        only_at(suspect.name, Edit(weights={suspect.weights[0]: weight})), theirs="the scale of this column", spreads=False,
    )  # fmt: skip


def _of_low_rank(case: Case, suspect: Stage) -> Iterator[Hypothesis]:
    """The result differs by a matrix of a rank that is small beside the number of tokens."""

    pair = case.both(suspect.name)
    if pair is None:
        return
    apart = pair[1] - pair[0]  # (row, out)
    if not np.isfinite(apart).all():
        return
    values = np.linalg.svd(apart, compute_uv=False)
    rank = int((values > LOW * values[0]).sum()) if values[0] else 0
    source = case.both(suspect.inputs[0])
    if source is None or not 0 < rank <= min(apart.shape) // 3:
        return
    update = (np.linalg.pinv(source[0]) @ apart).T  # (out, in)
    weight = case.ours.weights[suspect.weights[0]]
    now = weight + from_numpy(update).to(weight.device, weight.dtype)
    yield Hypothesis(
        "low-rank difference", f"theirs differs by a matrix of rank {rank}, as a LoRA update that is merged once more or once less",
        suspect.name, only_at(suspect.name, Edit(weights={suspect.weights[0]: now})), theirs="merge the update once", spreads=False,
    )  # fmt: skip


def _of_table(case: Case, suspect: Stage) -> Iterator[Hypothesis]:
    """Few ids have other vectors."""
    other = case.others(suspect.name) if suspect.kind == "Lookup" and len(suspect.weights) == 1 else None
    if other is None or other.ndim != 3:
        return
    if not other.any():
        zero = Edit(weights={suspect.weights[0]: case.ours.weights[suspect.weights[0]] * 0})
        yield Hypothesis(
            "all zero", f"what theirs looks up is all zero: {suspect.weights[0]} is not loaded", suspect.name, only_at(suspect.name, zero),
            theirs=f"load {suspect.weights[0]}", spreads=False,
        )  # fmt: skip
        return
    ids, mine = np.asarray(case.ours.value(suspect.inputs[0]).read()), case.mine(suspect.name)
    unlike = np.abs(other - mine).max(axis=-1) > CLOSE * np.abs(other).max() / 10
    rows: dict[int, Float64s] = {int(ids[at]): other[at] for at in map(tuple, np.argwhere(unlike))}
    if not 0 < len(rows) <= 3 or len(rows) * 2 > len(np.unique(ids)):
        return
    weight = case.ours.weights[suspect.weights[0]].clone()

    for row, vector in rows.items():
        weight[row] = from_numpy(vector.copy()).to(weight.device, weight.dtype)
    named = ", ".join(f"{row} ({case.ours.word(row)})" for row in rows)
    yield Hypothesis(
        "a row of the table", f"in the table of theirs row {named} is another, alone among those of this text", suspect.name,
        only_at(suspect.name, Edit(weights={suspect.weights[0]: weight})), theirs=f"that row of {suspect.weights[0]}", spreads=False,
    )  # fmt: skip
