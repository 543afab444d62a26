"""Heads in another number or order, queries where keys should be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ....program.stage import Stage
from ...compare.comparison import OtherShape
from ..case import Case
from ..edit import Edit
from ..hypothesis import Hypothesis
from ..otherwise import Otherwise, op_of, with_options
from ..settings import config_line

KEYS = ("num_attention_heads", "num_heads", "n_heads", "encoder_attention_heads")
LARGEST = 64


def head_counts(case: Case) -> Iterator[Hypothesis]:
    """Another number of heads, and features dealt out to heads one by one in place of side by side."""
    for suspect in case.suspected("SplitHeads"):
        yield from _heads(case, suspect)


def _heads(case: Case, suspect: Stage) -> Iterator[Hypothesis]:
    heads = int(suspect.options["heads"])
    hidden = case.ours.shapes[suspect.inputs[0]][-1]
    for other in _counts(case, suspect, heads, hidden):

        def edit(stage: Stage, other: int = other) -> Edit | None:
            if stage.kind == "SplitHeads" and stage.options["heads"] == heads:
                return Edit({stage.name: with_options(stage, heads=other)})
            if stage.kind == "Scale" and stage.options["head_dim"] == hidden // heads:
                return Edit({stage.name: with_options(stage, head_dim=hidden // other)})
            return None

        yield Hypothesis(
            "number of heads", f"theirs has {other} heads, ours {heads}", suspect.name, edit,
            ours=config_line(case.settings, KEYS, heads, other), theirs=f"{heads} heads",
        )  # fmt: skip
    yield _dealt(suspect, heads)


def _counts(case: Case, suspect: Stage, heads: int, hidden: int) -> list[int]:
    if isinstance(case.first, OtherShape) and case.first.name == suspect.name and "head" in suspect.axes:
        return [case.first.theirs[suspect.axes.index("head")]]
    return [count for count in range(1, LARGEST + 1) if hidden % count == 0 and count != heads]


def _dealt(suspect: Stage, heads: int) -> Hypothesis:
    def edit(stage: Stage) -> Edit | None:
        if stage.kind != "SplitHeads" or stage.options["heads"] != heads:
            return None

        def dealt(xs: Any, ws: Any) -> Any:
            (x,) = xs
            return x.unflatten(-1, (-1, heads)).permute(0, 3, 1, 2)  # (batch, head, token, head_dim)

        return Edit({stage.name: replace(stage, op=Otherwise(op_of(stage), "heads dealt out", dealt))})

    return Hypothesis(
        "heads interleaved", "theirs deals features out to heads one by one (head_dim, head), ours side by side (head, head_dim)",
        suspect.name, edit, theirs="view(batch, token, head, head_dim)",
    )  # fmt: skip


def swapped_sides(case: Case) -> Iterator[Hypothesis]:
    """Queries, keys and values in another order."""
    program = case.ours.program
    for suspect in case.suspected("Linear"):
        if suspect.part not in ("query", "key", "value"):
            continue
        for other in ("query", "key", "value"):
            there = f"{suspect.block}.{other}"
            if other == suspect.part or there not in program or program[there].kind != "Linear":
                continue

            def edit(stage: Stage, part: str = suspect.part, other: str = other) -> Edit | None:
                beside = f"{stage.block}.{other if stage.part == part else part}"
                if stage.part not in (part, other) or beside not in program or stage.kind != "Linear":
                    return None
                pair = program[beside].weights
                if len(pair) != len(stage.weights):
                    return None
                one = dict(zip(stage.weights, (case.ours.weights[name] for name in pair), strict=True))
                two = dict(zip(pair, (case.ours.weights[name] for name in stage.weights), strict=True))
                shapes = all(one[name].shape == case.ours.weights[name].shape for name in one)
                return Edit(weights={**one, **two}) if shapes else None

            yield Hypothesis(
                "query, key and value exchanged", f"theirs has the {other}'s weights where ours has the {suspect.part}'s, and the other way round",
                suspect.name, edit, theirs=f"exchange the weights of {suspect.part} and {other}",
            )  # fmt: skip
