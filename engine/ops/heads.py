"""What stands on top of an encoder: pooling, predictions, sentence embeddings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..program.explanation import Explanation, NamedSum, Term, Terms
from ..program.kinds import Card
from ..program.stage import Shape
from . import rounding
from .base import Op, Out, Tensors
from .element import ALL, Element, at
from .lazy import torch
from .terms import same


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

    @staticmethod
    def explain(element: Element) -> Explanation:
        """x[j] = x[token 0, j]."""
        batch, j = element.index
        return same(element, (batch, 0, j), "")


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

    @staticmethod
    def explain(element: Element) -> Explanation:
        """y[...] = x[..., place]."""
        return same(element, (*element.index, int(element.options["place"])), "")


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

    @staticmethod
    def explain(element: Element) -> Explanation:
        """The id at a rank: the place of the largest entry, of the next, and so on."""
        *lead, rank = element.index
        row = element.read(0, (*lead, ALL))
        number = int(element.stored)
        operand = element.operand(0, (*lead, number), row[number])
        larger = int((row > row[number]).sum())
        notes = [f"{larger} of {len(row):,} entries are larger; the number is the place of this one"]
        ids = np.asarray(element.value.read((*lead, ALL)))
        for other in (rank - 1, rank + 1):
            if 0 <= other < len(ids):
                word = f" {element.value.word(int(ids[other]))!r}" if element.value.holds_ids else ""
                notes.append(f"rank {other}: {ids[other]}{word} with {row[int(ids[other])]:.6g}")
        terms = Terms([element.stored], lambda _: Term(element.stored, (operand,), "place of"))
        which = f"number {rank + 1} by size" if rank else "the largest"
        formula = f"place of {which} among {element.input_name(0)}{at(*lead, 'v')}"
        return element.explain(formula, terms, notes=notes)


@dataclass(frozen=True, slots=True)
class Normalize(Op):
    """A vector divided by its Euclidean length, as `torch.nn.functional.normalize`."""

    card: ClassVar[Card] = Card()

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        return torch.nn.functional.normalize(inputs[0], p=2, dim=-1)

    def write(self, *operands: str) -> str:
        return f"{operands[0]} / ‖{operands[0]}‖"

    @staticmethod
    def explain(element: Element) -> Explanation:
        """y = x / ‖x‖ with ‖x‖ = √Σₖ x[k]², at least 1e-12 (`torch.nn.functional.normalize`)."""
        *lead, j = element.index
        name = element.input_name(0)
        x = element.read(0, (*lead, ALL))
        with np.errstate(all="ignore"):
            squares = x * x

        def part_of_length(i: int) -> Term:
            return Term(squares[i], (element.operand(0, (*lead, i), x[i]),), "x²")

        row = Terms(squares, part_of_length)
        length = math.sqrt(row.total)
        divisor = max(length, 1e-12) if not math.isnan(length) else length
        value = float(x[j]) / divisor
        operand = element.operand(0, (*lead, j), x[j])
        terms = Terms([value], lambda _: Term(value, (operand, element.constant("1/‖x‖", 1 / divisor))))
        formula = f"{name}{at(*element.index)} / √Σₖ {name}{at(*lead, 'k')}²"
        dtype = element.value.dtype
        bound = rounding.gamma(len(x) / 2 + 4, rounding.within(dtype)) * abs(value)
        bound += rounding.of_steps(dtype, 3, abs(value))
        parts = [NamedSum(f"length² Σₖ {name}{at(*lead, 'k')}²", row)]
        return element.explain(formula, terms, parts, {"length": length}, bound=bound)
