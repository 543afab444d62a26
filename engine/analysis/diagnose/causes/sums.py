"""A sum that lacks something: token types, positions, what goes round a layer."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from ....program.stage import Stage
from ..case import Case
from ..edit import Edit
from ..hypothesis import Hypothesis
from ..otherwise import Otherwise, op_of
from .scales import constant_ratio, tidy

FEW = 1e-2

NAMES = {"segment": "token types", "position": "positions", "token": "the words"}


def summands(case: Case) -> Iterator[Hypothesis]:
    """A sum without each of its summands, and with each twice."""
    for suspect in case.suspected("Sum"):
        yield from _without(case, suspect)
        yield from _times(case, suspect)


def _without(case: Case, suspect: Stage) -> Iterator[Hypothesis]:
    for at, name in enumerate(suspect.inputs):
        what = NAMES.get(name.rpartition(".")[2], name) if suspect.room == "embeddings" else name
        for times, kind, cause in (
            (0, "left out of a sum", f"theirs leaves {what} out of {suspect.name}"),
            (2, "twice in a sum", f"theirs adds {what} twice to {suspect.name}"),
        ):

            def edit(stage: Stage, at: int = at, times: int = times) -> Edit | None:
                if stage.kind != "Sum" or len(stage.inputs) != len(suspect.inputs):
                    return None
                return Edit({stage.name: replace(stage, op=_sum(stage, at, times))})

            yield Hypothesis(kind, cause, suspect.name, edit, theirs=f"{'add' if not times else 'add once'} {what}")


def _times(case: Case, suspect: Stage) -> Iterator[Hypothesis]:
    """One summand of theirs is enlarged: by what the sums tell, or by the root of the size, as the first Transformer does."""
    pair = case.both(suspect.name)
    size = case.ours.shapes[suspect.name][-1]
    for at, name in enumerate(suspect.inputs):
        what = NAMES.get(name.rpartition(".")[2], name) if suspect.room == "embeddings" else name
        mine = case.both_of_ours(name)
        if pair is None:
            factor = math.sqrt(size) if name == "embeddings.token" else None
        else:
            factor = (
                constant_ratio(mine, pair[1] - pair[0] + mine)
                if mine is not None and mine.shape == pair[0].shape
                else None
            )
        if factor is None or abs(factor - 1) < FEW or abs(factor) < FEW:
            continue
        written = tidy(case, factor)
        by = math.sqrt(size) if written == f"√{size}" else factor

        def edit(stage: Stage, at: int = at, by: float = by) -> Edit | None:
            if stage.kind != "Sum" or len(stage.inputs) != len(suspect.inputs):
                return None
            return Edit({stage.name: replace(stage, op=_sum(stage, at, by))})

        kind = "embedding scale" if suspect.room == "embeddings" else "a factor in a sum"
        yield Hypothesis(
            kind, f"theirs multiplies {what} by {written} before it adds them", suspect.name, edit, theirs=f"without the factor {written}"
        )  # fmt: skip


def _sum(stage: Stage, at: int, times: float) -> Otherwise:
    counted: list[float] = [times if place == at else 1 for place in range(len(stage.inputs))]
    names = [f"{count:g} · {name}" for count, name in zip(counted, stage.inputs, strict=True) if count]
    return Otherwise(
        op_of(stage), " + ".join(names),
        lambda inputs, weights: sum(count * x for count, x in zip(counted, inputs, strict=True) if count),  # pyright: ignore
    )  # fmt: skip
