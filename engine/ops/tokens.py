"""What goes in, and how ids become vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from ..program.kinds import Card
from ..program.stage import Shape
from .base import Op, Out, Tensors
from .lazy import torch
from .sizes import Sizes


@dataclass(frozen=True, slots=True)
class Given(Op):
    """A value that comes from the tokenizer rather than from a computation."""

    what: str
    card: ClassVar[Card] = Card(given=True, whole_numbers=True, takes_no_memory=True, may_be_alike=True)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        raise AssertionError(f"{self.what} is given to the run, not computed")

    def highest(self, tokens: int, rows: int) -> int | None:
        return 1 if self.what in ("mask", "prompt") else rows - 1

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
    card: ClassVar[Card] = Card(given=True, elementwise=True, takes_no_memory=True, may_be_alike=True)

    def shape(self, inputs: Sequence[Shape], weights: Sequence[Shape]) -> Shape:
        batch, tokens = inputs[0]
        return (batch, tokens, *self.sizes) if self.by_token else (batch, *self.sizes)

    def highest(self, tokens: int, rows: int) -> int | None:
        return None


@dataclass(frozen=True, slots=True)
class OneHot(Op):
    """A row of zeros for each id, with a one in its place: (batch, token) -> (batch, token, vocabulary)."""

    size: int
    windows: ClassVar[bool] = True
    card: ClassVar[Card] = Card(whole_numbers=True, takes_no_memory=True, may_be_alike=True)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        return self.window(inputs, (slice(None),) * (inputs[0].dim() + 1))

    def window(self, inputs: Tensors, index: tuple[slice, ...]) -> torch.Tensor:
        """Only the rows and the columns that are asked for."""
        (ids,) = inputs
        places = torch.arange(self.size, device=ids.device)[index[-1]]
        return (ids[index[:-1]][..., None] == places).to(ids.dtype)  # (batch, token, vocabulary)

    def bound(self, sizes: Sizes) -> float:
        return 1.0

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
    card: ClassVar[Card] = Card(elementwise=True, looks_up=True)

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


def all_seen(mask: torch.Tensor) -> bool:
    """Whether a mask hides nothing: as whoever brought it has noted on it, else asked of its device, which is waited for."""
    noted = getattr(mask, "all_seen", None)
    return bool((mask != 0).all()) if noted is None else noted


@dataclass(frozen=True, slots=True)
class AdditiveMask(Op):
    """0 where a key may be seen, the most negative number of the dtype where not: (batch, token) -> (batch, 1, query, key).

    Equal to `eager_mask` of transformers' `masking_utils`. Where every query sees the same keys, the rows share memory;
    where nothing at all is hidden transformers adds no mask, the zeros then take no memory, and `AddMask` sees that. Causal
    and local masks are whole squares, of which rows can be made alone.

    Attributes:
        dtype: of the numbers.
        causal: whether what comes after a query is hidden from it as well.
        window: how many tokens away a key may be, on either side; None for any.
        infinite: whether minus infinity hides, as in torch.nn, rather than the most negative finite number.
    """

    dtype: str
    causal: bool = False
    window: int | None = None
    infinite: bool = False
    card: ClassVar[Card] = Card(elementwise=True, may_be_infinite=True, mask=True)

    @property
    def rows(self) -> tuple[bool, ...] | None:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Rows differ, and take memory, only where queries see different keys."""
        return (False,) if self.causal or self.window is not None else None

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        return self.compute_rows(inputs, weights, out, 0, inputs[0].shape[1])

    def compute_rows(self, inputs: Tensors, weights: Tensors, out: Out, start: int, stop: int) -> torch.Tensor:
        (mask,) = inputs
        dtype, device = getattr(torch, self.dtype), mask.device
        batch, tokens = mask.shape
        everywhere = not self.causal and (self.window is None or self.window >= tokens - 1)
        zero = torch.zeros((), dtype=dtype, device=device)
        if everywhere and device.type != "meta" and all_seen(mask):
            return zero.expand(batch, 1, stop - start, tokens)
        seen = (mask != 0)[:, None, None, :]  # (batch, 1, 1, key)
        keys = torch.arange(tokens, device=device)
        queries = torch.arange(start, stop, device=device)[:, None]
        if self.causal:
            seen = seen & (keys <= queries)  # (batch, 1, query, key)
        if self.window is not None and not everywhere:
            seen = seen & ((keys - queries).abs() <= self.window)
        lowest = -torch.inf if self.infinite else torch.finfo(dtype).min
        return torch.where(seen, zero, lowest).expand(batch, 1, stop - start, tokens)

    def shape(self, inputs: Sequence[Shape], weights: Sequence[Shape]) -> Shape:
        batch, tokens = inputs[0]
        return (batch, 1, tokens, tokens)

    def write(self, *operands: str) -> str:
        lowest = "-inf" if self.infinite else f"{torch.finfo(getattr(torch, self.dtype)).min:.4g}"
        also = " and key ≤ query" * self.causal
        if self.window is not None:
            also += f" and |query − key| ≤ {self.window}"
        if also:
            return f"0 where {operands[0]} = 1{also}, {lowest} elsewhere"
        return f"0 where {operands[0]} = 1, {lowest} where 0, for every query"
