"""Masks of pairs of tokens, and what they put in place of a score or a vector, as DeBERTa has them (He et al. 2021)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..program.dtypes import FLOATS
from ..program.explanation import Explanation, Term, Terms
from ..program.kinds import Card
from ..program.stage import Shape
from .base import Op, Out, Tensors
from .element import Element, at, clipped
from .lazy import torch
from .sizes import NO_RULE, Sizes, largest


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

    @staticmethod
    def explain(element: Element) -> Explanation:
        """1 where both are tokens and not padding."""
        batch, _, query, key = element.index
        place = int(element.input(1).read((query, 0)))
        pair = (element.one(0, (batch, place)), element.one(0, (batch, key)))
        after = bool(element.options["causal"]) and key > place
        value = float(all(operand.value for operand in pair) and not after)
        how = "0 where key > query" if after else ""
        terms = Terms([value], lambda _: Term(value, pair, how), 2)
        whose = zip((f"query {query}", f"key {key}"), pair, strict=True)
        padded = [f"{which} is padding" for which, operand in whose if not operand.value]
        notes = padded or ["the key comes after the query: a causal mask hides it" if after else "both are tokens"]
        name = element.input_name(0)
        return element.explain(f"{name}{at(batch, place)} · {name}{at(batch, key)}", terms, notes=notes)


@dataclass(frozen=True, slots=True)
class FillMasked(Op):
    """The most negative number of the dtype in place of scores whose mask is 0: nothing is left of them."""

    rows: ClassVar[tuple[bool, ...] | None] = (True, True)
    by_head: ClassVar[bool] = True
    in_place: ClassVar[bool] = True
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

    @staticmethod
    def explain(element: Element) -> Explanation:
        """The score where the pair may be seen, the lowest number of the dtype where not."""
        x = element.one(0, element.index)
        mask = element.one(1, clipped(element.input(1), element.index))
        value = x.value if mask.value else FLOATS[element.value.dtype].lowest
        factors, how = ((x, mask), "") if mask.value else ((mask,), "hidden")
        terms = Terms([value], lambda _: Term(value, factors, how), len(factors))
        who = element.token("key", element.index[-1])
        notes = [f"{who} may be seen" if mask.value else f"{who} is hidden from this query, or the query is padding"]
        formula = f"{element.input_name(0)}{at(*element.index)} if {mask.place} = 1, else the lowest number"
        return element.explain(formula, terms, notes=notes)


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

    @staticmethod
    def explain(element: Element) -> Explanation:
        """The number where a token stands, 0 where there is padding."""
        batch, token, _ = element.index
        x, mask = element.one(0, element.index), element.one(1, (batch, token))
        with np.errstate(all="ignore"):
            value = float(np.float64(x.value) * mask.value) if not element.options["fill"] or mask.value else 0.0
        terms = Terms([value], lambda _: Term(value, (x, mask)), 2)
        return element.explain(f"{element.input_name(0)}{at(*element.index)} · {mask.place}", terms)
