"""Rotary positions (Su et al. 2021), and projections that lie side by side in one product."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from ..program.explanation import Explanation, Term, Terms
from ..program.kinds import Card
from ..program.stage import Shape
from . import rounding
from .base import Op, Out, Tensors
from .element import Element, at
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
    card: ClassVar[Card] = Card(elementwise=True, single=True, by_position=True, turns=True, may_be_alike=True)

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

    @staticmethod
    def explain(element: Element) -> Explanation:
        """cos or sin of position · theta^(−2i/head_dim)."""
        batch, token, d = element.index
        function, theta = str(element.options["function"]), float(element.options["theta"])
        size = int(element.options["head_dim"])
        pair = d % (size // 2)
        position = element.one(0, (batch, token))
        frequency = theta ** (-2 * pair / size)
        angle = position.value * frequency
        value = math.cos(angle) if function == "cos" else math.sin(angle)
        terms = Terms([value], lambda _: Term(value, (position,), f"{function}(position · {frequency:.6g})"))
        formula = f"{function}({element.input_name(0)}{at(batch, token)} · {theta:g}^(−{2 * pair}/{size}))"
        facts = {"frequency": frequency, "angle": angle}
        # the frequency is a power and a quotient in float32, the angle a product: some 8 roundings of the angle's size
        bound = rounding.of_steps("float32", 8 * (abs(angle) + 1), 1.0)
        bound += rounding.of_steps(element.value.dtype, 1, abs(value))
        return element.explain(formula, terms, facts=facts, bound=bound)


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

    @staticmethod
    def explain(element: Element) -> Explanation:
        """y[d] = x[d] · cos[d] ∓ x[d ± head_dim/2] · sin[d] (Su et al. 2021, equation 34, pairs as transformers takes them)."""
        batch, head, token, d = element.index
        half = element.value.shape[-1] // 2
        first = d < half
        partner = d + half if first else d - half
        x, other = element.one(0, element.index), element.one(0, (batch, head, token, partner))
        cos, sin = (element.one(number, (batch, token, d)) for number in (1, 2))
        minus = (element.constant("−1", -1.0),) if first else ()
        pair = [
            Term(x.value * cos.value, (x, cos)),
            Term((-1 if first else 1) * other.value * sin.value, (*minus, other, sin)),
        ]
        terms = Terms([term.value for term in pair], pair.__getitem__, 2)
        name, turned = element.input_name(0), [element.input_name(number) for number in (1, 2)]
        formula = (
            f"{name}{at(*element.index)} · {turned[0]}{at(batch, token, d)} {'−' if first else '+'} "
            f"{name}{at(batch, head, token, partner)} · {turned[1]}{at(batch, token, d)}"
        )
        # with `upcast`, float64 goes through float32 as well
        dtype = "float32" if element.options.get("upcast") and element.value.dtype == "float64" else element.value.dtype
        angle = math.degrees(math.atan2(sin.value, cos.value))
        notes = [f"elements {min(d, partner)} and {max(d, partner)} are one pair, turned by {angle:.4g} degrees"]
        return element.explain(formula, terms, notes=notes, bound=rounding.of_steps(dtype, 4, terms.magnitude))


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

    @staticmethod
    def explain(element: Element) -> Explanation:
        """part[j] = x[number · size + j]."""
        *lead, j = element.index
        number, size = int(element.options["number"]), element.value.shape[-1]
        place = (*lead, number * size + j)
        operand = element.one(0, place)
        terms = Terms([operand.value], lambda _: Term(operand.value, (operand,)))
        formula = f"{element.input_name(0)}{at(*place)}    ({number} · {size} + {j} = {number * size + j})"
        return element.explain(formula, terms, notes=["the same number in another place"])
