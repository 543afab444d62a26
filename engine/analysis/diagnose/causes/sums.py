"""A sum that lacks something: token types, positions, what goes round a layer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ....program.stage import Stage
from ..case import Case
from ..edit import Edit
from ..hypothesis import Hypothesis
from ..otherwise import Otherwise, op_of

NAMES = {"segment": "token types", "position": "positions", "token": "the words"}


def summands(case: Case) -> Iterator[Hypothesis]:
    """A sum without each of its summands, and with each twice."""
    for suspect in case.suspected("Sum"):
        yield from _without(case, suspect)


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


def _sum(stage: Stage, at: int, times: int) -> Otherwise:
    counted = [times if place == at else 1 for place in range(len(stage.inputs))]
    names = [f"{count} · {name}" for count, name in zip(counted, stage.inputs, strict=True) if count]
    return Otherwise(
        op_of(stage), " + ".join(names),
        lambda inputs, weights: sum(count * x for count, x in zip(counted, inputs, strict=True) if count),  # pyright: ignore
    )  # fmt: skip
