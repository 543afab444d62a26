"""The operations of attention (Vaswani et al. 2017), each its own stage; those with rows never need the whole square."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from ..program.kinds import Card, Products
from ..program.stage import Shape
from .base import Op, Out, Tensors
from .lazy import torch
from .sizes import NO_RULE, ROOM, Sizes, largest, of_product

# Added to the most negative float32, numbers below this leave it as it is.
LOST_BESIDE_A_MASK = 1e30


@dataclass(frozen=True, slots=True)
class SplitHeads(Op):
    """(batch, token, hidden) -> (batch, head, token, head_dim): the same numbers seen another way.

    Attributes:
        heads: how many.
        apart: copied, so that the numbers of each head lie together. Products of these may differ in their last bits
            from those of heads that are not, so it is done where the reference does it.
    """

    heads: int
    apart: bool = False
    card: ClassVar[Card] = Card(moves=True, elementwise=True, keeps_order=True, takes_no_memory=True, may_be_alike=True)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        (x,) = inputs
        heads = x.view(*x.shape[:-1], self.heads, x.shape[-1] // self.heads).transpose(1, 2)
        return heads.contiguous() if self.apart else heads

    def shape(self, inputs: Sequence[Shape], weights: Sequence[Shape]) -> Shape:
        batch, tokens, hidden = inputs[0]
        return (batch, self.heads, tokens, hidden // self.heads)

    def write(self, *operands: str) -> str:
        return f"{operands[0]} cut into {self.heads} heads"


@dataclass(frozen=True, slots=True)
class Scores(Op):
    """Q · Kᵀ, raw: (batch, head, query, head_dim) and (batch, head, key, head_dim) -> (batch, head, query, key)."""

    rows: ClassVar[tuple[bool, ...] | None] = (True, False)
    card: ClassVar[Card] = Card(products=Products.ROW)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        query, key = inputs
        return torch.matmul(query, key.transpose(2, 3), out=out())

    def bound(self, sizes: Sizes) -> float:
        return of_product(sizes)

    def shape(self, inputs: Sequence[Shape], weights: Sequence[Shape]) -> Shape:
        return (*inputs[0][:-1], inputs[1][-2])

    def write(self, *operands: str) -> str:
        query, key = operands
        return f"{query} · {key}ᵀ"


@dataclass(frozen=True, slots=True)
class Scale(Op):
    """Scores times 1/√head_dim, so that their deviation does not grow with the size of a head."""

    head_dim: int
    rows: ClassVar[tuple[bool, ...] | None] = (True,)
    card: ClassVar[Card] = Card(elementwise=True, keeps_order=True)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        return torch.mul(inputs[0], self.head_dim**-0.5, out=out())

    def bound(self, sizes: Sizes) -> float:
        return ROOM * self.head_dim**-0.5 * sizes.most(0)

    def write(self, *operands: str) -> str:
        return f"{operands[0]} / √{self.head_dim}"


@dataclass(frozen=True, slots=True)
class AddMask(Op):
    """Scaled scores plus the additive mask; the very same tensor where the mask is the zeros that take no memory."""

    rows: ClassVar[tuple[bool, ...] | None] = (True, True)
    card: ClassVar[Card] = Card(elementwise=True, may_be_infinite=True, hides=True)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        scaled, mask = inputs
        if not any(mask.stride()):  # expanded from one zero: see AdditiveMask
            return scaled
        return torch.add(scaled, mask, out=out())

    def bound(self, sizes: Sizes) -> float:
        scores, mask = sizes.most(0), sizes.most(1)
        together, limit = ROOM * (scores + mask), largest(sizes.dtype)
        lost = sizes.dtype == torch.float32 and scores < LOST_BESIDE_A_MASK
        # Zeros and the most negative number overflow by no score that is small beside it.
        return limit if together > limit >= mask and lost and sizes.highest(1) <= 0 else together

    def write(self, *operands: str) -> str:
        return " + ".join(operands)


@dataclass(frozen=True, slots=True)
class Softmax(Op):
    """exp(x) / Σ exp(x) over the last axis; the largest x is taken off first, so that nothing overflows.

    Attributes:
        over: what that axis is.
        single: whether it is computed in float32 whatever the dtype, as ViT, CLIP and ModernBERT do it. (torch's own softmax
            of float16 adds in float32 as well, but rounds a few weights otherwise.)
    """

    over: str = "key"
    single: bool = False
    rows: ClassVar[tuple[bool, ...] | None] = (True,)
    card: ClassVar[Card] = Card(shares=True, may_be_alike=True)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        memory = out()
        if self.single and inputs[0].dtype != torch.float32:
            return torch.softmax(inputs[0], -1, dtype=torch.float32).to(inputs[0].dtype)
        return torch.softmax(inputs[0], -1) if memory is None else torch.softmax(inputs[0], -1, out=memory)

    def bound(self, sizes: Sizes) -> float:
        return ROOM if math.isfinite(sizes.most(0)) else NO_RULE  # NaN where all of a row are -inf

    def write(self, *operands: str) -> str:
        return f"softmax({operands[0]}) over {self.over}"


@dataclass(frozen=True, slots=True)
class Context(Op):
    """Weighted sum of values: (batch, head, query, key) and (batch, head, key, head_dim) -> (batch, head, token, head_dim)."""

    rows: ClassVar[tuple[bool, ...] | None] = (True, False)
    card: ClassVar[Card] = Card(products=Products.ROW)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        return torch.matmul(inputs[0], inputs[1], out=out())

    def bound(self, sizes: Sizes) -> float:
        return of_product(sizes)

    def shape(self, inputs: Sequence[Shape], weights: Sequence[Shape]) -> Shape:
        return (*inputs[0][:-1], inputs[1][-1])

    def write(self, *operands: str) -> str:
        return " · ".join(operands)


@dataclass(frozen=True, slots=True)
class Concat(Op):
    """Heads side by side: (batch, head, token, head_dim) -> (batch, token, hidden)."""

    card: ClassVar[Card] = Card(moves=True, elementwise=True, keeps_order=True, may_be_alike=True)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        (x,) = inputs
        batch, heads, tokens, size = x.shape
        apart = x.transpose(1, 2)  # (batch, token, head, head_dim)
        memory = out()
        if memory is None:
            return apart.reshape(batch, tokens, heads * size)
        memory.view(batch, tokens, heads, size).copy_(apart)
        return memory

    def shape(self, inputs: Sequence[Shape], weights: Sequence[Shape]) -> Shape:
        batch, heads, tokens, size = inputs[0]
        return (batch, tokens, heads * size)

    def write(self, *operands: str) -> str:
        return f"heads of {operands[0]} side by side"
