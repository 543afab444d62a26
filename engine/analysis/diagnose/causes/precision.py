"""A value that theirs kept in fewer bits on the way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from ....program.stage import Stage
from ..case import Case, Float64s
from ..edit import Edit, put_between
from ..hypothesis import Hypothesis
from ..otherwise import Otherwise, followed_by, op_of

FEWEST = 32


def kept_in_half(case: Case) -> Iterator[Hypothesis]:
    """A value every number of which is one of half precision in theirs, as far as it is known, and not in ours."""
    for suspect in case.suspects:
        yield from _narrow(case, suspect)
        for name in suspect.inputs:
            if case.is_known(name) and not case.ours.program[name].card.whole_numbers:
                yield from _on_the_way(case, suspect, name)


def _narrow(case: Case, suspect: Stage) -> Iterator[Hypothesis]:
    other = case.others(suspect.name)
    mine = case.mine(suspect.name)
    if suspect.card.whole_numbers or suspect.card.given or mine.size < FEWEST:
        return
    for dtype in ("bfloat16", "float16"):
        if (other is not None and not _is_of(other, dtype)) or _is_of(mine, dtype):
            continue

        def edit(stage: Stage, dtype: str = dtype) -> Edit | None:
            import torch

            if stage.part != suspect.part:
                return None
            narrow = getattr(torch, dtype)
            return Edit(
                {stage.name: replace(stage, op=followed_by(stage, dtype, lambda x: x.to(narrow).to(x.dtype), dtype))}
            )

        yield Hypothesis(
            "half precision on the way", f"theirs keeps {suspect.part} in {dtype}, ours does not", suspect.name, edit,
            theirs=f"keep {suspect.part} in float32",
        )  # fmt: skip


def _on_the_way(case: Case, suspect: Stage, name: str) -> Iterator[Hypothesis]:
    """Rounded after it was made, and before it is used: theirs has the value of ours, and goes on with another."""
    program, part = case.ours.program, case.ours.program[name].part
    for dtype in ("bfloat16", "float16"):
        if _is_of(case.mine(name), dtype):
            continue

        def edit(stage: Stage, dtype: str = dtype) -> Edit | None:
            import torch

            if stage.part != suspect.part:
                return None
            source = next((each for each in stage.inputs if program[each].part == part), None)
            narrow = getattr(torch, dtype)
            if source is None:
                return None
            op = Otherwise(op_of(program[source]), dtype, lambda xs, _: xs[0].to(narrow).to(xs[0].dtype), dtype)
            return put_between(program, source, op, "in_half")

        yield Hypothesis(
            "half precision on the way", f"theirs keeps {part} in {dtype}, ours does not", suspect.name, edit, theirs=f"keep {part} in float32"
        )  # fmt: skip


def _is_of(numbers: Float64s, dtype: str) -> bool:
    """Whether every number is one of a narrower dtype."""
    with np.errstate(over="ignore", invalid="ignore"):
        single = numbers.astype(np.float32)
        if dtype == "float16":
            return bool(np.array_equal(single.astype(np.float16).astype(np.float32), single, equal_nan=True))
    return not np.any(single.view(np.uint32) & 0xFFFF)
