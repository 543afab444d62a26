"""Which of our own operations a stage of somebody's module may be: they can be explained, which a call of torch alone cannot."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

from ...ops.activations import Activation
from ...ops.attention import AddMask, Concat, Context, Scores, Softmax, SplitHeads
from ...ops.base import Op
from ...ops.linear import LayerNorm, Linear, Multiply, Sum
from ...ops.relative import DivideByRoot
from ...ops.rms_norm import RMSNorm
from ...ops.tokens import Lookup
from .graph import Ref, TorchCall
from .stages import Making

HEADS = ("query_heads", "key_heads", "value_heads")


def candidates(making: Making, name: str, axes: tuple[str, ...]) -> Iterator[Op]:
    """The operations that it may be. Whether one is shows in the numbers: it stands only where it gives the same to the last bit.

    Args:
        making: what the stage is made of.
        name, axes: the stage's.
    """
    call = making.calls[-1]
    if call.autocast or call.pick is not None or call.writes is not None:
        return
    counts = len(making.inputs), len(making.weights)
    role = name.rpartition(".")[2]
    alone = len(making.calls) == 1
    if role in HEADS and counts == (1, 0) and len(call.shape) == 4:
        yield SplitHeads(call.shape[1])
    elif role == "concat" and counts == (1, 0):
        yield Concat()
    elif call.word in ("matmul", "bmm") and role == "scores" and counts == (2, 0):
        yield Scores()
    elif call.word in ("matmul", "bmm") and role == "context" and counts == (2, 0):
        yield Context()
    elif alone and role == "masked" and call.word == "add" and counts == (2, 0):
        yield AddMask()
    elif alone and (by_word := BY_WORD.get(call.word)) is not None:
        yield from by_word(call, counts, axes)


def _linear(call: TorchCall, counts: tuple[int, int], axes: tuple[str, ...]) -> Iterator[Op]:
    if counts in ((1, 1), (1, 2)) and _stand(call, 0, 1, 2):
        yield Linear()


def _layer_norm(call: TorchCall, counts: tuple[int, int], axes: tuple[str, ...]) -> Iterator[Op]:
    if counts in ((1, 1), (1, 2)) and len(call.arguments[1]) == 1:
        yield LayerNorm(float(_argument(call, 4, 1e-5)))


def _rms_norm(call: TorchCall, counts: tuple[int, int], axes: tuple[str, ...]) -> Iterator[Op]:
    epsilon = _argument(call, 3, None)
    if counts == (1, 1) and len(call.arguments[1]) == 1 and epsilon is not None:
        yield RMSNorm(float(epsilon), fused=True)


def _softmax(call: TorchCall, counts: tuple[int, int], axes: tuple[str, ...]) -> Iterator[Op]:
    if counts == (1, 0) and call.arguments[1] in (-1, len(call.shape) - 1):
        yield Softmax(axes[-1] if axes else "key")
        yield Softmax(axes[-1] if axes else "key", single=True)


def _activation(call: TorchCall, counts: tuple[int, int], axes: tuple[str, ...]) -> Iterator[Op]:
    if counts == (1, 0):
        tanh = call.word == "gelu" and call.options.get("approximate") == "tanh"
        yield Activation("gelu_pytorch_tanh" if tanh else call.word)


def _lookup(call: TorchCall, counts: tuple[int, int], axes: tuple[str, ...]) -> Iterator[Op]:
    if counts == (1, 1):
        yield Lookup()


def _sum(call: TorchCall, counts: tuple[int, int], axes: tuple[str, ...]) -> Iterator[Op]:
    if counts == (2, 0) and not call.options and all(isinstance(part, Ref) for part in call.arguments):
        yield Sum()


def _multiply(call: TorchCall, counts: tuple[int, int], axes: tuple[str, ...]) -> Iterator[Op]:
    numbers = [part for part in call.arguments if isinstance(part, int | float)]
    if counts == (1, 0) and len(numbers) == 1:
        yield Multiply(float(numbers[0]), f"{numbers[0]:g}")


def _divide(call: TorchCall, counts: tuple[int, int], axes: tuple[str, ...]) -> Iterator[Op]:
    by = call.arguments[1]
    if counts == (1, 0) and not call.options and isinstance(by, int | float) and by > 0:
        square = round(by * by)
        if square and math.sqrt(square) == by:
            yield DivideByRoot(square)


def _argument(call: TorchCall, place: int, otherwise: float | None) -> Any:
    return call.arguments[place] if len(call.arguments) > place else otherwise


def _stand(call: TorchCall, *places: int) -> bool:
    """Whether the tensors among the arguments stand in this order, first the input and then weights."""
    return all(isinstance(call.arguments[place], Ref) for place in places if place < len(call.arguments))


BY_WORD: dict[str, Callable[[TorchCall, tuple[int, int], tuple[str, ...]], Iterator[Op]]] = {
    "linear": _linear, "layer_norm": _layer_norm, "rms_norm": _rms_norm, "softmax": _softmax, "embedding": _lookup, "add": _sum,
    "mul": _multiply, "div": _divide, "gelu": _activation, "relu": _activation, "silu": _activation, "tanh": _activation,
    "sigmoid": _activation,
}  # fmt: skip
