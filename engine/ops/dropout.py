"""Dropout (Srivastava et al. 2014), as a program in training mode has it: a mask of its own, and its product with the value."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from .base import Op, Out, Tensors


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

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        (x,) = inputs
        if x.device.type == "meta":
            return torch.empty_like(x)
        generator = torch.Generator().manual_seed(self.seed)
        kept = torch.empty(x.shape, dtype=x.dtype).bernoulli_(1 - self.rate, generator=generator)
        return kept.div_(1 - self.rate).to(x.device)

    def write(self, *operands: str) -> str:
        return f"0 with probability {self.rate:g}, else {1 / (1 - self.rate):.6g}, for each of {operands[0]}"


@dataclass(frozen=True, slots=True)
class Dropout(Op):
    """The value times its mask: what is left stands for what is dropped, so that the mean stays."""

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        return torch.mul(inputs[0], inputs[1], out=out())

    def write(self, *operands: str) -> str:
        return " · ".join(operands)
