"""What goes in, and how ids become vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch

from ..program import Shape
from .base import Op, Out, Tensors


@dataclass(frozen=True, slots=True)
class Given(Op):
    """A value that comes from the tokenizer rather than from a computation."""

    what: str
    whole_numbers: ClassVar[bool] = True

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        raise AssertionError(f"{self.what} is given to the run, not computed")

    def write(self, *operands: str) -> str:
        return self.what


@dataclass(frozen=True, slots=True)
class GivenNumbers(Given):
    """A value given to the run that holds numbers of the run's own dtype: pixels, vectors.

    Attributes:
        sizes: of the axes after the batch, or after the token where `by_token` is set.
    """

    sizes: tuple[int, ...] = ()
    by_token: bool = False
    whole_numbers: ClassVar[bool] = False

    def shape(self, inputs: Sequence[Shape], weights: Sequence[Shape]) -> Shape:
        batch, tokens = inputs[0]
        return (batch, tokens, *self.sizes) if self.by_token else (batch, *self.sizes)


@dataclass(frozen=True, slots=True)
class OneHot(Op):
    """A row of zeros for each id, with a one in its place: (batch, token) -> (batch, token, vocabulary)."""

    size: int
    windows: ClassVar[bool] = True
    whole_numbers: ClassVar[bool] = True

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        return self.window(inputs, (slice(None),) * (inputs[0].dim() + 1))

    def window(self, inputs: Tensors, index: tuple[slice, ...]) -> torch.Tensor:
        """Only the rows and the columns that are asked for."""
        (ids,) = inputs
        places = torch.arange(self.size, device=ids.device)[index[-1]]
        return (ids[index[:-1]][..., None] == places).to(ids.dtype)  # (batch, token, vocabulary)

    def shape(self, inputs: Sequence[Shape], weights: Sequence[Shape]) -> Shape:
        return (*inputs[0], self.size)

    def write(self, *operands: str) -> str:
        return f"1 at {operands[0]}, 0 elsewhere, of {self.size} places"


@dataclass(frozen=True, slots=True)
class Lookup(Op):
    """Rows of an embedding matrix: (batch, token) and (vocabulary, hidden) -> (batch, token, hidden).

    Axes of size one before the matrix's own, as a position embedding may have for the batch, are passed over.
    """

    symbols: ClassVar[tuple[str, ...]] = ("E",)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        (ids,), (table,) = inputs, weights
        table = table.view(table.shape[-2:])
        memory = out()
        flat = None if memory is None else memory.view(-1, table.shape[1])
        return torch.index_select(table, 0, ids.reshape(-1), out=flat).view(*ids.shape, table.shape[1])

    def shape(self, inputs: Sequence[Shape], weights: Sequence[Shape]) -> Shape:
        return (*inputs[0], weights[0][-1])

    def write(self, *operands: str) -> str:
        ids, table = operands
        return f"rows of {table} at {ids}"


@dataclass(frozen=True, slots=True)
class AdditiveMask(Op):
    """0 where a key may be seen, the most negative number of the dtype where not: (batch, token) -> (batch, 1, query, key).

    Equal to `eager_mask` of transformers' `masking_utils`. Unless it is causal, every query sees the same keys, and the
    rows share memory. Where nothing is masked transformers adds no mask at all; the zeros then take no memory, and
    `AddMask` sees that.

    Attributes:
        dtype: of the numbers.
        causal: whether what comes after a query is hidden from it as well.
    """

    dtype: str
    causal: bool = False

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        (mask,) = inputs
        dtype = getattr(torch, self.dtype)
        batch, tokens = mask.shape
        if not self.causal and mask.device.type != "meta" and bool((mask != 0).all()):
            return torch.zeros((), dtype=dtype, device=mask.device).expand(batch, 1, tokens, tokens)
        seen = (mask != 0)[:, None, None, :]  # (batch, 1, 1, key)
        if self.causal:
            places = torch.arange(tokens, device=mask.device)
            seen = seen & (places <= places[:, None])  # (batch, 1, query, key)
        zero = torch.zeros((), dtype=dtype, device=mask.device)
        return torch.where(seen, zero, torch.finfo(dtype).min).expand(batch, 1, tokens, tokens)

    def shape(self, inputs: Sequence[Shape], weights: Sequence[Shape]) -> Shape:
        batch, tokens = inputs[0]
        return (batch, 1, tokens, tokens)

    def write(self, *operands: str) -> str:
        lowest = f"{torch.finfo(getattr(torch, self.dtype)).min:.4g}"
        if self.causal:
            return f"0 where {operands[0]} = 1 and key ≤ query, {lowest} elsewhere"
        return f"0 where {operands[0]} = 1, {lowest} where 0, for every query"
