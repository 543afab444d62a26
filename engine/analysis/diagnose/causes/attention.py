"""Heads in another number or order, queries where keys should be."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
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
SIDES = ("query", "key", "value")
JOINT = "qkv"  # one product for all three, one after the other


def head_counts(case: Case) -> Iterator[Hypothesis]:
    """Another number of heads, and features dealt out to heads one by one in place of side by side."""
    for suspect in case.suspected("SplitHeads"):
        yield from _heads(case, suspect)


def _heads(case: Case, suspect: Stage) -> Iterator[Hypothesis]:
    heads = int(suspect.options["heads"])
    hidden = case.ours.shapes[suspect.inputs[0]][-1]
    for other in _counts(case, suspect, heads, hidden):

        def edit(stage: Stage, other: int = other) -> Edit | None:
            if stage.kind != "SplitHeads" or stage.options["heads"] != heads:
                return None
            return Edit({each.name: _with_heads(each, other, hidden) for each in case.ours.program
                         if _goes_by_heads(each, stage, heads, hidden)})  # fmt: skip

        yield Hypothesis(
            "number of heads", f"theirs has {other} heads, ours {heads}", suspect.name, edit,
            ours=config_line(case.settings, KEYS, heads, other), theirs=f"{heads} heads",
        )  # fmt: skip
    for joined in (True, False):
        yield _dealt(suspect, heads, joined=joined)


def _goes_by_heads(stage: Stage, split: Stage, heads: int, hidden: int) -> bool:
    """Whether a stage is of the same attention, or of the tables for all, and goes by the number of heads: they are one number."""
    if stage.kind == "SplitHeads":
        return stage.block == split.block and stage.options["heads"] == heads
    within = stage.block == split.block if stage.kind == "Scale" else stage.kind == "RotaryTable"
    return within and stage.options["head_dim"] == hidden // heads


def _with_heads(stage: Stage, other: int, hidden: int) -> Stage:
    return (
        with_options(stage, heads=other)
        if stage.kind == "SplitHeads"
        else with_options(stage, head_dim=hidden // other)
    )


def _counts(case: Case, suspect: Stage, heads: int, hidden: int) -> list[int]:
    if isinstance(case.first, OtherShape) and case.first.name == suspect.name and "head" in suspect.axes:
        return [case.first.theirs[suspect.axes.index("head")]]
    return [count for count in range(1, LARGEST + 1) if hidden % count == 0 and count != heads]


def _dealt(suspect: Stage, heads: int, *, joined: bool) -> Hypothesis:
    def dealt(xs: Any, ws: Any) -> Any:
        (x,) = xs
        return x.unflatten(-1, (-1, heads)).permute(0, 3, 1, 2)  # (batch, head, token, head_dim)

    def gathered(xs: Any, ws: Any) -> Any:
        (x,) = xs
        return x.permute(0, 2, 3, 1).flatten(2)  # (batch, token, head_dim · head)

    def edit(stage: Stage) -> Edit | None:
        if stage.kind == "SplitHeads" and stage.options["heads"] == heads:
            return Edit({stage.name: replace(stage, op=Otherwise(op_of(stage), "heads dealt out", dealt))})
        if stage.kind == "Concat" and joined:
            return Edit({stage.name: replace(stage, op=Otherwise(op_of(stage), "heads one by one", gathered))})
        return None

    return Hypothesis(
        "heads interleaved", f"theirs deals features out to heads one by one (head_dim, head){' and back' if joined else ''}, ours side by side (head, head_dim)",
        suspect.name, edit, theirs="view(batch, token, head, head_dim)",
    )  # fmt: skip


def swapped_sides(case: Case) -> Iterator[Hypothesis]:
    """Queries, keys and values in another order: exchanged, or a joint projection that is taken apart in another one."""
    program = case.ours.program
    for suspect in case.suspected("Linear"):
        if suspect.part == JOINT:
            yield from _thirds(case, suspect)
        if suspect.part not in SIDES:
            continue
        there = [side for side in SIDES if f"{suspect.block}.{side}" in program]
        for order in itertools.permutations(SIDES):
            moved = [side for side, other in zip(SIDES, order, strict=True) if side != other]
            if suspect.part not in moved or not set(moved) <= set(there):
                continue
            now: dict[str, str] = dict(zip(SIDES, order, strict=True))
            if len(moved) == 2:
                first, second = moved
                cause = f"theirs has the {second}'s weights where ours has the {first}'s, and the other way round"
                change = f"exchange the weights of {first} and {second}"
            else:
                cause = f"theirs has the weights of {', '.join(order)} where ours has query, key, value: a joint projection in another order"
                change = "the order query, key, value"
            yield Hypothesis(
                "query, key and value exchanged", cause, suspect.name, partial(_permuted, case, now), theirs=change
            )  # fmt: skip


def _thirds(case: Case, suspect: Stage) -> Iterator[Hypothesis]:
    """A joint projection whose thirds stand in another order."""
    for order in itertools.permutations(range(len(SIDES))):
        if order == (0, 1, 2):
            continue

        def edit(stage: Stage, order: Sequence[int] = order) -> Edit | None:
            import torch

            if stage.part != JOINT or stage.kind != "Linear":
                return None
            thirds = {name: case.ours.weights[name].chunk(len(SIDES)) for name in stage.weights}
            return Edit(weights={name: torch.cat([parts[at] for at in order]) for name, parts in thirds.items()})

        said = ", ".join(SIDES[at] for at in order)
        yield Hypothesis(
            "joint qkv in another order", f"the thirds of {suspect.weights[0]} stand in the order {said} in theirs", suspect.name, edit,
            theirs="the order query, key, value",
        )  # fmt: skip


def _permuted(case: Case, now: Mapping[str, str], stage: Stage) -> Edit | None:
    """The weights of all sides that are moved, at the first of them."""
    program = case.ours.program
    if stage.part not in SIDES or now[stage.part] == stage.part or stage.kind != "Linear":
        return None
    weights: dict[str, Any] = {}
    for side, other in now.items():
        if side == other:
            continue
        here, there = program[f"{stage.block}.{side}"].weights, program[f"{stage.block}.{other}"].weights
        if len(here) != len(there) or any(
            case.ours.weights[a].shape != case.ours.weights[b].shape for a, b in zip(here, there, strict=True)
        ):
            return None
        weights |= {a: case.ours.weights[b] for a, b in zip(here, there, strict=True)}
    return Edit(weights=weights)
