"""DeBERTa's disentangled attention (He et al. 2021): content looks at positions, positions at content, and masks are pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from ..program.kinds import Card, Products
from ..program.stage import Shape
from .base import Op, Out, Tensors
from .lazy import functional, torch
from .relative import root
from .sizes import NO_RULE, ROOM, Sizes, largest, of_product


@dataclass(frozen=True, slots=True)
class Table(Op):
    """A weight as it is stored, as a batch of one: (relative, hidden) -> (1, relative, hidden)."""

    symbols: ClassVar[tuple[str, ...]] = ("E",)
    card: ClassVar[Card] = Card(elementwise=True, takes_no_memory=True, may_be_alike=True)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        return weights[0].unsqueeze(0)

    def shape(self, inputs: Sequence[Shape], weights: Sequence[Shape]) -> Shape:
        return (1, *weights[0])

    def write(self, *operands: str) -> str:
        return f"all rows of {operands[-1]}"


@dataclass(frozen=True, slots=True)
class RelativeIndex(Op):
    """Which row of the table of relative positions a distance has: distance + span, kept within 0 and 2 · span − 1."""

    span: int
    rows: ClassVar[tuple[bool, ...] | None] = (True,)
    card: ClassVar[Card] = Card(whole_numbers=True)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        return torch.clamp(inputs[0] + self.span, 0, 2 * self.span - 1, out=out())

    def highest(self, tokens: int, rows: int) -> int | None:
        return 2 * self.span - 1

    def write(self, *operands: str) -> str:
        return f"{operands[0]} + {self.span}, from 0 to {2 * self.span - 1}"


@dataclass(frozen=True, slots=True)
class RelativeScores(Op):
    """Content · positionᵀ for every relative position there is, raw.

    (batch, head, token, head_dim) and (1, head, relative, head_dim) -> (batch, head, token, relative)
    """

    rows: ClassVar[tuple[bool, ...] | None] = (True, False)
    card: ClassVar[Card] = Card(products=Products.ROW)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        content, position = inputs
        batch, heads, tokens, size = content.shape
        # The reference has the heads of all texts in one axis; laid out otherwise the product may differ in the last bit.
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


@dataclass(frozen=True, slots=True)
class ContentToPosition(Op):
    """Of a query's scores for all relative positions those of its keys, scaled: y[q, k] = x[q, index[q, k]] / √size.

    (batch, head, query, relative) and (query, key) -> (batch, head, query, key)
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
        return f"{scores} at {index} / √{self.size}"


@dataclass(frozen=True, slots=True)
class PositionToContent(Op):
    """Of a key's scores for all relative positions those of its queries, scaled: y[q, k] = x[k, index[q, k]] / √size.

    (batch, head, key, relative) and (query, key) -> (batch, head, query, key)
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
        return f"{scores} of the key at {index} / √{self.size}"


@dataclass(frozen=True, slots=True)
class PairMask(Op):
    """1 where query and key are both tokens and not padding, else 0: (batch, token) and (query, 1) -> (batch, 1, query, key).

    Attributes:
        causal: 0 as well where the key comes after the query.
    """

    causal: bool = False
    rows: ClassVar[tuple[bool, ...] | None] = (False, True)
    card: ClassVar[Card] = Card(whole_numbers=True, mask=True)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        mask, places = inputs
        seen = (mask != 0).to(torch.int64)
        query, key = seen.index_select(1, places.view(-1))[:, None, :, None], seen[:, None, None, :]
        pairs = torch.mul(query, key, out=out())  # (batch, 1, query, key)
        if self.causal:
            pairs.mul_(torch.arange(mask.shape[1], device=mask.device) <= places)
        return pairs

    def highest(self, tokens: int, rows: int) -> int | None:
        return 1

    def shape(self, inputs: Sequence[Shape], weights: Sequence[Shape]) -> Shape:
        (batch, keys), (queries, _) = inputs
        return (batch, 1, queries, keys)

    def write(self, *operands: str) -> str:
        return f"{operands[0]} of the query · {operands[0]} of the key" + ", 0 where key > query" * self.causal


@dataclass(frozen=True, slots=True)
class FillMasked(Op):
    """The most negative number of the dtype in place of scores whose mask is 0: nothing is left of them."""

    rows: ClassVar[tuple[bool, ...] | None] = (True, True)
    card: ClassVar[Card] = Card(elementwise=True, hides=True)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        scores, mask = inputs
        memory = out()
        hidden = mask == 0
        lowest = torch.finfo(scores.dtype).min
        if memory is None:
            return scores.masked_fill(hidden, lowest)
        return memory.copy_(scores).masked_fill_(hidden, lowest)

    def bound(self, sizes: Sizes) -> float:
        limit = largest(sizes.dtype)
        return limit if sizes.most(0) <= limit else NO_RULE  # the numbers, or the most negative one there is

    def write(self, *operands: str) -> str:
        return f"{operands[0]} where {operands[1]} = 1, the most negative number elsewhere"


@dataclass(frozen=True, slots=True)
class MaskTokens(Op):
    """Vectors of padding made zero: (batch, token, hidden) and (batch, token) -> (batch, token, hidden).

    Attributes:
        fill: put 0 there, whatever stands there; otherwise multiply with 0, which leaves NaN of NaN and infinity.
    """

    fill: bool = False
    card: ClassVar[Card] = Card(elementwise=True)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        x, mask = inputs
        if not self.fill:
            return torch.mul(x, mask.unsqueeze(2).to(x.dtype), out=out())
        return x.masked_fill((mask == 0).unsqueeze(2), 0)

    def write(self, *operands: str) -> str:
        return f"{operands[0]} where {operands[1]} = 1, 0 elsewhere" if self.fill else " · ".join(operands)


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


@dataclass(frozen=True, slots=True)
class AddToEach(Op):
    """A vector of weights added to every token's: x + b."""

    symbols: ClassVar[tuple[str, ...]] = ("b",)
    card: ClassVar[Card] = Card(elementwise=True)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        return torch.add(inputs[0], weights[0], out=out())

    def bound(self, sizes: Sizes) -> float:
        return ROOM * (sizes.most(0) + sizes.weight_most(0))

    def write(self, *operands: str) -> str:
        return " + ".join(operands)
