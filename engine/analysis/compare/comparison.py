"""What came of a comparison, as data."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from ...program.shown import InNotebooks
from ...program.stage import Shape, write_shape
from .added_error import FREE_AXES
from .align import Alignment

# How many there are along an axis, in words.
COUNTED = {
    "head": "heads", "head_dim": "numbers a head", "hidden": "hidden features", "intermediate": "intermediate features",
    "vocabulary": "words", "label": "labels", "relative": "relative positions", "embedding": "embedding features",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Difference:
    """How far apart one stage is.

    Figures speak of places where both sides hold a finite number that no mask hides; hidden against hidden, NaN against
    NaN and an infinity against the same are equal, and places where one side alone is so are counted apart.

    Attributes:
        name, position, axes: the stage, where it is in our program, and its axes.
        computed: whether it has inputs; what has none comes from the tokenizer.
        count, differing: elements gone through; how many are not equal.
        compared: of how many both sides hold a finite number that is not hidden: what `largest`, `mean` and `squares` are of.
        largest, mean: absolute difference; absmax: the reference's largest magnitude. NaN where no number was compared.
        relative: `largest / absmax`; infinite where anything is unlike. For whole numbers the share that differs. These three,
            the place and the two numbers are of the text where `relative` is largest (`largest` and `absmax` of all texts where that
            text has no number to compare), counts and means of all texts.
        ulps: the largest difference in spacings of the coarser dtype at that element.
        dtype: the coarsest dtype that anything in it went through on either side, "" for whole numbers.
        nan, inf, hidden: places where only one side is NaN, infinite, hidden by a mask.
        plus, minus: how many of those infinities are +inf, and -inf.
        overflow: the dtype whose range this stage leaves where its inputs do not, on one side alone; "" where it does not.
        lost: places where both sides are NaN.
        place: of the largest difference (or the first unlike place) in ours, None when all is equal.
        ours, theirs: the two numbers there.
        added: largest difference that is left when our stage is given the reference's inputs; None if not known.
        inherited: largest difference between our value and that one: what came in from stages before; None alike.
        unknown: why `added` is not known.
        tolerance: what `relative` may be. Ids that were computed (the best words) may differ wherever rounding may.
        rounding: what `added_relative` may be for rounding alone; None where it is not known.
        added_relative: `added` as a share of the reference's largest magnitude in that text; 0 where it is not known.
        hides: two numbers that hide the same key on both sides and differ; None where there are none.
        padding: largest difference at padding, of which nothing else here speaks; infinite where one side alone is a number.
        padded_nan: numbers at padding that are NaN in ours alone, and in theirs alone.
        padded_why: why they are, where that is known, for the first stage that has any.
        squares: the sums of the squares of the differences, of ours and of theirs, over all texts.
        sequences: of the stage, whose tokens the places along its axes are.
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
    added_relative: float = 0.0
    plus: int = 0
    minus: int = 0
    overflow: str = ""
    lost: int = 0
    hides: tuple[float, float] | None = None
    padding: float = 0.0
    squares: tuple[float, float, float] = field(default=(0.0, 0.0, 0.0), repr=False)
    compared: int = 0
    padded_nan: tuple[int, int] = (0, 0)
    padded_why: str = ""
    notes: tuple[str, ...] = field(default=(), repr=False)
    sequences: tuple[str, ...] = field(default=(), repr=False)

    @property
    def unlike(self) -> int:
        """Places where one side alone is NaN, infinite or hidden."""
        return self.nan + self.inf + self.hidden

    @property
    def says_nothing(self) -> bool:
        """Whether not one number was compared, so that no figure of them says that both are alike."""
        return self.count > 0 and not self.compared

    @property
    def relative_length(self) -> float:
        """The length of the difference as a share of the reference's length (relative L2); NaN where no number was compared."""
        apart, _, theirs = self.squares
        if self.says_nothing:
            return math.nan
        return math.sqrt(apart / theirs) if theirs else math.inf if apart else 0.0

    @property
    def turned(self) -> float:
        """One minus the cosine of the angle between both, which for near ones the cosine itself is too coarse to tell.

        NaN where no number was compared.
        """
        apart, ours, theirs = self.squares
        if self.says_nothing:
            return math.nan
        lengths = math.sqrt(ours), math.sqrt(theirs)
        if not lengths[0] or not lengths[1] or not math.isfinite(apart + ours + theirs):
            return math.nan if apart else 0.0
        return max(0.0, (apart - (lengths[0] - lengths[1]) ** 2) / (2 * lengths[0] * lengths[1]))

    @property
    def decibels(self) -> float:
        """How far the reference is above the difference, in decibels of power (SNR); infinite where nothing differs.

        NaN where no number was compared.
        """
        share = self.relative_length
        if math.isnan(share):
            return math.nan
        return -20 * math.log10(share) if share and math.isfinite(share) else math.inf if not share else -math.inf

    @property
    def beyond(self) -> bool:
        """Whether it is further apart than the tolerance allows."""
        return self.relative > self.tolerance


@dataclass(frozen=True, slots=True)
class OtherShape:
    """A stage of both that cannot be compared, since its sizes differ along an axis that is not paired by tokens.

    Attributes:
        name, position, axes: the stage, where it is in our program, and its axes.
        ours, theirs: the two shapes.
        by_tokens: whether ours would have their shape with as many tokens as theirs: a table of distances, cut to the text.
        by_layout: whether theirs has other axes: somebody's module lays the same out otherwise, and what is made of it tells.
    """

    name: str
    position: int
    axes: tuple[str, ...]
    ours: Shape
    theirs: Shape
    by_tokens: bool = False
    by_layout: bool = False

    @property
    def counts(self) -> str:
        """`6 heads against 12, 64 numbers a head against 32`; "" where the axes are others."""
        if len(self.ours) != len(self.theirs):
            return ""
        sizes = zip(self.axes, self.ours, self.theirs, strict=True)
        unlike = [(axis, a, b) for axis, a, b in sizes if a != b and axis not in FREE_AXES]
        return ", ".join(f"{a} {COUNTED.get(axis, axis)} against {b}" for axis, a, b in unlike)

    def __str__(self) -> str:
        return f"{self.name}: {write_shape(self.ours)} against {write_shape(self.theirs)}"


@dataclass(frozen=True, slots=True)
class Comparison(InNotebooks):
    """Two traces compared.

    Attributes:
        title: what ours was compared with, as it was typed.
        ours, theirs: facts of both, for people.
        alignment: which token belongs to which.
        rows: a difference for every stage both have, in our order.
        only_ours, only_theirs: stages that one side alone has.
        not_recorded: stages that a recording does not hold.
        unlike_shapes: stages of both that cannot be compared.
        layers: how many both have.
        exact: both computed the same shapes on the same kind of device in the same dtype, so that nothing may differ.
        given: the tolerance that was asked for; None when it follows from the dtypes.
        foreign: whether the reference was computed by somebody else's code, whose last bits may differ whatever it does.
    """

    title: str
    ours: dict[str, str]
    theirs: dict[str, str]
    alignment: Alignment
    rows: tuple[Difference, ...]
    only_ours: tuple[str, ...]
    only_theirs: tuple[str, ...]
    not_recorded: tuple[str, ...]
    unlike_shapes: tuple[OtherShape, ...]
    layers: tuple[int, int]
    exact: bool
    given: float | None
    foreign: bool = False

    @property
    def first(self) -> Difference | None:
        """The first stage beyond tolerance."""
        return next((row for row in self.rows if row.beyond), None)

    @property
    def equal(self) -> bool:
        """Whether nothing is beyond tolerance, without a partner, or of another shape, and both have as many layers."""
        alike = not self.other_shapes and self.layers[0] == self.layers[1]
        return self.first is None and alike and self.alignment.complete

    @property
    def other_shapes(self) -> tuple[OtherShape, ...]:
        """Stages that have another shape though the tokens are as many and the axes the same."""
        return tuple(shape for shape in self.unlike_shapes if not (shape.by_tokens or shape.by_layout))

    @property
    def overflow(self) -> Difference | None:
        """The first stage that leaves the range of its dtype on one side alone."""
        return next((row for row in self.rows if row.overflow), None)

    @property
    def lost_padding(self) -> Difference | None:
        """The first stage with NaN at padding on one side alone, where that comes before any that is beyond tolerance."""
        row, first = next((row for row in self.rows if any(row.padded_nan)), None), self.first
        return row if row is not None and (first is None or row.position < first.position) else None

    @property
    def shape_first(self) -> OtherShape | None:
        """The first stage that has another shape, where that comes before any that is beyond tolerance."""
        shape, first = next(iter(self.other_shapes), None), self.first
        return shape if shape is not None and (first is None or shape.position < first.position) else None

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
        rows = [row for row in self.rows if row.rounding and row.added_relative > row.rounding]
        return sorted(rows, key=lambda row: -row.added_relative / (row.rounding or 1.0))

    def row(self, name: str) -> Difference:
        """The difference of a stage by its canonical name."""
        return next(row for row in self.rows if row.name == name)
