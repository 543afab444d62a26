"""What `record` costs, beside the module alone and beside others who look: hooks on all modules, torchlens, nnsight where they are installed.

    python tests/benchmarks/all.py record

One module of MiniLM's size (6 layers, 384 numbers a token), one text of 128 tokens, one thread. Each way has a process of its own, and
they take turns: time is that of the processor, the median of the ratios to the module alone. Memory is how much the first pass raises
the highest use above what was there before, after what was free has been given back to Linux.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import torch
from encoder_tui.engine import record
from figures import Figure
from measuring import Worker, answer, in_turns, milliseconds, ratio, rise, timed
from torch import nn
from ways import hooked

TOKENS, HIDDEN, HEADS, LAYERS, WORDS = 128, 384, 12, 6, 30522


class Attention(nn.Module):
    """Attention whose weights are there to be seen, as eager attention computes it."""

    def __init__(self) -> None:
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(HIDDEN, HIDDEN) for _ in range(3))
        self.output, self.norm = nn.Linear(HIDDEN, HIDDEN), nn.LayerNorm(HIDDEN)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, token, hidden) to the same."""
        q, k, v = (part(x).unflatten(-1, (HEADS, -1)).transpose(1, 2) for part in (self.query, self.key, self.value))
        weights = (q @ k.transpose(2, 3) * (HIDDEN // HEADS) ** -0.5).softmax(-1)
        return self.norm(x + self.output((weights @ v).transpose(1, 2).flatten(2)))


class Layer(nn.Module):
    """Post-norm."""

    def __init__(self) -> None:
        super().__init__()
        self.attention, self.norm = Attention(), nn.LayerNorm(HIDDEN)
        self.up, self.down = nn.Linear(HIDDEN, 4 * HIDDEN), nn.Linear(4 * HIDDEN, HIDDEN)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, token, hidden) to the same."""
        x = self.attention(x)
        return self.norm(x + self.down(nn.functional.gelu(self.up(x))))


class MiniLM(nn.Module):
    """An encoder of that size, with random weights."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.places, self.norm = (
            nn.Embedding(WORDS, HIDDEN),
            nn.Embedding(512, HIDDEN),
            nn.LayerNorm(HIDDEN),
        )
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        """(batch, token) to (batch, token, hidden)."""
        x = self.norm(self.words(input_ids) + self.places(torch.arange(input_ids.shape[1])))
        for layer in self.layers:
            x = layer(x)
        return x


def alone(module: nn.Module, ids: torch.Tensor) -> Any:
    return module(ids)


def recorded(module: nn.Module, ids: torch.Tensor) -> Any:
    return record(module, ids)


def recorded_and_made(module: nn.Module, ids: torch.Tensor) -> Any:
    run = record(module, ids)
    assert len(run) > 100
    return run


def with_hooks(module: nn.Module, ids: torch.Tensor) -> Any:
    """What everybody writes first: the output of every module, which sees no operation between them."""
    return hooked(module, lambda: module(ids))()


def torchlens(module: nn.Module, ids: torch.Tensor) -> Any:
    """Every operation, as it does it if nothing else is said."""
    return import_module("torchlens").trace(module, ids)


def nnsight(module: nn.Module, ids: torch.Tensor) -> Any:
    """The output of two layers; it, too, sees no operation between modules."""
    wrapped = import_module("nnsight").NNsight(module)
    with wrapped.trace(ids):
        first = wrapped.layers[0].output.save()
        last = wrapped.layers[LAYERS - 1].output.save()
    return first, last


ALONE, HOOKS = "alone", "hooks on all modules"
PEERS = {"torchlens": torchlens, "nnsight": nnsight}
WAYS: dict[str, Callable[[nn.Module, torch.Tensor], Any]] = {
    ALONE: alone, HOOKS: with_hooks, "record": recorded, "record, and its program": recorded_and_made,
    **{name: way for name, way in PEERS.items() if find_spec(name)},
}  # fmt: skip
TITLE = "`record` of a module of MiniLM's size, 128 tokens / the module alone"


def rows(quick: bool) -> Iterable[Figure | str]:
    """Time and memory of each way that is there, each in a process of its own."""
    with ExitStack() as stack:
        workers = {name: stack.enter_context(Worker(__file__, name)) for name in WAYS}
        rises = {name: worker.ask("memory") for name, worker in workers.items()}
    with ExitStack() as stack:
        workers = {name: stack.enter_context(Worker(__file__, name)) for name in WAYS}
        again = {name: worker.ask("memory", True) for name, worker in workers.items()}
        times = in_turns({name: _asking(worker) for name, worker in workers.items()}, 3 if quick else 11)
    for name in WAYS:
        ours = name.startswith("record")
        yield Figure(name, "time", ratio(times, name, ALONE), note=f"{milliseconds(times, name):.1f} ms", held=ours)
        # beside the rise that hooks need: what the module alone leaves behind is little, and another little each time
        note = f"{rises[name] / 2**20:.1f} MiB; {again[name] / 2**20:.1f} where that of the warm-up is used again"
        yield Figure(name, "memory / hooks'", rises[name] / rises[HOOKS], note=note, held=ours)
    for package in PEERS:
        if package not in WAYS:
            yield f"{package} is not installed, and left out: pip install 'encoder-tui[bench]'"


def _asking(worker: Worker) -> Callable[[], float]:
    return lambda: worker.ask("time")


def be_one(name: str) -> None:
    """The process of one way."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    module, ids = MiniLM().eval(), torch.randint(0, WORDS, (1, TOKENS))

    def work() -> Any:
        with torch.no_grad():
            return WAYS[name](module, ids)

    def memory(used_again: bool = False) -> int:
        with torch.no_grad():
            WAYS[name](module, ids[:, :2])  # what is imported on the way
            module(ids)
        return rise(work, used_again)

    answer({"memory": memory, "time": lambda: timed(work)})


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    be_one(sys.argv[1])
