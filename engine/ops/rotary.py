"""Rotary positions (Su et al. 2021), and projections that lie side by side in one product."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from ..program.kinds import Card
from ..program.stage import Shape
from .base import Op, Out, Tensors
from .lazy import torch
from .sizes import ROOM, Sizes


@dataclass(frozen=True, slots=True)
class RotaryTable(Op):
    """cos or sin of the angles that positions turn by: (batch, token) -> (batch, token, head_dim).

    Pair i of a head turns by position · theta^(−2i / head_dim); the pair is elements i and i + head_dim / 2, so each
    angle stands twice. Computed in float32 and rounded to the dtype, as in transformers' rotary embeddings.

    Attributes:
        function: `cos` or `sin`.
        theta: the base; large for long contexts.
        head_dim: elements of a head, an even number.
        dtype: of the result.
    """

    function: str
    theta: float
    head_dim: int
    dtype: str
    card: ClassVar[Card] = Card(elementwise=True, single=True, turns=True, may_be_alike=True)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        (positions,) = inputs
        # on the CPU and then moved, as transformers does it: powers differ in the last bit between devices
        powers = torch.arange(0, self.head_dim, 2, dtype=torch.float) / self.head_dim
        frequencies = (1.0 / (self.theta**powers)).to(positions.device, non_blocking=True)
        angles = positions[..., None].float() * frequencies  # (batch, token, head_dim / 2)
        twice = torch.cat((angles, angles), dim=-1)  # (batch, token, head_dim)
        return (twice.cos() if self.function == "cos" else twice.sin()).to(getattr(torch, self.dtype))

    def shape(self, inputs: Sequence[Shape], weights: Sequence[Shape]) -> Shape:
        return (*inputs[0], self.head_dim)

    def write(self, *operands: str) -> str:
        return f"{self.function}({operands[0]} · {self.theta:g}^(−2i/{self.head_dim})) for pair i"


@dataclass(frozen=True, slots=True)
class Rotate(Op):
    """Each pair of a head turned by its angle: x · cos + half(x) · sin, where half(x) = (−x₂, x₁).

    (batch, head, token, head_dim) with cos and sin (batch, token, head_dim) -> the same shape.

    Attributes:
        upcast: whether x is brought to float32 first and the result back to its dtype, as ModernBERT does it.
    """

    upcast: bool = False
    card: ClassVar[Card] = Card(elementwise=True, turns=True)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        x, cos, sin = inputs
        cos, sin = cos.unsqueeze(1), sin.unsqueeze(1)  # (batch, 1, token, head_dim)
        wide = x.float() if self.upcast else x
        half = wide.shape[-1] // 2
        other = torch.cat((-wide[..., half:], wide[..., :half]), dim=-1)
        return ((wide * cos) + (other * sin)).to(x.dtype)

    def bound(self, sizes: Sizes) -> float:
        return ROOM * sizes.most(0) * (sizes.most(1) + sizes.most(2))

    def write(self, *operands: str) -> str:
        x, cos, sin = operands
        return f"{x} · {cos} + (−{x}₂, {x}₁) · {sin}"


@dataclass(frozen=True, slots=True)
class Part(Op):
    """One of several equal parts of the last axis: (batch, token, of · size) -> (batch, token, size).

    Attributes:
        number: which one, counted from 0.
        of: how many there are.
        copied: whether it is copied, tokens before batch in memory, as torch.nn does it; otherwise it is a view.
    """

    number: int
    of: int
    copied: bool = False
    card: ClassVar[Card] = Card(moves=True, elementwise=True, takes_no_memory=True, may_be_alike=True)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        part = inputs[0].chunk(self.of, dim=-1)[self.number]
        return part.transpose(0, 1).contiguous().transpose(0, 1) if self.copied else part

    def shape(self, inputs: Sequence[Shape], weights: Sequence[Shape]) -> Shape:
        return (*inputs[0][:-1], inputs[0][-1] // self.of)

    def write(self, *operands: str) -> str:
        return f"part {self.number + 1} of {self.of} of {operands[0]}"
