"""What `record` costs, beside the module alone and beside others who look: hooks on all modules, torchlens, nnsight where they are installed.

python tests/benchmarks/record.py [REPETITIONS]

One module of MiniLM's size (6 layers, 384 numbers a token), one text of 128 tokens, one thread. Time is that of the processor, each way in turn
in every repetition, the median of the ratios to the module alone; memory is how much the highest use rises above what is there before, in a process
of its own that does this once, after what was free has been given back to Linux.
"""

from __future__ import annotations

import ctypes
import gc
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from encoder_tui.engine import record
from encoder_tui.engine.program.torch_calls import named_modules
from torch import nn

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


def hooked(module: nn.Module, ids: torch.Tensor) -> Any:
    """What everybody writes first: the output of every module, which sees no operation between them."""
    outputs: dict[str, torch.Tensor] = {}

    def keep(name: str) -> Callable[[Any, Any, Any], None]:
        return lambda _, __, output: outputs.update({name: output.detach()})

    handles: list[Any] = [part.register_forward_hook(keep(name)) for name, part in named_modules(module)]
    module(ids)
    for handle in handles:
        handle.remove()
    return outputs


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


WAYS: dict[str, Callable[[nn.Module, torch.Tensor], Any]] = {
    "alone": alone, "hooks on all modules": hooked, "record": recorded, "record, and its program": recorded_and_made,
    **{name: way for name, way in (("torchlens", torchlens), ("nnsight", nnsight)) if find_spec(name)},
}  # fmt: skip


def given() -> tuple[nn.Module, torch.Tensor]:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    return MiniLM().eval(), torch.randint(0, WORDS, (1, TOKENS))


def main() -> None:
    """Print the ratios."""
    repetitions = int(sys.argv[1]) if len(sys.argv) > 1 else 25
    module, ids = given()
    times: dict[str, list[float]] = {name: [] for name in WAYS}
    with torch.no_grad():
        for repetition in range(repetitions + 2):
            for name, way in list(WAYS.items()):
                started = time.process_time()
                try:
                    result = way(module, ids)
                except Exception as error:
                    print(f"{name}: {type(error).__name__}: {str(error).splitlines()[0]}")
                    del WAYS[name], times[name]
                    continue
                took = time.process_time() - started
                del result
                if repetition >= 2:
                    times[name].append(took)
    print(f"{'':<26}{'time':>8}{'memory':>12}")
    for name in WAYS:
        ratio = statistics.median(one / other for one, other in zip(times[name], times["alone"], strict=True))
        print(f"{name:<26}{ratio:>7.2f}x{rise(name) / 2**20:>8.1f} MiB")


def rise(name: str) -> float:
    """By how many bytes a way raises the highest use of memory, in a process of its own."""
    done = subprocess.run([sys.executable, __file__, "--once", name], capture_output=True, text=True)
    return float(done.stdout.split()[-1]) if done.returncode == 0 else float("nan")


def once(name: str) -> None:
    """Do it, and print that."""
    module, ids = given()
    with torch.no_grad():
        WAYS[name](module, ids[:, :2])  # what is imported on the way
        module(ids)
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)  # what was freed goes back to Linux: else it is used again, and not seen
        Path("/proc/self/clear_refs").write_text("5")  # from here on the highest use is counted anew
        before = used("VmRSS")
        result = WAYS[name](module, ids)
    print(used("VmHWM") - before)
    del result


def used(line: str) -> int:
    """Bytes of memory in use, as Linux counts them: `VmRSS` now, `VmHWM` at most."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition(f"{line}:")[2].split()[0]) * 1024


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    once(sys.argv[2]) if sys.argv[1:2] == ["--once"] else main()
