"""The operations of word2vec (Mikolov et al. 2013): words around a word, their sum, the loss, and negative sampling.

A row of the batch is a sentence, and every word of it is one example, with up to `2 · reach` words around it: its places.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..program.explanation import Explanation
from ..program.kinds import Card, Products
from ..program.stage import Shape
from .base import Op, Out, Tensors
from .element import Element
from .lazy import torch
from .sizes import ROOM, Sizes
from .tokens import Lookup, looked_up


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


def _around(x: torch.Tensor, reach: int, padding: int) -> torch.Tensor:
    wide = torch.nn.functional.pad(x, (reach, reach), value=padding)
    windows = wide.unfold(1, 2 * reach + 1, 1)  # (batch, token, 2 · reach + 1), the word itself in the middle
    return torch.cat((windows[..., :reach], windows[..., reach + 1 :]), dim=-1)  # (batch, token, place)


@dataclass(frozen=True, slots=True)
class PlaceSum(Op):
    """The vectors of the places that hold a word, added: (batch, token, place, hidden) -> (batch, token, hidden)."""

    card: ClassVar[Card] = Card()

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        vectors, mask = inputs
        return torch.sum(vectors.masked_fill((mask == 0).unsqueeze(-1), 0), 2, out=out())

    def shape(self, inputs: Sequence[Shape], weights: Sequence[Shape]) -> Shape:
        batch, tokens, _, hidden = inputs[0]
        return (batch, tokens, hidden)

    def write(self, *operands: str) -> str:
        vectors, mask = operands
        return f"Σ {vectors} · {mask} over places"


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


@dataclass(frozen=True, slots=True)
class NegativeLog(Op):
    """−log p where the mask is 1, and 0 where there is nothing to guess; the natural logarithm, so the unit is the nat."""

    card: ClassVar[Card] = Card()

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        p, mask = inputs
        return torch.log(p).neg().masked_fill(mask == 0, 0)

    def write(self, *operands: str) -> str:
        return f"−log {operands[0]} where {operands[1]} = 1"


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
        random = torch.from_numpy(numbers).to(target.device)
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


@dataclass(frozen=True, slots=True)
class OutputLookup(Lookup):
    """Rows of the matrix that turns vectors into scores, one for each word: a lookup in another table."""

    symbols: ClassVar[tuple[str, ...]] = ("W",)
    card: ClassVar[Card] = Card(elementwise=True, looks_up=True)

    @staticmethod
    def explain(element: Element) -> Explanation:
        """y[t, j] = W[id, j]."""
        return looked_up(element, "W")


@dataclass(frozen=True, slots=True)
class Dots(Op):
    """Each vector times the token's: (batch, token, ..., hidden) and (batch, token, hidden) -> (batch, token, ...)."""

    card: ClassVar[Card] = Card(products=Products.ROW)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        vectors, x = inputs
        flat = vectors.reshape(*x.shape[:2], -1, x.shape[-1])  # (batch, token, any, hidden)
        return torch.matmul(flat, x.unsqueeze(-1)).reshape(vectors.shape[:-1])

    def shape(self, inputs: Sequence[Shape], weights: Sequence[Shape]) -> Shape:
        return inputs[0][:-1]

    def write(self, *operands: str) -> str:
        return " · ".join(operands)


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
