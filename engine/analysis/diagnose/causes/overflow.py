"""Numbers beyond the range of the dtype they are kept in, which are infinite on one side alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ....program.dtypes import FLOATS
from ....program.stage import Stage
from ....program.torch_calls import from_numpy
from ..case import Case, Float64s
from ..edit import Edit
from ..hypothesis import Hypothesis, only_at
from ..otherwise import Otherwise, followed_by, op_of, plainly

if TYPE_CHECKING:
    import torch

NEAR = 0.02  # of the largest number: so near the end rounding decides whether a number is beyond it


def overflows(case: Case) -> Iterator[Hypothesis]:
    """One side is infinite where the other is larger than the first one's dtype goes, and nowhere else."""
    for suspect in case.suspects:
        mine, other = case.mine(suspect.name), case.others(suspect.name)
        if other is None or suspect.card.whole_numbers or suspect.card.given:
            continue
        if np.isfinite(mine).all() and _end_between(other, mine, "float16"):
            yield _in_theirs(suspect, np.isinf(other))
        dtype = case.ours.value(suspect.name).dtype
        if np.isfinite(other).all() and dtype in FLOATS and _end_between(mine, other, dtype):
            yield _in_ours(case, suspect, mine, other, dtype)


def end_of(dtype: str) -> float:
    """The largest number of a dtype."""
    return -FLOATS[dtype].lowest


def _end_between(broken: Float64s, whole: Float64s, dtype: str) -> bool:
    """Whether the one is infinite just where the other is beyond the end of a dtype, up to rounding."""
    lost, size = np.isinf(broken), np.abs(whole)
    if not lost.any():
        return False
    end, near = end_of(dtype), NEAR * float(size.max())
    return bool(size.max() > end and size[lost].min() >= end - near and size[~lost].max(initial=0.0) <= end + near)


def _remedy(suspect: Stage) -> str:
    scores = suspect.axes[-2:] == ("query", "key")
    return "--dtype float32 or bfloat16" + (", or scale before the product" if scores else "")


def _in_theirs(suspect: Stage, lost: Any) -> Hypothesis:
    def leave(x: torch.Tensor) -> torch.Tensor:
        import torch

        places = from_numpy(lost).to(x.device)
        return torch.where(places, torch.copysign(torch.full_like(x, torch.inf), x), x)

    end = end_of("float16")
    edit = Edit(
        {suspect.name: replace(suspect, op=followed_by(suspect, f"{suspect.part} beyond {end:.0f}", leave, "float16"))}
    )
    return Hypothesis(
        "float16 overflow",
        f"theirs keeps {suspect.part} in float16, which ends at {end:.0f}: {int(lost.sum())} of {lost.size} are larger, and infinite there",
        suspect.name, only_at(suspect.name, edit), theirs=_remedy(suspect), spreads=False,
    )  # fmt: skip


def _in_ours(case: Case, suspect: Stage, mine: Float64s, other: Float64s, dtype: str) -> Hypothesis:
    """Ours in a wider dtype as far as theirs says that its own does not reach, and back in its own after that."""
    lost = np.isinf(mine)
    place = tuple(int(at) for at in np.unravel_index(int(np.abs(other).argmax()), other.shape))
    beyond, edit = _beyond(case, suspect, end_of(dtype)), Edit()
    stages = [suspect, *(case.ours.program[name] for name in dict.fromkeys(
        user for name in beyond for user in case.ours.program.users(name)))]  # fmt: skip
    for stage in stages:
        edit = edit | Edit({stage.name: replace(stage, op=_wider(stage, dtype, kept=stage.name in beyond))})
    return Hypothesis(
        f"{dtype} overflow",
        f"ours keeps {suspect.part} in {dtype}, which ends at {end_of(dtype):.6g}: {int(lost.sum())} of {lost.size} are larger, and infinite; "
        f"the largest, {list(place)}, is {other[place]:.4g} in theirs",
        suspect.name, only_at(suspect.name, edit), ours=_remedy(suspect), spreads=False,
    )  # fmt: skip


def _beyond(case: Case, suspect: Stage, end: float) -> list[str]:
    """The stage and those after it whose numbers in theirs are beyond the end as well."""
    beyond = [suspect.name]
    for name in beyond:
        for user in case.ours.program.users(name):
            there = case.others(user)
            if user not in beyond and there is not None and np.abs(there).max(initial=0.0) > end:
                beyond.append(user)
    return beyond


def _wider(stage: Stage, dtype: str, *, kept: bool) -> Otherwise:
    """An operation that computes in a wider dtype, and keeps its result there or brings it back."""
    op = op_of(stage)

    def compute(xs: Sequence[torch.Tensor], ws: Sequence[torch.Tensor]) -> torch.Tensor:
        import torch

        wide = torch.float64 if dtype in ("float32", "bfloat16") else torch.float32
        inputs = [x.to(wide) if x.is_floating_point() else x for x in xs]
        if stage.card.hides and len(xs) > 1 and xs[1].is_floating_point():  # what hides there hides here
            hides = xs[1] <= torch.finfo(xs[1].dtype).min
            inputs[1] = inputs[1].masked_fill(hides, torch.finfo(wide).min)
        made = plainly(op, inputs, [w.to(wide) for w in ws])
        return made if kept else made.to(getattr(torch, dtype))

    return (Wider if kept else Otherwise)(op, f"in a wider dtype than {dtype}", compute)


@dataclass(frozen=True)
class Wider(Otherwise, recorded=False):
    """A function whose result is kept in the wider dtype."""

    card = Otherwise.card

    def result_dtype(
        self, inputs: Sequence[torch.dtype], weights: Sequence[torch.dtype], dtype: torch.dtype
    ) -> torch.dtype:
        import torch

        narrow = self.of.result_dtype(
            [each if each.is_floating_point and each.itemsize <= dtype.itemsize else dtype for each in inputs], weights, dtype
        )  # fmt: skip
        return torch.float64 if narrow in (torch.float32, torch.bfloat16) else torch.float32
