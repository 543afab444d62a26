"""Every command that reads or changes values, on the pretend device beside the CPU: it says the same, to the letter.

Not there: `compare compile` (torch's compiler makes no code for the device), and what kernels of a real card would do otherwise.
"""

from __future__ import annotations

from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import torch
from encoder_tui.engine.commands import TABLE
from encoder_tui.engine.debugger.conditions import FUNCTIONS, PLACES, WORDS
from encoder_tui.engine.ops import Linear, Out, Tensors
from encoder_tui.engine.traces import run_value
from gpu.pretend import Ledger, NotOnOneDevice
from gpu.scenes import SCENES, Answer, Scene, bundled, conditions, play
from pretend_kit import pretend, seen

__all__ = ["pretend", "seen"]

# Commands that touch no tensor, with why; every other one is in a scene.
TOUCH_NOTHING = {
    "quit": "it leaves",
    "set": "it sets how `print` writes",
    "help": "it prints the table",
    "keys": "it prints the table",
} | dict.fromkeys(("look", "view", "move", "follow", "weight", "head", "layer", "text", "contrast", "map", "whole", "home", "theme", "zoom", "explanation", "fold", "find", "find-next", "find-previous", "copy", "screenshot", "console", "palette", "reply"), "it asks the screen, which asks the engine for windows as `print` does")  # fmt: skip
# Scenes that are few seconds: the others are sweeps.
QUICK = {
    "a batch walked",
    "conditions",
    "a batch changed",
    "within a budget",
    "in training mode",
    "word vectors",
    "a module recorded, training",
}
ON_THE_WAY = 50  # operations a scene has at least


def commands_of(lines: tuple[str, ...]) -> set[str]:
    return {TABLE.find(line.split()[0]).name for line in lines}


@pytest.mark.parametrize(
    "scene",
    [pytest.param(scene, marks=() if scene.name in QUICK else pytest.mark.sweep) for scene in SCENES],
    ids=str,
)
def test_each_line_is_answered_as_on_the_cpu(
    scene: Scene, tmp_path: Path, seen: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folders = {device: tmp_path / f"on-{device}" for device in ("cpu", "pretend")}
    for folder in folders.values():
        folder.mkdir()
    there = play(scene, "pretend", folders["pretend"], pretends=True)
    assert seen.done > ON_THE_WAY, "hardly anything was computed on the device"
    done = seen.done
    here = play(scene, "cpu", folders["cpu"], pretends=True)
    assert seen.done == done, "the CPU's side used the device"
    for ours, theirs in zip(there, here, strict=True):
        if not ours.line.startswith(scene.otherwise or ("\0",)):
            assert ours == theirs
        assert not theirs.refused, theirs
    assert scene.unsaid(there) == []
    assert sum(bool(answer.text or answer.stop) for answer in here) > len(here) // 2, "hardly anything was answered"


def test_every_command_is_in_a_scene_or_touches_nothing() -> None:
    tried = {name for scene in SCENES for name in commands_of(scene.told)}
    unheard = [name for name in TABLE.names if name not in tried and name not in TOUCH_NOTHING]
    assert not unheard, f"in no scene of tests/gpu/scenes.py: {unheard}"
    assert [name for name in TOUCH_NOTHING if name not in TABLE.names or name in tried] == []


def test_every_word_of_a_condition_is_asked() -> None:
    asked = [line for line in conditions() if line.startswith("tbreak")]
    assert len(asked) == len(WORDS) + len(PLACES) + len(FUNCTIONS)
    for word in (*WORDS, *PLACES, *FUNCTIONS):
        assert any(f" if {word}" in line for line in asked), word


def test_on_a_thread_as_the_screens_engine_is(tmp_path: Path) -> None:
    scene = Scene("on a thread", bundled, ("goto end", "print output", "why layers.1.ffn.up[0, 2, 5]"))
    answers: list[list[Answer]] = []
    thread = Thread(target=lambda: answers.append(play(scene, "pretend", tmp_path)))
    thread.start()
    thread.join()
    assert answers == [play(scene, "cpu", tmp_path)]


# -- and a mistake is found --------------------------------------------------------------------------------------------


def test_a_constant_of_the_cpu_in_an_operation_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compute = Linear.compute

    def planted(op: Linear, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        return compute(op, inputs, weights, out) + torch.zeros(weights[0].shape[0])

    monkeypatch.setattr(Linear, "compute", planted)
    scene = Scene("planted", bundled, ("goto end",))
    assert play(scene, "cpu", tmp_path)[0].stop
    with pytest.raises(NotOnOneDevice):
        play(scene, "pretend", tmp_path)


def test_an_array_made_without_a_copy_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def planted(tensor: torch.Tensor) -> Any:
        return tensor.detach().numpy()

    monkeypatch.setattr(run_value, "to_numpy", planted)
    scene = Scene("planted", bundled, ("goto end", "print output"))
    assert "layers.3.ffn.norm" in play(scene, "cpu", tmp_path)[1].text
    with pytest.raises(TypeError, match="can't convert pretend:0 device type tensor to numpy"):
        play(scene, "pretend", tmp_path)
