"""What the screen is opened on while it is fuzzed."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

TEXT = "The animal didn't cross the street because it was too tired"
SCENES = {
    "text": [TEXT],
    "batch": [TEXT, "A cat sat.", "東京 is 🎉 café"],
    "tour": ["--tour", TEXT],
    "cbow": ["-m", "cbow", "The king spoke to his son about the war"],
    "preset": ["-m", "preset:gpt3-width", TEXT],
    "recording": ["--open", "recording.safetensors"],
    "script": [TEXT, "-ex", "keys", "-ex", "compare dtype float64", "-ex", "palette", "-ex", "reply", "-ex", "keys"],
}


def arguments(scene: str, language: str) -> list[str]:
    """The command line of a scene."""
    return [*SCENES[scene], "--lang", language]


def drawn(chance: random.Random, run: int) -> tuple[str, str]:
    """A scene and a language; all of them come in turn."""
    return list(SCENES)[run % len(SCENES)], chance.choice(("en", "zh"))


def environment(folder: Path) -> dict[str, str]:
    """The variables of a program whose reports and files go to a folder of its own."""
    kept = {name: value for name, value in os.environ.items() if name not in ("ENCODER_TUI_DEBUG", "COLUMNS", "LINES")}
    return kept | {
        "TERM": "xterm-256color",
        "LC_ALL": "C.UTF-8",
        "HF_HUB_OFFLINE": "1",
        "XDG_STATE_HOME": str(folder / "state"),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "OMP_NUM_THREADS": "1",
    }


def record(folder: Path) -> None:
    """Write the recording that a scene opens."""
    command = [sys.executable, "-m", "encoder_tui.tui", "A dog ran.", "--batch", "--export", "recording.safetensors"]
    subprocess.run(command, cwd=folder, env=environment(folder), check=True, capture_output=True)
