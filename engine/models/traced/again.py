"""Values of a recording that are not held: the operation that made them gives them again, from values that are held, when they are read.

Only what one kernel makes of numbers at hand is among them, on the CPU and outside gradients and autocast: sums of two values, scaled scores,
activations, softmax, copies. Whether it is what ran shows by a mark of its bits, which is taken when it is made.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import torch

from .graph import Argument, Ref, TorchCall, replaced
from .storages import has_storage

# Rounded as IEEE says, if at all: the same bits however the numbers lie in memory.
EXACT = frozenset({
    "add", "sub", "rsub", "mul", "div", "neg", "abs", "relu", "masked_fill", "where", "minimum", "maximum", "clamp", "eq", "ne", "lt", "le",
    "gt", "ge", "logical_not", "to", "_to_copy", "type_as", "clone", "contiguous", "reshape", "flatten", "cat", "stack", "repeat",
})  # fmt: skip
# Approximated: a kernel may take another way for what is left over at the end of a row.
APPROXIMATE = frozenset({"gelu", "silu", "sigmoid", "tanh", "softmax"})
SPARED = EXACT | APPROXIMATE
SMALLEST = 1 << 14  # bytes: to tell how a smaller value is computed takes as much
MOST = 8  # operations that are done again at most for one value
PLAIN = frozenset({
    torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.bool,
})  # fmt: skip

# What an argument may be that can be told again.
TOLD = (Ref, bool, int, float, str, torch.dtype, torch.device, torch.layout, torch.memory_format, type(None))
INSIDE: Any = torch._C  # pyright: ignore[reportPrivateUsage] # what torch's own Python keeps its modes out by


class CameOutOtherwiseError(Exception):
    """A value that was computed again is not what it was."""


@dataclass(frozen=True, slots=True)
class StridedLayout:
    """How a value lies in its memory.

    Attributes:
        dtype: of its numbers.
        size, stride, offset: as `torch.as_strided` takes them.
    """

    dtype: torch.dtype
    size: torch.Size
    stride: tuple[int, ...]
    offset: int

    @classmethod
    def of(cls, tensor: torch.Tensor) -> StridedLayout:
        """That of a tensor."""
        return cls(tensor.dtype, tensor.size(), tensor.stride(), int(tensor.storage_offset()))

    def within(self, memory: torch.UntypedStorage) -> torch.Tensor:
        """The value in a memory."""
        return torch.empty(0, dtype=self.dtype, device="cpu").set_(memory, self.offset, self.size, self.stride)

    @property
    def nbytes(self) -> int:
        """Bytes of its numbers."""
        return self.size.numel() * self.dtype.itemsize


@dataclass(frozen=True, slots=True)
class Again:
    """A value that is computed when it is read.

    Attributes:
        layout: of it.
        parts: names of the values that it is computed from.
        work: how many operations that takes, with those for its parts.
        call: the operation; None where it is a view of the one part that it has.
        mark: of its bits.
        threads: how many computed it.
    """

    layout: StridedLayout
    parts: tuple[str, ...]
    work: int
    call: TorchCall | None = None
    mark: torch.Tensor | None = None
    threads: int = 0

    def computed(self, parts: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """It, from its parts.

        Raises:
            CameOutOtherwiseError: it is not what it was: a library or a flag of torch is another by now.
        """
        with without_others():
            if self.call is None:
                return self.layout.within(parts[self.parts[0]].untyped_storage())
            result = self._done(self.call, parts)
            if not self._is(result):
                with _threads(self.threads):  # a kernel may cut its work up by them
                    result = self._done(self.call, parts)
                if not self._is(result):
                    raise CameOutOtherwiseError(self.call.name)
            return result

    def _done(self, call: TorchCall, parts: Mapping[str, torch.Tensor]) -> torch.Tensor:
        result = _operation(call.target)(*replaced(call.arguments, parts), **replaced(dict(call.options), parts))
        if StridedLayout.of(result) == self.layout and _fills(result):
            return result
        room = torch.empty_strided(self.layout.size, self.layout.stride, dtype=self.layout.dtype, device="cpu")
        return room.copy_(result) if result.size() == room.size() else room

    def _is(self, result: torch.Tensor) -> bool:
        return self.mark is not None and torch.equal(mark_of(result), self.mark)


def again(call: TorchCall, result: torch.Tensor, known: Callable[[str], torch.Tensor | Again | None]) -> Again | None:
    """How a value that was just made is computed again; None where that is not sure to give the same, or not worth it.

    Args:
        call: what made it. Its memory is its own.
        known: the value of a name, or how it is computed; None where it is not at hand.
    """
    if not (is_pure(call) and _is_plain(result) and result.nbytes >= SMALLEST and _fills(result)):
        return None
    if INSIDE._functorch.peek_interpreter_stack() is not None:  # inside torch.vmap or torch.func nothing is simple
        return None
    parts = call.inputs
    work, floating, in_order = 1, False, True
    for part in map(known, parts):
        if part is None:
            return None
        if isinstance(part, Again):
            work += part.work
            floating = floating or part.layout.dtype.is_floating_point
            in_order = in_order and _in_order(part.layout)
        elif not _is_plain(part):
            return None
        else:
            floating = floating or part.is_floating_point()
            in_order = in_order and part.is_contiguous()
    if not parts or work > MOST or (call.word in APPROXIMATE and not in_order):
        return None
    if result.is_floating_point() and not floating:
        return None  # what whole numbers become depends on a setting of torch's
    with INSIDE.DisableTorchFunction(), INSIDE._DisableTorchDispatch(), INSIDE._DisablePythonDispatcher():
        mark = mark_of(result)
    return Again(StridedLayout.of(result), parts, work, call, mark, torch.get_num_threads())


def view_again(tensor: torch.Tensor, whole: str, how: Again) -> Again | None:
    """How a value is seen again that lies in the memory of another; None where it is more than a view, or too much is to be done for it.

    Args:
        whole, how: the name of that, and how it is computed.
    """
    if not _is_plain(tensor) or how.work >= MOST:
        return None
    return Again(StridedLayout.of(tensor), (whole,), how.work + 1)


def mark_of(tensor: torch.Tensor) -> torch.Tensor:
    """The bits of a tensor that is all of its memory, as whole numbers, added up modulo 2 to the 64th: the same in whatever order."""
    memory = tensor.untyped_storage()
    count, left = divmod(memory.nbytes(), 8)
    total = torch.empty(0, dtype=torch.int64, device="cpu").set_(memory, 0, (count,), (1,)).sum()
    if left:
        total += torch.empty(0, dtype=torch.uint8, device="cpu").set_(memory, 8 * count, (left,), (1,)).sum()
    return total


@contextmanager
def without_others() -> Generator[None]:
    """As if nobody else were at work: no mode of anybody's, that of another recording among them, no autocast, no gradients."""
    with (
        INSIDE.DisableTorchFunction(),
        INSIDE._DisableTorchDispatch(),
        INSIDE._DisablePythonDispatcher(),
        INSIDE._ExcludeDispatchKeyGuard(INSIDE.DispatchKeySet(INSIDE.DispatchKey.PreDispatch)),
        torch.no_grad(),
        torch.autocast("cpu", enabled=False),
    ):
        yield


@contextmanager
def _threads(count: int) -> Generator[None]:
    now = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(now)


def _operation(target: str) -> Callable[..., Any]:
    namespace, word, overload = target.split(".")
    return getattr(getattr(getattr(torch.ops, namespace), word), overload)


def is_pure(call: TorchCall) -> bool:
    """Whether it is one of ours, makes something of its own, and of what it is told alone."""
    if call.word not in SPARED or call.pick is not None or call.writes is not None or call.scribbles:
        return False
    return not (call.random or call.autocast or call.kernel) and call.target.startswith("aten.") and _is_told(call)


def _is_told(call: TorchCall) -> bool:
    """Whether its arguments can be told again: values, numbers, words, and lists of those."""
    return all(isinstance(part, TOLD) for part in _leaves((*call.arguments, *call.options.values())))


def _leaves(arguments: Sequence[Argument]) -> Iterator[Argument]:
    for part in arguments:
        if isinstance(part, list | tuple):
            yield from _leaves(cast("Sequence[Argument]", part))
        else:
            yield part


def _is_plain(tensor: torch.Tensor) -> bool:
    """Whether it is an array in the CPU's memory and nothing else, of which no gradients are kept."""
    return (
        type(tensor) is torch.Tensor
        and tensor.device.type == "cpu"
        and tensor.layout is torch.strided
        and tensor.dtype in PLAIN
        and has_storage(tensor)
        and not (tensor.is_nested or tensor.is_neg() or tensor.is_conj() or tensor.requires_grad)
    )


def _fills(tensor: torch.Tensor) -> bool:
    """Whether it is all of its memory, in whatever order."""
    return tensor.storage_offset() == 0 and tensor.untyped_storage().nbytes() == tensor.nbytes


def _in_order(layout: StridedLayout) -> bool:
    """Whether its numbers lie one after the other: a copy of them then lies as they do."""
    step = 1
    for size, stride in zip(reversed(layout.size), reversed(layout.stride), strict=True):
        if size != 1 and stride != step:
            return False
        step *= size
    return True
