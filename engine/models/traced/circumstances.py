"""Under which circumstances a passage was recorded, in sentences: mode, gradients, autocast, random numbers, kernels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from torch.nn.modules.dropout import _DropoutNd  # pyright: ignore[reportPrivateUsage] # every dropout of torch is one

from ...program.torch_calls import named_modules
from .randomness import RandomStates
from .tracer import Passage


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What holds when a module is called.

    Attributes:
        random: the states of the random numbers.
        seed: what torch's was seeded with.
        gradients: `kept`, `none`, or `none (inference mode)`.
    """

    random: RandomStates
    seed: int
    gradients: str

    @classmethod
    def now(cls) -> Circumstances:
        """As they are."""
        gradients = "kept" if torch.is_grad_enabled() else "none"
        gradients += " (inference mode)" if torch.is_inference_mode_enabled() else ""
        return cls(RandomStates.now(), torch.initial_seed(), gradients)


def notes_of_passage(module: nn.Module, passage: Passage, before: Circumstances) -> list[str]:
    """What is to be said of how a passage ran.

    Args:
        before: what held when it began.
    """
    notes = [_mode(module, passage.training), f"gradients: {before.gradients}"]
    if dtypes := sorted({call.autocast for call in passage.graph.calls if call.autocast}):
        notes.append(f"autocast to {', '.join(dtypes)}")
    draws = list(passage.draws)
    notes.append(
        f"random numbers: torch's seed is {before.seed}, the state before the passage {before.random.written}; "
        + (f"{_count(len(draws), 'operation')} drew: {_few(draws)}" if draws else "none were drawn")
    )
    if kernels := [call.kernel for call in passage.graph.calls if call.kernel]:
        counted = Counter(kernels).most_common()
        notes.append(f"kernel of the fused attention: {', '.join(f'{kernel} ({times}x)' for kernel, times in counted)}")
    if passage.compiled:
        notes.append(
            "torch.compile is put aside: shown is what the module says, not the kernels that were compiled of it"
        )
    for decision in passage.graph.decisions[:3]:
        where = f" at {short_line(decision.lines[0])}" if decision.lines else ""
        notes.append(f"the code looked at {decision.of}{where}, saw {decision.saw}, and may have gone on by it")
    if len(passage.graph.decisions) > 3:
        notes.append(f"the code looked at {len(passage.graph.decisions) - 3} more numbers")
    return notes


def short_line(line: str) -> str:
    """`my_model.py:42` of a line with its whole path."""
    path, _, number = line.rpartition(":")
    return f"{Path(path).name}:{number}"


def _mode(module: nn.Module, training: Sequence[str]) -> str:
    """Which modules are in training mode, and which dropouts draw."""
    in_training = set(training)
    drawing = [
        path for path, part in named_modules(module)
        if path in in_training and isinstance(part, _DropoutNd | nn.MultiheadAttention)
        and (part.p if isinstance(part, _DropoutNd) else part.dropout)
    ]  # fmt: skip
    if not training:
        return "eval mode: dropout does nothing"
    count = sum(1 for _ in module.modules())
    which = "training mode" if len(in_training) == count else f"training mode in {len(in_training)} of {count} modules"
    return f"{which}: " + (f"dropout draws at {_few(drawing)}" if drawing else "no dropout draws")


def _few(names: Iterable[str], most: int = 3) -> str:
    listed = [name or "the module" for name in names]
    return ", ".join(listed[:most]) + (f" and {len(listed) - most} more" if len(listed) > most else "")


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + "s" * (number != 1)
