"""Words around a word, and the sum and the mean of their vectors, as word2vec has them (Mikolov et al. 2013).

A row of the batch is a sentence, and every word of it is one example, with up to `2 · reach` words around it: its places.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..program.explanation import Explanation, Term, Terms
from ..program.index import offset
from ..program.kinds import Card
from ..program.stage import Shape
from . import rounding
from .base import Op, Out, Tensors
from .element import ALL, Element, at
from .lazy import torch


@dataclass(frozen=True, slots=True)
class Around(Op):
    """The ids around each word, first those before it, then those after: (batch, token) -> (batch, token, place).

    Attributes:
        reach: how many words to each side; there are twice as many places.
        padding: what stands where the sentence has no word.
    """

    reach: int
    padding: int = 0
    card: ClassVar[Card] = Card(whole_numbers=True)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        return _around(inputs[0], self.reach, self.padding)

    def highest(self, tokens: int, rows: int) -> int | None:
        return rows - 1

    def shape(self, inputs: Sequence[Shape], weights: Sequence[Shape]) -> Shape:
        return (*inputs[0], 2 * self.reach)

    def write(self, *operands: str) -> str:
        return f"{operands[0]} at −{self.reach} ... −1, 1 ... {self.reach} from each token"

    @staticmethod
    def explain(element: Element) -> Explanation:
        """ids[t, place] = tokens.ids[t + offset], the padding id beyond the ends of the text."""
        batch, token, place = element.index
        far, there = _offset(element), _there(element)
        what = f"place {place} is {far:+d} from {element.token('token', token)}"
        if there is None:
            terms = Terms([element.stored], lambda _: Term(element.stored, (), "padding"), 0)
            return element.explain("padding", terms, notes=[f"{what}: beyond the end of the text"])
        operand = element.one(0, (batch, there))
        terms = Terms([operand.value], lambda _: Term(operand.value, (operand,)))
        formula = f"{element.input_name(0)}{at(batch, _sum(token, far))}"
        return element.explain(formula, terms, notes=[f"{what}: {element.trace.word(int(operand.value))!r}"])


@dataclass(frozen=True, slots=True)
class AroundMask(Op):
    """1 where both the token and the place hold a word, else 0: (batch, token) -> (batch, token, place)."""

    reach: int
    card: ClassVar[Card] = Card(whole_numbers=True)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        (mask,) = inputs
        return _around(mask, self.reach, 0) * mask[:, :, None]  # padding has no words around it

    def highest(self, tokens: int, rows: int) -> int | None:
        return 1

    def shape(self, inputs: Sequence[Shape], weights: Sequence[Shape]) -> Shape:
        return (*inputs[0], 2 * self.reach)

    def write(self, *operands: str) -> str:
        return f"{operands[0]} at −{self.reach} ... −1, 1 ... {self.reach} from each token · {operands[0]}"

    @staticmethod
    def explain(element: Element) -> Explanation:
        """mask[t, place] = tokens.mask[t + offset] · tokens.mask[t], 0 beyond the ends of the text."""
        batch, token, _ = element.index
        far, there = _offset(element), _there(element)
        if there is None:
            terms = Terms([0.0], lambda _: Term(0.0, (), "beyond the end"), 0)
            return element.explain("0 beyond the ends of the text", terms, notes=["the text has no word here"])
        pair = (element.one(0, (batch, there)), element.one(0, (batch, token)))
        value = pair[0].value * pair[1].value
        terms = Terms([value], lambda _: Term(value, pair), 2)
        name = element.input_name(0)
        return element.explain(f"{name}{at(batch, _sum(token, far))} · {name}{at(batch, token)}", terms)


def _offset(element: Element) -> int:
    """How far the place is from its token."""
    return offset(element.index[-1], element.value.shape[-1])


def _sum(token: int, far: int) -> str:
    """`3 − 2`."""
    return f"{token} {'−' if far < 0 else '+'} {abs(far)}"


def _there(element: Element) -> int | None:
    """The token at the place; None beyond the ends of the text."""
    there = element.index[1] + _offset(element)
    return there if 0 <= there < element.value.shape[1] else None


def _around(x: torch.Tensor, reach: int, padding: int) -> torch.Tensor:
    wide = torch.nn.functional.pad(x, (reach, reach), value=padding)
    windows = wide.unfold(1, 2 * reach + 1, 1)  # (batch, token, 2 · reach + 1), the word itself in the middle
    return torch.cat((windows[..., :reach], windows[..., reach + 1 :]), dim=-1)  # (batch, token, place)


@dataclass(frozen=True, slots=True)
class PlaceSum(Op):
    """The vectors of the places that hold a word, added: (batch, token, place, hidden) -> (batch, token, hidden)."""

    card: ClassVar[Card] = Card(factors="btpj,btp->btj")

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        vectors, mask = inputs
        return torch.sum(vectors.masked_fill((mask == 0).unsqueeze(-1), 0), 2, out=out())

    def shape(self, inputs: Sequence[Shape], weights: Sequence[Shape]) -> Shape:
        batch, tokens, _, hidden = inputs[0]
        return (batch, tokens, hidden)

    def write(self, *operands: str) -> str:
        vectors, mask = operands
        return f"Σ {vectors} · {mask} over places"

    @staticmethod
    def explain(element: Element) -> Explanation:
        """y[j] = Σ_place x[place, j] · mask[place]: the one-hot rows of the context, added, times the shared table."""
        batch, token, j = element.index
        x, mask = element.read(0, (batch, token, ALL, j)), element.read(1, (batch, token, ALL))
        with np.errstate(all="ignore"):
            values = np.where(mask != 0, x, 0.0)

        def make(place: int) -> Term:
            vector = element.operand(0, (batch, token, place, j), x[place])
            return Term(values[place], (vector, element.operand(1, (batch, token, place), mask[place])))

        terms = Terms(values, make, 2)
        formula = (
            f"Σₚ {element.input_name(0)}{at(batch, token, 'p', j)} · {element.input_name(1)}{at(batch, token, 'p')}"
        )
        note = f"{int((mask != 0).sum())} of {len(mask)} places around {element.token('token', token)} hold a word"
        bound = rounding.of_additions(element.value.dtype, terms)
        return element.explain(formula, terms, notes=[note], bound=bound)


@dataclass(frozen=True, slots=True)
class PlaceMean(Op):
    """The sum divided by how many words it is of; a word with none around it keeps its zeros."""

    card: ClassVar[Card] = Card(elementwise=True)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        total, mask = inputs
        count = mask.sum(-1, keepdim=True).clamp(min=1).to(total.dtype)  # (batch, token, 1)
        return torch.div(total, count, out=out())

    def write(self, *operands: str) -> str:
        total, mask = operands
        return f"{total} / Σ {mask} over places"

    @staticmethod
    def explain(element: Element) -> Explanation:
        """y[j] = sum[j] / how many words it is of, at least 1."""
        batch, token, _ = element.index
        x = element.one(0, element.index)
        count = float(element.read(1, (batch, token, ALL)).sum())
        divisor = max(count, 1.0)
        value = x.value / divisor
        terms = Terms([value], lambda _: Term(value, (x, element.constant(f"1/{divisor:g}", 1 / divisor))))
        notes = (
            [] if count else [f"no word stands around {element.token('token', token)}, so there is nothing to average"]
        )
        formula = f"{element.input_name(0)}{at(*element.index)} / Σₚ {element.input_name(1)}{at(batch, token, 'p')}"
        bound = rounding.of_steps(element.value.dtype, 4, abs(value))
        return element.explain(formula, terms, facts={"words around": count}, notes=notes, bound=bound)
