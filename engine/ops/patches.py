"""From an image to tokens, and from tokens to what is said of the image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from ..program.kinds import Card, Products
from ..program.stage import Shape
from .base import Op, Out, Tensors
from .lazy import functional, torch
from .sizes import Sizes, of_sum


@dataclass(frozen=True, slots=True)
class Patches(Op):
    """Every patch of an image times every filter: `torch.nn.Conv2d` with a stride as large as its kernel.

    (batch, channel, height, width) and (hidden, channel, y, x) -> (batch, hidden, row, column). Pixels beyond the last
    whole patch are not looked at. The bias may be absent.
    """

    symbols: ClassVar[tuple[str, ...]] = ("W", "b")
    card: ClassVar[Card] = Card(products=Products.WEIGHT, weight_axes=("hidden", "channel", "y", "x"))

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        (pixels,), (filters, *bias) = inputs, weights
        return functional.conv2d(pixels, filters, bias[0] if bias else None, stride=filters.shape[2:])

    def shape(self, inputs: Sequence[Shape], weights: Sequence[Shape]) -> Shape:
        (batch, _, height, width), (hidden, _, tall, wide) = inputs[0], weights[0]
        return (batch, hidden, height // tall, width // wide)

    def write(self, *operands: str) -> str:
        pixels, filters, *bias = operands
        return f"Σ over channel, y, x of a patch of {pixels} · {filters}" + "".join(f" + {b}" for b in bias)


@dataclass(frozen=True, slots=True)
class ForEach(Op):
    """A learnt vector, the same for every image: any shape of one vector -> (batch, hidden).

    Its input says how many images there are, and nothing else.
    """

    symbols: ClassVar[tuple[str, ...]] = ("v",)
    card: ClassVar[Card] = Card(elementwise=True, takes_no_memory=True, may_be_alike=True)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        return weights[0].reshape(1, -1).expand(inputs[0].shape[0], -1)  # (batch, hidden), the rows sharing memory

    def shape(self, inputs: Sequence[Shape], weights: Sequence[Shape]) -> Shape:
        return (inputs[0][0], weights[0][-1])

    def write(self, *operands: str) -> str:
        return f"{operands[1]}, for each image of {operands[0]}"


@dataclass(frozen=True, slots=True)
class Prepend(Op):
    """Vectors, then patches row by row: (batch, hidden) each and (batch, hidden, row, column) -> (batch, token, hidden)."""

    card: ClassVar[Card] = Card(moves=True, elementwise=True, may_be_alike=True)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        *vectors, patches = inputs
        tokens = patches.flatten(2).transpose(1, 2)  # (batch, patch, hidden)
        return torch.cat([*(vector.unsqueeze(1) for vector in vectors), tokens], dim=1, out=out())

    def bound(self, sizes: Sizes) -> float:
        return sizes.most_of_all()

    def shape(self, inputs: Sequence[Shape], weights: Sequence[Shape]) -> Shape:
        batch, hidden, rows, columns = inputs[-1]
        return (batch, len(inputs) - 1 + rows * columns, hidden)

    def write(self, *operands: str) -> str:
        *vectors, patches = operands
        return f"{', '.join(vectors)}, then {patches} row by row"


@dataclass(frozen=True, slots=True)
class TokenAt(Op):
    """The vector of the token at one place: (batch, token, hidden) -> (batch, hidden)."""

    place: int
    card: ClassVar[Card] = Card(moves=True, elementwise=True, takes_no_memory=True, may_be_alike=True)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        return inputs[0][:, self.place]

    def shape(self, inputs: Sequence[Shape], weights: Sequence[Shape]) -> Shape:
        return (inputs[0][0], inputs[0][2])

    def write(self, *operands: str) -> str:
        return f"{operands[0]} at token {self.place}"


@dataclass(frozen=True, slots=True)
class EndToken(Op):
    """The vector of the token that ends a text: (batch, token, hidden) and ids (batch, token) -> (batch, hidden).

    Attributes:
        number: its id; the first one counts, and without any the first token of all. None takes the largest id, as
            transformers does for CLIP's first checkpoints, whose `eos_token_id` of 2 is wrong.
    """

    number: int | None
    card: ClassVar[Card] = Card(moves=True, elementwise=True, may_be_alike=True)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        x, ids = inputs
        small = ids.to(torch.int)  # of several largest ones torch.argmax takes the first
        places = small.argmax(-1) if self.number is None else (small == self.number).int().argmax(-1)
        return x[torch.arange(x.shape[0], device=x.device), places]

    def shape(self, inputs: Sequence[Shape], weights: Sequence[Shape]) -> Shape:
        return (inputs[0][0], inputs[0][2])

    def write(self, *operands: str) -> str:
        x, ids = operands
        where = f"{ids} is largest" if self.number is None else f"{ids} = {self.number} first"
        return f"{x} where {where}"


@dataclass(frozen=True, slots=True)
class PatchMean(Op):
    """The mean over patches, the tokens before them left out: (batch, token, hidden) -> (batch, hidden)."""

    before: int
    card: ClassVar[Card] = Card()

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        return torch.mean(inputs[0][:, self.before :], dim=1)

    def shape(self, inputs: Sequence[Shape], weights: Sequence[Shape]) -> Shape:
        return (inputs[0][0], inputs[0][2])

    def write(self, *operands: str) -> str:
        return f"mean of {operands[0]} over patches"


@dataclass(frozen=True, slots=True)
class Average(Op):
    """The mean of two values of one shape."""

    card: ClassVar[Card] = Card(elementwise=True)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        return (inputs[0] + inputs[1]) / 2

    def bound(self, sizes: Sizes) -> float:
        return of_sum(sizes)  # what is halved was added before

    def write(self, *operands: str) -> str:
        return f"({' + '.join(operands)}) / 2"


@dataclass(frozen=True, slots=True)
class UnitLength(Op):
    """A vector divided by its Euclidean length, in the steps of transformers' `_get_vector_norm` (CLIP)."""

    card: ClassVar[Card] = Card()

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        x = inputs[0]
        return x / torch.pow(torch.sum(torch.pow(x, 2), dim=-1, keepdim=True), 0.5)

    def write(self, *operands: str) -> str:
        return f"{operands[0]} / ‖{operands[0]}‖"
