"""One vector for a whole text, as sentence-transformers' `Pooling` makes it: (batch, token, hidden) -> (batch, hidden).

Each takes the encoder's output and the mask; what is padding never counts. In half precision sums are made in float32,
as there.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from ..program.kinds import Card
from ..program.stage import Shape
from .base import Op, Out, Tensors
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


POOLINGS: dict[str, tuple[str, Op]] = {
    "cls": ("cls", FirstSeen()), "max": ("max", MaxPool()), "mean": ("mean", MeanPool()),
    "mean_sqrt_len_tokens": ("mean_sqrt_len", MeanPool(root=True)), "weightedmean": ("weighted_mean", WeightedMeanPool()),
    "lasttoken": ("last", LastSeen()),
}  # fmt: skip
