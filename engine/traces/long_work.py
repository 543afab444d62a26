"""What takes long is computed on a thread of its own, so that whoever waits for it can be told to stop, and leaves at once.

A product of thousands of rows is one call of a library that asks nobody whether to go on. In parts it would be asked in between, but a
library takes its kernel by the number of rows and of threads, and another kernel rounds otherwise: so the product is left whole and goes
on to its end, and it is the waiting that stops. Until it has ended nothing else is computed in the same memory: what it reads stays as it
is, it has the processor to itself, and who comes back to the same value is given what was made meanwhile.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, TimeoutError
from dataclasses import dataclass, field

import torch

from ..ops import Op
from ..ops.base import Out
from ..program.kinds import Products
from ..program.program import Program
from ..program.stage import Shape, Stage
from .shapes import Shadow

# Multiplications and additions from which on a stage takes long: about 20 ms of one core. Handing it over takes 0.1 ms.
LONG = 1 << 29
# What a function of each number takes (GELU, a norm, a softmax), in multiplications.
EACH = 16
EVERY = 0.02  # seconds between two looks at whether to stop waiting

_own = threading.local()  # each thread that computes has one to hand over to


def nobody() -> bool:
    """Nobody has what is computed stopped."""
    return False


def long_stages(program: Program, shadows: Mapping[str, Shadow], device: torch.device) -> frozenset[str]:
    """The stages that may take longer than a person should wait for something to stop; a guess, which is none too low.

    None on a device that computes by itself: there a call returns at once.

    Args:
        shadows: of every value of the program.
        device: where it is computed.
    """
    if device.type != "cpu":
        return frozenset()
    sizes = {name: math.prod(shadow.shape) for name, shadow in shadows.items()}
    return frozenset(
        stage.name for stage in program if sizes[stage.name] * _terms(stage, shadows, program.weights) >= LONG
    )


def _terms(stage: Stage, shadows: Mapping[str, Shadow], weights: Mapping[str, Shape]) -> int:
    """What one number of the result takes, in multiplications; of an operation that nothing is known of, as if it were a product."""
    card = stage.card
    if card.elementwise:
        return EACH
    matrices = [weights[name][1:] for name in stage.weights[:1] if len(weights[name]) > 1]
    if matrices and card.products is not Products.ROW and not card.looks_up:
        return max(EACH, math.prod(matrices[0]))
    if card.products is Products.ROW or len(stage.inputs) > 1:
        return max(EACH, *(size for name in stage.inputs[:2] for size in shadows[name].shape[-2:]))
    return EACH


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """The computation of one stage from these very tensors.

    Attributes:
        name: of the stage.
        op, inputs, weights: what is computed, and of what.
    """

    name: str
    op: Op
    inputs: Sequence[torch.Tensor]
    weights: Sequence[torch.Tensor]

    def is_same(self, other: Task) -> bool:
        """Whether the result is the same: that of the same tensors, not of others that may be equal."""
        if (self.name, len(self.inputs), len(self.weights)) != (other.name, len(other.inputs), len(other.weights)):
            return False
        pairs = zip((*self.inputs, *self.weights), (*other.inputs, *other.weights), strict=True)
        return self.op is other.op and all(mine is theirs for mine, theirs in pairs)


@dataclass(slots=True, eq=False)
class _Begun:
    """A task that is being computed."""

    task: Task
    out: Out
    left: bool = False  # nobody waits for it
    lock: threading.Lock = field(default_factory=threading.Lock)
    future: Future[torch.Tensor] = field(init=False)

    def begin(self) -> None:
        """Hand it over."""
        if not hasattr(_own, "executor"):
            _own.executor = ThreadPoolExecutor(1, thread_name_prefix="long-work")
        self.future = _own.executor.submit(self._compute, _circumstances())

    def wait(self, go_on: Callable[[str], None]) -> None:
        """Wait until it has ended, or until `go_on` raises: then it is left."""
        try:
            while not self.future.done():
                try:
                    self.future.exception(EVERY)
                except TimeoutError:
                    go_on(self.task.name)
        except BaseException:
            with self.lock:
                self.left = True
            raise

    def _compute(self, circumstances: tuple[int, bool, bool]) -> torch.Tensor:
        threads, inference, grad = circumstances
        if torch.get_num_threads() != threads:  # which is a thread's own, and decides upon kernels
            torch.set_num_threads(threads)
        with torch.inference_mode(inference), torch.set_grad_enabled(grad):
            return self.task.op.compute(self.task.inputs, self.task.weights, self._memory)

    def _memory(self) -> torch.Tensor | None:
        """Memory for the result, from those who wait for it; torch's own where they have left, for they may be handing it out meanwhile."""
        with self.lock:
            return None if self.left else self.out()


def _circumstances() -> tuple[int, bool, bool]:
    """What a thread has of its own that decides upon what torch does in it."""
    return torch.get_num_threads(), torch.is_inference_mode_enabled(), torch.is_grad_enabled()


class LongWork:
    """The long work in one memory, of which there is one at a time."""

    def __init__(self) -> None:
        self._begun: _Begun | None = None

    @property
    def goes_on(self) -> bool:
        """Whether something is being computed that was left."""
        return self._begun is not None and not self._begun.future.done()

    def result(self, task: Task, out: Out, go_on: Callable[[str], None]) -> torch.Tensor:
        """What comes of a task: begun now, or before, when whoever waited for it left.

        Args:
            out: memory for it.
            go_on: takes the name of what is waited for, and raises where one is to wait no longer.
        """
        if self._begun is None or not self._begun.task.is_same(task):
            self.finish(go_on)
            begun = _Begun(task, out)
            begun.begin()
            self._begun = begun
        begun = self._begun
        begun.wait(go_on)
        self._begun = None
        return begun.future.result()

    def finish(self, go_on: Callable[[str], None]) -> None:
        """Wait for what was left, before anything else is computed; what came of it is dropped."""
        if self._begun is not None:
            self._begun.wait(go_on)
            self._begun = None
