"""From an image to tokens, and from tokens to what is said of the image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..messages.errors import InputError
from ..program.explanation import Explanation, NamedSum, Term, Terms
from ..program.kinds import Card, Products
from ..program.stage import Shape
from . import rounding
from .base import Op, Out, Tensors
from .element import ALL, Element, ElementIndex, at
from .heads import Normalize
from .lazy import functional, torch
from .sizes import Sizes, of_sum
from .terms import same


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

    @staticmethod
    def explain(element: Element) -> Explanation:
        """y[j, r, q] = Σ over channel c, and y, x of the patch, of pixels[c, r·tall + y, q·wide + x] · W[j, c, y, x] + b[j]."""
        batch, j, row, column = element.index
        tall, wide = element.trace.weight_shapes[element.stage.weights[0]][-2:]
        top, left = row * tall, column * wide
        here = (slice(top, top + tall), slice(left, left + wide))
        x = element.read(0, (batch, ALL, *here))  # (channel, y, x)
        name, filters = element.input_name(0), element.symbol(0, "W")
        biased = len(element.stage.weights) > 1
        pixels = f"{name}{at(batch, 'c', f'{top} + y', f'{left} + x')}"
        formula = f"Σ over c, y, x of {pixels} · {filters}{at(j, 'c', 'y', 'x')}"
        if biased:
            formula += f" + {element.symbol(1, 'b')}{at(j)}"
        note = f"patch {row},{column}: rows {top} to {top + tall - 1}, columns {left} to {left + wide - 1} of the image"

        def place(k: int) -> ElementIndex:
            c, down, across = np.unravel_index(k, x.shape)
            return int(c), int(down), int(across)

        def pixel(k: int) -> ElementIndex:
            c, down, across = place(k)
            return batch, c, top + down, left + across

        try:
            w, b = element.weight(0, (j,)), float(element.weight(1, (j,))) if biased else 0.0
        except InputError as error:
            single = Terms(x.ravel(), lambda k: Term(x.flat[k], (element.operand(0, pixel(k), x.flat[k]),)))
            parts = [NamedSum(f"pixels of patch {row},{column}", single)]
            return element.explain(formula, None, parts, notes=[note, str(error)])
        with np.errstate(all="ignore"):
            values = np.append((x * w).ravel(), [b] * biased)

        def make(k: int) -> Term:
            if k == x.size:
                return Term(b, (element.parameter(1, "b", (j,), b),))
            operand = element.operand(0, pixel(k), x.flat[k])
            return Term(values[k], (operand, element.parameter(0, "W", (j, *place(k)), w.flat[k])))

        terms = Terms(values, make, np.append(np.ones(x.size, np.int64), [0] * biased))
        bound = rounding.of_products(element.value.dtype, terms, element.stored, b)
        return element.explain(formula, terms, notes=[note], bound=bound)


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

    @staticmethod
    def explain(element: Element) -> Explanation:
        """y[j] = v[j], whatever the image."""
        j = element.index[-1]
        vector = element.symbol(0, "v")
        shape = element.trace.weight_shapes[element.stage.weights[0]]
        place = ((0,) * (len(shape) - 1)) + (j,)
        formula, notes = f"{vector}{at(*place)}", ["learnt, and the same for every image"]
        try:
            entry = float(element.weight(0, place))
        except InputError as error:
            return element.explain(formula, None, notes=[*notes, str(error)])
        parameter = element.parameter(0, "v", place, entry)
        return element.explain(formula, Terms([entry], lambda _: Term(entry, (parameter,)), 0), notes=notes)


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

    @staticmethod
    def explain(element: Element) -> Explanation:
        """The vectors stand first; token t after them is the patch in row t div columns, column t mod columns."""
        batch, token, j = element.index
        before = len(element.stage.inputs) - 1
        if token < before:
            return same(element, (batch, j), "before the patches", number=token)
        columns = element.input(before).shape[-1]
        row, column = divmod(token - before, columns)
        return same(element, (batch, j, row, column), f"patch {row},{column}", number=before)


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

    @staticmethod
    def explain(element: Element) -> Explanation:
        """x[j] = x[token, j]."""
        batch, j = element.index
        place = int(element.options["place"])
        return same(element, (batch, place, j), "")


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

    @staticmethod
    def explain(element: Element) -> Explanation:
        """x[j] = x[token, j] of the token that ends the text."""
        batch, j = element.index
        ids = element.read(1, (batch, ALL))
        number = element.options["number"]
        place = int(ids.argmax()) if number is None else int((ids == number).argmax())
        if number is None:
            why = f"id {int(ids[place])} is the largest of this text, and ends it"
        elif ids[place] == number:
            why = f"id {number} ends a text"
        else:
            why = f"no token has id {number}, which ends a text; transformers takes the first token then"
        return same(element, (batch, place, j), f"token {place}: {why}")


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

    @staticmethod
    def explain(element: Element) -> Explanation:
        """y[j] = Σₜ x[t, j] / n over the n patches."""
        batch, j = element.index
        before = int(element.options["before"])
        x = element.read(0, (batch, slice(before, None), j))
        share = element.constant(f"1/{len(x)}", 1 / len(x))

        def make(t: int) -> Term:
            return Term(x[t] / len(x), (element.operand(0, (batch, t + before, j), x[t]), share))

        terms = Terms(x / len(x), make)
        name = element.input_name(0)
        formula = f"Σₜ {name}{at(batch, 't', j)} / {len(x)} over the tokens from {before} on"
        bound = rounding.of_products(element.value.dtype, terms, element.stored)
        bound += rounding.of_steps(element.value.dtype, 2, abs(element.stored))
        return element.explain(formula, terms, bound=bound)


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

    @staticmethod
    def explain(element: Element) -> Explanation:
        """y = (a + b) / 2."""
        half = element.constant("1/2", 0.5)
        pair = [element.one(number, element.index) for number in (0, 1)]
        terms = Terms([operand.value / 2 for operand in pair], lambda i: Term(pair[i].value / 2, (pair[i], half)))
        place = at(*element.index)
        formula = f"({element.input_name(0)}{place} + {element.input_name(1)}{place}) / 2"
        return element.explain(formula, terms, bound=rounding.of_steps(element.value.dtype, 2, terms.magnitude))


@dataclass(frozen=True, slots=True)
class UnitLength(Op):
    """A vector divided by its Euclidean length, in the steps of transformers' `_get_vector_norm` (CLIP)."""

    card: ClassVar[Card] = Card()
    explain = staticmethod(Normalize.explain)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        x = inputs[0]
        return x / torch.pow(torch.sum(torch.pow(x, 2), dim=-1, keepdim=True), 0.5)

    def write(self, *operands: str) -> str:
        return f"{operands[0]} / ‖{operands[0]}‖"
