"""Runs recipes that were kept: `python -m tests.fuzz.replay FILE ...`."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .rounds import FINDS, KINDS, kept
from .worker import Keeper


def replay(files: Sequence[Path]) -> dict[str, list[str]]:
    """What is wrong with each, by the file's name; only of those with which something is."""
    wrong: dict[str, Any] = {}
    for kind in KINDS:
        keeper = Keeper(kind)
        for path in (path for path in files if path.name.startswith(kind)):
            _, said = keeper.run({"recipe": json.loads(path.read_text())})
            if said:
                wrong[path.name] = said
        keeper.close()
    return wrong


if __name__ == "__main__":
    named = [FINDS / name for name in sys.argv[1:]] or [path for kind in KINDS for path in kept(kind)]
    for name, said in replay(named).items():
        print(name, "; ".join(said), sep=": ")
