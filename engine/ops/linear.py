"""Products with a weight matrix, sums and norms."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..messages.errors import InputError
from ..program.explanation import Explanation, NamedSum, Operand, Term, Terms, exact_sum
from ..program.kinds import Card, Products
from ..program.stage import Shape
from . import rounding
from .base import Op, Out, Tensors
from .element import ALL, Element, at
from .lazy import functional, torch
from .sizes import ROOM, Sizes, of_sum, of_weight

# The call that norms into given memory takes 36 microseconds more than the plain one; page faults cost more than that
# only for a result of a megabyte (measured on 2 cores of an AMD EPYC, 2026-11-22).
WORTH_A_BUFFER = 1 << 18


@dataclass(frozen=True, slots=True)
class Linear(Op):
    """x · Wᵀ + b, as `torch.nn.Linear`: (..., in) and (out, in) -> (..., out); the bias may be absent."""

    symbols: ClassVar[tuple[str, ...]] = ("W", "b")
    card: ClassVar[Card] = Card(products=Products.WEIGHT, weight_axes=("out", "in"), factors="...k,jk->...j")

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        (x,), (matrix, *bias) = inputs, weights
        memory = out()
        if x.dtype != matrix.dtype:  # only where T5 keeps a matrix in float32, and then it brings x to that
            x = x.to(matrix.dtype)
        if memory is None and x.is_contiguous():
            return functional.linear(x, matrix, bias[0] if bias else None)
        flat = None if memory is None else memory.view(-1, matrix.shape[0])
        rows = x.reshape(-1, matrix.shape[1])
        # `functional.linear` comes down to these very calls where rows lie together, but has no `out=`.
        y = torch.addmm(bias[0], rows, matrix.t(), out=flat) if bias else torch.mm(rows, matrix.t(), out=flat)
        return y.view(*x.shape[:-1], matrix.shape[0])

    def bound(self, sizes: Sizes) -> float:
        return of_weight(sizes)

    def shape(self, inputs: Sequence[Shape], weights: Sequence[Shape]) -> Shape:
        return (*inputs[0][:-1], weights[0][0])

    def result_dtype(
        self, inputs: Sequence[torch.dtype], weights: Sequence[torch.dtype], dtype: torch.dtype
    ) -> torch.dtype:
        return weights[0]

    def write(self, *operands: str) -> str:
        x, matrix, *bias = operands
        return f"{x} · {matrix}ᵀ" + "".join(f" + {b}" for b in bias)

    @staticmethod
    def explain(element: Element) -> Explanation:
        """y[j] = Σₖ x[k] · W[j, k] + b[j] (`torch.nn.Linear`)."""
        *lead, j = element.index
        x = element.read(0, (*lead, ALL))
        name, matrix = element.input_name(0), element.symbol(0, "W")
        formula = f"Σₖ {name}{at(*lead, 'k')} · {matrix}{at(j, 'k')}"
        biased = len(element.stage.weights) > 1
        if biased:
            formula += f" + {element.symbol(1, 'b')}{at(j)}"
        try:
            w, b = element.weight(0, (j, ALL)), float(element.weight(1, (j,))) if biased else 0.0
        except InputError as error:
            single = Terms(x, lambda k: Term(x[k], (element.operand(0, (*lead, k), x[k]),)))
            return element.explain(
                formula, None, [NamedSum(f"inputs {name}{at(*lead, 'k')}", single)], notes=[str(error)]
            )
        with np.errstate(all="ignore"):
            values = np.append(x * w, [b] * biased)

        def make(k: int) -> Term:
            if k == len(x):
                return Term(b, (element.parameter(1, "b", (j,), b),))
            return Term(values[k], (element.operand(0, (*lead, k), x[k]), element.parameter(0, "W", (j, k), w[k])))

        terms = Terms(values, make, np.append(np.ones(len(x), np.int64), [0] * biased), (x, w))
        bound = rounding.of_products(element.value.dtype, terms, element.stored, b)
        return element.explain(formula, terms, bound=bound)


@dataclass(frozen=True, slots=True)
class Sum(Op):
    """The inputs added from left to right, all of one shape; where dtypes differ, in the wider."""

    card: ClassVar[Card] = Card(elementwise=True, adds_inputs=True)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        total = torch.add(inputs[0], inputs[1], out=out())
        for more in inputs[2:]:
            total = torch.add(total, more, out=total)
        return total

    def bound(self, sizes: Sizes) -> float:
        return of_sum(sizes)

    def result_dtype(
        self, inputs: Sequence[torch.dtype], weights: Sequence[torch.dtype], dtype: torch.dtype
    ) -> torch.dtype:
        return functools.reduce(torch.promote_types, inputs)

    def write(self, *operands: str) -> str:
        return " + ".join(operands)

    @staticmethod
    def explain(element: Element) -> Explanation:
        """The inputs added from left to right."""
        operands = [element.one(number, element.index) for number in range(len(element.stage.inputs))]
        terms = Terms([operand.value for operand in operands], lambda i: Term(operands[i].value, (operands[i],)))
        place = at(*element.index)
        formula = " + ".join(f"{element.input_name(number)}{place}" for number in range(len(operands)))
        return element.explain(formula, terms, bound=rounding.of_additions(element.value.dtype, terms))


@dataclass(frozen=True, slots=True)
class Multiply(Op):
    """A number of the program times every element: √hidden times an embedding (Vaswani et al. 2017, section 3.4).

    Attributes:
        factor: the number.
        written: how a formula writes it: `√512`.
    """

    factor: float
    written: str
    card: ClassVar[Card] = Card(elementwise=True, scales=True)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        return torch.mul(inputs[0], self.factor, out=out())

    def bound(self, sizes: Sizes) -> float:
        return ROOM * abs(self.factor) * sizes.most(0)

    def write(self, *operands: str) -> str:
        return f"{self.written} · {operands[0]}"

    @staticmethod
    def explain(element: Element) -> Explanation:
        """y = c · x, with a number c of the program."""
        x = element.one(0, element.index)
        factor = element.constant(str(element.options["written"]), float(element.options["factor"]))
        terms = Terms([x.value * factor.value], lambda _: Term(x.value * factor.value, (factor, x)))
        formula = f"{factor.name} · {element.input_name(0)}{at(*element.index)}"
        return element.explain(formula, terms, bound=rounding.of_steps(element.value.dtype, 3, terms.magnitude))


@dataclass(frozen=True, slots=True)
class LayerNorm(Op):
    """(x − mean) / √(variance + ε) · γ + β over the last axis (Ba, Kiros and Hinton 2016), as `torch.nn.LayerNorm`.

    β may be absent.

    Attributes:
        epsilon: ε.
        single: step by step in place of torch's kernel, and up to the quotient in float32 whatever the dtype, as transformers'
            `DebertaLayerNorm`.
    """

    epsilon: float
    single: bool = False
    symbols: ClassVar[tuple[str, ...]] = ("γ", "β")
    card: ClassVar[Card] = Card(standardised=True)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        (x,), (gamma, *more) = inputs, weights
        beta = more[0] if more else None
        if self.single:
            return self._stepwise(x, gamma, more, out)
        memory = out() if x.numel() >= WORTH_A_BUFFER else None
        if memory is None:
            return functional.layer_norm(x, x.shape[-1:], gamma, beta, self.epsilon)
        # torch's kernel gives mean and 1/deviation as well; here they are thrown away.
        few = x.new_empty((*x.shape[:-1], 1)), x.new_empty((*x.shape[:-1], 1))
        size = [x.shape[-1]]
        torch.ops.aten.native_layer_norm.out(x, size, gamma, beta, self.epsilon, out0=memory, out1=few[0], out2=few[1])
        return memory

    def _stepwise(self, x: torch.Tensor, gamma: torch.Tensor, beta: Tensors, out: Out) -> torch.Tensor:
        wide = x.float()
        mean = wide.mean(-1, keepdim=True)
        variance = (wide - mean).pow(2).mean(-1, keepdim=True)
        normal = ((wide - mean) / torch.sqrt(variance + self.epsilon)).to(x.dtype)
        return torch.add(gamma * normal, beta[0], out=out()) if beta else torch.mul(gamma, normal, out=out())

    def write(self, *operands: str) -> str:
        x, gamma, *beta = operands
        return f"({x} − mean) / √(variance + {self.epsilon:g}) · {gamma}" + "".join(f" + {b}" for b in beta)

    @staticmethod
    def explain(element: Element) -> Explanation:
        """y = (x − mean) / √(variance + ε) · γ + β over the last axis (Ba, Kiros and Hinton 2016, equation 4).

        The variance is the mean of (x − mean)², not that over n − 1.
        """
        *lead, j = element.index
        epsilon = float(element.options["epsilon"])
        name = element.input_name(0)
        x = element.read(0, (*lead, ALL))
        with np.errstate(all="ignore"):
            mean = exact_sum(x) / len(x)
            squares = (x - mean) ** 2 / len(x)

        def part_of_variance(i: int) -> Term:
            return Term(squares[i], (element.operand(0, (*lead, i), x[i]),), "(x − mean)² / n")

        spread = Terms(squares, part_of_variance)
        variance = spread.total
        root = math.sqrt(variance + epsilon)
        inverse = 1 / root if root else math.inf
        normal = (float(x[j]) - mean) * inverse
        facts = {"x": float(x[j]), "mean": mean, "variance": variance, "ε": epsilon, "1/√(variance + ε)": inverse}
        symbols = [element.symbol(number, "γβ"[number]) for number in range(len(element.stage.weights))]
        formula = f"({name}{at(*element.index)} − mean) / √(variance + {epsilon:g})"
        formula += "".join(f" {sign} {symbol}{at(j)}" for sign, symbol in zip("·+", symbols, strict=False))
        parts = [NamedSum(f"variance Σₖ ({name}{at(*lead, 'k')} − mean)² / {len(x)}", spread)]
        try:
            affine = [
                element.parameter(number, symbol, (j,), float(element.weight(number, (j,))))
                for number, symbol in enumerate(symbols)
            ]
        except InputError as error:
            return element.explain(formula, None, parts, facts | {"(x − mean) / √(variance + ε)": normal}, [str(error)])
        facts |= {operand.place[0]: operand.value for operand in affine}
        terms = _affine(element.operand(0, (*lead, j), x[j]), normal, affine)
        gamma, beta = (*(abs(operand.value) for operand in affine), *(1.0, 0.0)[len(affine) :])
        with np.errstate(all="ignore"):
            size = float(gamma * inverse * (abs(x[j]) + abs(mean) + np.abs(x).mean()) + beta)
        bound = math.nan
        if math.isfinite(size) and math.isfinite(variance):
            spread_here, dtype = gamma * abs(normal), element.value.dtype
            stepwise = bool(element.options.get("single"))
            inner = "float32" if stepwise and dtype == "float64" else dtype
            bound = rounding.of_norm(inner, size, spread_here, mean, variance, epsilon, len(x))
            bound += rounding.of_steps(dtype, 2, spread_here) if stepwise else 0.0  # quotient and product, rounded too
        return element.explain(formula, terms, parts, facts, bound=bound)


def _affine(x: Operand, normal: float, affine: list[Operand]) -> Terms:
    """γ times what was normalised, and β, where the layer norm has them."""
    how = "(x − mean) / √(variance + ε)" + " · γ" * bool(affine)
    value = normal * (affine[0].value if affine else 1.0)
    pair = [Term(value, (x, *affine[:1]), how), *(Term(beta.value, (beta,)) for beta in affine[1:])]
    return Terms([term.value for term in pair], pair.__getitem__, [1, 0][: len(pair)])
