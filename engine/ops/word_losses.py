"""What word2vec learns from (Mikolov et al. 2013): scores of words, the loss of a guess, and words drawn to be told apart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..messages.errors import InputError
from ..program.explanation import Explanation, Operand, Term, Terms
from ..program.kinds import Card, Products
from ..program.stage import Shape
from ..program.torch_calls import from_numpy
from . import rounding
from .activations import SIGMOID
from .base import Op, Out, Tensors
from .element import ALL, Element, ElementIndex, at
from .lazy import torch
from .sizes import ROOM, Sizes
from .terms import dot
from .tokens import Lookup, looked_up


@dataclass(frozen=True, slots=True)
class WordBias(Op):
    """A number of its own added to each entry of the last axis: (batch, token, vocabulary) -> the same."""

    symbols: ClassVar[tuple[str, ...]] = ("b",)
    rows: ClassVar[tuple[bool, ...] | None] = (True,)
    card: ClassVar[Card] = Card(elementwise=True)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        return torch.add(inputs[0], weights[0], out=out())

    def bound(self, sizes: Sizes) -> float:
        return ROOM * (sizes.most(0) + sizes.weight_most(0))

    def write(self, *operands: str) -> str:
        return " + ".join(operands)

    @staticmethod
    def explain(element: Element) -> Explanation:
        """y[j] = x[j] + b[j]."""
        j = element.index[-1]
        x, symbol = element.one(0, element.index), element.symbol(0, "b")
        formula = f"{element.input_name(0)}{at(*element.index)} + {symbol}{at(j)}"
        try:
            b = float(element.weight(0, (j,)))
        except InputError as error:
            terms = Terms([element.stored], lambda _: Term(element.stored, (x,), "with its bias"))
            return element.explain(formula, terms, notes=[str(error)])
        pair = (x, element.parameter(0, "b", (j,), b))
        terms = Terms([x.value, b], lambda i: Term(pair[i].value, (pair[i],)), [1, 0])
        return element.explain(formula, terms, bound=rounding.of_additions(element.value.dtype, terms))


@dataclass(frozen=True, slots=True)
class PickIds(Op):
    """From each row the entries at given ids: (batch, token, vocabulary) and (batch, token[, place]) -> as the ids."""

    card: ClassVar[Card] = Card(moves=True, elementwise=True)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        rows, ids = inputs
        if ids.dim() == rows.dim():
            return torch.gather(rows, -1, ids, out=out())
        return torch.gather(rows, -1, ids.unsqueeze(-1)).squeeze(-1)

    def shape(self, inputs: Sequence[Shape], weights: Sequence[Shape]) -> Shape:
        return inputs[1]

    def write(self, *operands: str) -> str:
        return f"{operands[0]} at {operands[1]}"

    @staticmethod
    def explain(element: Element) -> Explanation:
        """y[t] = x[t, id]: the entry that the target word has in its row."""
        number = element.one(1, element.index)
        place = (*element.index[:2], int(number.value))
        entry = element.one(0, place)
        terms = Terms([entry.value], lambda _: Term(entry.value, (entry,)))
        row = element.read(0, (*element.index[:2], ALL))
        larger = int((row > entry.value).sum())
        notes = [f"{number.place} = {number.value:g} {element.trace.word(int(number.value))!r}"]
        notes.append(f"{larger:,} of {len(row):,} words have more")
        formula = f"{element.input_name(0)}{at(*place[:2], f'{element.input_name(1)}{at(*element.index)}')}"
        return element.explain(formula, terms, notes=notes)


@dataclass(frozen=True, slots=True)
class NegativeLog(Op):
    """−log p where the mask is 1, and 0 where there is nothing to guess; the natural logarithm, so the unit is the nat."""

    card: ClassVar[Card] = Card()

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        p, mask = inputs
        return torch.log(p).neg().masked_fill(mask == 0, 0)

    def write(self, *operands: str) -> str:
        return f"−log {operands[0]} where {operands[1]} = 1"

    @staticmethod
    def explain(element: Element) -> Explanation:
        """y = −log p, in nats; 0 where there is nothing to guess."""
        p, mask = element.one(0, element.index), element.one(1, element.index)
        seen = mask.value != 0
        value = _minus_log(p.value) if seen else 0.0
        terms = Terms([value], lambda _: Term(value, (p, mask), "−log p" if seen else "0 where the mask is 0"), 2)
        formula = f"−log {p.place}" if seen else f"0 where {mask.place} = 0"
        notes = [] if seen else ["no word to guess here"]
        if seen and p.value == 0:
            notes.append(f"the probability is 0 in {element.value.dtype}, and the logarithm of 0 is −∞")
        return element.explain(formula, terms, notes=notes, bound=rounding.of_steps(element.value.dtype, 8, abs(value)))


def _minus_log(p: float) -> float:
    if math.isnan(p) or p < 0:
        return math.nan
    return -math.log(p) if p else math.inf


@dataclass(frozen=True, slots=True)
class MeanLoss(Op):
    """The mean over a sentence's examples: (batch, token[, place]) -> (batch). A sentence with none has 0."""

    card: ClassVar[Card] = Card()

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        loss, mask = (x.flatten(1) for x in inputs)
        return torch.div(loss.sum(1), mask.sum(1).clamp(min=1).to(loss.dtype), out=out())

    def shape(self, inputs: Sequence[Shape], weights: Sequence[Shape]) -> Shape:
        return inputs[0][:1]

    def write(self, *operands: str) -> str:
        loss, mask = operands
        return f"Σ {loss} / Σ {mask} of each text"

    @staticmethod
    def explain(element: Element) -> Explanation:
        """y = Σ loss / Σ mask over a text, at least 1 below."""
        (batch,) = element.index
        loss, mask = element.read(0, (batch,)), element.read(1, (batch,))
        count = max(float(mask.sum()), 1.0)
        shape, flat = loss.shape, loss.ravel()
        one = element.constant(f"1/{count:g}", 1 / count)
        with np.errstate(all="ignore"):
            values = flat / count

        def make(i: int) -> Term:
            place = (batch, *map(int, np.unravel_index(i, shape)))
            return Term(values[i], (element.operand(0, place, flat[i]), one))

        terms = Terms(values, make)
        name, seen = element.input_name(0), element.input_name(1)
        bound = rounding.of_products(element.value.dtype, terms, element.stored)
        bound += rounding.of_steps(element.value.dtype, 3, terms.magnitude)
        formula = f"Σ {name}{at(batch)} / Σ {seen}{at(batch)}"
        return element.explain(formula, terms, facts={f"Σ {seen}": count}, bound=bound)


@dataclass(frozen=True, slots=True)
class Negatives(Op):
    """Words drawn as counterexamples to each target, never the target itself: ids -> ids of one axis more, `negative`.

    They are drawn with the weights given (in word2vec the count of each word to the power ¾; Mikolov et al. 2013,
    "Distributed Representations of Words and Phrases", section 2.2). The random numbers depend on the seed and the place
    in the sentence alone, so that a text has the same counterexamples in every batch, on every device and in every dtype.

    Attributes:
        count: how many for each target.
        seed: of the random numbers.
    """

    count: int
    seed: int
    symbols: ClassVar[tuple[str, ...]] = ("noise",)
    card: ClassVar[Card] = Card(whole_numbers=True)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        (target,), (noise,) = inputs, weights
        ends = noise.double().cumsum(0)  # word w has the stretch from ends[w] − noise[w] to ends[w]
        numbers = np.random.default_rng(self.seed).random((*target.shape[1:], self.count))
        random = from_numpy(numbers).to(
            target.device, non_blocking=True
        )  # what is not pinned is copied before it returns
        own = noise.double()[target].unsqueeze(-1)  # (batch, token[, place], 1)
        before = ends[target].unsqueeze(-1) - own
        drawn = random * (ends[-1] - own)
        drawn = torch.where(drawn >= before, drawn + own, drawn)  # the target's stretch is left out
        return torch.searchsorted(ends, drawn, right=True).clamp(max=len(noise) - 1)

    def highest(self, tokens: int, rows: int) -> int | None:
        return rows - 1

    def shape(self, inputs: Sequence[Shape], weights: Sequence[Shape]) -> Shape:
        return (*inputs[0], self.count)

    def write(self, *operands: str) -> str:
        target, noise = operands
        return f"{self.count} words ≠ {target}, drawn by {noise} with seed {self.seed}"

    @staticmethod
    def explain(element: Element) -> Explanation:
        """A word drawn by its share of the noise, the target left out."""
        place: ElementIndex = element.index[:-1]
        target = element.one(0, place)
        drawn, own = int(element.stored), int(target.value)
        word = element.trace.word
        how = f"drawn with seed {element.options['seed']}"
        terms = Terms([element.stored], lambda _: Term(element.stored, (target,), how))
        notes = [f"{drawn} is {word(drawn)!r}; the target, which is never drawn, is {own} {word(own)!r}"]
        facts = {}
        try:
            noise = element.weight(0, (ALL,))
        except InputError as error:
            notes.append(str(error))
        else:
            chance = float(noise[drawn] / (noise.sum() - noise[own]))
            facts = {"its weight": float(noise[drawn]), "its chance": chance}
            if drawn == own:
                notes.append("it is the target: the target was changed, or this was put here by hand")
        formula = f"a word ≠ {element.input_name(0)}{at(*place)}, drawn by {element.symbol(0, 'noise')}"
        return element.explain(formula, terms, facts=facts, notes=notes)


@dataclass(frozen=True, slots=True)
class OutputLookup(Lookup):
    """Rows of the matrix that turns vectors into scores, one for each word: a lookup in another table."""

    symbols: ClassVar[tuple[str, ...]] = ("W",)
    card: ClassVar[Card] = Card(elementwise=True, looks_up=True, factors="...v,vj->...j")

    @staticmethod
    def explain(element: Element) -> Explanation:
        """y[t, j] = W[id, j]."""
        return looked_up(element, "W")


@dataclass(frozen=True, slots=True)
class Dots(Op):
    """Each vector times the token's: (batch, token, ..., hidden) and (batch, token, hidden) -> (batch, token, ...)."""

    card: ClassVar[Card] = Card(products=Products.ROW, factors="bt...j,btj->bt...")

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        vectors, x = inputs
        flat = vectors.reshape(*x.shape[:2], -1, x.shape[-1])  # (batch, token, any, hidden)
        return torch.matmul(flat, x.unsqueeze(-1)).reshape(vectors.shape[:-1])

    def shape(self, inputs: Sequence[Shape], weights: Sequence[Shape]) -> Shape:
        return inputs[0][:-1]

    def write(self, *operands: str) -> str:
        return " · ".join(operands)

    @staticmethod
    def explain(element: Element) -> Explanation:
        """y = Σⱼ vector[j] · x[j]."""
        return dot(element)


@dataclass(frozen=True, slots=True)
class Sigmoid(Op):
    """1 / (1 + exp(−x)): the probability that a pair was found in the text; of −x, that it was drawn at random.

    Attributes:
        negated: whether it is taken of −x.
    """

    negated: bool = False
    card: ClassVar[Card] = Card()

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        x = inputs[0].neg() if self.negated else inputs[0]
        return torch.sigmoid(x, out=out())

    def write(self, *operands: str) -> str:
        return f"σ({'−' if self.negated else ''}{operands[0]})"

    @staticmethod
    def explain(element: Element) -> Explanation:
        """σ(x) = 1 / (1 + exp(−x)), or of −x."""
        x = element.one(0, element.index)
        sign = -1.0 if element.options.get("negated") else 1.0
        value = SIGMOID.output(sign * x.value)
        written = f"σ({'−' if sign < 0 else ''}{x.place})"
        terms = Terms([value], lambda _: Term(value, (x,), f"1 / (1 + exp({'' if sign < 0 else '−'}x))"))
        facts = {"input": x.value, "output": value, "slope": sign * value * (1 - value)}
        steps = 16 + 2 * abs(x.value)  # exp(−x) takes the error of its input for a relative one
        bound = rounding.of_steps(element.value.dtype, steps, value) if math.isfinite(x.value) else math.nan
        return element.explain(written, terms, facts=facts, bound=bound)


@dataclass(frozen=True, slots=True)
class SamplingLoss(Op):
    """−log σ(target) − Σ log σ(−negative) where the mask is 1, else 0 (Mikolov et al. 2013, equation 4, times −1)."""

    card: ClassVar[Card] = Card()

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        target, negatives, mask = inputs
        total = torch.log(target) + torch.log(negatives).sum(-1)
        return total.neg().masked_fill(mask == 0, 0)

    def write(self, *operands: str) -> str:
        target, negatives, mask = operands
        return f"−log {target} − Σ log {negatives} where {mask} = 1"

    @staticmethod
    def explain(element: Element) -> Explanation:
        """y = −log σ(target) − Σₙ log σ(−negative), in nats; 0 where there is nothing to guess."""
        where = element.index
        target, mask = element.one(0, where), element.one(2, where)
        if not mask.value:
            terms = Terms([0.0], lambda _: Term(0.0, (mask,), "0 where the mask is 0"))
            return element.explain(f"0 where {mask.place} = 0", terms, notes=["no word to guess here"])
        row = element.read(1, (*where, ALL))
        operands: list[Operand] = [target, *(element.operand(1, (*where, n), x) for n, x in enumerate(row))]
        values = [_minus_log(operand.value) for operand in operands]
        terms = Terms(values, lambda i: Term(values[i], (operands[i],), "−log"))
        formula = f"−log {element.input_name(0)}{at(*where)} − Σₙ log {element.input_name(1)}{at(*where, 'n')}"
        bound = rounding.of_additions(element.value.dtype, terms)
        bound += rounding.of_steps(element.value.dtype, 8, terms.magnitude)
        return element.explain(formula, terms, bound=bound)
