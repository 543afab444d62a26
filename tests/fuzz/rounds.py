"""Many cases of a kind: what `python -m tests fuzz KIND` does."""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .worker import Keeper

KINDS = ("snapshots", "folders", "lines")
FINDS = Path(__file__).parent / "finds"


def rounds(kind: str, argv: Sequence[str]) -> int:
    """Run cases, and keep those that fail in `finds/`; returns 1 if any did.

    Args:
        kind: name of the module.
        argv: `--n N` cases of `--seed S`, or `--only K` of them.
    """
    parser = argparse.ArgumentParser(prog=f"python -m tests fuzz {kind}")
    parser.add_argument("--n", type=int, default=1000, help="how many cases")
    parser.add_argument("--seed", default="0", help="what they are drawn from")
    parser.add_argument("--only", type=int, help="one of them alone, and its recipe")
    options = parser.parse_args(argv)
    keeper, began, failed = Keeper(kind), time.monotonic(), 0
    numbers = range(options.n) if options.only is None else [options.only]
    for number in numbers:
        recipe, wrong = keeper.run({"seed": options.seed, "number": number})
        if options.only is not None:
            print(json.dumps(recipe, indent=1))
        if wrong:
            failed += 1
            print(
                f"{kind} --seed {options.seed} --only {number}: {'; '.join(wrong)}  -> {keep(kind, recipe)}", flush=True
            )
        if (number + 1) % 500 == 0:
            seconds = time.monotonic() - began
            print(
                f"{number + 1} cases, {failed} failed, {(number + 1) / seconds:.0f} a second",
                file=sys.stderr,
                flush=True,
            )
    keeper.close()
    seconds = time.monotonic() - began
    print(f"{kind}: {len(numbers)} cases in {seconds:.0f} s, {failed} failed, {keeper.started} processes")
    return 1 if failed else 0


def keep(kind: str, recipe: Any) -> str:
    """Write a recipe down, to be run with every run of the tests; returns the file's name."""
    text = json.dumps(recipe, indent=1) + "\n"
    path = FINDS / f"{kind}-{hashlib.sha256(text.encode()).hexdigest()[:10]}.json"
    path.write_text(text, "ascii")
    return path.name


def kept(kind: str) -> list[Path]:
    """The recipes of a kind that once failed."""
    return sorted(FINDS.glob(f"{kind}-*.json"))
