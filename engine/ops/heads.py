"""What stands on top of an encoder: pooling, predictions, sentence embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from ..program.kinds import Card
from ..program.stage import Shape
from .base import Op, Out, Tensors
from .lazy import torch


@dataclass(frozen=True, slots=True)
class FirstToken(Op):
    """The first token's vector: (batch, token, hidden) -> (batch, hidden)."""

    card: ClassVar[Card] = Card(moves=True, elementwise=True, takes_no_memory=True, may_be_alike=True)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        return inputs[0][:, 0]

    def shape(self, inputs: Sequence[Shape], weights: Sequence[Shape]) -> Shape:
        return (inputs[0][0], inputs[0][2])

    def write(self, *operands: str) -> str:
        return f"{operands[0]} at token 0"


@dataclass(frozen=True, slots=True)
class Pick(Op):
    """One column of the last axis: (batch, token, label) -> (batch, token)."""

    place: int
    which: str = ""
    card: ClassVar[Card] = Card(moves=True, elementwise=True, takes_no_memory=True, may_be_alike=True)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        return inputs[0][..., self.place]

    def shape(self, inputs: Sequence[Shape], weights: Sequence[Shape]) -> Shape:
        return inputs[0][:-1]

    def write(self, *operands: str) -> str:
        return f"{operands[0]} at {self.which or self.place}"


@dataclass(frozen=True, slots=True)
class Best(Op):
    """Places of the largest entries of the last axis, best first: (batch, token, vocabulary) -> (batch, token, rank)."""

    count: int
    of: str = "ids"
    card: ClassVar[Card] = Card(whole_numbers=True, may_be_alike=True)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        return torch.topk(inputs[0], min(self.count, inputs[0].shape[-1]), dim=-1).indices

    def shape(self, inputs: Sequence[Shape], weights: Sequence[Shape]) -> Shape:
        return (*inputs[0][:-1], min(self.count, inputs[0][-1]))

    def write(self, *operands: str) -> str:
        return f"{self.of} of the {self.count} largest of {operands[0]}"


@dataclass(frozen=True, slots=True)
class Normalize(Op):
    """A vector divided by its Euclidean length, as `torch.nn.functional.normalize`."""

    card: ClassVar[Card] = Card()

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        return torch.nn.functional.normalize(inputs[0], p=2, dim=-1)

    def write(self, *operands: str) -> str:
        return f"{operands[0]} / ‖{operands[0]}‖"
