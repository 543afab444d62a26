"""Positions of tokens to each other, and what they add to scores (Shaw et al. 2018; Raffel et al. 2020; He et al. 2021).

Distances are squares of (query, key), the same for every text and head. They come from a column and a row of places, so
that rows of them can be computed alone, as those of scores can.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from ..messages.errors import InputError
from ..program.explanation import Explanation, Term, Terms
from ..program.kinds import Card
from ..program.stage import Shape
from . import rounding
from .base import Op, Out, Tensors
from .element import Element, at
from .lazy import torch
from .sizes import ROOM, Sizes, of_sum
from .terms import by_root

# How near to a whole number the float32 logarithm of a bucket must be for rounding to choose between two.
NEAR_A_STEP = 1e-4


@dataclass(frozen=True, slots=True)
class Places(Op):
    """0, 1, 2, ... for the tokens of a batch: a column (query, 1), or a row (1, key).

    Attributes:
        along: `query` or `key`.
    """

    along: str
    card: ClassVar[Card] = Card(whole_numbers=True, counts=True)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        (ids,) = inputs
        return torch.arange(ids.shape[1], device=ids.device).view(self.shape([tuple(ids.shape)], []))

    def highest(self, tokens: int, rows: int) -> int | None:
        return tokens - 1

    def shape(self, inputs: Sequence[Shape], weights: Sequence[Shape]) -> Shape:
        tokens = inputs[0][1]
        return (tokens, 1) if self.along == "query" else (1, tokens)

    def write(self, *operands: str) -> str:
        return f"0, 1, 2, ... along {operands[0]}"

    @staticmethod
    def explain(element: Element) -> Explanation:
        """0, 1, 2, ...: the place itself."""
        place = element.index[0] if element.options["along"] == "query" else element.index[1]
        terms = Terms([float(place)], lambda _: Term(float(place), (), "the place"), 0)
        word = element.token(str(element.options["along"]), place)
        return element.explain(f"{place}, the place of {word}", terms)


@dataclass(frozen=True, slots=True)
class Distances(Op):
    """How far keys are from queries: (query, 1) and (1, key) -> (query, key).

    Attributes:
        ahead: key − query, as T5 and MPNet have it; otherwise query − key, as DeBERTa.
    """

    ahead: bool = True
    rows: ClassVar[tuple[bool, ...] | None] = (True, False)
    card: ClassVar[Card] = Card(whole_numbers=True)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        query, key = inputs
        return torch.sub(key, query, out=out()) if self.ahead else torch.sub(query, key, out=out())

    def shape(self, inputs: Sequence[Shape], weights: Sequence[Shape]) -> Shape:
        return (inputs[0][0], inputs[1][1])

    def write(self, *operands: str) -> str:
        return " − ".join(operands[::-1] if self.ahead else operands)

    @staticmethod
    def explain(element: Element) -> Explanation:
        """distance = key − query, or query − key."""
        query, key = element.index
        ahead = bool(element.options["ahead"])
        pair = [element.one(0, (query, 0)), element.one(1, (0, key))]
        signs = (-1.0, 1.0) if ahead else (1.0, -1.0)
        values = [sign * operand.value for sign, operand in zip(signs, pair, strict=True)]
        terms = Terms(values, lambda i: Term(values[i], (pair[i],), "" if signs[i] > 0 else "taken away"))
        order = pair[::-1] if ahead else pair
        return element.explain(" − ".join(operand.place for operand in order), terms)


@dataclass(frozen=True, slots=True)
class Buckets(Op):
    """The bucket of each distance, as T5's `_relative_position_bucket` for encoders and MPNet's.

    The first half of the buckets is for keys up to the query, the second for those after it. In each, half are for one
    distance each, and the others grow with the logarithm; the last takes all from `distance` on.

    Attributes:
        count: how many buckets there are.
        distance: from where on all share the last one.
    """

    count: int
    distance: int
    rows: ClassVar[tuple[bool, ...] | None] = (True,)
    card: ClassVar[Card] = Card(whole_numbers=True)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        (relative,) = inputs
        side = self.count // 2
        alone = side // 2
        after = (relative > 0).to(torch.long) * side
        far = torch.abs(relative)
        grown = alone + (torch.log(far.float() / alone) / math.log(self.distance / alone) * (side - alone)).to(
            torch.long
        )
        grown = torch.min(grown, torch.full_like(grown, side - 1))
        return torch.add(after, torch.where(far < alone, far, grown), out=out())

    def highest(self, tokens: int, rows: int) -> int | None:
        return rows - 1

    def write(self, *operands: str) -> str:
        return f"bucket of {operands[0]}: {self.count} of them, the last from a distance of {self.distance} on"

    @staticmethod
    def explain(element: Element) -> Explanation:
        """T5's buckets: one for each small distance, then wider and wider ones, on either side."""
        count, most = int(element.options["count"]), int(element.options["distance"])
        relative = element.one(0, element.index)
        far, side = abs(int(relative.value)), count // 2
        alone = side // 2
        after = side if relative.value > 0 else 0
        exact = alone + math.log(far / alone) / math.log(most / alone) * (side - alone) if far >= alone else float(far)
        within = min(int(exact), side - 1)
        value = float(after + within)
        terms = Terms([value], lambda _: Term(value, (relative,), "bucket of"))
        whose = f"of {side}, for keys {'after' if after else 'up to'} the query"
        if far < alone:
            notes = [f"bucket {within} {whose}: it is for the distance {far} alone"]
        else:
            grown = f"{alone} + log({far} / {alone}) / log({most} / {alone}) · {side - alone}"
            notes = [f"bucket {within} {whose}: {grown} = {exact:.4g}"]
            notes += ["the last one, for all that are as far or farther"] * (within == side - 1)
        bound = 1.0 if far >= alone and abs(exact - round(exact)) < NEAR_A_STEP else 0.0
        return element.explain(f"bucket of {relative.place}", terms, notes=notes, bound=bound)


@dataclass(frozen=True, slots=True)
class LogBuckets(Op):
    """Distances beyond half of `count` drawn together by the logarithm, as DeBERTa's `make_log_bucket_position`.

    Attributes:
        count: how many buckets there are on each side of 0.
        distance: the distance less one that falls into the last of them.
    """

    count: int
    distance: int
    rows: ClassVar[tuple[bool, ...] | None] = (True,)
    card: ClassVar[Card] = Card(whole_numbers=True)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        (relative,) = inputs
        half = self.count // 2
        near = (relative < half) & (relative > -half)
        far = torch.where(near, half - 1, torch.abs(relative))
        span = torch.log(torch.tensor((self.distance - 1) / half))  # in float32, as the reference
        grown = torch.ceil(torch.log(far / half) / span * (half - 1)) + half
        buckets = torch.where(far <= half, relative.type_as(grown), grown * torch.sign(relative))
        memory = out()
        return buckets.to(torch.long) if memory is None else memory.copy_(buckets)

    def write(self, *operands: str) -> str:
        half = self.count // 2
        return f"{operands[0]} up to ±{half}, beyond ± ⌈log(|{operands[0]}| / {half}) / log({self.distance - 1} / {half}) · {half - 1}⌉ + {half}"

    @staticmethod
    def explain(element: Element) -> Explanation:
        """DeBERTa's buckets: near distances as they are, far ones drawn together by the logarithm."""
        count, most = int(element.options["count"]), int(element.options["distance"])
        relative = element.one(0, element.index)
        far, half = abs(int(relative.value)), count // 2
        exact = float(far)
        notes = [f"up to ±{half} every distance is its own bucket"]
        if far > half:
            exact = math.log(far / half) / math.log((most - 1) / half) * (half - 1) + half
            grown = f"⌈log({far} / {half}) / log({most - 1} / {half}) · {half - 1}⌉ + {half}"
            notes = [f"{grown} = ⌈{exact:.4g}⌉, with the sign"]
        value = math.copysign(math.ceil(exact), relative.value) if far else 0.0
        terms = Terms([value], lambda _: Term(value, (relative,), "bucket of"))
        bound = 1.0 if far > half and abs(exact - round(exact)) < NEAR_A_STEP else 0.0
        return element.explain(f"bucket of {relative.place}", terms, notes=notes, bound=bound)


@dataclass(frozen=True, slots=True)
class PositionBias(Op):
    """A number for each head and bucket: (query, key) and (bucket, head) -> (head, query, key)."""

    rows: ClassVar[tuple[bool, ...] | None] = (True,)
    symbols: ClassVar[tuple[str, ...]] = ("E",)
    card: ClassVar[Card] = Card(elementwise=True, looks_up=True, weight_axes=("bucket", "head"))

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        (buckets,), (table,) = inputs, weights
        memory = out()
        heads = table.shape[1]
        flat = None if memory is None else memory.view(heads, -1)
        by_head = table.t().contiguous()  # (head, bucket)
        return torch.index_select(by_head, 1, buckets.reshape(-1), out=flat).view(heads, *buckets.shape)

    def shape(self, inputs: Sequence[Shape], weights: Sequence[Shape]) -> Shape:
        return (weights[0][1], *inputs[0])

    def write(self, *operands: str) -> str:
        buckets, table = operands
        return f"{table} at {buckets}, a column for each head"

    @staticmethod
    def explain(element: Element) -> Explanation:
        """bias[h, q, k] = E[bucket of q and k, h]."""
        head, query, key = element.index
        bucket = element.one(0, (query, key))
        number = int(bucket.value)
        formula = f"{element.symbol(0, 'E')}{at(number, head)} with {bucket.place} = {number}"
        try:
            entry = float(element.weight(0, (number, head)))
        except InputError as error:
            terms = Terms([element.stored], lambda _: Term(element.stored, (bucket,), f"E{at(number, head)}"))
            return element.explain(formula, terms, notes=[str(error)])
        parameter = element.parameter(0, "E", (number, head), entry)
        terms = Terms([entry], lambda _: Term(entry, (bucket, parameter), f"E{at(number, head)}"))
        return element.explain(formula, terms, notes=[f"bucket {number}, for every pair of tokens that far apart"])


@dataclass(frozen=True, slots=True)
class AddBias(Op):
    """Scores plus what their distance adds: (batch, head, query, key) and (head, query, key) or the same again."""

    rows: ClassVar[tuple[bool, ...] | None] = (True, True)
    card: ClassVar[Card] = Card(elementwise=True)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        return torch.add(inputs[0], inputs[1], out=out())

    def bound(self, sizes: Sizes) -> float:
        return of_sum(sizes)

    def write(self, *operands: str) -> str:
        return " + ".join(operands)

    @staticmethod
    def explain(element: Element) -> Explanation:
        """score + bias, which is the same for every text where it has no axis for them."""
        missing = len(element.index) - len(element.input(1).shape)
        pair = (element.one(0, element.index), element.one(1, element.index[missing:]))
        terms = Terms([operand.value for operand in pair], lambda i: Term(pair[i].value, (pair[i],)))
        formula = " + ".join(f"{element.input_name(number)}{at(*operand.index)}" for number, operand in enumerate(pair))
        return element.explain(formula, terms, bound=rounding.of_additions(element.value.dtype, terms))


@dataclass(frozen=True, slots=True)
class DivideByRoot(Op):
    """x / √size, which divides where `Scale` multiplies with the inverse: the last bits differ.

    Attributes:
        size: under the root.
        rounded: the root is rounded to float32, and then to the dtype of x, before it divides, as DeBERTa has it.
        single: it is rounded to float32 alone, as for the queries of DeBERTa v1's positions.
    """

    size: int
    rounded: bool = False
    single: bool = False
    rows: ClassVar[tuple[bool, ...] | None] = (True,)
    card: ClassVar[Card] = Card(elementwise=True, scales=True)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        (x,) = inputs
        # Heads that are a view of tokens stay laid out so: the last bits of products depend on it.
        return torch.div(x, self.divisor(x.dtype), out=out() if x.is_contiguous() else None)

    def divisor(self, dtype: torch.dtype) -> torch.Tensor | float:
        """What numbers of a dtype are divided by."""
        if self.single:
            return root(self.size, torch.float32)
        return root(self.size, dtype) if self.rounded else math.sqrt(self.size)

    def bound(self, sizes: Sizes) -> float:
        return ROOM * sizes.most(0)  # the root of a whole number is no less than 1

    def write(self, *operands: str) -> str:
        return operands[0] + over_root(self.size)

    @staticmethod
    def explain(element: Element) -> Explanation:
        """x / √size."""
        size = int(element.options["size"])
        x = element.one(0, element.index)
        return by_root(element, x, f"{element.input_name(0)}{at(*element.index)}", size)


def over_root(size: int) -> str:
    """How a formula writes that √size divides: nothing where that is 1."""
    return f" / √{size}" if size > 1 else ""


def root(size: int, dtype: torch.dtype) -> torch.Tensor:
    """√size as DeBERTa's `scaled_size_sqrt`: a number on the CPU, rounded to float32 and then to a dtype."""
    return torch.sqrt(torch.tensor(size, dtype=torch.float32)).to(dtype)
