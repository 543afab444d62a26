"""What it costs to look at a passage, and how much is seen: ours, transformers' own, hooks, TransformerLens, nnsight and torchlens.

    python tests/benchmarks/all.py peers

Each way of `ways.py` has a process of its own, since some replace torch's functions or a model's modules for all that run
beside them; the processes take turns, so each ratio is of passages one after the other. Memory is by how much the first passage of a length
raises the highest use of its process (`VmHWM`).
"""

from __future__ import annotations

import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from functools import cache
from importlib.metadata import version
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
from figures import Figure
from measuring import Worker, answer, in_turns, milliseconds, ratio, rise, timed
from passage import MINI, ids_of, saved
from ways import EAGER, KIND, WAYS, Passage, exposed

TITLE = "a passage of a MiniLM-size BERT, keeping what the way exposes: processor time and memory / transformers eager"
LENGTHS = (16, 128, 512)


def rows(quick: bool) -> Iterable[Figure | str]:
    """Time, memory and tensors of every way that is there; those that are absent, and those that fail, by name."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        saved(Path(folder), KIND, vocab_size=1000, **MINI)
        workers: dict[str, Worker] = {}
        lengths = LENGTHS[1:2] if quick else LENGTHS
        memory: dict[str, dict[int, int]] = {}
        for way in WAYS.values():
            if not way.there:
                yield f"{way.package} is not installed, and left out: pip install 'encoder-tui[bench]'"
        started = {name: stack.enter_context(Worker(__file__, name, folder)) for name, way in WAYS.items() if way.there}
        for name, worker in started.items():
            try:
                memory[name] = {length: worker.ask("memory", length) for length in lengths}
                tensors = worker.ask("tensors", lengths[0])
            except RuntimeError as error:
                yield f"{name} fails, and is left out: {error}"
                continue
            workers[name] = worker
            yield Figure(name, "tensors", tensors, "tensors", held=WAYS[name].ours)
        for length in lengths:
            times = in_turns({name: _asking(worker, length) for name, worker in workers.items()}, 3 if quick else 9)
            for name in workers:
                note = f"{milliseconds(times, name):.1f} ms"
                yield Figure(name, f"time, {length} tokens", ratio(times, name, EAGER), note=note, held=WAYS[name].ours)
        for length in lengths:
            for name in workers:
                part, note = memory[name][length] / memory[EAGER][length], f"{memory[name][length] / 2**20:.1f} MiB"
                yield Figure(name, f"memory, {length} tokens", part, note=note, held=WAYS[name].ours)
        yield _versions()


def _asking(worker: Worker, length: int) -> Callable[[], float]:
    return lambda: worker.ask("time", length)


def _versions() -> str:
    packages = ("transformers", *(way.package.replace("_", "-") for way in WAYS.values() if way.package and way.there))
    return "with " + ", ".join(f"{package} {version(package)}" for package in packages)


def be_one(name: str, folder: str) -> None:
    """The process of one way."""
    torch.set_num_threads(1)
    way = WAYS[name]
    of = way.opened(folder)
    of(ids_of(2))()  # what is imported and made on the way, and weights that are mapped

    @cache
    def passage(length: int) -> Passage:
        return of(ids_of(length))

    def memory(length: int) -> int:
        return rise(passage(length))

    def tensors(length: int) -> int:
        return exposed(way.tensors(passage(length)()))

    def seconds(length: int) -> float:
        return timed(passage(length))

    answer({"memory": memory, "tensors": tensors, "time": seconds})


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    be_one(*sys.argv[1:])
