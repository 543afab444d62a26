"""What runs without being watched, beside what was seen: the results of two passages of the same module on the same inputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from ...messages.errors import one_line
from .structures import tensors_within


@dataclass(frozen=True, slots=True)
class ResultsApart:
    """By how much two results differ, number by number.

    Attributes:
        most: the largest difference; NaN beside NaN is none.
        zeros: how many numbers are 0 in the first alone, of `count`: what torch's fast path leaves of padding.
        elsewhere: the largest difference but for those.
    """

    most: float = 0.0
    zeros: int = 0
    count: int = 0
    elsewhere: float = 0.0


@torch.no_grad()
def results_apart(natively: Any, shown: Any) -> ResultsApart | None:
    """By how much what runs natively differs from what is shown; None where the results do not go together, or cannot be told apart."""
    result, failed = attempt(lambda: _apart(natively, shown))
    return None if failed else result


def _apart(natively: Any, shown: Any) -> ResultsApart | None:
    pairs = [dict(tensors_within(result)) for result in (natively, shown)]
    if pairs[0].keys() != pairs[1].keys():
        return None
    differences = [_of_tensors(tensor, pairs[1][name]) for name, tensor in pairs[0].items()]
    known = [each for each in differences if each is not None]
    if len(known) < len(differences):
        return None
    return ResultsApart(
        max((each.most for each in known), default=0.0), sum(each.zeros for each in known), sum(each.count for each in known),
        max((each.elsewhere for each in known), default=0.0),
    )  # fmt: skip


def _of_tensors(one: torch.Tensor, other: torch.Tensor) -> ResultsApart | None:
    if one.is_nested or other.is_nested or one.shape != other.shape or one.layout is not torch.strided:
        return None
    if not one.numel():
        return ResultsApart()
    if one.is_complex():
        one, other = torch.view_as_real(one), torch.view_as_real(other)
    wide, beside = (part.detach().to("cpu", torch.float64) for part in (one, other))
    same = (wide == beside) | (wide.isnan() & beside.isnan())
    difference = torch.where(same, 0.0, (wide - beside).abs()).nan_to_num(torch.inf)
    zeros = (wide == 0) & ~same
    return ResultsApart(
        float(difference.max()), int(zeros.sum()), wide.numel(), float(torch.where(zeros, 0.0, difference).max())
    )


def difference_told(what: str, difference: ResultsApart | None) -> str:
    """`WHAT: it differs from what is shown by up to 2.4e-07`."""
    if difference is None:
        return f"{what}: its result has other tensors than what is shown, or tensors that cannot be compared"
    if not difference.most:
        return f"{what}: its result is what is shown, bit for bit"
    if difference.zeros and difference.elsewhere < difference.most:
        return (
            f"{what}: it is 0 at {difference.zeros:,} of {difference.count:,} numbers of its result, as where padding is left out, "
            f"and differs elsewhere from what is shown by up to {difference.elsewhere:.2g}"
        )
    return f"{what}: it differs from what is shown by up to {difference.most:.2g}"


def attempt(passage: Callable[[], Any]) -> tuple[Any, str]:
    """The result of a passage made for the recording's sake alone, or why there is none."""
    try:
        return passage(), ""
    except Exception as error:  # whatever a module raises the second time: the first one's result stands
        return None, f"{type(error).__name__}: {one_line(error)}"
