"""What torch was asked for by somebody's module, done again: one operation, or a few that are one stage."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field
from typing import Any, ClassVar, cast

from ..program.generators import drawing_from, draws_on
from ..program.kinds import Card
from ..program.stage import Shape
from .as_seen import AsSeen
from .base import Op, Out, Tensors, unexplained
from .lazy import torch

# How formulas write what has a sign of its own.
SIGNS = {
    "add": "{} + {}", "sub": "{} − {}", "mul": "{} · {}", "div": "{} / {}", "matmul": "{} · {}", "bmm": "{} · {}", "mm": "{} · {}",
    "eq": "{} = {}", "ne": "{} ≠ {}", "lt": "{} < {}", "le": "{} ≤ {}", "gt": "{} > {}", "ge": "{} ≥ {}", "t": "{}ᵀ", "pow": "{} ^ {}",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Placeholder:
    """Among the arguments, where a tensor belongs.

    Attributes:
        number: which of the stage's inputs and weights, in that order, or of its earlier steps.
        step: whether a step is meant.
        grad: whether gradients were kept of the tensor, by which torch chooses its kernels.
    """

    number: int
    step: bool = False
    grad: bool = False


@dataclass(frozen=True, eq=False, slots=True)
class TorchStep:
    """One call of an operation of torch.

    Attributes:
        target: what torch calls it: `aten.softmax.int`.
        arguments, options: what it is given, with a `Placeholder` for every tensor.
        pick: which of several results; None where there is one.
        scribbles: the places among the arguments, or the names among the options, of tensors that it writes to: it is given copies of them.
        writes: of which of them what was written is the result; None for most.
        autocast: what autocast brings its tensors to; "" outside autocast.
        draws: the state of the random numbers before it, of the device that it draws on; None where it draws none.
        kernel: which kernel a fused attention takes, as the module's own did: `flash`; "" for everything else.
        grad: whether gradients were being kept, for which torch takes other kernels (of an LSTM); none are afterwards.
    """

    target: str
    arguments: tuple[Any, ...]
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    pick: int | None = None
    scribbles: tuple[int | str, ...] = ()
    writes: int | str | None = None
    autocast: str = ""
    draws: torch.Tensor | None = None
    kernel: str = ""
    grad: bool = False

    @property
    def word(self) -> str:
        """Its name without namespace, overload and what marks it as writing in place."""
        word = self.target.split(".")[1]
        return word if word.startswith("_") or not word.endswith("_") else word[:-1]


@dataclass(frozen=True, eq=False, slots=True)
class TorchOperation(AsSeen, Op):
    """Operations of torch, one after another, as a module asked for them: the result is that of the last.

    Attributes:
        steps: what is done; most have one.
        size: the shape of the result.
        dtype: what it is made of: `float32`, `bool`.
    """

    steps: tuple[TorchStep, ...]
    size: Shape
    dtype: str
    card: ClassVar[Card] = Card()

    @property
    def called(self) -> str:
        """What kind of operation it is, by which its card is found again in a recording."""
        return type(self).__name__

    @property
    def options(self) -> dict[str, Any]:
        """What torch calls its steps."""
        return {"torch": [step.target for step in self.steps]}

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        results: list[torch.Tensor] = []
        with torch.no_grad():
            for step in self.steps:
                results.append(_done(step, (*inputs, *weights), results))
        return results[-1]

    def write(self, *operands: str) -> str:
        written: list[str] = []
        for step in self.steps:
            written.append(_written(step, operands, written))
        return written[-1]

    explain = staticmethod(unexplained)


class TorchMove(TorchOperation):
    """The numbers of its input elsewhere, or fewer of them: view, transpose, slice, expand."""

    __slots__ = ()
    card: ClassVar[Card] = Card(moves=True, elementwise=True, takes_no_memory=True, may_be_alike=True)
    explain = staticmethod(unexplained)


class TorchElementwise(TorchOperation):
    """Each number from those at its place alone."""

    __slots__ = ()
    card: ClassVar[Card] = Card(elementwise=True)
    explain = staticmethod(unexplained)


class TorchHides(TorchOperation):
    """Numbers of which some are minus infinity, where something is hidden: a mask, or scores with a mask upon them."""

    __slots__ = ()
    card: ClassVar[Card] = Card(elementwise=True, may_be_infinite=True)
    explain = staticmethod(unexplained)


class TorchWholeNumbers(TorchOperation):
    """Whole numbers: places, ids, what is compared."""

    __slots__ = ()
    card: ClassVar[Card] = Card(whole_numbers=True, may_be_alike=True)
    explain = staticmethod(unexplained)


def _done(step: TorchStep, operands: Sequence[torch.Tensor], earlier: Sequence[torch.Tensor]) -> torch.Tensor:
    """The result of one step."""
    arguments = cast("list[Any]", with_operands(list(step.arguments), operands, earlier, _keeping_gradients))
    options = cast("dict[str, Any]", with_operands(dict(step.options), operands, earlier, _keeping_gradients))
    if (own := OWN.get(step.target)) is not None:
        return own(*arguments)
    given: Any = {**dict(enumerate(arguments)), **options}
    for place in step.scribbles:
        given[place] = _copied(given[place])
    arguments = [given[at] for at in range(len(arguments))]
    options = {name: given[name] for name in options}
    namespace, word, overload = step.target.split(".")
    call = getattr(getattr(getattr(torch.ops, namespace), word), overload)
    with ExitStack() as stack:
        if step.autocast:
            stack.enter_context(_autocast(step.autocast, operands))
        if step.draws is not None:
            stack.enter_context(drawing_from(draws_on(arguments, options), step.draws))
        if step.grad and not torch.is_inference_mode_enabled():
            stack.enter_context(torch.enable_grad())
        if step.kernel:
            stack.enter_context(_kernel(step.kernel))
        result = call(*arguments, **options)
    if step.writes is not None:
        result = given[step.writes]
    elif step.pick is not None:
        result = result[step.pick]
    elif step.word in UNSET:
        result.zero_()
    return result.detach()


def _copied(tensor: torch.Tensor) -> torch.Tensor:
    """A copy that lies in memory as it does, with what stands between its numbers left open."""
    copy = tensor.clone()
    if tensor.layout is not torch.strided or copy.stride() == tensor.stride():
        return copy
    return torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device=tensor.device).copy_(tensor)


def _autocast(dtype: str, operands: Sequence[torch.Tensor]) -> AbstractContextManager[Any]:
    if not operands:
        return nullcontext()
    return torch.autocast(operands[0].device.type, getattr(torch, dtype), cache_enabled=False)


def _kernel(name: str) -> AbstractContextManager[Any]:
    """The kernel that torch chose: what it chooses depends on whether gradients are kept."""
    from torch.nn.attention import SDPBackend, sdpa_kernel

    names = {backend.name.lower().removesuffix("_attention"): backend for backend in SDPBackend.__members__.values()}
    return cast(AbstractContextManager[Any], sdpa_kernel(names[name]))


def read_from(whole: torch.Tensor, size: Sequence[int], stride: Sequence[int], offset: int) -> torch.Tensor:
    """Numbers of a memory that a value fills, seen as another tensor saw that memory."""
    return torch.as_strided(whole.contiguous(), size, stride, offset)


def written_into(
    whole: torch.Tensor, part: torch.Tensor, size: Sequence[int], stride: Sequence[int], offset: int
) -> torch.Tensor:
    """A memory after a tensor that looked at part of it was written to: (all its numbers,)."""
    flat = whole.contiguous().reshape(-1).clone()
    torch.as_strided(flat, size, stride, offset).copy_(part)
    return flat


# What gives memory with whatever stands there: 0, here, so that it is the same each time.
UNSET = frozenset({"empty", "empty_like", "new_empty", "empty_strided", "new_empty_strided", "empty_permuted"})
# Options that say where and how a result is kept, and not what it is.
UNSAID = frozenset({"device", "layout", "pin_memory", "memory_format", "non_blocking"})
# What is needed beside torch's own, to say without writing what was done by writing.
OWN = {"encoder_tui.read_from": read_from, "encoder_tui.written_into": written_into}


def with_operands(
    argument: Any, operands: Sequence[Any], earlier: Sequence[Any], with_grad: Callable[[Any], Any] | None = None
) -> Any:
    """An argument with what belongs there in place of every placeholder; `with_grad` makes of it what gradients are kept of."""
    if isinstance(argument, Placeholder):
        operand = earlier[argument.number] if argument.step else operands[argument.number]
        return with_grad(operand) if with_grad is not None and argument.grad else operand
    if isinstance(argument, list | tuple):
        parts = [with_operands(part, operands, earlier, with_grad) for part in cast("Iterable[Any]", argument)]
        return parts if isinstance(argument, list) else tuple(parts)
    if isinstance(argument, dict):
        named = cast("dict[str, Any]", argument)
        return {name: with_operands(part, operands, earlier, with_grad) for name, part in named.items()}
    return argument


def _keeping_gradients(tensor: torch.Tensor) -> torch.Tensor:
    """The same numbers, as they were when the module computed with them; what inference mode made has no gradients."""
    fitting = (tensor.is_floating_point() or tensor.is_complex()) and not tensor.is_inference()
    return tensor.detach().requires_grad_() if fitting else tensor


def _written(step: TorchStep, operands: Sequence[str], earlier: Sequence[str]) -> str:
    """A step as a formula: `softmax(scores, -1)`."""
    bracketed = [f"({text})" if " " in text and not text.endswith(")") else text for text in earlier]
    given = [_plain(part) for part in with_operands(list(step.arguments), operands, bracketed)]
    options = with_operands(
        {name: part for name, part in step.options.items() if name not in UNSAID}, operands, bracketed
    )
    named = [f"{name}={_plain(part)}" for name, part in options.items() if part is not None]
    sign = SIGNS.get(step.word)
    if sign is not None and len(given) == sign.count("{}") and not named:
        text = sign.format(*given)
    else:
        text = f"{step.word.strip('_')}({', '.join([*given, *named])})"
    return text if step.pick is None else f"{text}[{step.pick}]"


def _plain(argument: Any) -> str:
    if isinstance(argument, list | tuple):
        return f"[{', '.join(_plain(part) for part in cast('Iterable[Any]', argument))}]"
    if isinstance(argument, float):
        return f"{argument:g}"
    return str(argument).removeprefix("torch.")
