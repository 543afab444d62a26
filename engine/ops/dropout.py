"""Dropout (Srivastava et al. 2014), as a program in training mode has it: a mask of its own, and its product with the value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..program.explanation import Explanation, Term, Terms
from ..program.kinds import Card
from . import rounding
from .base import Op, Out, Tensors
from .element import Element, at
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
        return kept.div_(1 - self.rate).to(
            x.device, non_blocking=True
        )  # what is not pinned is copied before it returns

    def bound(self, sizes: Sizes) -> float:
        return ROOM / (1 - self.rate) if self.rate < 1 else NO_RULE

    def write(self, *operands: str) -> str:
        return f"0 with probability {self.rate:g}, else {1 / (1 - self.rate):.6g}, for each of {operands[0]}"

    @staticmethod
    def explain(element: Element) -> Explanation:
        """0 if the draw said so, else 1 / (1 − rate)."""
        rate = float(element.options["rate"])
        value = 1 / (1 - rate) if element.stored else 0.0
        what = "kept" if element.stored else "dropped"
        kept = element.constant(f"1/(1 − {rate:g})", 1 / (1 - rate))
        terms = Terms([value], lambda _: Term(value, (kept,), what), 0)
        notes = [f"{what} by the draw of seed {element.options['seed']}, as one in {1 / rate:.4g} is dropped"]
        formula = f"0 with probability {rate:g}, else 1/(1 − {rate:g})"
        return element.explain(formula, terms, notes=notes, bound=rounding.of_steps(element.value.dtype, 2, value))


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

    @staticmethod
    def explain(element: Element) -> Explanation:
        """y = x · mask: 0 where the mask drops it, else x / (1 − rate)."""
        x, mask = element.one(0, element.index), element.one(1, element.index)
        terms = Terms([x.value * mask.value], lambda _: Term(x.value * mask.value, (x, mask)), 2)
        formula = f"{element.input_name(0)}{at(*element.index)} · {element.input_name(1)}{at(*element.index)}"
        return element.explain(formula, terms, bound=rounding.of_steps(element.value.dtype, 1, terms.magnitude))
