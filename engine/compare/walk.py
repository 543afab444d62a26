"""Walks two programs by the names of their stages and says how far apart each is, and where it begins."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from ..errors import InputError
from ..per_text import Rectangle
from ..program import Stage, write_shape
from ..trace import Trace
from .added import Added, peek, same_shapes, spans, unlike_weights
from .align import Alignment, Piece, align, pick, pieces, tokens_of
from .measure import Array, Gap, coarser, hidden_below, ulps
from .rounding import allowed, expected, kept_in

ONE_HOT = "tokens.one_hot"  # the ids say the same
EXPLAINED = 3  # stages whose formula and weights are compared as well


@dataclass(frozen=True, slots=True)
class Difference:
    """How far apart one stage is.

    Figures speak of places where both sides hold a finite number that no mask hides; hidden against hidden, NaN against
    NaN and an infinity against the same are equal, and places where one side alone is so are counted apart.

    Attributes:
        name, position, axes: the stage, where it is in our program, and its axes.
        computed: whether it has inputs; what has none comes from the tokenizer.
        count, differing: elements compared; how many are not equal.
        largest, mean: absolute difference; absmax: the reference's largest magnitude.
        relative: `largest / absmax`; infinite where anything is unlike. For whole numbers the share that differs.
        ulps: the largest difference in spacings of the coarser dtype at that element.
        dtype: the coarser dtype, "" for whole numbers.
        nan, inf, hidden: places where only one side is NaN, infinite, hidden by a mask.
        place: of the largest difference (or the first unlike place) in ours, None when all is equal.
        ours, theirs: the two numbers there.
        added: largest difference that is left when our stage is given the reference's inputs; None if not known.
        inherited: largest difference between our value and that one: what came in from stages before; None alike.
        unknown: why `added` is not known.
        tolerance: what `relative` may be. Ids that were computed (the best words) may differ wherever rounding may.
        rounding: what `added` may be in rounding alone, relative to `absmax`; None where it is not known.
        notes: what is different about the stage itself, for the first stages beyond tolerance.
    """

    name: str
    position: int
    axes: tuple[str, ...]
    computed: bool
    count: int
    differing: int
    largest: float
    mean: float
    absmax: float
    relative: float
    ulps: float
    dtype: str
    nan: int = 0
    inf: int = 0
    hidden: int = 0
    place: tuple[int, ...] | None = None
    ours: float = math.nan
    theirs: float = math.nan
    added: float | None = None
    inherited: float | None = None
    unknown: str = ""
    tolerance: float = 0.0
    rounding: float | None = None
    notes: tuple[str, ...] = field(default=(), repr=False)

    @property
    def unlike(self) -> int:
        """Places where one side alone is NaN, infinite or hidden."""
        return self.nan + self.inf + self.hidden

    @property
    def beyond(self) -> bool:
        """Whether it is further apart than the tolerance allows."""
        return self.relative > self.tolerance

    @property
    def added_relative(self) -> float:
        """`added` as a share of the reference's largest magnitude; 0 where it is not known."""
        if not self.added:
            return 0.0
        return self.added / self.absmax if self.absmax else math.inf


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two traces compared.

    Attributes:
        title: what ours was compared with, as it was typed.
        ours, theirs: facts of both, for people.
        alignment: which token belongs to which.
        rows: a difference for every stage both have, in our order.
        only_ours, only_theirs: stages that one side alone has.
        not_recorded: stages that a recording does not hold.
        unlike_shapes: stages of both that cannot be compared, with the reason.
        exact: both computed the same shapes on the same kind of device in the same dtype, so that nothing may differ.
        given: the tolerance that was asked for; None when it follows from the dtypes.
    """

    title: str
    ours: dict[str, str]
    theirs: dict[str, str]
    alignment: Alignment
    rows: tuple[Difference, ...]
    only_ours: tuple[str, ...]
    only_theirs: tuple[str, ...]
    not_recorded: tuple[str, ...]
    unlike_shapes: tuple[str, ...]
    exact: bool
    given: float | None

    @property
    def first(self) -> Difference | None:
        """The first stage beyond tolerance."""
        return next((row for row in self.rows if row.beyond), None)

    @property
    def equal(self) -> bool:
        """Whether nothing is beyond tolerance, without a partner, or of another shape."""
        return self.first is None and not self.unlike_shapes and self.alignment.complete

    @property
    def passing(self) -> float:
        """The smallest tolerance that would pass, to two digits and rounded up; infinite when none would."""
        if any(row.beyond for row in self.rows if not row.dtype and not row.computed):
            return math.inf
        worst = max((row.relative for row in self.rows if row.dtype), default=0.0)
        if not worst or not math.isfinite(worst):
            return worst
        digit = 10.0 ** (math.floor(math.log10(worst)) - 1)
        return float(f"{math.ceil(worst / digit) * digit:.1e}")

    @property
    def worst_added(self) -> list[Difference]:
        """Stages by how much of the difference they added themselves, most first; those that added none are left out."""
        known = [row for row in self.rows if row.added]
        return sorted(known, key=lambda row: -row.added_relative)

    @property
    def unexplained(self) -> list[Difference]:
        """Stages that add more error than rounding explains, worst first; nothing where nothing may be rounded."""
        found = [row for row in self.rows if row.rounding and row.added_relative > row.rounding]
        return sorted(found, key=lambda row: -row.added_relative / (row.rounding or 1.0))

    def row(self, name: str) -> Difference:
        """The difference of a stage by its canonical name."""
        return next(row for row in self.rows if row.name == name)


def compare(
    ours: Trace,
    theirs: Trace,
    *,
    tolerance: float | None = None,
    title: str = "",
    alignment: Alignment | None = None,
    parts: bool = True,
    stopped: Callable[[], bool] = lambda: False,
) -> Comparison:
    """Compare two traces stage by stage.

    Args:
        ours, theirs: runs or recordings; theirs is the reference.
        tolerance: how far apart a stage may be, relative to the reference's largest magnitude; None takes 0 where nothing
            may differ, else what `rounding.allowed` says.
        title: what theirs is, for people.
        alignment: which token belongs to which; None finds out.
        parts: whether to tell added from inherited error, which costs about as much as running the program once more.
        stopped: asked before every stage; True ends it.

    Raises:
        InputError: there is no stage both have, or it was stopped.
    """
    alignment = alignment if alignment is not None else align(tokens_of(ours), tokens_of(theirs))
    exact = _exact(ours, theirs)
    names = {stage.name for stage in ours.program}
    found: dict[str, list[str]] = {"ours": [], "lost": [], "shapes": []}
    rows: list[Difference] = []
    walk = _Walk(ours, theirs, alignment, parts)
    explained = 0
    for position, stage in enumerate(ours.program):
        name = stage.name
        if name == ONE_HOT:
            continue
        if stopped():
            raise InputError(f"compare was interrupted before {name}")
        if name not in theirs.program or theirs.program[name].name != name:
            found["ours"].append(name)
        elif not (ours.has(name) and theirs.has(name)):
            found["lost"].append(name)
        elif stage.axes != theirs.program[name].axes or not same_shapes(stage, ours.shapes[name], theirs.shapes[name]):
            shapes = f"{write_shape(ours.shapes[name])} against {write_shape(theirs.shapes[name])}"
            found["shapes"].append(f"{name}: {shapes}")
        else:
            row = walk.difference(stage, position, tolerance, exact)
            if row.beyond and explained < EXPLAINED and (row.added_relative > row.tolerance or not explained):
                explained += 1
                row = _with_notes(row, unlike_weights(ours, theirs, stage))
            rows.append(row)
    if not rows:
        raise InputError("there is no stage that both have and that can be compared")
    only_theirs = tuple(stage.name for stage in theirs.program if stage.name not in names)
    return Comparison(
        title, dict(ours.about), dict(theirs.about), alignment, tuple(rows), tuple(found["ours"]), only_theirs,
        tuple(found["lost"]), tuple(found["shapes"]), exact, tolerance,
    )  # fmt: skip


def _exact(ours: Trace, theirs: Trace) -> bool:
    same = all(ours.about.get(fact) == theirs.about.get(fact) for fact in ("dtype", "device"))
    return same and ours.tokens.shape == theirs.tokens.shape


def _with_notes(row: Difference, notes: list[str]) -> Difference:
    from dataclasses import replace

    return replace(row, notes=tuple(notes)) if notes else row


class _Walk:
    """What stays the same from stage to stage."""

    def __init__(self, ours: Trace, theirs: Trace, alignment: Alignment, parts: bool) -> None:
        self.ours, self.theirs, self.alignment, self.parts = ours, theirs, alignment, parts
        self.added = Added(ours, theirs)
        self.layers = ours.program.layers
        self.sizes: dict[str, float] = {}  # largest magnitudes of the reference's values so far

    def difference(self, stage: Stage, position: int, tolerance: float | None, exact: bool) -> Difference:
        mine, other = self.ours.value(stage.name), self.theirs.value(stage.name)
        dtype = coarser(mine.dtype, other.dtype)
        hidden = (
            (hidden_below(mine.dtype), hidden_below(other.dtype)) if stage.axes[-1:] == ("key",) and dtype else None
        )
        apart, added = Gap(hidden), Gap(hidden, brief=True)
        inherited = Gap((hidden[0], hidden[0]) if hidden else None, brief=True)
        refused = self.added.refused(stage) if self.parts else "it was not asked for"
        itself = not refused and (not stage.inputs or stage.name in self.ours.patched)
        blocks = spans(self.ours, self.theirs, stage)
        results = self.added.results(stage, blocks) if not refused and not itself else None
        for block in blocks:
            alone = next(results) if results is not None else None
            for piece in pieces(self.alignment, stage.axes, mine.shape, other.shape, [block]):
                a = pick(peek(self.ours, stage.name, piece.ours), piece.picks_ours)
                b = pick(peek(self.theirs, stage.name, piece.theirs), piece.picks_theirs)
                apart.add(a, b, (piece, a.shape))
                if alone is not None:
                    c = pick(alone[_within(piece, block)], piece.picks_theirs)
                    if _equal(a, c):  # nothing was inherited
                        added.add(a, b)
                    else:
                        added.add(c, b)
                        inherited.add(a, c)
        if itself:
            added = apart
        return self._row(
            stage, position, tolerance, exact, dtype, apart, None if refused else (added, inherited), refused
        )

    def _row(
        self, stage: Stage, position: int, tolerance: float | None, exact: bool, dtype: str,
        apart: Gap, parts: tuple[Gap, Gap] | None, unknown: str,
    ) -> Difference:  # fmt: skip
        self.sizes[stage.name] = apart.absmax
        size_in = self.sizes.get(stage.inputs[0], 0.0) if stage.inputs else 0.0
        rounding = None if exact or not parts else expected(stage, self.ours, dtype, size_in)
        place = None
        if apart.tag is not None:
            piece, shape = apart.tag
            place = piece.place(apart.flat, shape)
        size = max(abs(apart.ours), abs(apart.theirs)) if place else 0.0
        relative = apart.relative if dtype else apart.differing / max(1, apart.count)
        if not dtype:
            tolerance = 1.0 if stage.inputs and (tolerance or (tolerance is None and not exact)) else 0.0
        elif tolerance is None:
            tolerance = 0.0 if exact else allowed(stage, self.layers, kept_in(self.ours.program, dtype))
        return Difference(
            stage.name, position, stage.axes, bool(stage.inputs), apart.count, apart.differing, apart.largest, apart.mean, apart.absmax, relative,
            ulps(apart.largest, size, dtype) if dtype and place and not apart.unlike else math.inf if apart.unlike else 0.0,
            dtype, apart.nan, apart.inf, apart.covered, place, apart.ours, apart.theirs,
            _size(parts[0]) if parts else None, _size(parts[1]) if parts else None, unknown, tolerance, rounding,
        )  # fmt: skip


def _size(gap: Gap) -> float:
    return math.inf if gap.unlike else gap.largest


def _equal(one: Array, other: Array) -> bool:
    return one.dtype == other.dtype and np.array_equal(one, other)


def _within(piece: Piece, block: tuple[int, int]) -> Rectangle:
    """Where the reference's window lies in a block of rows."""
    index = list(piece.theirs)
    if len(index) > 1:
        rows = index[-2]
        index[-2] = slice(rows.start - block[0], rows.stop - block[0])
    return tuple(index)
