"""One vector for a whole text, as sentence-transformers' `Pooling` makes it: (batch, token, hidden) -> (batch, hidden).

Each takes the encoder's output and the mask; what is padding never counts. In half precision sums are made in float32,
as there.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..program.explanation import Explanation, Floats, Term, Terms
from ..program.kinds import Card
from ..program.stage import Shape
from . import rounding
from .base import Op, Out, Tensors
from .element import ALL, Element, at
from .lazy import torch
from .sizes import NO_RULE, Sizes

LEAST = 1e-9  # a text of padding alone is divided by this


class Pool(Op, ABC):
    """The shape all poolings share."""

    def shape(self, inputs: Sequence[Shape], weights: Sequence[Shape]) -> Shape:
        return (inputs[0][0], inputs[0][2])


def _summing(dtype: torch.dtype) -> torch.dtype:
    return torch.float32 if dtype in (torch.float16, torch.bfloat16) else dtype


@dataclass(frozen=True, slots=True)
class WithoutPrompt(Op):
    """Which tokens count: those that are neither padding nor of the prompt, of the mask and the prompt: (batch, token)."""

    card: ClassVar[Card] = Card(whole_numbers=True)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        mask, prompt = inputs
        return torch.mul(mask, 1 - prompt, out=out())

    def highest(self, tokens: int, rows: int) -> int | None:
        return 1

    def write(self, *operands: str) -> str:
        mask, prompt = operands
        return f"{mask} · (1 − {prompt})"

    @staticmethod
    def explain(element: Element) -> Explanation:
        """y[t] = mask[t] · (1 − prompt[t])."""
        mask, prompt = element.one(0, element.index), element.one(1, element.index)
        value = mask.value * (1.0 - prompt.value)
        terms = Terms([value], lambda _: Term(value, (mask, prompt), "mask · (1 − prompt)"))
        who = element.token("token", element.index[1])
        hidden = "is of the prompt, and does not count" if mask.value else "is padding"
        note = f"{who} {'counts' if value else hidden}"
        return element.explain(f"{mask.place} · (1 − {prompt.place})", terms, notes=[note])


@dataclass(frozen=True, slots=True)
class MeanPool(Pool):
    """The mean over tokens; with `root`, the sum divided by the root of how many there are."""

    root: bool = False
    card: ClassVar[Card] = Card()

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        x, mask = inputs
        seen = mask.unsqueeze(-1).to(x.dtype)  # (batch, token, 1)
        total = (x * seen).sum(dim=1, dtype=_summing(x.dtype))
        count = torch.clamp(seen.sum(dim=1, dtype=_summing(x.dtype)), min=LEAST)
        return (total / (torch.sqrt(count) if self.root else count)).to(x.dtype)

    def write(self, *operands: str) -> str:
        x, mask = operands
        return f"Σ {x} · {mask} / {'√' * self.root}Σ {mask} over tokens"

    @staticmethod
    def explain(element: Element) -> Explanation:
        """y[j] = Σₜ x[t, j] · mask[t] / Σₜ mask[t], over the tokens that are not padding; or divided by the root of that."""
        batch, _ = element.index
        mask = element.read(1, (batch, ALL))
        count = max(float(mask.sum()), LEAST)
        root = bool(element.options.get("root", False))
        seen = element.input_name(1)
        below = f"{'√' * root}Σₜ {seen}{at(batch, 't')}"
        divisor = count**0.5 if root else count
        return _weighted(element, mask, divisor, f"{seen}{at(batch, 't')}", below, {f"Σ {seen}": count})


@dataclass(frozen=True, slots=True)
class WeightedMeanPool(Pool):
    """The mean over tokens, the first counted once, the second twice, and so on (Muennighoff 2022).

    Where a prompt is left out, the mask of all tokens comes third: the first of all is still counted once.
    """

    card: ClassVar[Card] = Card()

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        x, mask, *whole = inputs
        wide = _summing(x.dtype)
        places = torch.arange(1, x.shape[1] + 1, device=x.device, dtype=wide).view(1, -1, 1)
        first = (
            (whole[0] if whole else mask).to(torch.int32).argmax(dim=1).view(-1, 1, 1)
        )  # padding may stand before the text
        counted = mask.unsqueeze(-1).to(wide) * (places - first)  # (batch, token, 1)
        return ((x * counted).sum(dim=1) / torch.clamp(counted.sum(dim=1), min=LEAST)).to(x.dtype)

    def write(self, *operands: str) -> str:
        x, mask = operands[:2]
        return f"Σ t · {x} · {mask} / Σ t · {mask} over tokens t = 1, 2, ..."

    @staticmethod
    def explain(element: Element) -> Explanation:
        """y[j] = Σₜ t · x[t, j] · mask[t] / Σₜ t · mask[t], t from 1 at the first token that is not padding."""
        batch, _ = element.index
        mask = element.read(1, (batch, ALL))
        whole = element.read(2, (batch, ALL)) if len(element.stage.inputs) > 2 else mask
        weights = mask * (np.arange(1, len(mask) + 1) - int(whole.argmax()))
        total = max(float(weights.sum()), LEAST)
        seen = element.input_name(1)
        written = f"t · {seen}{at(batch, 't')}"
        return _weighted(element, weights, total, written, f"Σₜ {written}", {"Σ weights": total})


def _weighted(
    element: Element, weights: Floats, divisor: float, written: str, below: str, facts: dict[str, float]
) -> Explanation:
    """A sum over tokens, each by its weight, divided by one number."""
    batch, j = element.index
    x = element.read(0, (batch, ALL, j))
    with np.errstate(all="ignore"):
        values = x * weights / divisor

    def make(t: int) -> Term:
        share = element.constant(f"{weights[t]:g}/{divisor:.6g}", weights[t] / divisor)
        return Term(values[t], (element.operand(0, (batch, t, j), x[t]), share))

    terms = Terms(values, make)
    formula = f"Σₜ {element.input_name(0)}{at(batch, 't', j)} · {written} / {below}"
    bound = rounding.of_products(element.value.dtype, terms, element.stored)
    bound += rounding.of_steps("float32" if element.value.dtype != "float64" else "float64", 4, abs(element.stored))
    return element.explain(formula, terms, facts=facts, bound=bound + 2 * rounding.UNIT["float64"])


@dataclass(frozen=True, slots=True)
class MaxPool(Pool):
    """The largest of each feature over tokens."""

    card: ClassVar[Card] = Card(moves=True, elementwise=True)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        x, mask = inputs
        seen = mask.unsqueeze(-1).expand_as(x).to(x.dtype)  # (batch, token, hidden)
        return x.masked_fill(seen == 0, float("-inf")).max(dim=1).values

    def bound(self, sizes: Sizes) -> float:
        return sizes.most(0) if sizes.least(1) > 0 else NO_RULE  # a text of padding alone gives -inf

    def write(self, *operands: str) -> str:
        x, mask = operands
        return f"max of {x} over tokens with {mask} = 1"

    @staticmethod
    def explain(element: Element) -> Explanation:
        """y[j] = maxₜ x[t, j] over the tokens that are not padding."""
        batch, j = element.index
        x, mask = element.read(0, (batch, ALL, j)), element.read(1, (batch, ALL))
        shown = np.where(mask != 0, x, -np.inf)
        place = int(shown.argmax())
        operand = element.operand(0, (batch, place, j), x[place])
        terms = Terms([shown[place]], lambda _: Term(shown[place], (operand,), "largest"))
        second = np.delete(shown, place)
        notes = [f"the largest stands at {element.token('token', place)}"]
        if second.size and np.isfinite(second.max()):
            notes.append(f"the next is {second.max():.6g}")
        formula = f"maxₜ {element.input_name(0)}{at(batch, 't', j)} where the mask is 1"
        return element.explain(formula, terms, notes=notes)


@dataclass(frozen=True, slots=True)
class FirstSeen(Pool):
    """The vector of the first token that is not padding: [CLS]."""

    card: ClassVar[Card] = Card(moves=True, elementwise=True)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        x, mask = inputs
        first = mask.to(torch.int).argmax(dim=1)  # (batch,)
        return torch.gather(x, 1, first.view(-1, 1, 1).expand(-1, 1, x.shape[-1])).squeeze(1)

    def write(self, *operands: str) -> str:
        return f"{operands[0]} at the first token with {operands[1]} = 1"

    @staticmethod
    def explain(element: Element) -> Explanation:
        """y[j] = x[t, j] at the first token that is not padding."""
        return _one_token(element, int(element.read(1, (element.index[0], ALL)).argmax()), "first")


@dataclass(frozen=True, slots=True)
class LastSeen(Pool):
    """The vector of the last token that is not padding."""

    card: ClassVar[Card] = Card(moves=True, elementwise=True)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        x, mask = inputs
        tokens = x.shape[1]
        values, back = mask.flip(1).max(1)
        back = torch.where(values == 0, tokens - 1, back)
        last = (tokens - back - 1).view(-1, 1, 1).expand(-1, 1, x.shape[-1])  # (batch, 1, hidden)
        seen = mask.unsqueeze(-1).expand_as(x).to(x.dtype)
        return torch.gather(x * seen, 1, last).squeeze(1)

    def write(self, *operands: str) -> str:
        return f"{operands[0]} at the last token with {operands[1]} = 1"

    @staticmethod
    def explain(element: Element) -> Explanation:
        """y[j] = x[t, j] at the last token that is not padding."""
        mask = element.read(1, (element.index[0], ALL))
        return _one_token(element, len(mask) - 1 - int(mask[::-1].argmax()) if mask.any() else 0, "last")


def _one_token(element: Element, place: int, which: str) -> Explanation:
    """The vector of one token that is there, the first or the last."""
    batch, j = element.index
    x = element.one(0, (batch, place, j))
    stands = float(element.input(1).read((batch, place)))
    value = x.value if which == "first" else x.value * stands
    terms = Terms([value], lambda _: Term(value, (x,), f"{which} token"))
    formula = f"{element.input_name(0)}{at(batch, place, j)}, the {which} token that is not padding"
    return element.explain(formula, terms)


@dataclass(frozen=True, slots=True)
class Beside(Op):
    """Vectors one after another: (batch, hidden) each -> (batch, sum of their sizes)."""

    card: ClassVar[Card] = Card(moves=True, elementwise=True, may_be_alike=True)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        return torch.cat(list(inputs), dim=-1)

    def bound(self, sizes: Sizes) -> float:
        return sizes.most_of_all()

    def shape(self, inputs: Sequence[Shape], weights: Sequence[Shape]) -> Shape:
        return (*inputs[0][:-1], sum(shape[-1] for shape in inputs))

    def write(self, *operands: str) -> str:
        return f"{', '.join(operands)} one after another"

    @staticmethod
    def explain(element: Element) -> Explanation:
        """y = x₁, x₂, ... one after another."""
        *lead, j = element.index
        for number in range(len(element.stage.inputs)):
            size = element.input(number).shape[-1]
            if j < size:
                x = element.one(number, (*lead, j))
                terms = Terms([x.value], lambda _, x=x: Term(x.value, (x,)))
                return element.explain(f"{element.input_name(number)}{at(*lead, j)}", terms)
            j -= size
        raise AssertionError(element.index)


POOLINGS: dict[str, tuple[str, Op]] = {
    "cls": ("cls", FirstSeen()), "max": ("max", MaxPool()), "mean": ("mean", MeanPool()),
    "mean_sqrt_len_tokens": ("mean_sqrt_len", MeanPool(root=True)), "weightedmean": ("weighted_mean", WeightedMeanPool()),
    "lasttoken": ("last", LastSeen()),
}  # fmt: skip
