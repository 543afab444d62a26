"""A stop that is armed at a module in a running script: it waits for the passages that the script makes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from types import FrameType
from typing import Any, cast

import torch
from torch import nn

from .arguments import Arguments
from .passages import DEFAULT_BUDGET, RecordingWish
from .randomness import RandomStates, from_states
from .record import ModuleRecording
from .waiting import Waiting

# Called before a passage, with its number; true where the stop is done with.
Before = Callable[[int, "Beginning"], bool]
# Called after a passage that was recorded.
After = Callable[[int, "Beginning", ModuleRecording], bool]


@dataclass(frozen=True, slots=True)
class Beginning:
    """All that a passage depends on besides weights and code, as it was when it began.

    Attributes:
        given: what the module is called with; copies, which nobody else writes to.
        buffers: copies of the module's, by the identity of each.
        random: the states of random numbers.
    """

    given: Arguments
    buffers: Mapping[int, torch.Tensor]
    random: RandomStates

    @classmethod
    def of(cls, module: nn.Module, given: Arguments) -> Beginning:
        """As it is now."""
        copies = {name: _copied(tensor) for name, tensor in given.tensors(module).items()}
        buffers = {id(buffer): buffer.detach().clone() for buffer in module.buffers()}
        return cls(given.with_tensors(module, copies), buffers, RandomStates.now())


class Armed:
    """Waits for passages of a module, and counts them. The hooks that tell of them are torch's for all modules: none is on the module.

    Args:
        module: whose passages.
        before: told of each before it computes; then nothing is recorded.
        after: told of each after it was recorded.
        word: the token of an id, for recordings.
    """

    def __init__(
        self,
        module: nn.Module,
        *,
        before: Before | None = None,
        after: After | None = None,
        word: Callable[[int], str | None] = lambda _: None,
    ) -> None:
        self.module, self.count = module, 0
        self._before, self._after = before, after
        self._wanted = RecordingWish(DEFAULT_BUDGET, None, word)
        self._recording: ModuleRecording | None = None
        self._beginning: Beginning | None = None
        self._stack = ExitStack()
        self._waiting = Waiting(module, self)

    def arm(self) -> None:
        """Wait from now on."""
        if self._after is not None and "torch._dynamo" in sys.modules:  # compiled code has nothing to be recorded
            self._stack.enter_context(torch.compiler.set_stance("force_eager"))
        self._waiting.__enter__()

    def disarm(self) -> None:
        """Wait no more."""
        self._waiting.ended = True
        self._waiting.__exit__(None, None, None)
        self._stack.close()

    # -- what is told of a passage -----------------------------------------------------------------------------------

    def begin(self, arguments: Sequence[Any], options: Mapping[str, Any], outermost: FrameType | None) -> None:
        """It begins."""
        self.count += 1
        beginning = self._beginning = Beginning.of(self.module, Arguments(tuple(arguments), dict(options)))
        if self._before is not None:
            self._waiting.ended = True  # what is computed before it is no passage of the script's
            self._ask(partial(self._before, self.count, beginning))
            return
        self._recording = ModuleRecording(self.module, self._wanted)
        self._recording.begin(arguments, options, outermost, told=True)

    def entered(self, module: nn.Module) -> None:
        """A module begins to compute."""
        if self._recording is not None:
            self._recording.entered(module)

    def left(self, module: nn.Module, result: Any) -> None:
        """A module has computed, or raised."""
        if self._recording is not None:
            self._recording.left(module, result)

    def end(self, result: Any) -> None:
        """It is over."""
        if self._recording is not None:
            self._recording.end(result)
            self._recorded()

    def broke(self, error: BaseException) -> None:
        """It raised; what was computed before that is recorded, and the error goes on."""
        if self._recording is not None:
            self._recording.broke(error)
            self._recorded()

    def _recorded(self) -> None:
        recording, self._recording = self._recording, None
        beginning, self._beginning = self._beginning, None
        assert recording is not None
        assert beginning is not None
        assert self._after is not None
        self._ask(partial(self._after, self.count, beginning, recording))

    def _ask(self, whether_done: Callable[[], bool]) -> None:
        """Wait on, unless the stop is done with, or failed."""
        done = True
        try:
            done = whether_done()
        finally:
            if done:
                self.disarm()
            else:
                self._waiting.begun = self._waiting.ended = False


@contextmanager
def as_if_nothing(module: nn.Module, beginning: Beginning) -> Generator[Arguments]:
    """What to call a module with inside, for the passage that begins so; whatever is computed there, afterwards all is as it was.

    Its buffers are copies in there: what the script's own passage has kept for its gradients is never written to. What modules note of
    themselves and random numbers are put back.
    """
    states = RandomStates.now()
    noted = [(part, {name: _noted(value) for name, value in vars(part).items()}) for part in module.modules()]
    for part in module.modules():
        held = cast("dict[str, torch.Tensor | None]", vars(part)["_buffers"])
        held.update(
            {name: beginning.buffers[id(buffer)].clone() for name, buffer in held.items() if buffer is not None}
        )
    try:
        with from_states(beginning.random):
            yield beginning.given
    finally:
        states.put_back()
        for part, values in noted:
            _put_back(part, values)


def _copied(tensor: torch.Tensor) -> torch.Tensor:
    """A copy that lies in memory as it does; one that was spread out without memory of its own cannot be written to, and is taken as it is."""
    if 0 in tensor.stride():
        return tensor
    return tensor.detach().clone().requires_grad_(tensor.requires_grad)


def _noted(value: object) -> tuple[object, Sequence[object] | None]:
    """What is held, and where that can be written into, what is in it."""
    if isinstance(value, dict):
        return cast(object, value), list(cast("dict[object, object]", value).items())
    return value, list(cast("Sequence[object]", value)) if isinstance(value, list | set) else None


def _put_back(part: nn.Module, noted: Mapping[str, tuple[object, Sequence[object] | None]]) -> None:
    held: dict[str, object] = vars(part)
    for name in held.keys() - noted.keys():
        del held[name]
    for name, (value, inside) in noted.items():
        if name not in held or held[name] is not value:
            held[name] = value
        if inside is not None and not _are_same(_noted(value)[1] or (), inside):
            _fill(cast(Any, value), inside)


def _fill(value: Any, inside: Sequence[object]) -> None:
    value.clear()
    if isinstance(value, list):
        cast("list[object]", value).extend(inside)
    else:
        value.update(inside)


def _are_same(items: Sequence[object], others: Sequence[object]) -> bool:
    """Whether they are the same objects, in the same order; items of a dict are pairs of such."""
    return len(items) == len(others) and all(
        _are_same(cast("tuple[object, ...]", item), cast("tuple[object, ...]", other))
        if isinstance(item, tuple) and isinstance(other, tuple)
        else item is other
        for item, other in zip(items, others, strict=True)
    )
