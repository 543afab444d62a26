"""What `torch.nn.MultiheadAttention` does in its own way: tokens before batch, and the query scaled rather than the scores."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from ..program.explanation import Explanation, Term, Terms
from ..program.kinds import Card, Products
from ..program.stage import Shape
from . import rounding
from .activations import ACTIVATIONS, Activation, activation_bound
from .base import Op, Out, Tensors
from .element import Element, at
from .lazy import functional, torch
from .linear import Linear
from .sizes import ROOM, Sizes, of_weight


@dataclass(frozen=True, slots=True)
class TokenFirstLinear(Op):
    """x · Wᵀ + b over rows in the order token, batch: (batch, token, in) and (out, in) -> (batch, token, out).

    The order of rows, whether they lie together, and whether the weights take a gradient decide which kernels torch takes,
    and with them the last bits.

    Attributes:
        together: whether the rows lie together in memory already where torch does this; otherwise batch is first there.
        frozen: whether the weights take no gradient: those of a frozen module, or made by a parametrisation.
    """

    together: bool = False
    frozen: bool = False
    symbols: ClassVar[tuple[str, ...]] = ("W", "b")
    card: ClassVar[Card] = Card(products=Products.WEIGHT, weight_axes=("out", "in"), factors="...k,jk->...j")
    explain = staticmethod(Linear.explain)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        (x,), (matrix, *bias) = inputs, weights
        rows = x.transpose(0, 1)  # (token, batch, in)
        if self.frozen and not self.together:
            return functional.linear(rows, matrix, *bias).transpose(0, 1)  # (batch, token, out)
        fused = self.together or rows.is_contiguous()
        rows = rows.reshape(-1, matrix.shape[1])  # (token · batch, in)
        if fused and bias:
            y = torch.addmm(bias[0], rows, matrix.t())
        else:  # `functional.linear` adds the bias afterwards where rows do not lie together
            y = torch.mm(rows, matrix.t())
            y = y.add_(bias[0]) if bias else y
        return y.view(x.shape[1], x.shape[0], matrix.shape[0]).transpose(0, 1)  # (batch, token, out)

    def bound(self, sizes: Sizes) -> float:
        return of_weight(sizes)

    def shape(self, inputs: Sequence[Shape], weights: Sequence[Shape]) -> Shape:
        return (*inputs[0][:-1], weights[0][0])

    def write(self, *operands: str) -> str:
        x, matrix, *bias = operands
        return f"{x} · {matrix}ᵀ" + "".join(f" + {b}" for b in bias)


@dataclass(frozen=True, slots=True)
class ScaleQuery(Op):
    """Queries times √(1/head_dim): the same as scores divided by √head_dim, but for rounding."""

    head_dim: int
    card: ClassVar[Card] = Card(elementwise=True, keeps_order=True, scales=True)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        return inputs[0] * math.sqrt(1.0 / float(self.head_dim))

    def bound(self, sizes: Sizes) -> float:
        return ROOM * math.sqrt(1.0 / float(self.head_dim)) * sizes.most(0)

    def write(self, *operands: str) -> str:
        return f"{operands[0]} · √(1/{self.head_dim})"

    @staticmethod
    def explain(element: Element) -> Explanation:
        """y = query · √(1/head_dim), as torch.nn scales before the product of queries and keys."""
        head_dim = int(element.options["head_dim"])
        x = element.one(0, element.index)
        factor = element.constant(f"√(1/{head_dim})", math.sqrt(1.0 / head_dim))
        terms = Terms([x.value * factor.value], lambda _: Term(x.value * factor.value, (x, factor)))
        formula = f"{element.input_name(0)}{at(*element.index)} · √(1/{head_dim})"
        return element.explain(formula, terms, bound=rounding.of_steps(element.value.dtype, 3, terms.magnitude))


@dataclass(frozen=True, slots=True)
class TokenFirstActivation(Op):
    """A function of each element alone, gone through tokens first: those left over after the last full vector register
    take another kernel, and which those are is a matter of order."""

    kind: str
    card: ClassVar[Card] = Card(elementwise=True)
    explain = staticmethod(Activation.explain)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        return ACTIVATIONS[self.kind][0](inputs[0].transpose(0, 1).contiguous(), out=None).transpose(0, 1)

    def bound(self, sizes: Sizes) -> float:
        return activation_bound(self.kind, sizes)

    def write(self, *operands: str) -> str:
        return ACTIVATIONS[self.kind][1].format(x=operands[0])
