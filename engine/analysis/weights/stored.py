"""The weights of a program as they are stored, with the few figures that everything here is told by."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch

from ...messages.errors import InputError
from ...messages.visible import quoted
from ...program.addresses import AT
from ...program.stage import Shape, Stage
from ...program.weight import StageWeight

FITS = 1e-15, 1e15  # magnitudes whose squares are ones of float32
BLOCK = 1 << 18  # elements that are looked at at once: they stay in the processor's cache
LAYER = re.compile(r"(?<=\.)\d+(?=\.)")
# What tokens are called that are kept in reserve: nobody trains them.
RESERVED = re.compile(r"unused|extra_id|reserved|madeupword|placeholder", re.IGNORECASE)
AxisSums = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class WeightFigures:
    """What one reading of a weight gives.

    Attributes:
        rows, columns: sums of squares along each row, (rows,), and each column, (columns,).
        zero_rows: which rows are all zero.
        least, most: the smallest and the largest number; NaN where any is.
        not_numbers, infinite, subnormal: how many are; subnormal ones of formats that have float32's range.
        first_bad: row and column of the first that is NaN or infinite; None where all are finite.
    """

    rows: AxisSums
    columns: AxisSums
    zero_rows: npt.NDArray[np.int64]
    least: float
    most: float
    not_numbers: int
    infinite: int
    subnormal: int
    first_bad: tuple[int, int] | None

    @property
    def is_finite(self) -> bool:
        """Whether every number is."""
        return self.first_bad is None

    @property
    def is_constant(self) -> bool:
        """Whether all numbers are the same."""
        return self.least == self.most


class StoredWeight:
    """One weight, at the first stage that uses it.

    Args:
        at: which of a stage's weights.
        shape: its own.
        tensor: what gives it as it is stored.
        heads: how many heads its rows (of query, key and value) or its columns (of the output) fall into; 0 where none are known.
        rows_are_heads: which of the two.
    """

    def __init__(
        self, at: StageWeight, shape: Shape, tensor: Callable[[str], torch.Tensor], heads: int, rows_are_heads: bool,
        stopped: Callable[[], bool],
    ) -> None:  # fmt: skip
        self.stage: Stage = at.stage
        self.symbol = at.stage.symbols[at.number]
        self.name, self.address, self.shape = at.name, at.address, shape
        self.heads, self.rows_are_heads = heads, rows_are_heads
        self.role = LAYER.sub("*", at.stage.name) + AT + self.symbol
        self.count = math.prod(shape)  # how many numbers it has
        self.is_vector = self.count == max(shape, default=1)  # all but one of its axes have one place
        self.is_table = not self.is_vector and (
            self.stage.card.looks_up or self.symbol == "E"
        )  # its rows are looked up
        self._tensor, self._stopped = tensor, stopped

    @property
    def is_matrix(self) -> bool:
        """Whether it is multiplied with."""
        return not self.is_vector and not self.is_table

    @property
    def is_bias(self) -> bool:
        """Whether it is what is added after a product or a norm."""
        return self.is_vector and self.symbol in ("b", "β")

    def tensor(self) -> torch.Tensor:
        """As it is stored, mapped where it lies: (rows, columns); a vector is one row."""
        tensor = self._tensor(self.name).detach()
        if self.is_vector:
            return tensor.reshape(1, -1)
        return tensor.reshape(-1, self.shape[-1]) if self.is_table else tensor.reshape(self.shape[0], -1)

    def blocks(self) -> Iterator[tuple[int, torch.Tensor]]:
        """The first row of each block of rows and the block, in float32 or what is wider, on the CPU.

        Raises:
            InputError: it was stopped.
        """
        tensor = self.tensor()
        step = max(1, BLOCK // max(1, tensor.shape[1]))
        wide = torch.promote_types(tensor.dtype, torch.float32)
        for start in range(0, tensor.shape[0], step):
            if self._stopped():
                raise InputError(f"stopped at {self.name}; nothing has been changed")
            yield start, tensor[start : start + step].to(device="cpu", dtype=wide)

    @cached_property
    def vector(self) -> AxisSums:
        """All numbers of one that is a vector."""
        return self.tensor()[0].to(device="cpu", dtype=torch.float64).numpy()

    @cached_property
    def figures(self) -> WeightFigures:
        """What one reading of it gives."""
        rows: list[AxisSums] = []
        zero_rows: list[npt.NDArray[np.int64]] = []
        columns = np.zeros(max(1, self.tensor().shape[1]))
        least, most = np.inf, -np.inf
        bad, infinite, subnormal = 0, 0, 0
        first_bad: tuple[int, int] | None = None
        tiny = torch.finfo(torch.float32).tiny
        for start, block in self.blocks():
            low, high = (end.item() for end in torch.aminmax(block))
            least, most = float(np.minimum(least, low)), float(np.maximum(most, high))
            if not FITS[0] < max(-low, high) < FITS[1]:  # the squares would leave float32
                block = block.to(torch.float64)
            squares = block.square()
            row_squares = squares.sum(1).to(torch.float64).numpy()
            rows.append(row_squares)
            columns += squares.sum(0).to(torch.float64).numpy()
            small = np.flatnonzero(row_squares == 0)
            zero_rows.append(start + small[(block[small] == 0).all(1).numpy()])
            if not np.isfinite(row_squares).all():
                lost = ~torch.isfinite(block)
                bad += int(block.isnan().sum())
                infinite += int(block.isinf().sum())
                if first_bad is None and lost.any():
                    row, column = (int(place) for place in torch.nonzero(lost)[0])
                    first_bad = start + row, column
            if squares.min().item() < tiny:  # only then may a number be as small
                subnormal += int(((block != 0) & (block.abs() < tiny)).sum())
        return WeightFigures(
            np.concatenate(rows), columns, np.concatenate(zero_rows), least, most, bad, infinite, subnormal, first_bad
        )  # fmt: skip

    @cached_property
    def row_size(self) -> float:
        """The median root mean square of its rows: its scale, which no few rows change."""
        width = max(1, self.figures.columns.size)
        return float(np.sqrt(np.median(self.figures.rows) / width))

    def __repr__(self) -> str:
        return self.address


class StoredWeights:
    """Every weight of a program once, in the order they are used.

    Args:
        weights: in order.
        words: reads an id of the vocabulary; None where there is no tokenizer.
        padding: the id of padding; None where there is none.
        initial: the deviation that weights are drawn with before training, as the config says.
        stopped: whether to stop.

    Attributes:
        notes: what was seen that is no wonder, a sentence each.
    """

    def __init__(
        self, weights: Sequence[StoredWeight], words: Callable[[int], str] | None, padding: int | None, initial: float,
        stopped: Callable[[], bool],
    ) -> None:  # fmt: skip
        self.weights = tuple(weights)
        self.words, self.padding, self.initial, self.stopped = words, padding, initial, stopped
        self.notes: list[str] = []

    def __iter__(self) -> Iterator[StoredWeight]:
        return iter(self.weights)

    def __len__(self) -> int:
        return len(self.weights)

    @cached_property
    def sound(self) -> tuple[StoredWeight, ...]:
        """Those whose numbers are all finite: of the others nothing more can be said."""
        return tuple(weight for weight in self.weights if weight.count and weight.figures.is_finite)

    @cached_property
    def by_role(self) -> Mapping[str, tuple[StoredWeight, ...]]:
        """The sound ones that do the same in other layers, by their role."""
        roles: dict[str, list[StoredWeight]] = {}
        for weight in self.sound:
            roles.setdefault(weight.role, []).append(weight)
        return {role: tuple(those) for role, those in roles.items()}

    def siblings(self, weight: StoredWeight) -> list[StoredWeight]:
        """Those that do the same as a weight in other layers, and have its shape."""
        return [one for one in self.by_role.get(weight.role, ()) if one is not weight and one.shape == weight.shape]

    @cached_property
    def is_untrained(self) -> bool:
        """Whether nothing of it can have been trained: every gamma is one number throughout, or every bias where there is none."""
        told = [weight for weight in self.sound if weight.count > 1 and weight.is_vector]
        told = [weight for weight in told if weight.symbol == "γ"] or [weight for weight in told if weight.is_bias]
        return bool(told) and all(weight.figures.is_constant for weight in told)

    def is_vocabulary(self, weight: StoredWeight) -> bool:
        """Whether a weight's rows are those of tokens."""
        if weight.is_vector:
            return False
        return (
            weight.stage.inputs[:1] == ("tokens.ids",) if weight.is_table else weight.stage.axes[-1:] == ("vocabulary",)
        )

    def occurring(self, weight: StoredWeight, rows: Iterable[int]) -> tuple[int, ...]:
        """Of rows of a weight those that matter: of tokens the ones that the tokenizer knows, and that are not kept in reserve."""
        places = tuple(int(row) for row in rows)
        if self.words is None or not self.is_vocabulary(weight):
            return places
        named = [(row, self.words(row)) for row in places]
        return tuple(row for row, word in named if word != str(row) and not RESERVED.search(word))

    def called(self, weight: StoredWeight, places: Sequence[int]) -> str:
        """` ('cat', 'dog' and 3 more)` of rows of tokens; "" of others."""
        if self.words is None or not self.is_vocabulary(weight):
            return ""
        shown = ", ".join(quoted(self.words(place)) for place in sorted(places)[:3])
        return f" ({shown}{f' and {len(places) - 3:,} more' if len(places) > 3 else ''})"
