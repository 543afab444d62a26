"""Norms before each block in the place of after it, or after in the place of before (Xiong et al. 2020)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from ....program.stage import Stage
from ..case import Case
from ..edit import Edit
from ..hypothesis import Hypothesis, only_at

BLOCKS = ("attention", "ffn")


def placement(case: Case) -> Iterator[Hypothesis]:
    """Layers whose norms stand elsewhere: every one of them is wired anew."""
    suspect = next((stage for stage in case.suspects if stage.layer is not None or stage.room == "embeddings"), None)
    if suspect is None:
        return
    stages = {stage.name: stage for stage in case.ours.program}
    for wired, now, there in (
        (_before(stages, case.ours.program.layers), "after", "before"),
        (_after(stages, case.ours.program.layers), "before", "after"),
    ):
        if wired:
            yield Hypothesis(
                "norm placement", f"theirs norms {there} attention and feed-forward, ours {now} what goes round them is added", suspect.name,
                only_at(suspect.name, Edit(wired)), theirs=f"norm {now} each block" + (", of the sum" if now == "after" else ""), spreads=False,
            )  # fmt: skip


def _before(stages: Mapping[str, Stage], layers: int) -> dict[str, Stage]:
    """What is normed after each sum, normed before each block instead; {} where that is not how it is wired."""
    wired: dict[str, Stage] = {}
    stream = ""
    for layer in range(layers):
        for block in BLOCKS:
            norm, total = stages.get(f"layers.{layer}.{block}.norm"), stages.get(f"layers.{layer}.{block}.residual")
            around = _around(total, f"layers.{layer}.{block}.")
            if norm is None or total is None or norm.inputs != (total.name,) or not around:
                return {}
            x = around
            stream = stream or x
            wired[norm.name] = replace(norm, inputs=(stream,))
            for stage in _users(stages, x, f"layers.{layer}.{block}.", but=total.name):
                wired[stage.name] = _taking(stage, x, norm.name)
            wired[total.name] = _taking(total, x, stream)
            stream = total.name
    return wired | _at_the_end(stages, f"layers.{layers - 1}.ffn.norm", stream)


def _after(stages: Mapping[str, Stage], layers: int) -> dict[str, Stage]:
    """What is normed before each block, normed after each sum instead."""
    wired: dict[str, Stage] = {}
    stream = ""
    for layer in range(layers):
        for block in BLOCKS:
            norm, total = stages.get(f"layers.{layer}.{block}.norm"), stages.get(f"layers.{layer}.{block}.residual")
            around = _around(total, f"layers.{layer}.{block}.")
            if norm is None or total is None or norm.inputs != (around,):
                return {}
            x = around
            stream = stream or x
            for stage in _users(stages, norm.name, f"layers.{layer}.{block}.", but=""):
                wired[stage.name] = _taking(stage, norm.name, stream)
            wired[total.name] = _taking(total, x, stream)
            wired[norm.name] = replace(norm, inputs=(total.name,))
            stream = norm.name
    return wired | _at_the_end(stages, f"layers.{layers - 1}.ffn.residual", stream)


def _around(total: Stage | None, block: str) -> str:
    """What goes round a block: of the two that are added, what was not made in it; "" where that is not how it is wired."""
    outside = [name for name in total.inputs if not name.startswith(block)] if total is not None else []
    return outside[0] if len(outside) == 1 and total is not None and len(total.inputs) == 2 else ""


def _at_the_end(stages: Mapping[str, Stage], was: str, now: str) -> dict[str, Stage]:
    """What takes the result of the last layer takes what that is now."""
    return {
        stage.name: _taking(stage, was, now) for stage in stages.values() if was in stage.inputs and stage.layer is None
    }


def _users(stages: Mapping[str, Stage], name: str, block: str, but: str) -> list[Stage]:
    return [
        each for each in stages.values() if name in each.inputs and each.name.startswith(block) and each.name != but
    ]


def _taking(stage: Stage, was: str, now: str) -> Stage:
    return replace(stage, inputs=tuple(now if each == was else each for each in stage.inputs))
