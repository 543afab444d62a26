"""What an explanation consists of: data, with no opinion on how it is shown."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from ..messages.errors import InputError
from .shown import InNotebooks

Floats = npt.NDArray[np.float64]
STAGE, WEIGHT, CONSTANT = "stage", "weight", "constant"
SHARE = 0.9


@dataclass(frozen=True, slots=True)
class Operand:
    """A number that a term is made of.

    Attributes:
        kind: `stage` (it can be followed), `weight` or `constant`.
        name: canonical name of the stage or weight; for a constant, how it is written: `1/√32`.
        index: which element of it; () for a constant.
        value: the number.
        place: name and index to be read, with the token: `key_heads[0, 3, 5 'cross', 7]`.
    """

    kind: str
    name: str
    index: tuple[int, ...]
    value: float
    place: str


@dataclass(frozen=True, slots=True)
class Term:
    """One term of a sum.

    Attributes:
        value: in float64.
        factors: what it is made of, in the order of the formula.
        how: how the factors make it, where that is not their product: `exp(x − max)`.
    """

    value: float
    factors: tuple[Operand, ...] = ()
    how: str = ""


class Terms(Sequence[Term]):
    """Terms by magnitude, largest first (NaN, then infinities, before all); each is made when it is asked for.

    Args:
        values: in the order of the computation.
        make: the term at a place of that order.
        followed: how many operands of a term are stages: one count, or one for each term.
        factors: where the first terms are products of numbers of as many rows, these rows: to read them, none has to be named.
    """

    def __init__(
        self,
        values: npt.ArrayLike,
        make: Callable[[int], Term],
        followed: int | npt.ArrayLike = 1,
        factors: Sequence[Floats] = (),
    ) -> None:
        self.values: Floats = np.asarray(values, dtype=np.float64)
        self.factors = tuple(factors)
        self.make = make
        magnitudes = np.where(np.isnan(self.values), np.inf, np.abs(self.values))
        self.order = np.lexsort((-magnitudes, ~np.isnan(self.values)))
        counts = np.broadcast_to(np.asarray(followed, dtype=np.int64), self.values.shape)
        self._starts = np.concatenate([[0], np.cumsum(counts[self.order])])
        self._so_far = np.cumsum(np.abs(self.values[self.order]))

    def __len__(self) -> int:
        return len(self.values)

    @overload
    def __getitem__(self, key: int) -> Term: ...
    @overload
    def __getitem__(self, key: slice) -> list[Term]: ...
    def __getitem__(self, key: int | slice) -> Term | list[Term]:
        if isinstance(key, slice):
            return [self.make(int(place)) for place in self.order[key]]
        return self.make(int(self.order[key]))

    @property
    def followed(self) -> int:
        """How many operands can be followed."""
        return int(self._starts[-1])

    @property
    def magnitude(self) -> float:
        """Σ |term|."""
        return float(self._so_far[-1]) if len(self) else 0.0

    @cached_property
    def total(self) -> float:
        """The sum, in float64 and exact but for one rounding."""
        return exact_sum(self.values)

    @property
    def for_90(self) -> int | None:
        """The fewest terms whose magnitudes make 90% of the magnitudes of all; None where that is not a number."""
        if not math.isfinite(self.magnitude):
            return None
        enough = SHARE * self.magnitude * (1 - 1e-12)
        return int(np.searchsorted(self._so_far, enough)) + 1 if self.magnitude else 0

    def share(self, rank: int) -> float:
        """What part of all magnitudes the terms up to and with this one make; NaN where that is not a number."""
        finite = math.isfinite(self.magnitude)
        return float(self._so_far[rank] / self.magnitude) if finite and self.magnitude else math.nan

    def rest(self, start: int) -> float:
        """What the terms from this one on come to together."""
        with np.errstate(all="ignore"):
            return float(self.values[self.order[start:]].sum())

    def first_number(self, rank: int) -> int:
        """How many operands can be followed in the terms before this one."""
        return int(self._starts[rank])

    def rank_of(self, number: int) -> int:
        """The term that holds the operand of that number, counted from 0."""
        return int(np.searchsorted(self._starts, number, side="right")) - 1

    def first_bad(self) -> Operand | None:
        """The first operand that is NaN, in the order of the computation; if none is, the first that is infinite."""
        infinite = None
        for place in np.flatnonzero(~np.isfinite(self.values)):
            for factor in self.make(int(place)).factors:
                if math.isnan(factor.value):
                    return factor
                if infinite is None and math.isinf(factor.value):
                    infinite = factor
        return infinite


@dataclass(frozen=True, slots=True)
class NamedSum:
    """A sum with a name: the number itself (""), or something it is made from: `row sum Σₖ exp(x[k] − max)`."""

    title: str
    terms: Terms


@dataclass(frozen=True, slots=True)
class Row:
    """One term as a view lists it.

    Attributes:
        rank: 0 for the largest.
        share: what part of all magnitudes the terms up to and with this one make.
        numbers: for each factor its number for `follow`; 0 for what cannot be followed.
    """

    rank: int
    term: Term
    share: float
    numbers: tuple[int, ...]


@dataclass(frozen=True)
class Explanation(InNotebooks):
    """Why one element of one stage is what it is.

    Attributes:
        stage, index, kind: which element, and what kind of operation made it.
        place: both, to be read: `layers.0.attention.scores[batch=0, head=3, query=1 'the', key=5 'cross']`.
        short: the same in few letters: `scores[0, 3, 1 'the', 5 'cross']`.
        formula: with this element's own indices.
        stored: the number, as it stands in the stage's value; dtype: what it is stored as.
        sum: the terms it is the sum of; None where they cannot be told (a recording holds no weights).
        parts: sums within the formula: the row sum of a softmax, the variance of a layer norm.
        facts: named numbers of the formula: mean, variance, slope.
        notes: a sentence each.
        names: what the short names in formula and places stand for.
        bound: how far rounding may take `stored` from the terms' sum; see `rounding`.
        by_hand: whether it was put there by hand: then it is the sum of nothing, and comes from nowhere.
    """

    stage: str
    index: tuple[int, ...]
    kind: str
    place: str
    short: str
    formula: str
    stored: float
    dtype: str
    sum: NamedSum | None = None
    parts: tuple[NamedSum, ...] = ()
    facts: Mapping[str, float] = field(default_factory=dict[str, float])
    notes: tuple[str, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict[str, str])
    bound: float = 0.0
    by_hand: bool = False

    @property
    def sums(self) -> tuple[NamedSum, ...]:
        """The number's own sum, where it is known, and the parts."""
        return (self.sum, *self.parts) if self.sum is not None else self.parts

    @property
    def terms(self) -> Sequence[Term]:
        """The terms of the number, largest first."""
        return self.sum.terms if self.sum is not None else ()

    @property
    def total(self) -> float | None:
        """The sum of the terms, in float64."""
        return self.sum.terms.total if self.sum is not None else None

    @property
    def difference(self) -> float | None:
        """`total` less `stored`; 0 where both are the same infinity, or both NaN."""
        total = self.total
        if total is None or total == self.stored or (math.isnan(total) and math.isnan(self.stored)):
            return None if total is None else 0.0
        return total - self.stored

    @property
    def holds(self) -> bool:
        """Whether the difference is no more than rounding explains; True where there is nothing to compare."""
        difference = self.difference
        return not difference or (math.isfinite(difference) and abs(difference) <= self.bound)

    @property
    def terms_for_90(self) -> int | None:
        """The fewest terms whose magnitudes make 90% of the magnitudes of all."""
        return self.sum.terms.for_90 if self.sum is not None else None

    @property
    def culprit(self) -> Operand | None:
        """Where the number is NaN or infinite: the first operand that is, NaN before infinite."""
        if math.isfinite(self.stored):
            return None
        culprits = [bad for sum_ in self.sums if (bad := sum_.terms.first_bad()) is not None]
        return next((bad for bad in culprits if math.isnan(bad.value)), culprits[0] if culprits else None)

    def rows(self, part: int = 0, start: int = 0, stop: int | None = None) -> list[Row]:
        """The terms of one of `sums`, for a view; only those asked for are made."""
        terms = self.sums[part].terms
        before = sum(earlier.terms.followed for earlier in self.sums[:part])
        rows: list[Row] = []
        for rank in range(*slice(start, stop).indices(len(terms))):
            term, number = terms[rank], before + terms.first_number(rank)
            numbers: list[int] = []
            for factor in term.factors:
                number += factor.kind == STAGE
                numbers.append(number if factor.kind == STAGE else 0)
            rows.append(Row(rank, term, terms.share(rank), tuple(numbers)))
        return rows

    def operand(self, number: int) -> Operand:
        """The operand that `rows` gives this number.

        Raises:
            InputError: there is none.
        """
        before = 0
        for sum_ in self.sums:
            if 0 < number <= before + sum_.terms.followed:
                term = sum_.terms[sum_.terms.rank_of(number - before - 1)]
                first = before + sum_.terms.first_number(sum_.terms.rank_of(number - before - 1))
                stages = [factor for factor in term.factors if factor.kind == STAGE]
                return stages[number - first - 1]
            before += sum_.terms.followed
        known = f"there are 1 to {before}" if before else "nothing stands behind this number"
        raise InputError(f"no operand {number} of {self.short}; {known}")

    def number_of(self, operand: Operand) -> int:
        """The number `rows` gives this operand; 0 if it cannot be followed."""
        if operand.kind != STAGE:
            return 0
        for part in range(len(self.sums)):
            for row in self.rows(part):
                for factor, number in zip(row.term.factors, row.numbers, strict=True):
                    if (factor.name, factor.index) == (operand.name, operand.index):
                        return number
        return 0


def exact_sum(values: Floats) -> float:
    """The sum, exact but for one rounding; NaN and infinities as floating point has them."""
    try:
        return math.fsum(values)
    except (OverflowError, ValueError):  # fsum refuses what overflows on the way, and inf − inf
        with np.errstate(all="ignore"):
            return float(values.sum())


def as_float64(values: Any) -> Floats:
    """Numbers of any dtype as float64."""
    return np.asarray(values, dtype=np.float64)
