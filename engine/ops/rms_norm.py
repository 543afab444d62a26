"""The norm without a mean of T5 and its successors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from ..program.kinds import Card
from .base import Op, Out, Tensors
from .lazy import functional, torch


@dataclass(frozen=True, slots=True)
class RMSNorm(Op):
    """x / √(mean of x² + ε) · γ over the last axis (Zhang and Sennrich 2019), as transformers' `T5LayerNorm`.

    The mean of squares is taken in float32, in float64 too; below float32 the normalised numbers are rounded to the dtype
    of γ before they are multiplied with it.

    Attributes:
        epsilon: ε.
        fused: as `torch.nn.RMSNorm` instead, which takes the mean in the dtype's own precision and rounds once, at the end.
    """

    epsilon: float
    fused: bool = False
    symbols: ClassVar[tuple[str, ...]] = ("γ",)
    card: ClassVar[Card] = Card(single=True)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        (x,), (gamma,) = inputs, weights
        if self.fused:
            return functional.rms_norm(x, x.shape[-1:], gamma, self.epsilon)
        squares = x.to(torch.float32).pow(2).mean(-1, keepdim=True)
        normal = x * torch.rsqrt(squares + self.epsilon)
        if is_half(gamma.dtype):
            normal = normal.to(gamma.dtype)
        return torch.mul(gamma, normal, out=out())

    def result_dtype(
        self, inputs: Sequence[torch.dtype], weights: Sequence[torch.dtype], dtype: torch.dtype
    ) -> torch.dtype:
        return weights[0] if is_half(weights[0]) else torch.promote_types(inputs[0], weights[0])

    def write(self, *operands: str) -> str:
        x, gamma = operands
        return f"{x} / √(mean of {x}² + {self.epsilon:g}) · {gamma}"


def is_half(dtype: torch.dtype) -> bool:
    """Whether numbers of that dtype take two bytes."""
    return dtype in (torch.float16, torch.bfloat16)
