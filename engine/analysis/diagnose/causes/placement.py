"""Norms before each block in the place of after it, or after in the place of before (Xiong et al. 2020)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ....program.stage import Stage
from ..case import Case
from ..edit import Edit
from ..hypothesis import Hypothesis, only_at

HALVES = ("attention", "ffn")


@dataclass(frozen=True)
class WiredBlock:
    """One half of a layer, as it is wired.

    Attributes:
        name: `layers.0.attention.`, what its stages begin with.
        norm: its norm, wherever that stands.
        total: what it made and what goes round it, added.
        around: what goes round it.
    """

    name: str
    norm: Stage
    total: Stage
    around: str


def placement(case: Case) -> Iterator[Hypothesis]:
    """Layers whose norms stand elsewhere: every one of them is wired anew."""
    suspect = next((stage for stage in case.suspects if stage.layer is not None or stage.room == "embeddings"), None)
    stages = {stage.name: stage for stage in case.ours.program}
    blocks = _blocks(stages, case.ours.program.layers)
    if suspect is None or not blocks:
        return
    if all(block.norm.inputs == (block.total.name,) for block in blocks):
        wired, now, there = _before(stages, blocks), "after", "before"
    elif all(block.norm.inputs == (block.around,) for block in blocks):
        wired, now, there = _after(stages, blocks), "before", "after"
    else:
        return
    yield Hypothesis(
        "norm placement", f"theirs norms {there} attention and feed-forward, ours {now} what goes round them is added", suspect.name,
        only_at(suspect.name, Edit(wired)), theirs=f"norm {now} each block" + (", of the sum" if now == "after" else ""), spreads=False,
    )  # fmt: skip


def _blocks(stages: Mapping[str, Stage], layers: int) -> list[WiredBlock]:
    """Every block in order; [] where one has no norm, or not one value that goes round it."""
    blocks: list[WiredBlock] = []
    for name in (f"layers.{layer}.{half}." for layer in range(layers) for half in HALVES):
        norm, total = stages.get(f"{name}norm"), stages.get(f"{name}residual")
        if norm is None or total is None or len(total.inputs) != 2:
            return []
        outside = [each for each in total.inputs if not each.startswith(name)]  # of the two what was not made in it
        if len(outside) != 1:
            return []
        blocks.append(WiredBlock(name, norm, total, outside[0]))
    return blocks


def _before(stages: Mapping[str, Stage], blocks: Sequence[WiredBlock]) -> dict[str, Stage]:
    """What is normed after each sum, normed before each block instead."""
    wired: dict[str, Stage] = {}
    stream = blocks[0].around
    for block in blocks:
        wired[block.norm.name] = replace(block.norm, inputs=(stream,))
        for stage in _users(stages, block.around, block):
            wired[stage.name] = _taking(stage, block.around, block.norm.name)
        wired[block.total.name] = _taking(block.total, block.around, stream)
        stream = block.total.name
    return wired | _at_the_end(stages, blocks[-1].norm.name, stream)


def _after(stages: Mapping[str, Stage], blocks: Sequence[WiredBlock]) -> dict[str, Stage]:
    """What is normed before each block, normed after each sum instead."""
    wired: dict[str, Stage] = {}
    stream = blocks[0].around
    for block in blocks:
        for stage in _users(stages, block.norm.name, block):
            wired[stage.name] = _taking(stage, block.norm.name, stream)
        wired[block.total.name] = _taking(block.total, block.around, stream)
        wired[block.norm.name] = replace(block.norm, inputs=(block.total.name,))
        stream = block.norm.name
    return wired | _at_the_end(stages, blocks[-1].total.name, stream)


def _at_the_end(stages: Mapping[str, Stage], was: str, now: str) -> dict[str, Stage]:
    """What takes the result of the last layer takes what that is now."""
    return {
        stage.name: _taking(stage, was, now) for stage in stages.values() if was in stage.inputs and stage.layer is None
    }


def _users(stages: Mapping[str, Stage], name: str, block: WiredBlock) -> list[Stage]:
    """Who takes a value in a block, but for the sum."""
    inside = (
        stage for stage in stages.values() if stage.name.startswith(block.name) and stage.name != block.total.name
    )
    return [stage for stage in inside if name in stage.inputs]


def _taking(stage: Stage, was: str, now: str) -> Stage:
    return replace(stage, inputs=tuple(now if each == was else each for each in stage.inputs))
