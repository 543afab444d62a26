"""A kind of fuzz whose cases do what their recipe says, to see that the process and its keeper notice it."""

from __future__ import annotations

import os
from pathlib import Path
from random import Random
from typing import Any


def prepare(place: Path) -> None:
    """Nothing is needed."""


def draw(random: Random) -> Any:
    """A harmless one."""
    return {"do": "nothing"}


def build(recipe: Any, place: Path) -> list[str]:
    """Do it."""
    if recipe["do"] == "exit":
        os._exit(3)
    if recipe["do"] == "write":
        (place / "out" / ".a.npz.1.part").write_bytes(b"x")
    if recipe["do"] == "refused":
        return ["--no-such-option"]
    return ["--version"]
