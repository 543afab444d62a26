"""What a stage does to the numbers of one place, a token's vector or a query's row: what goes in beside what comes out.

All figures are in float64, whatever the run computes in; deviations divide by n, as a layer norm does.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..ops.activations import CURVES, Curve
from ..program.dtypes import FLOATS
from ..program.index import TOKEN_AXES

if TYPE_CHECKING:
    from ..program.program import Program
    from ..program.stage import Stage
    from ..program.trace import Trace
    from ..program.value import Value

Doubles = npt.NDArray[np.float64]
MOST_ROWS = 6
SHARED_OVER = ("key", "vocabulary", "label", "token")
# A function lets a number through where it keeps nine tenths of it or more, and stops it where a tenth or less is left.
PASSES, STOPS = 0.9, 0.1


@dataclass(frozen=True, slots=True, eq=False)
class TokenRow:
    """The numbers of one place.

    Attributes:
        stage: whose they are; "" of what lies between two stages.
        name: what they are called, the stage's name or what they are.
        numbers: in float64.
        hidden: which of them a mask has made the lowest number of the dtype, or minus infinity.
        shares: whether they are parts of 1, on an axis of their own.
    """

    stage: str
    name: str
    numbers: Doubles
    hidden: npt.NDArray[np.bool_]
    shares: bool = False

    @property
    def seen(self) -> Doubles:
        """Those that are finite, and not a mask's."""
        return self.numbers[np.isfinite(self.numbers) & ~self.hidden]


@dataclass(frozen=True, slots=True)
class Through:
    """What a function of each number alone lets through.

    Attributes:
        count: of the numbers that are not 0 and finite.
        whole: of those, that keep at least nine tenths of their magnitude; damped: that keep less, and more than a tenth.
        stopped: that keep a tenth or less; zero: of the stopped, that become exactly 0.
        kept: the sum of all magnitudes after, of that before; NaN where there were none.
    """

    count: int
    whole: int
    damped: int
    stopped: int
    zero: int
    kept: float


@dataclass(frozen=True, slots=True)
class Masked:
    """What a mask does to a row of scores.

    Attributes:
        hidden, count: keys that are hidden, and all.
        share: what the softmax would give them together without the mask; left: what they are given.
    """

    hidden: int
    count: int
    share: float
    left: float


@dataclass(frozen=True, slots=True)
class Unscaled:
    """A softmax with its scores divided by √size, and without.

    Attributes:
        size: under the root.
        largest, place: the largest weight and where it stands; entropy: of the row in nats.
        largest_without, place_without, entropy_without: the same of the scores as they were.
    """

    size: int
    largest: float
    place: int
    entropy: float
    largest_without: float
    place_without: int
    entropy_without: float


@dataclass(frozen=True, slots=True, eq=False)
class BeforeAfter:
    """What there is to see of a place.

    Attributes:
        rows: in the order in which they are computed.
        curve: of an activation, the function; kind: what it is called.
        through, masked, unscaled: as far as the stage has them.
        widths: of a feed-forward network, its stages with how many numbers a token has there.
    """

    rows: tuple[TokenRow, ...]
    curve: Curve | None = None
    kind: str = ""
    through: Through | None = None
    masked: Masked | None = None
    unscaled: Unscaled | None = None
    widths: tuple[tuple[str, int], ...] = ()


def change_of(trace: Trace, name: str, place: Sequence[int]) -> BeforeAfter:
    """What goes in and what comes out of a stage at one place; no rows where nothing that goes in is like what comes out.

    Args:
        name: canonical.
        place: an int for each axis of the stage's value but the last.
    """
    stage = trace.program[name]
    chain = [one for one in chain_of(trace.program, stage) if trace.has(one.name)]
    if len(chain) > 1:
        rows = tuple(_row(trace, one, _numbers(trace.value(one.name), tuple(place))) for one in chain)
        return BeforeAfter(rows, masked=_masked(chain, rows), unscaled=_unscaled(chain, rows))
    if not trace.has(name):
        return BeforeAfter(())
    result = _row(trace, stage, _numbers(trace.value(name), tuple(place)))
    given = _inputs(trace, stage, tuple(place))
    if not given:
        return BeforeAfter(())
    between = _normalised(stage, given[0])
    curve = curve_of(stage)
    return BeforeAfter(
        (*given, *([between] if between is not None else []), result),
        curve,
        str(stage.options.get("kind", "")) if curve is not None else "",
        through(given[0].numbers, result.numbers) if curve is not None and _dampens(stage) else None,
        widths=_widths(trace, stage),
    )


def chain_of(program: Program, stage: Stage) -> list[Stage]:
    """The stages from the raw scores to the softmax over them, for any of them; [] for others."""
    if not stage.axes or stage.axes[-1] not in SHARED_OVER:
        return []
    for last in program:
        if last.card.shares and last.axes == stage.axes:
            chain = [last]
            while (before := _before(program, chain[0])) is not None:
                chain.insert(0, before)
            if stage in chain:
                return chain[-MOST_ROWS:]
    return []


def _before(program: Program, stage: Stage) -> Stage | None:
    """What an operation on each number, or on each row, takes up; not the mask that it adds."""
    if not stage.inputs or not (stage.card.elementwise or stage.card.shares):
        return None
    before = program[stage.inputs[0]]
    return before if before.axes == stage.axes and not before.card.given and not before.card.whole_numbers else None


def curve_of(stage: Stage) -> Curve | None:
    """The function of each number alone that a stage is, where it is one."""
    return CURVES.get(str(stage.options.get("kind"))) if stage.card.elementwise and len(stage.inputs) == 1 else None


def through(before: Doubles, after: Doubles) -> Through:
    """How much of each number a function leaves, in three kinds."""
    real = np.isfinite(before) & np.isfinite(after) & (before != 0)
    x, y = np.abs(before[real]), np.abs(after[real])
    whole, stopped = y >= PASSES * x, y <= STOPS * x
    total = float(x.sum())
    return Through(
        int(real.sum()), int(whole.sum()), int((~whole & ~stopped).sum()), int(stopped.sum()), int((y == 0).sum()),
        float(y.sum()) / total if total else math.nan,
    )  # fmt: skip


def softmax(row: Doubles) -> Doubles:
    """exp(x) / Σ exp(x), the largest taken off first."""
    with np.errstate(all="ignore"):
        raised = np.exp(row - row.max())
        return raised / raised.sum()


def entropy_of(shares: Doubles) -> float:
    """−Σ p log p in nats; what is 0 adds nothing."""
    some = shares[shares > 0]
    return float(-(some * np.log(some)).sum())


# -- numbers -----------------------------------------------------------------------------------------------------


def _row(trace: Trace, stage: Stage, numbers: Doubles) -> TokenRow:
    dtype = FLOATS.get(trace.value(stage.name).dtype)
    # A score is added to the lowest number before it counts as hidden, and may take a little off it.
    hidden = (
        (numbers <= dtype.lowest / 2) | np.isneginf(numbers)
        if dtype is not None
        else np.zeros(numbers.shape, dtype=np.bool_)
    )
    return TokenRow(stage.name, stage.name, numbers, hidden, stage.card.shares)


def _numbers(value: Value, place: tuple[int, ...]) -> Doubles:
    return np.asarray(value.read(place)).astype(np.float64).reshape(-1)


def _inputs(trace: Trace, stage: Stage, place: tuple[int, ...]) -> list[TokenRow]:
    """What goes in of the same kind: all inputs of the result's own shape, or else the first that has a row for this place."""
    result = trace.value(stage.name)
    if result.holds_ids or not result.axes:
        return []
    known = dict(zip(result.axes, place, strict=False))
    rows: list[tuple[bool, TokenRow]] = []
    for name in dict.fromkeys(stage.inputs):
        value = trace.value(name)
        there = _place_in(value, known)
        if there is None or not trace.has(name) or not _alike(value, result):
            continue
        same = (value.axes, value.shape) == (result.axes, result.shape)
        rows.append((same, _row(trace, trace.program[name], _numbers(value, there))))
    own = [row for same, row in rows if same]
    return (own or [row for _, row in rows[:1]])[: MOST_ROWS - 2]


def _alike(value: Value, result: Value) -> bool:
    over_tokens = [axes[-1] in TOKEN_AXES for axes in (value.axes, result.axes) if axes]
    return not value.holds_ids and len(over_tokens) == 2 and over_tokens[0] == over_tokens[1]


def _place_in(value: Value, known: dict[str, int]) -> tuple[int, ...] | None:
    """The same place in another value, by the names of its axes; None where it has an axis that the place does not know."""
    asking = [axis for axis in known if axis in TOKEN_AXES]
    place: list[int] = []
    for axis, size in zip(value.axes[:-1], value.shape, strict=False):
        called = axis if axis in known else asking[0] if axis in TOKEN_AXES and len(asking) == 1 else ""
        if size == 1:
            place.append(0)  # which stands for any
        elif called and known[called] < size:
            place.append(known[called])
        else:
            return None
    return tuple(place)


def _normalised(stage: Stage, given: TokenRow) -> TokenRow | None:
    """What a norm makes of a row before its weights: (x − mean) / √(variance + ε), or x / √(mean of x² + ε)."""
    epsilon = stage.options.get("epsilon")
    if epsilon is None or not (stage.card.standardised or stage.kind == "RMSNorm"):
        return None
    x = given.numbers
    with np.errstate(all="ignore"):
        if stage.card.standardised:
            numbers = (x - x.mean()) / np.sqrt(x.var() + float(epsilon))
        else:
            numbers = x / np.sqrt((x * x).mean() + float(epsilon))
    return TokenRow("", "normalised", numbers, np.zeros(x.shape, dtype=np.bool_))


# -- what is to be said ------------------------------------------------------------------------------------------


def _dampens(stage: Stage) -> bool:
    """Whether the function gives no larger a number than it is given, so that one can speak of letting through."""
    from ..ops.activations import NO_LARGER

    return str(stage.options.get("kind")) in NO_LARGER


def _masked(chain: list[Stage], rows: Sequence[TokenRow]) -> Masked | None:
    at = next((at for at, stage in enumerate(chain) if stage.card.hides and at), None)
    if at is None or not rows[-1].shares:
        return None
    hidden = rows[at].hidden & ~rows[at - 1].hidden
    share = float(softmax(rows[at - 1].numbers)[hidden].sum())
    return Masked(int(hidden.sum()), len(hidden), share, float(rows[-1].numbers[hidden].sum()))


def _unscaled(chain: list[Stage], rows: Sequence[TokenRow]) -> Unscaled | None:
    """The softmax of the scores as they were, plus whatever was added to them after they were scaled."""
    at = next((at for at, stage in enumerate(chain) if at and _root_of(stage)), None)
    last = next((at for at, row in enumerate(rows) if row.shares), 0)
    if at is None or not at < last:
        return None
    seen = ~rows[last - 1].hidden & np.isfinite(rows[last - 1].numbers)
    if not seen.any():
        return None
    raw = np.full(seen.shape, -np.inf)
    raw[seen] = (rows[at - 1].numbers + rows[last - 1].numbers - rows[at].numbers)[seen]
    weights, without = rows[last].numbers, softmax(raw)
    if not np.isfinite(weights).all():
        return None  # which is largest, and how even they are, is not known
    return Unscaled(
        _root_of(chain[at]), float(weights.max()), int(weights.argmax()), entropy_of(weights),
        float(without.max()), int(without.argmax()), entropy_of(without),
    )  # fmt: skip


def _root_of(stage: Stage) -> int:
    """What stands under the root that scores are divided by; 0 where they are not."""
    size = stage.options.get("head_dim", stage.options.get("size", 0))
    return int(size) if stage.card.elementwise and len(stage.inputs) == 1 else 0


def _widths(trace: Trace, stage: Stage) -> tuple[tuple[str, int], ...]:
    """The stages of the feed-forward network that this one belongs to, with what goes in: how wide a token is in each."""
    block = [one for one in trace.program if one.block == stage.block and one.block]
    linear = [one for one in block if one.kind == "Linear"]
    if (
        len(linear) < 2
        or not any(curve_of(one) for one in block)
        or stage.axes != linear[0].axes[:-1] + stage.axes[-1:]
    ):
        return ()
    path = [*linear[0].inputs[:1], *(one.name for one in block if one.kind == "Linear" or curve_of(one))]
    return tuple((name, trace.value(name).shape[-1]) for name in path) if stage.name in path else ()
