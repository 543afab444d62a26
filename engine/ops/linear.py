"""Products with a weight matrix, sums, norms and activations."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from ..program.kinds import Card, Products
from ..program.stage import Shape
from .base import Op, Out, Tensors
from .lazy import functional, torch
from .sizes import NO_RULE, ROOM, Sizes, largest, of_sum, of_weight

# The call that norms into given memory takes 36 microseconds more than the plain one; page faults cost more than that
# only for a result of a megabyte (measured on 2 cores of an AMD EPYC, 2026-11-22).
WORTH_A_BUFFER = 1 << 18


@dataclass(frozen=True, slots=True)
class Linear(Op):
    """x · Wᵀ + b, as `torch.nn.Linear`: (..., in) and (out, in) -> (..., out); the bias may be absent."""

    symbols: ClassVar[tuple[str, ...]] = ("W", "b")
    card: ClassVar[Card] = Card(products=Products.WEIGHT, weight_axes=("out", "in"))

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        (x,), (matrix, *bias) = inputs, weights
        memory = out()
        if x.dtype != matrix.dtype:  # only where T5 keeps a matrix in float32, and then it brings x to that
            x = x.to(matrix.dtype)
        if memory is None and x.is_contiguous():
            return functional.linear(x, matrix, bias[0] if bias else None)
        flat = None if memory is None else memory.view(-1, matrix.shape[0])
        rows = x.reshape(-1, matrix.shape[1])
        # `functional.linear` comes down to these very calls where rows lie together, but has no `out=`.
        y = torch.addmm(bias[0], rows, matrix.t(), out=flat) if bias else torch.mm(rows, matrix.t(), out=flat)
        return y.view(*x.shape[:-1], matrix.shape[0])

    def bound(self, sizes: Sizes) -> float:
        return of_weight(sizes)

    def shape(self, inputs: Sequence[Shape], weights: Sequence[Shape]) -> Shape:
        return (*inputs[0][:-1], weights[0][0])

    def result_dtype(
        self, inputs: Sequence[torch.dtype], weights: Sequence[torch.dtype], dtype: torch.dtype
    ) -> torch.dtype:
        return weights[0]

    def write(self, *operands: str) -> str:
        x, matrix, *bias = operands
        return f"{x} · {matrix}ᵀ" + "".join(f" + {b}" for b in bias)


@dataclass(frozen=True, slots=True)
class Sum(Op):
    """The inputs added from left to right, all of one shape; where dtypes differ, in the wider."""

    card: ClassVar[Card] = Card(elementwise=True, adds_inputs=True)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        total = torch.add(inputs[0], inputs[1], out=out())
        for more in inputs[2:]:
            total = torch.add(total, more, out=total)
        return total

    def bound(self, sizes: Sizes) -> float:
        return of_sum(sizes)

    def result_dtype(
        self, inputs: Sequence[torch.dtype], weights: Sequence[torch.dtype], dtype: torch.dtype
    ) -> torch.dtype:
        return functools.reduce(torch.promote_types, inputs)

    def write(self, *operands: str) -> str:
        return " + ".join(operands)


@dataclass(frozen=True, slots=True)
class Multiply(Op):
    """A number of the program times every element: √hidden times an embedding (Vaswani et al. 2017, section 3.4).

    Attributes:
        factor: the number.
        written: how a formula writes it: `√512`.
    """

    factor: float
    written: str
    card: ClassVar[Card] = Card(elementwise=True)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        return torch.mul(inputs[0], self.factor, out=out())

    def bound(self, sizes: Sizes) -> float:
        return ROOM * abs(self.factor) * sizes.most(0)

    def write(self, *operands: str) -> str:
        return f"{self.written} · {operands[0]}"


@dataclass(frozen=True, slots=True)
class LayerNorm(Op):
    """(x − mean) / √(variance + ε) · γ + β over the last axis (Ba, Kiros and Hinton 2016), as `torch.nn.LayerNorm`; β may be absent."""

    epsilon: float
    symbols: ClassVar[tuple[str, ...]] = ("γ", "β")
    card: ClassVar[Card] = Card(standardised=True)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        (x,), (gamma, *more) = inputs, weights
        beta = more[0] if more else None
        memory = out() if x.numel() >= WORTH_A_BUFFER else None
        if memory is None:
            return functional.layer_norm(x, x.shape[-1:], gamma, beta, self.epsilon)
        # torch's kernel gives mean and 1/deviation as well; here they are thrown away.
        few = x.new_empty((*x.shape[:-1], 1)), x.new_empty((*x.shape[:-1], 1))
        size = [x.shape[-1]]
        torch.ops.aten.native_layer_norm.out(x, size, gamma, beta, self.epsilon, out0=memory, out1=few[0], out2=few[1])
        return memory

    def write(self, *operands: str) -> str:
        x, gamma, *beta = operands
        return f"({x} − mean) / √(variance + {self.epsilon:g}) · {gamma}" + "".join(f" + {b}" for b in beta)


def _gelu(approximate: str) -> Callable[..., torch.Tensor]:
    return lambda x, out: functional.gelu(x, approximate=approximate) if out is None else torch.ops.aten.gelu.out(
        x, approximate=approximate, out=out
    )  # fmt: skip


def _gelu_new(x: torch.Tensor, out: torch.Tensor | None) -> torch.Tensor:
    # transformers' NewGELUActivation, operation by operation: torch's own tanh form differs in the last bits.
    return torch.mul(0.5 * x, 1.0 + torch.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * torch.pow(x, 3.0))), out=out)


def _gelu_python(x: torch.Tensor, out: torch.Tensor | None) -> torch.Tensor:
    return torch.mul(x * 0.5, 1.0 + torch.erf(x / math.sqrt(2.0)), out=out)


def _quick_gelu(x: torch.Tensor, out: torch.Tensor | None) -> torch.Tensor:
    return torch.mul(x, torch.sigmoid(1.702 * x), out=out)


def _relu(x: torch.Tensor, out: torch.Tensor | None) -> torch.Tensor:
    return torch.relu(x) if out is None else torch.clamp_min(x, 0, out=out)


def _silu(x: torch.Tensor, out: torch.Tensor | None) -> torch.Tensor:
    return functional.silu(x) if out is None else torch.ops.aten.silu.out(x, out=out)


# Name in a config -> (what computes it, how it is written).
ACTIVATIONS: dict[str, tuple[Callable[..., Any], str]] = {
    "gelu": (_gelu("none"), "gelu({x}) = {x} · Φ({x})"),
    "gelu_python": (_gelu_python, "gelu({x}) = {x} · Φ({x})"),
    "gelu_pytorch_tanh": (_gelu("tanh"), "gelu_tanh({x})"),
    "gelu_new": (_gelu_new, "gelu_tanh({x})"),
    "quick_gelu": (_quick_gelu, "{x} · sigmoid(1.702 {x})"),
    "relu": (_relu, "max(0, {x})"),
    "sigmoid": (lambda x, out: torch.sigmoid(x, out=out), "sigmoid({x})"),
    "silu": (_silu, "{x} · sigmoid({x})"),
    "swish": (_silu, "{x} · sigmoid({x})"),
    "tanh": (lambda x, out: torch.tanh(x, out=out), "tanh({x})"),
}


# |f(x)| is at most |x| for every x.
NO_LARGER = frozenset({"gelu", "gelu_python", "gelu_pytorch_tanh", "gelu_new", "relu", "silu", "swish", "tanh"})


def activation_bound(kind: str, sizes: Sizes) -> float:
    """No larger than what it is of; some cube that on the way, so that may not overflow either."""
    most = sizes.most(0)
    small = kind in NO_LARGER and most <= largest(sizes.dtype) ** (1 / 4)
    return ROOM * most if small else NO_RULE


@dataclass(frozen=True, slots=True)
class Activation(Op):
    """A function of each element alone, named as in transformers' `ACT2FN`."""

    kind: str
    card: ClassVar[Card] = Card(elementwise=True)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        return ACTIVATIONS[self.kind][0](inputs[0], out=out())

    def bound(self, sizes: Sizes) -> float:
        return activation_bound(self.kind, sizes)

    def write(self, *operands: str) -> str:
        return ACTIVATIONS[self.kind][1].format(x=operands[0])
