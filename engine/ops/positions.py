"""Positions that are computed: waves instead of learned ones, and places that skip padding."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from ..program.kinds import Card
from ..program.stage import Shape
from .base import Op, Out, Tensors
from .lazy import torch

LONGEST_WAVE = 10000.0


@dataclass(frozen=True, slots=True)
class Sinusoid(Op):
    """PE(p, 2i) = sin(p / 10000^(2i/d)) and PE(p, 2i+1) = cos of the same (Vaswani et al. 2017, section 3.5).

    (batch, token) -> (batch, token, hidden). The waves are computed in float32, as the reference implementations do.

    Attributes:
        hidden: d, how many features.
        dtype: of the result.
    """

    hidden: int
    dtype: str
    card: ClassVar[Card] = Card(elementwise=True, single=True, may_be_alike=True)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        (positions,) = inputs
        steps = torch.arange(0, self.hidden, 2, device=positions.device, dtype=torch.float32)
        speed = torch.exp(steps * (-math.log(LONGEST_WAVE) / self.hidden))  # (hidden / 2,)
        angle = positions.to(torch.float32).unsqueeze(-1) * speed  # (batch, token, hidden / 2)
        waves = torch.stack((torch.sin(angle), torch.cos(angle)), dim=-1).flatten(
            -2
        )  # (batch, token, hidden, rounded up)
        return waves[..., : self.hidden].to(getattr(torch, self.dtype))

    def shape(self, inputs: Sequence[Shape], weights: Sequence[Shape]) -> Shape:
        return (*inputs[0], self.hidden)

    def write(self, *operands: str) -> str:
        return f"sin and cos of {operands[0]} / 10000^(2i/{self.hidden}), in turns"


@dataclass(frozen=True, slots=True)
class PositionsAfterPadding(Op):
    """The how-manieth token that is not padding, plus the padding's id; padding stays at that: (batch, token) -> the same.

    As `create_position_ids_from_input_ids` of transformers' RoBERTa and MPNet.

    Attributes:
        padding: the padding's id.
    """

    padding: int
    card: ClassVar[Card] = Card(whole_numbers=True)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        seen = inputs[0].ne(self.padding).to(torch.int64)
        return torch.add(torch.cumsum(seen, dim=1) * seen, self.padding, out=out())

    def highest(self, tokens: int, rows: int) -> int | None:
        return rows - 1

    def write(self, *operands: str) -> str:
        return f"{self.padding} + which token it is, from 1, of those in {operands[0]} that are not {self.padding}; {self.padding} where it is {self.padding}"
