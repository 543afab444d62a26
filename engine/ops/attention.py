"""The operations of attention (Vaswani et al. 2017), each its own stage; those with rows never need the whole square."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..program.explanation import Explanation, Floats, NamedSum, Term, Terms
from ..program.kinds import Card, Products
from ..program.stage import Shape
from . import rounding
from .base import Op, Out, Tensors
from .element import ALL, Element, at, clipped
from .lazy import torch
from .moments import Moments, MomentSources, of_square
from .sizes import NO_RULE, ROOM, Sizes, largest, of_product
from .terms import dot, same

# Added to the most negative float32, numbers below this leave it as it is.
LOST_BESIDE_A_MASK = 1e30


@dataclass(frozen=True, slots=True)
class SplitHeads(Op):
    """(batch, token, hidden) -> (batch, head, token, head_dim): the same numbers seen another way.

    Attributes:
        heads: how many.
        apart: copied, so that the numbers of each head lie together. Products of these may differ in their last bits
            from those of heads that are not, so it is done where the reference does it.
    """

    heads: int
    apart: bool = False
    card: ClassVar[Card] = Card(moves=True, elementwise=True, keeps_order=True, takes_no_memory=True, may_be_alike=True)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        (x,) = inputs
        heads = x.view(*x.shape[:-1], self.heads, x.shape[-1] // self.heads).transpose(1, 2)
        return heads.contiguous() if self.apart else heads

    def shape(self, inputs: Sequence[Shape], weights: Sequence[Shape]) -> Shape:
        batch, tokens, hidden = inputs[0]
        return (batch, self.heads, tokens, hidden // self.heads)

    def write(self, *operands: str) -> str:
        return f"{operands[0]} cut into {self.heads} heads"

    @staticmethod
    def explain(element: Element) -> Explanation:
        """heads[h, t, d] = x[t, h · head_dim + d]."""
        batch, head, token, d = element.index
        size = element.value.shape[-1]
        return same(element, (batch, token, head * size + d), f"{head} · {size} + {d} = {head * size + d}")


@dataclass(frozen=True, slots=True)
class Scores(Op):
    """Q · Kᵀ, raw: (batch, head, query, head_dim) and (batch, head, key, head_dim) -> (batch, head, query, key)."""

    rows: ClassVar[tuple[bool, ...] | None] = (True, False)
    by_head: ClassVar[bool] = True
    keys: ClassVar[tuple[int | None, ...] | None] = (None, -2)
    card: ClassVar[Card] = Card(products=Products.ROW, factors="bhqd,bhkd->bhqk")

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        query, key = inputs
        return torch.matmul(query, key.transpose(2, 3), out=out())

    def bound(self, sizes: Sizes) -> float:
        return of_product(sizes)

    def moments(self, sources: MomentSources) -> Moments | None:
        query, key = sources.tensor(0), sources.tensor(1)
        return of_square(query, key, sources.dtype) if query is not None and key is not None else None

    def shape(self, inputs: Sequence[Shape], weights: Sequence[Shape]) -> Shape:
        return (*inputs[0][:-1], inputs[1][-2])

    def write(self, *operands: str) -> str:
        query, key = operands
        return f"{query} · {key}ᵀ"

    @staticmethod
    def explain(element: Element) -> Explanation:
        """scores[q, k] = Σ_d Q[q, d] · K[k, d] (Vaswani et al. 2017, section 3.2.1)."""
        return dot(element)


@dataclass(frozen=True, slots=True)
class Scale(Op):
    """Scores times 1/√head_dim, so that their deviation does not grow with the size of a head."""

    head_dim: int
    rows: ClassVar[tuple[bool, ...] | None] = (True,)
    by_head: ClassVar[bool] = True
    keys: ClassVar[tuple[int | None, ...] | None] = (-1,)
    in_place: ClassVar[bool] = True
    card: ClassVar[Card] = Card(elementwise=True, keeps_order=True, scales=True)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        return torch.mul(inputs[0], self.head_dim**-0.5, out=out())

    def bound(self, sizes: Sizes) -> float:
        return ROOM * self.head_dim**-0.5 * sizes.most(0)

    def moments(self, sources: MomentSources) -> Moments | None:
        given = sources.moments(0)
        return given.times(self.head_dim**-0.5, sources.dtype) if given is not None else None

    def write(self, *operands: str) -> str:
        return f"{operands[0]} / √{self.head_dim}"

    @staticmethod
    def explain(element: Element) -> Explanation:
        """scaled = scores · 1/√head_dim."""
        head_dim = int(element.options["head_dim"])
        x = element.one(0, element.index)
        factor = element.constant(f"1/√{head_dim}", head_dim**-0.5)
        terms = Terms([x.value * factor.value], lambda _: Term(x.value * factor.value, (x, factor)))
        formula = f"{element.input_name(0)}{at(*element.index)} / √{head_dim}"
        return element.explain(formula, terms, bound=rounding.of_steps(element.value.dtype, 3, terms.magnitude))


@dataclass(frozen=True, slots=True)
class AddMask(Op):
    """Scaled scores plus the additive mask; the very same tensor where the mask is the zeros that take no memory."""

    rows: ClassVar[tuple[bool, ...] | None] = (True, True)
    by_head: ClassVar[bool] = True
    keys: ClassVar[tuple[int | None, ...] | None] = (-1, -1)
    in_place: ClassVar[bool] = True
    card: ClassVar[Card] = Card(elementwise=True, may_be_infinite=True, hides=True)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        scaled, mask = inputs
        if not any(mask.stride()):  # expanded from one zero: see AdditiveMask
            return scaled
        return torch.add(scaled, mask, out=out())

    def bound(self, sizes: Sizes) -> float:
        scores, mask = sizes.most(0), sizes.most(1)
        together, limit = ROOM * (scores + mask), largest(sizes.dtype)
        lost = sizes.dtype == torch.float32 and scores < LOST_BESIDE_A_MASK
        # Zeros and the most negative number overflow by no score that is small beside it.
        return limit if together > limit >= mask and lost and sizes.highest(1) <= 0 else together

    def moments(self, sources: MomentSources) -> Moments | None:
        given, mask = sources.moments(0), sources.moments(1)
        return given.plus(mask, sources.dtype) if given is not None and mask is not None else None

    def write(self, *operands: str) -> str:
        return " + ".join(operands)

    @staticmethod
    def explain(element: Element) -> Explanation:
        """masked = scaled + mask: what is hidden becomes so negative that the softmax gives it 0."""
        x = element.one(0, element.index)
        mask = element.one(1, clipped(element.input(1), element.index))
        pair = (x, mask)
        terms = Terms([x.value, mask.value], lambda i: Term(pair[i].value, (pair[i],)))
        formula = f"{element.input_name(0)}{at(*element.index)} + {element.input_name(1)}{at(*mask.index)}"
        bound = rounding.of_steps(element.value.dtype, 2, abs(terms.total) if math.isfinite(terms.total) else 0)
        return element.explain(formula, terms, notes=[_why_hidden(element, mask.value)], bound=bound)


def _why_hidden(element: Element, mask: float) -> str:
    """Whether the key may be seen, and which token says so."""
    batch, key = element.index[0], element.index[-1]
    who = element.token("key", key)
    if not mask:
        return f"{who} may be seen: the mask adds 0"
    trace = element.trace
    source = trace.program[element.stage.inputs[1]]
    why = ""
    if source.kind == "AdditiveMask" and trace.has(source.inputs[0]):
        stands = float(trace.value(source.inputs[0]).read((batch, key)))
        here = f"{source.inputs[0]}{at(batch, key)} = {stands:g}"
        distance = abs(key - element.index[-2])
        if not stands:
            why = f": {here}, it is padding"
        elif source.options.get("causal") and key > element.index[-2]:
            why = ": it comes after the query, and the mask is causal"
        elif source.options.get("window") is not None and distance > int(source.options["window"]):
            why = f": it is {distance} tokens away, and attention is local here"
        else:
            why = f", although {here} says a token stands there"
    return f"{who} is hidden{why}"


@dataclass(frozen=True, slots=True)
class Softmax(Op):
    """exp(x) / Σ exp(x) over the last axis; the largest x is taken off first, so that nothing overflows.

    Attributes:
        over: what that axis is.
        single: whether it is computed in float32 whatever the dtype, as ViT, CLIP and ModernBERT do it. (torch's own softmax
            of float16 adds in float32 as well, but rounds a few weights otherwise.)
    """

    over: str = "key"
    single: bool = False
    rows: ClassVar[tuple[bool, ...] | None] = (True,)
    by_head: ClassVar[bool] = True
    keys: ClassVar[tuple[int | None, ...] | None] = (-1,)
    card: ClassVar[Card] = Card(shares=True, may_be_alike=True)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        memory = out()
        if self.single and inputs[0].dtype != torch.float32:
            return torch.softmax(inputs[0], -1, dtype=torch.float32).to(inputs[0].dtype)
        return torch.softmax(inputs[0], -1) if memory is None else torch.softmax(inputs[0], -1, out=memory)

    def bound(self, sizes: Sizes) -> float:
        return ROOM if math.isfinite(sizes.most(0)) else NO_RULE  # NaN where all of a row are -inf

    def write(self, *operands: str) -> str:
        return f"softmax({operands[0]}) over {self.over}"

    @staticmethod
    def explain(element: Element) -> Explanation:
        """weight = exp(x − max) / Σₖ exp(x[k] − max), the maximum taken off so that nothing overflows."""
        *lead, k = element.index
        name, axis = element.input_name(0), element.value.axes[-1]
        x = element.read(0, (*lead, ALL))
        with np.errstate(all="ignore"):
            maximum = float(x.max())
            raised = np.exp(x - maximum)

        def competitor(i: int) -> Term:
            return Term(raised[i], (element.operand(0, (*lead, i), x[i]),), "exp(x − max)")

        row = Terms(raised, competitor)
        total = row.total
        with np.errstate(all="ignore"):
            weight = float(np.float64(raised[k]) / total)
            distances = np.where(raised > 0, np.abs(x - maximum), 0.0)
            mean_distance = float((distances * raised).sum() / total)
        operand = element.operand(0, (*lead, k), x[k])
        terms = Terms([weight], lambda _: Term(weight, (operand,), "exp(x − max) / row sum"))
        dtype = "float32" if element.options.get("single") and element.value.dtype == "float64" else element.value.dtype
        bound = rounding.of_softmax(dtype, weight, float(distances[k]), mean_distance, len(x))
        facts = {"x": float(x[k]), "row maximum": maximum, "numerator": float(raised[k]), "row sum": total}
        formula = f"exp({name}{at(*element.index)} − max) / Σₖ exp({name}{at(*lead, 'k')} − max)"
        parts = [NamedSum(f"row sum Σₖ exp({name}{at(*lead, 'k')} − max)", row)]
        return element.explain(formula, terms, parts, facts, _about_row(element, x, raised, axis), bound)


def _about_row(element: Element, x: Floats, raised: Floats, axis: str) -> list[str]:
    if np.isnan(x).any():
        return [f"a NaN anywhere in the row makes all of it NaN: {int(np.isnan(x).sum())} of {len(x)} are"]
    if np.isinf(most := float(x.max())):  # inf less inf is no number
        why = f"every {axis} of this row is hidden by -inf" if most < 0 else "the row's maximum is inf"
        return [f"{why}: exp({most} − {most}) is NaN"]
    notes = [f"the row's maximum stands at {element.token(axis, int(x.argmax()))}"]
    hidden = int((raised == 0).sum())
    lowest = -0.5 * float(np.finfo(np.float16 if element.value.dtype == "float16" else np.float32).max)
    if most <= lowest:
        notes.append(f"every {axis} of this row is hidden, so the weights are as good as equal and mean nothing")
    elif hidden:
        notes.append(f"{hidden} of {len(x)} numerators are 0: hidden, or too far below the maximum")
    return notes


@dataclass(frozen=True, slots=True)
class Context(Op):
    """Weighted sum of values: (batch, head, query, key) and (batch, head, key, head_dim) -> (batch, head, token, head_dim)."""

    rows: ClassVar[tuple[bool, ...] | None] = (True, False)
    by_head: ClassVar[bool] = True
    card: ClassVar[Card] = Card(products=Products.ROW, factors="bhqk,bhkd->bhqd")

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        return torch.matmul(inputs[0], inputs[1], out=out())

    def bound(self, sizes: Sizes) -> float:
        return of_product(sizes)

    def shape(self, inputs: Sequence[Shape], weights: Sequence[Shape]) -> Shape:
        return (*inputs[0][:-1], inputs[1][-1])

    def write(self, *operands: str) -> str:
        return " · ".join(operands)

    @staticmethod
    def explain(element: Element) -> Explanation:
        """context[t, d] = Σₖ weights[t, k] · V[k, d], over keys (Vaswani et al. 2017, section 3.2.1)."""
        return dot(element)


@dataclass(frozen=True, slots=True)
class Concat(Op):
    """Heads side by side: (batch, head, token, head_dim) -> (batch, token, hidden)."""

    card: ClassVar[Card] = Card(moves=True, elementwise=True, keeps_order=True, may_be_alike=True, joins="head")

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        (x,) = inputs
        batch, heads, tokens, size = x.shape
        apart = x.transpose(1, 2)  # (batch, token, head, head_dim)
        memory = out()
        if memory is None:
            return apart.reshape(batch, tokens, heads * size).contiguous()  # heads of size 1 would be a view
        memory.view(batch, tokens, heads, size).copy_(apart)
        return memory

    def shape(self, inputs: Sequence[Shape], weights: Sequence[Shape]) -> Shape:
        batch, heads, tokens, size = inputs[0]
        return (batch, tokens, heads * size)

    def write(self, *operands: str) -> str:
        return f"heads of {operands[0]} side by side"

    @staticmethod
    def explain(element: Element) -> Explanation:
        """x[t, j] = heads[j div head_dim, t, j mod head_dim]."""
        batch, token, j = element.index
        size = element.input(0).shape[-1]
        return same(element, (batch, j // size, token, j % size), f"{j} = {j // size} · {size} + {j % size}")
