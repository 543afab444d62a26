"""The norm without a mean of T5 and its successors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..messages.errors import InputError
from ..program.explanation import Explanation, NamedSum, Term, Terms
from ..program.kinds import Card
from . import rounding
from .base import Op, Out, Tensors
from .element import ALL, Element, at
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

    @staticmethod
    def explain(element: Element) -> Explanation:
        """y = x / √(mean of x² + ε) · γ over the last axis (Zhang and Sennrich 2019, equation 4)."""
        *lead, j = element.index
        epsilon = float(element.options["epsilon"])
        name, dtype = element.input_name(0), element.value.dtype
        x = element.read(0, (*lead, ALL))
        with np.errstate(all="ignore"):
            squares = x * x / len(x)

        def part_of_mean(i: int) -> Term:
            return Term(squares[i], (element.operand(0, (*lead, i), x[i]),), "x² / n")

        row = Terms(squares, part_of_mean)
        root = math.sqrt(row.total + epsilon)
        inverse = 1 / root if root else math.inf
        normal = float(x[j]) * inverse
        facts = {"x": float(x[j]), "mean of x²": row.total, "ε": epsilon, "1/√(mean + ε)": inverse}
        formula = f"{name}{at(*element.index)} / √(mean of {name}{at(*lead, 'k')}² + {epsilon:g})"
        formula += f" · {element.symbol(0, 'γ')}{at(j)}"
        parts = [NamedSum(f"mean Σₖ {name}{at(*lead, 'k')}² / {len(x)}", row)]
        try:
            gamma = element.parameter(0, "γ", (j,), float(element.weight(0, (j,))))
        except InputError as error:
            return element.explain(formula, None, parts, facts, [str(error)])
        value = normal * gamma.value
        operand = element.operand(0, (*lead, j), x[j])
        terms = Terms([value], lambda _: Term(value, (operand, gamma), "x / √(mean of x² + ε) · γ"))
        # The mean of squares and its root are in float32 whatever the dtype; a half may round what was normalised.
        narrow = max(rounding.unit(dtype), rounding.UNIT["float32"])
        bound = rounding.gamma(len(x) / 2 + 6, rounding.UNIT["float32"]) * abs(value) + 3 * narrow * abs(value)
        tiny = rounding.TINY.get(dtype, 0.0)
        bound += abs(gamma.value) * tiny
        return element.explain(formula, terms, parts, facts | {"γ": gamma.value}, bound=bound + tiny)


def is_half(dtype: torch.dtype) -> bool:
    """Whether numbers of that dtype take two bytes."""
    return dtype in (torch.float16, torch.bfloat16)
