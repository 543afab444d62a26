"""Every command that reads or changes values, on the device beside the CPU: the same words, and what must be said is said."""

from __future__ import annotations

import re

import torch
from scratch import scratch

from .findings import Findings
from .scenes import SCENES, Answer, Scene, play

# What is said of these has other words where numbers are only nearly the same: `Scene.says` has what is the same nevertheless.
NEARLY = ("compare", "diagnose", "minimise", "cost", "info", "difference", "export", "report", "nearest", "analogy")
NUMBERS = re.compile(r"[-−+]?\d[\d.,e+-]*|\binf\b|\s+")


def check(found: Findings, device: torch.device) -> None:
    """A line for each scene."""
    for scene in SCENES:
        found.attempt(scene.name, lambda scene=scene: _scene(found, scene, str(device)))


def _scene(found: Findings, scene: Scene, device: str) -> None:
    pretends = device.startswith("pretend")
    ours, theirs = (play(scene, where, scratch("gpu"), pretends) for where in (device, "cpu"))
    apart = [(one, other) for one, other in zip(ours, theirs, strict=True) if not _alike(scene, one, other)]
    for one, other in apart:
        found.row(scene=scene.name, command=one.line, on_the_device=one.text[:300], on_the_cpu=other.text[:300])
    lacking = [
        *scene.unsaid(ours),
        *(f"{one.line}: {one.text}" for one in ours if one.refused and not _may(scene, one)),
    ]
    others = [one.line for one, _ in apart]
    seen = (
        f"{len(ours)} commands" + f"; in other words: {others}" * bool(others) + f"; unsaid: {lacking}" * bool(lacking)
    )
    found.holds(scene.name, not lacking and (scene.coarse or not others), seen)


def _alike(scene: Scene, one: Answer, other: Answer) -> bool:
    """Whether two answers are the same but for numbers."""
    if _may(scene, one):
        return True
    if one.refused or other.refused or one.line.startswith((*NEARLY, *scene.otherwise)):
        return one.refused == other.refused
    return all(
        NUMBERS.sub("#", mine) == NUMBERS.sub("#", its)
        for mine, its in ((one.text, other.text), (one.stop, other.stop))
    )


def _may(scene: Scene, answer: Answer) -> bool:
    """Whether a machine may lack what a line needs."""
    return bool(scene.may_refuse) and answer.line.startswith(scene.may_refuse)
