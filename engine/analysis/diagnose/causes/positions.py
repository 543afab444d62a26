"""Positions that begin elsewhere, count padding or do not, or run the other way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ....program.stage import Stage
from ....program.tokens import Ids
from ....program.torch_calls import from_numpy
from ..case import Case
from ..edit import Edit
from ..hypothesis import Hypothesis, only_at
from ..otherwise import Otherwise, op_of, plainly

if TYPE_CHECKING:
    import torch

OFFSETS = (-2, 2, -1, 1)
TAKES = ("Lookup", "RotaryTable", "Sinusoid")


def positions(case: Case) -> Iterator[Hypothesis]:
    """What takes positions, given others."""
    for suspect in case.suspected(*TAKES):
        yield from _taken(case, suspect)
    for suspect in case.suspects:
        if suspect.part == "positions" and suspect.card.whole_numbers:
            yield from _counted(case, suspect)


def _taken(case: Case, suspect: Stage) -> Iterator[Hypothesis]:
    if not suspect.inputs or "position" not in suspect.inputs[0]:
        return
    mask = case.ours.original_inputs.tokens.mask
    now = np.asarray(case.ours.value(suspect.inputs[0]).read())
    padding = not bool((mask != 0).all())
    for kind, cause, theirs, function in _ways(now, mask, _looked_up(case, suspect), padding):

        def edit(stage: Stage, function: Callable[[Any], Any] = function, kind: str = kind) -> Edit | None:
            if stage.kind not in TAKES or not stage.inputs or stage.inputs[0] != suspect.inputs[0]:
                return None
            op, rows = op_of(stage), case.ours.weights[stage.weights[0]].shape[0] if stage.weights else None

            def take(xs: Any, ws: Any) -> Any:
                moved = function(xs[0])
                return plainly(op, (moved.clamp(0, rows - 1) if rows else moved, *xs[1:]), ws)

            return Edit({stage.name: replace(stage, op=Otherwise(op, kind, take))})

        yield Hypothesis(kind, cause, suspect.name, edit, theirs=theirs)


def _counted(case: Case, suspect: Stage) -> Iterator[Hypothesis]:
    """Positions themselves that are others, whoever takes them."""
    now, mask = (
        np.asarray(case.ours.value(suspect.name).read()),
        case.ours.original_inputs.sequences[suspect.sequence].mask,
    )
    if now.shape != mask.shape:
        return
    for kind, cause, theirs, function in _ways(now, mask, case.others(suspect.name), not bool((mask != 0).all())):
        if suspect.card.given:
            moved = function(from_numpy(now.copy())).cpu().numpy()
            edit = Edit(
                inputs=case.ours.original_inputs.changed({suspect.sequence: {"positions": moved}}, case.ours.word)
            )
        else:
            op = op_of(suspect)

            def count(xs: Any, ws: Any, op: Any = op, function: Callable[[Any], Any] = function) -> Any:
                return function(plainly(op, xs, ws))

            edit = Edit({suspect.name: replace(suspect, op=Otherwise(op, kind, count))})
        yield Hypothesis(kind, cause, suspect.name, only_at(suspect.name, edit), theirs=theirs, spreads=False)


def _ways(
    now: Any, mask: Any, looked_up: Any, padding: bool
) -> Iterator[tuple[str, str, str, Callable[[Any], torch.Tensor]]]:
    first = int(now[0, 0])
    counted: Ids = np.arange(first, first + int(now.shape[-1]))[None].repeat(len(now), 0)
    if not np.array_equal(now, counted):  # padding on the left is not counted either
        starts = [int(row[real != 0][0]) for row, real in zip(now, mask, strict=True) if (real != 0).any()]
        first = max(starts, default=0)
    padding = padding or not np.array_equal(now, counted)  # or its id stands within a text
    offsets = dict.fromkeys(OFFSETS)
    if looked_up is not None:
        apart = (looked_up - now)[mask != 0]
        if len(apart) and (apart == apart[0]).all() and apart[0]:
            offsets = {int(apart.flat[0]): None, **offsets}
    for offset in offsets:
        yield (
            "position offset", f"theirs counts positions from {first + offset}, ours from {first}", f"begin at {first}",
            lambda places, offset=offset: places + offset,
        )  # fmt: skip
    if padding:
        yield (
            "positions count padding", "theirs counts every place, padding as well, ours only what is no padding", "count what is no padding",
            lambda places: _everywhere(places, first),
        )  # fmt: skip
        if first:
            yield (
                "position offset", f"theirs counts every place from 0, ours from {first} what is no padding", f"begin at {first}",
                lambda places: _everywhere(places, 0),
            )  # fmt: skip
        yield (
            "positions skip padding", "theirs counts only what is no padding, ours every place", "count every place",
            lambda places: _of_tokens(places, mask, first),
        )  # fmt: skip
    yield "no positions", f"theirs gives every token position {first}", "count", lambda places: places * 0 + first


def _everywhere(places: torch.Tensor, first: int) -> torch.Tensor:
    import torch

    return (torch.arange(places.shape[-1], device=places.device) + first).expand(places.shape).clone()


def _of_tokens(places: torch.Tensor, mask: Any, first: int) -> torch.Tensor:

    seen = from_numpy(mask.copy()).to(places.device).ne(0).long()
    return (seen.cumsum(-1) - 1).clamp_min(0) + first


def _looked_up(case: Case, suspect: Stage) -> Any:
    """Which rows of our table theirs are; None where they are none."""
    other = case.others(suspect.name) if suspect.kind == "Lookup" else None
    if other is None or len(suspect.weights) != 1 or other.ndim != 3:
        return None
    return nearest_rows(case.ours.weights[suspect.weights[0]].double().cpu().numpy(), other)


def nearest_rows(table: Any, rows: Any, close: float = 1e-3) -> Ids | None:
    """For each vector the row of a table that it is, up to rounding: (batch, token, size) -> (batch, token); None where one is none."""
    flat = rows.reshape(-1, rows.shape[-1])
    places: Ids = np.empty(len(flat), np.int64)
    squares = (table**2).sum(-1)
    for at, row in enumerate(flat):
        places[at] = place = int((squares - 2 * table @ row).argmin())
        if np.abs(table[place] - row).max() > close * max(float(np.abs(row).max()), 1e-30):
            return None
    shaped: Ids = places.reshape(rows.shape[:-1])
    return shaped
