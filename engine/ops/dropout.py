"""Dropout (Srivastava et al. 2014), as a program in training mode has it: a mask of its own, and its product with the value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..program.kinds import Card
from .base import Op, Out, Tensors
from .lazy import torch
from .sizes import NO_RULE, ROOM, Sizes


@dataclass(frozen=True, slots=True)
class DropoutMask(Op):
    """0 with probability `rate`, else 1 / (1 − rate), for every element of the input; drawn as `torch.nn.Dropout` draws it.

    The draw comes from the stage's own seed, on the CPU, so that a mask that was evicted comes out the same, on any device.

    Attributes:
        rate: how likely an element is dropped, 0 to 1.
        seed: of the draw.
    """

    rate: float
    seed: int
    card: ClassVar[Card] = Card(elementwise=True, may_be_alike=True)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        (x,) = inputs
        if x.device.type == "meta":
            return torch.empty_like(x)
        generator = torch.Generator().manual_seed(self.seed)
        kept = torch.empty(x.shape, dtype=x.dtype).bernoulli_(1 - self.rate, generator=generator)
        return kept.div_(1 - self.rate).to(x.device)

    def bound(self, sizes: Sizes) -> float:
        return ROOM / (1 - self.rate) if self.rate < 1 else NO_RULE

    def write(self, *operands: str) -> str:
        return f"0 with probability {self.rate:g}, else {1 / (1 - self.rate):.6g}, for each of {operands[0]}"


@dataclass(frozen=True, slots=True)
class Dropout(Op):
    """The value times its mask: what is left stands for what is dropped, so that the mean stays."""

    card: ClassVar[Card] = Card(elementwise=True)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        return torch.mul(inputs[0], inputs[1], out=out())

    def bound(self, sizes: Sizes) -> float:
        return ROOM * sizes.most(0) * sizes.most(1)

    def write(self, *operands: str) -> str:
        return " · ".join(operands)
