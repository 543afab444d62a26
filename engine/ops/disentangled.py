"""DeBERTa's disentangled attention (He et al. 2021): content looks at positions, and positions at content."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..messages.errors import InputError
from ..program.explanation import Explanation, Term, Terms
from ..program.kinds import Card, Products
from ..program.stage import Shape
from . import rounding
from .base import Op, Out, Tensors
from .element import ALL, Element, at
from .lazy import functional, torch
from .relative import over_root, root
from .sizes import ROOM, Sizes, of_product
from .terms import by_root, dot


@dataclass(frozen=True, slots=True)
class Table(Op):
    """A weight as it is stored, as a batch of one: (relative, hidden) -> (1, relative, hidden).

    Attributes:
        cut: only the rows about the middle that distances of a text have, whose places (query, 1) go in, as DeBERTa v1 has
            it: as many on either side as there are tokens. A product with more rows may differ in its last bits.
    """

    cut: bool = False
    symbols: ClassVar[tuple[str, ...]] = ("E",)
    card: ClassVar[Card] = Card(elementwise=True, takes_no_memory=True, may_be_alike=True)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        (table,) = weights
        if self.cut:
            middle = table.shape[0] // 2
            span = min(inputs[0].shape[0], middle)
            table = table[middle - span : middle + span]
        return table.unsqueeze(0)

    def shape(self, inputs: Sequence[Shape], weights: Sequence[Shape]) -> Shape:
        rows, hidden = weights[0]
        return (1, min(2 * inputs[0][0], rows) if self.cut else rows, hidden)

    def write(self, *operands: str) -> str:
        if self.cut:
            return f"rows of {operands[-1]} about its middle, one for each distance there is"
        return f"all rows of {operands[-1]}"

    @staticmethod
    def explain(element: Element) -> Explanation:
        """The weight as it is stored, or its rows about the middle."""
        _, row, j = element.index
        stored = element.trace.weight_shapes.get(element.stage.weights[0])
        if stored is not None:  # what is cut off is half before, half after
            row += (stored[0] - element.value.shape[1]) // 2
        symbol = element.symbol(0, "E")
        try:
            entry = float(element.weight(0, (row, j)))
        except InputError as error:
            return element.explain(f"{symbol}{at(row, j)}", None, notes=[str(error)])
        parameter = element.parameter(0, "E", (row, j), entry)
        return element.explain(f"{symbol}{at(row, j)}", Terms([entry], lambda _: Term(entry, (parameter,)), 0))


@dataclass(frozen=True, slots=True)
class RelativeIndex(Op):
    """Which row of the table of relative positions a distance has: distance + span, kept within 0 and 2 · span − 1.

    Attributes:
        span: how far distances go either way.
        cut: no farther than there are tokens, since the table is cut so as well.
    """

    span: int
    cut: bool = False
    rows: ClassVar[tuple[bool, ...] | None] = (True,)
    card: ClassVar[Card] = Card(whole_numbers=True)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        span = self.of_tokens(inputs[0].shape[-1])
        return torch.clamp(inputs[0] + span, 0, 2 * span - 1, out=out())

    def of_tokens(self, tokens: int) -> int:
        """How far distances go in a text of so many tokens."""
        return min(tokens, self.span) if self.cut else self.span

    def highest(self, tokens: int, rows: int) -> int | None:
        return 2 * self.of_tokens(tokens) - 1

    def write(self, *operands: str) -> str:
        if self.cut:
            return f"{operands[0]} + n, from 0 to 2n − 1, n the number of tokens up to {self.span}"
        return f"{operands[0]} + {self.span}, from 0 to {2 * self.span - 1}"

    @staticmethod
    def explain(element: Element) -> Explanation:
        """index = distance + span, kept within the table."""
        span = int(element.options["span"])
        if element.options.get("cut"):
            span = min(span, element.value.shape[-1])
        far = element.one(0, element.index)
        value = min(max(far.value + span, 0.0), 2.0 * span - 1)
        terms = Terms([value], lambda _: Term(value, (far,), f"+ {span}"))
        notes = ["beyond the table: its end is taken"] * (value != far.value + span)
        formula = f"{far.place} + {span}, from 0 to {2 * span - 1}"
        return element.explain(formula, terms, facts={"n": float(span)}, notes=notes)


@dataclass(frozen=True, slots=True)
class RelativeScores(Op):
    """Content · positionᵀ for every relative position there is, raw.

    (batch, head, token, head_dim) and (1, head, relative, head_dim) -> (batch, head, token, relative)

    Attributes:
        broadcast: one product that takes the positions for every text, as DeBERTa v1 has it; otherwise they are repeated, and
            heads of all texts are one axis, as in v2. Laid out otherwise the product may differ in the last bit.
    """

    broadcast: bool = False
    rows: ClassVar[tuple[bool, ...] | None] = (True, False)
    card: ClassVar[Card] = Card(products=Products.ROW, factors="bhtd,1hrd->bhtr")

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        content, position = inputs
        if self.broadcast:
            return torch.matmul(content, position.transpose(2, 3), out=out())
        batch, heads, tokens, size = content.shape
        left = content.reshape(batch * heads, tokens, size)
        right = position.repeat(batch, 1, 1, 1).view(batch * heads, -1, size).transpose(1, 2)
        memory = out()
        flat = None if memory is None else memory.view(batch * heads, tokens, -1)
        return torch.bmm(left, right, out=flat).view(batch, heads, tokens, -1)

    def bound(self, sizes: Sizes) -> float:
        return of_product(sizes)

    def shape(self, inputs: Sequence[Shape], weights: Sequence[Shape]) -> Shape:
        return (*inputs[0][:-1], inputs[1][-2])

    def write(self, *operands: str) -> str:
        content, position = operands
        return f"{content} · {position}ᵀ"

    @staticmethod
    def explain(element: Element) -> Explanation:
        """scores[t, r] = Σ_d content[t, d] · position[r, d] (He et al. 2021, section 3.1)."""
        return dot(element)


@dataclass(frozen=True, slots=True)
class ContentToPosition(Op):
    """Of a query's scores for all relative positions those of its keys, scaled: y[q, k] = x[q, index[q, k]] / √size.

    (batch, head, query, relative) and (query, key) -> (batch, head, query, key)

    Attributes:
        size: under the root; 1 where they are scaled already.
    """

    size: int
    rows: ClassVar[tuple[bool, ...] | None] = (True, True)
    card: ClassVar[Card] = Card(elementwise=True)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        scores, index = inputs
        picked = torch.gather(scores, -1, index.expand(*scores.shape[:-1], index.shape[-1]), out=out())
        return picked.div_(root(self.size, picked.dtype))

    def bound(self, sizes: Sizes) -> float:
        return ROOM * sizes.most(0)  # some of the numbers, divided by the root of a whole number

    def shape(self, inputs: Sequence[Shape], weights: Sequence[Shape]) -> Shape:
        return (*inputs[0][:-1], inputs[1][-1])

    def write(self, *operands: str) -> str:
        scores, index = operands
        return f"{scores} at {index}" + over_root(self.size)

    @staticmethod
    def explain(element: Element) -> Explanation:
        """y[q, k] = x[q, index[q, k]] / √size: which of the query's scores for distances is that of the key."""
        batch, head, query, key = element.index
        place = int(element.input(1).read((query, key)))
        x = element.one(0, (batch, head, query, place))
        formula = f"{element.input_name(0)}{at(batch, head, query, f'{element.input_name(1)}{at(query, key)}')}"
        return by_root(element, x, formula, int(element.options["size"]), _distance(element, place))


@dataclass(frozen=True, slots=True)
class PositionToContent(Op):
    """Of a key's scores for all relative positions those of its queries, scaled: y[q, k] = x[k, index[q, k]] / √size.

    (batch, head, key, relative) and (query, key) -> (batch, head, query, key)

    Attributes:
        size: under the root; 1 where they are scaled already.
    """

    size: int
    rows: ClassVar[tuple[bool, ...] | None] = (False, True)
    card: ClassVar[Card] = Card(elementwise=True)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        scores, index = inputs
        queries, keys = index.shape
        picked = torch.gather(scores, -1, index.t().expand(*scores.shape[:-2], keys, queries))  # (..., key, query)
        return torch.div(picked.transpose(-1, -2), root(self.size, picked.dtype), out=out())

    def bound(self, sizes: Sizes) -> float:
        return ROOM * sizes.most(0)  # some of the numbers, divided by the root of a whole number

    def shape(self, inputs: Sequence[Shape], weights: Sequence[Shape]) -> Shape:
        return (*inputs[0][:2], *inputs[1])

    def write(self, *operands: str) -> str:
        scores, index = operands
        return f"{scores} of the key at {index}" + over_root(self.size)

    @staticmethod
    def explain(element: Element) -> Explanation:
        """y[q, k] = x[k, index[q, k]] / √size: which of the key's scores for distances is that of the query."""
        batch, head, query, key = element.index
        place = int(element.input(1).read((query, key)))
        x = element.one(0, (batch, head, key, place))
        formula = f"{element.input_name(0)}{at(batch, head, key, f'{element.input_name(1)}{at(query, key)}')}"
        return by_root(element, x, formula, int(element.options["size"]), _distance(element, place))


def _distance(element: Element, place: int) -> list[str]:
    query, key = element.token("query", element.index[2]), element.token("key", element.index[3])
    return [f"row {place} of the relative positions, that of {query} and {key}"]


@dataclass(frozen=True, slots=True)
class Convolution(Op):
    """Each token from its neighbours: y[t, o] = b[o] + Σᵢ Σₖ W[o, i, k] · x[t + k − (kernel − 1) / 2, i] (`torch.nn.Conv1d`).

    (batch, token, hidden) and (hidden, hidden / groups, kernel) -> (batch, token, hidden)

    Attributes:
        groups: how many parts the channels are in, each convolved alone.
    """

    groups: int = 1
    symbols: ClassVar[tuple[str, ...]] = ("W", "b")
    card: ClassVar[Card] = Card(products=Products.WEIGHT, weight_axes=("out", "in", "tap"))

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        (x,), (kernel, bias) = inputs, weights
        across = x.permute(0, 2, 1).contiguous()  # (batch, hidden, token)
        y = functional.conv1d(across, kernel, bias, padding=(kernel.shape[-1] - 1) // 2, groups=self.groups)
        return y.permute(0, 2, 1).contiguous()

    def write(self, *operands: str) -> str:
        x, kernel, bias = operands
        return f"Σ {kernel} · {x} over neighbours + {bias}"

    @staticmethod
    def explain(element: Element) -> Explanation:
        """y[t, o] = b[o] + Σᵢ Σₖ W[o, i, k] · x[t + k − (kernel − 1) / 2, i] (`torch.nn.Conv1d`)."""
        batch, token, o = element.index
        name, kernel = element.input_name(0), element.symbol(0, "W")
        formula = f"Σᵢ Σₖ {kernel}{at(o, 'i', 'k')} · {name}{at(batch, f'{token} + k − middle', 'i')}"
        formula += f" + {element.symbol(1, 'b')}{at(o)}"
        try:
            weight, bias = element.weight(0, (o, ALL, ALL)), float(element.weight(1, (o,)))
        except InputError as error:
            return element.explain(formula, None, notes=[str(error)])
        channels, taps = weight.shape
        first = o // (element.value.shape[-1] // int(element.options["groups"])) * channels
        start = token - (taps - 1) // 2
        inside = [k for k in range(taps) if 0 <= start + k < element.value.shape[1]]
        low = start + inside[0]
        rows = element.read(0, (batch, slice(low, low + len(inside)), slice(first, first + channels)))  # (tap, channel)
        with np.errstate(all="ignore"):
            values = np.append(rows * weight[:, inside].T, bias)

        def make(i: int) -> Term:
            if i == len(values) - 1:
                return Term(bias, (element.parameter(1, "b", (o,), bias),))
            tap, channel = divmod(i, channels)
            place = (batch, low + tap, first + channel)
            entry = float(weight[channel, inside[tap]])
            parameter = element.parameter(0, "W", (o, channel, inside[tap]), entry)
            return Term(values[i], (element.operand(0, place, rows[tap, channel]), parameter))

        terms = Terms(values, make, np.append(np.ones(len(values) - 1, np.int64), [0]))
        bound = rounding.of_products(element.value.dtype, terms, element.stored, bias)
        return element.explain(formula, terms, bound=bound)


@dataclass(frozen=True, slots=True)
class AddToEach(Op):
    """A vector of weights added to every token's: x + b.

    Attributes:
        heads: into how many of (batch, head, token, head_dim) the vector is cut; 0 where tokens' vectors are whole.
    """

    heads: int = 0
    symbols: ClassVar[tuple[str, ...]] = ("b",)
    card: ClassVar[Card] = Card(elementwise=True)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        (x,), (bias,) = inputs, weights
        if not self.heads:
            return torch.add(x, bias, out=out())
        apart = bias.view(1, 1, self.heads, -1).transpose(1, 2)  # (1, head, 1, head_dim)
        return (
            x + apart
        )  # laid out as x is, on which the last bits of products depend: memory of ours would lie otherwise

    def bound(self, sizes: Sizes) -> float:
        return ROOM * (sizes.most(0) + sizes.weight_most(0))

    def write(self, *operands: str) -> str:
        return " + ".join(operands)

    @staticmethod
    def explain(element: Element) -> Explanation:
        """x + b."""
        *_, j = element.index
        if element.options.get("heads"):
            j += element.index[1] * element.value.shape[-1]
        x = element.one(0, element.index)
        formula = f"{element.input_name(0)}{at(*element.index)} + {element.symbol(0, 'b')}{at(j)}"
        try:
            bias = element.parameter(0, "b", (j,), float(element.weight(0, (j,))))
        except InputError as error:
            return element.explain(formula, None, notes=[str(error)])
        pair = (x, bias)
        terms = Terms([x.value, bias.value], lambda i: Term(pair[i].value, (pair[i],)), [1, 0])
        return element.explain(formula, terms, bound=rounding.of_additions(element.value.dtype, terms))
