"""A row of scores whose keys are all hidden by minus infinity: its softmax is NaN, which the next layer carries to every token."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ....program.stage import Stage
from ....program.torch_calls import from_numpy
from ...compare.comparison import Difference
from ...compare.hidden_keys import HIDES
from ..case import Case
from ..edit import Edit
from ..hypothesis import Hypothesis
from ..otherwise import Otherwise, op_of

if TYPE_CHECKING:
    import torch


def lost_rows(case: Case) -> Iterator[Hypothesis]:
    """Rows of weights that are NaN in theirs alone, at or before the first stage that is apart, mostly those of padding."""
    if not isinstance(case.first, Difference) or not case.first.nan:
        return
    for softmax in case.ours.program.stages[: case.first.position + 1]:
        if softmax.kind != "Softmax" or softmax.axes[-1:] != ("key",):
            continue
        masked, other = case.ours.program[softmax.inputs[0]], case.others(softmax.name)
        if other is None or not masked.card.hides or len(masked.inputs) != 2:
            continue
        rows = np.isnan(other).all(axis=-1) & ~np.isnan(case.mine(softmax.name)).any(axis=-1)  # (batch, head, query)
        scores = case.others(masked.name)
        if scores is not None:
            rows &= np.isneginf(scores).all(axis=-1)
        if rows.any():
            yield from _hidden_by_infinity(case, masked, rows)
            return


def _hidden_by_infinity(case: Case, masked: Stage, rows: Any) -> Iterator[Hypothesis]:
    """-inf written over the scores, or added to them: what is NaN already stays so where it is added."""
    real = case.real(masked)
    padding = real is not None and not bool((rows & real).any())
    lost = from_numpy(np.ascontiguousarray(rows[..., None]))
    whose = "of padded queries" if padding else "of some queries"
    for added in (False, True):

        def edit(stage: Stage, added: bool = added) -> Edit | None:
            if not stage.card.hides or len(stage.inputs) != 2 or stage.axes != masked.axes:
                return None

            def put(xs: Any, _: Any) -> torch.Tensor:
                hidden = (xs[1] < HIDES) | lost.to(xs[0].device)
                if added:
                    return (xs[0] - math.inf).where(hidden, xs[0])
                return xs[0].masked_fill(hidden, -math.inf)

            return Edit({stage.name: replace(stage, op=Otherwise(op_of(stage), "-inf where hidden", put))})

        yield Hypothesis(
            "every key hidden by -inf",
            f"theirs hides every key {whose} by -inf at {masked.name}, so that the softmax of such a row is NaN, "
            "which the products after it carry to every token",
            masked.name, edit, theirs="torch.finfo(scores.dtype).min in the place of -inf",
        )  # fmt: skip
