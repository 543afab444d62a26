"""What gated feed-forward networks multiply, and what keeps float16 from infinity."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from ..program.explanation import Explanation, Term, Terms
from ..program.kinds import Card
from . import rounding
from .base import Op, Out, Tensors
from .element import Element, at
from .lazy import torch
from .sizes import ROOM, Sizes

HEADROOM = 1000.0


@dataclass(frozen=True, slots=True)
class Gate(Op):
    """Two tensors multiplied element by element: act(x · W) ⊗ x · V (Shazeer 2020, GLU Variants Improve Transformer)."""

    card: ClassVar[Card] = Card(elementwise=True)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        return torch.mul(inputs[0], inputs[1], out=out())

    def bound(self, sizes: Sizes) -> float:
        return ROOM * sizes.most(0) * sizes.most(1)

    def write(self, *operands: str) -> str:
        return " ⊗ ".join(operands)

    @staticmethod
    def explain(element: Element) -> Explanation:
        """y = a · b."""
        pair = (element.one(0, element.index), element.one(1, element.index))
        value = pair[0].value * pair[1].value
        terms = Terms([value], lambda _: Term(value, pair), 2)
        formula = " · ".join(f"{element.input_name(number)}{at(*element.index)}" for number in (0, 1))
        return element.explain(formula, terms, bound=rounding.of_steps(element.value.dtype, 1, abs(value)))


@dataclass(frozen=True, slots=True)
class ClampInfinite(Op):
    """If any element is infinite, all brought to within 1000 of the largest number of the dtype, as T5 does in float16.

    Attributes:
        when: `infinite`; `not finite`, which NaN is as well, as BART has it; `always`, as M2M100 has it.
    """

    when: str = "infinite"

    card: ClassVar[Card] = Card(elementwise=True)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        (x,) = inputs
        largest = torch.finfo(x.dtype).max
        if self.when == "always":
            return torch.clamp(x, min=HEADROOM - largest, max=largest - HEADROOM, out=out())
        beyond = torch.isinf(x).any() if self.when == "infinite" else ~torch.isfinite(x).all()
        most = torch.where(beyond, largest - HEADROOM, largest)
        return torch.clamp(x, min=-most, max=most, out=out())

    def write(self, *operands: str) -> str:
        when = {"infinite": " if any is infinite", "not finite": " if any is not finite", "always": ""}[self.when]
        return f"{operands[0]}, brought to within {HEADROOM:g} of the largest number{when}"

    @staticmethod
    def explain(element: Element) -> Explanation:
        """The same number, unless any of the tensor is infinite: then it is brought within a limit."""
        x = element.one(0, element.index)
        always = element.options.get("when") == "always"
        most = 65504.0 - 1000.0 if always or not math.isfinite(x.value) else 65504.0
        value = x.value if math.isnan(x.value) else min(max(x.value, -most), most)
        terms = Terms([value], lambda _: Term(value, (x,)))
        changed = abs(x.value) > 64504.0 or math.isinf(x.value)
        notes = ["brought into range"] if element.stored != x.value else ["in range as it is"]
        return element.explain(f"{x.place}, within ±{most:g}", terms, notes=notes, bound=1000.0 if changed else 0.0)
