"""A value that theirs kept in fewer bits on the way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from ....program.stage import Stage
from ..case import Case, Float64s
from ..edit import Edit
from ..hypothesis import Hypothesis
from ..otherwise import followed_by

FEWEST = 32


def kept_in_half(case: Case) -> Iterator[Hypothesis]:
    """A value every number of which is one of half precision in theirs, and not in ours."""
    for suspect in case.suspects:
        yield from _narrow(case, suspect)


def _narrow(case: Case, suspect: Stage) -> Iterator[Hypothesis]:
    other = case.others(suspect.name)
    if other is None or suspect.card.whole_numbers or other.size < FEWEST:
        return
    mine = case.mine(suspect.name)
    for dtype in ("bfloat16", "float16"):
        if not _is_of(other, dtype) or _is_of(mine, dtype):
            continue

        def edit(stage: Stage, dtype: str = dtype) -> Edit | None:
            import torch

            if stage.part != suspect.part:
                return None
            narrow = getattr(torch, dtype)
            return Edit({stage.name: replace(stage, op=followed_by(stage, dtype, lambda x: x.to(narrow).to(x.dtype)))})

        yield Hypothesis(
            "half precision on the way", f"theirs keeps it in {dtype}, ours does not", suspect.name, edit, theirs="keep it in float32"
        )  # fmt: skip
        break


def _is_of(numbers: Float64s, dtype: str) -> bool:
    """Whether every number is one of a narrower dtype."""
    with np.errstate(over="ignore", invalid="ignore"):
        single = numbers.astype(np.float32)
        if dtype == "float16":
            return bool(np.array_equal(single.astype(np.float16).astype(np.float32), single, equal_nan=True))
    return not np.any(single.view(np.uint32) & 0xFFFF)
