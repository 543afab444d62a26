"""Walks two programs by the names of their stages and says how far apart each is, and where it begins."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from ...messages.errors import InputError
from ...program.arrays import Array
from ...program.dtypes import coarser
from ...program.index import TOKEN_AXES
from ...program.per_text import Rectangle
from ...program.stage import Stage
from ...program.trace import Trace
from .added_error import Added, counterpart, peek, same_shapes, spans
from .align import Alignment, Piece, align_traces, picked, pieces, whole
from .comparison import Comparison, Difference, OtherShape
from .hidden_keys import Hidden, beside_lost_rows, may_hide
from .lost_padding import why_lost
from .measure import Gap, ulps
from .notes import notes
from .other_shape import other_shape
from .rounding import allowed, cancelling, expected, grains
from .text_gaps import TextGaps

ONE_HOT = "tokens.one_hot"  # the ids say the same
EXPLAINED = 3  # stages whose formula and weights are compared as well


def compare(
    ours: Trace,
    theirs: Trace,
    *,
    tolerance: float | None = None,
    title: str = "",
    alignment: Alignment | None = None,
    parts: bool = True,
    exact: bool = True,
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
        exact: whether nothing may differ where both compute the same shapes in one dtype; otherwise rounding may, there too.
        stopped: asked before every stage; True ends it.

    Raises:
        InputError: there is no stage both have, or it was stopped.
    """
    alignment = alignment if alignment is not None else align_traces(ours, theirs)
    exact = exact and may_be_exact(ours, theirs)
    only_ours: list[str] = []
    lost: list[str] = []
    shapes: list[OtherShape] = []
    rows: list[Difference] = []
    walk = Walk(ours, theirs, alignment, parts)
    explained, lost_padding = 0, False
    for position, stage in enumerate(ours.program):
        name = stage.name
        if name == ONE_HOT:
            continue
        if stopped():
            raise InputError(f"compare was interrupted before {name}")
        other = counterpart(stage, theirs.program)
        if other is None:
            only_ours.append(name)
        elif stage.axes != other.axes or not same_shapes(stage, ours.shapes[name], theirs.shapes[name]):
            shapes.append(other_shape(ours, theirs, stage, position))
        elif not (ours.has(name) and theirs.has(name)):
            lost.append(name)
        else:
            row = walk.difference(stage, position, tolerance, exact)
            if row.beyond and explained < EXPLAINED and (row.added_relative > row.tolerance or not explained):
                explained += 1
                row = replace(row, notes=tuple(notes(ours, theirs, stage, aligned=alignment.same)))
            if any(row.padded_nan) and not lost_padding:
                lost_padding = True
                row = replace(row, padded_why=why_lost(ours if row.padded_nan[0] else theirs, stage))
            rows.append(row)
    if not rows:
        raise InputError("there is no stage that both have and that can be compared")
    only_theirs = tuple(stage.name for stage in theirs.program if counterpart(stage, ours.program) is None)
    return Comparison(
        title, dict(ours.about), dict(theirs.about), alignment, tuple(rows), tuple(only_ours), only_theirs,
        tuple(lost), tuple(shapes), (ours.program.layers, theirs.program.layers), exact, tolerance, theirs.is_foreign or ours.is_foreign,
    )  # fmt: skip


def may_be_exact(ours: Trace, theirs: Trace) -> bool:
    """Whether both are computed alike, so that nothing may differ: the same shapes in one dtype on one kind of device."""
    if ours.is_foreign or theirs.is_foreign:
        return False
    same = all(ours.about.get(fact) == theirs.about.get(fact) for fact in ("dtype", "device"))
    return same and ours.inputs.sizes == theirs.inputs.sizes


class Walk:
    """What stays the same from stage to stage; `their_grains` is what theirs is good to, where that is known."""

    def __init__(
        self,
        ours: Trace,
        theirs: Trace,
        alignment: Alignment,
        parts: bool,
        their_grains: Mapping[str, str] | None = None,
    ) -> None:
        self.ours, self.theirs, self.alignment, self.parts = ours, theirs, alignment, parts
        self.added = Added(ours, theirs)
        self.layers = ours.program.layers
        self.grains = grains(ours), their_grains if their_grains is not None else grains(theirs)
        self.padded = alignment.same and alignment.padded
        self.sizes: dict[str, float] = {}  # largest magnitudes of the reference's values so far
        self.broken: tuple[set[str], set[str]] = (set(), set())  # stages with an infinity or NaN on that side alone

    def difference(self, stage: Stage, position: int, tolerance: float | None, exact: bool) -> Difference:
        mine, other = self.ours.value(stage.name), self.theirs.value(stage.name)
        dtype = coarser(self.grains[0][stage.name], self.grains[1][stage.name])
        apart, padding, added, inherited = TextGaps(), Gap(brief=True), TextGaps(brief=True), TextGaps(brief=True)
        refused = self.added.refused(stage) if self.parts else "it was not asked for"
        itself = not refused and (not stage.inputs or stage.name in self.ours.patched)
        blocks = spans(self.ours, self.theirs, stage)
        results = self.added.results(stage, blocks) if not refused and not itself else None
        masks = self._masks(stage)
        for block in blocks:
            alone = next(results) if results is not None else None
            at_once = whole(mine.shape, other.shape, *block) if self.alignment.same else None
            window = _Windows(self.ours, self.theirs, stage, at_once)
            for piece in pieces(self.alignment, stage, mine.shape, other.shape, [block], _free(stage)):
                a, b = window.pair(piece)
                apart.add(piece.text, a, b, (piece, a.shape), _covers(masks, piece, a, b))
                if alone is not None:
                    c = picked(alone[window_in_block(piece.theirs, block)], piece.picks_theirs)
                    if _equal(a, c):  # nothing was inherited
                        added.add(piece.text, a, b, None, _covers(masks, piece, a, b))
                    else:
                        added.add(piece.text, c, b, None, _covers(masks, piece, c, b))
                        inherited.add(piece.text, a, c, None, _covers(masks, piece, a, c))
            if self.padded and window.block is not None:
                self._padding(stage, window, padding, masks)
        if itself:
            added = apart
        return self._row(
            stage, position, tolerance, exact, dtype, apart, padding, None if refused else (added, inherited), refused
        )

    def _masks(self, stage: Stage) -> tuple[Hidden, Hidden] | None:
        """What hides keys at a stage on either side."""
        if not may_hide(stage):  # where theirs alone does not say that it hides, our mask says where it may
            return None
        same, other = self.alignment.same, self.theirs.program[stage.name]
        return (
            Hidden(self.ours, stage, self.theirs if same else None),
            Hidden(self.theirs, other if may_hide(other) else stage, self.ours if same else None),
        )

    def _padding(self, stage: Stage, window: _Windows, gap: Gap, masks: tuple[Hidden, Hidden] | None) -> None:
        """How far apart padding is, of which nothing depends."""
        if "batch" not in stage.axes or not any(axis in TOKEN_AXES and axis not in _free(stage) for axis in stage.axes):
            return
        assert window.block is not None
        a, b = window.pair(window.block)
        if a.shape[stage.axes.index("batch")] != len(self.alignment.ours.mask) or _equal(a, b):
            return
        real = np.ones((1,) * a.ndim, dtype=bool)
        for axis, name in enumerate(stage.axes):
            if name in TOKEN_AXES and name not in _free(stage):
                stands = self.alignment.along(stage, name).ours.mask[:, window.block.ours[axis]] != 0
                if stands.shape[1] != a.shape[axis]:
                    return
                shape = [1] * a.ndim
                shape[stage.axes.index("batch")], shape[axis] = stands.shape
                real = real & stands.reshape(shape)
        gap.add(a, np.where(real, a, b), None, _covers(masks, window.block, a, b))

    def _row(
        self, stage: Stage, position: int, tolerance: float | None, exact: bool, dtype: str,
        apart: TextGaps, padding: Gap, parts: tuple[TextGaps, TextGaps] | None, unknown: str,
    ) -> Difference:  # fmt: skip
        self.sizes[stage.name] = apart.absmax
        size_in = self.sizes.get(stage.inputs[0], 0.0) if stage.inputs else 0.0
        rounding = None if exact or not parts else expected(stage, self.ours, dtype, size_in)
        added = parts[0].share_of(apart) if parts else 0.0
        if rounding is not None and rounding < added < math.inf:
            rounding = max(rounding, cancelling(stage, self.ours, dtype, size_in, apart.absmax))
        worst = apart.worst(ids=not dtype)
        count, compared = apart.total("count"), apart.total("numbers")
        nothing, told = count and not compared, worst if worst.numbers else apart
        place = None
        if worst.tag is not None:
            piece, shape = worst.tag
            place = piece.place(worst.flat, shape)
        size = max(abs(worst.ours), abs(worst.theirs)) if place else 0.0
        if not dtype:
            tolerance = 1.0 if stage.inputs and (tolerance or (tolerance is None and not exact)) else 0.0
        elif tolerance is None:
            tolerance = 0.0 if exact else allowed(stage, self.layers, dtype)
        return Difference(
            stage.name, position, stage.axes, bool(stage.inputs), count, apart.total("differing"),
            math.nan if nothing else told.largest, math.nan if nothing else apart.mean, told.absmax or (math.nan if nothing else 0.0),
            worst.relative if dtype else worst.share,
            math.inf if apart.unlike else ulps(worst.largest, size, dtype) if dtype and place else 0.0,
            dtype, apart.total("nan"), apart.total("inf"), apart.total("covered"), place, worst.ours, worst.theirs,
            _size(parts[0]) if parts else None, _size(parts[1]) if parts else None, unknown, tolerance, rounding,
            added_relative=added,
            plus=apart.total("plus"), minus=apart.total("minus"), overflow=self._overflow(stage, apart),
            lost=apart.total("lost"), hides=apart.hides, padding=math.inf if padding.unlike else padding.largest,
            sequences=stage.sequences, squares=apart.squares, compared=compared, padded_nan=padding.nans,
        )  # fmt: skip

    def _overflow(self, stage: Stage, apart: TextGaps) -> str:
        """The dtype whose range a stage is the first to leave, on one side alone; "" where none does."""
        dtype = ""
        for side, trace in enumerate((self.ours, self.theirs)):
            what = ("ours_broken", "theirs_broken")[side]
            if not apart.total(what):
                continue
            before = self.broken[side].intersection(trace.program[stage.name].inputs)
            self.broken[side].add(stage.name)
            if apart.total("inf") and not before:
                dtype = trace.value(stage.name).dtype
        return dtype


class _Windows:
    """Both sides' numbers of a block of rows: read once where tokens are at the same places, else piece by piece."""

    def __init__(self, ours: Trace, theirs: Trace, stage: Stage, block: Piece | None) -> None:
        self.ours, self.theirs, self.name, self.block = ours, theirs, stage.name, block
        if block is not None:
            self._a, self._b = peek(ours, self.name, block.ours), peek(theirs, self.name, block.theirs)

    def pair(self, piece: Piece) -> tuple[Array, Array]:
        """Numbers that belong together."""
        if self.block is None:
            a, b = peek(self.ours, self.name, piece.ours), peek(self.theirs, self.name, piece.theirs)
        else:
            rows = self.block.ours[-2] if len(self.block.ours) > 1 else slice(0, 0)
            span = (rows.start, rows.stop)
            a, b = self._a[window_in_block(piece.ours, span)], self._b[window_in_block(piece.theirs, span)]
        return picked(a, piece.picks_ours), picked(b, piece.picks_theirs)


def _free(stage: Stage) -> tuple[str, ...]:
    """Axes along which padding is part of the verdict: the mask itself, and what real tokens see of padding."""
    if stage.card.given and stage.part == "mask":
        return ("token",)
    sees = stage.room == "mask" or stage.part.startswith("weights") or may_hide(stage)
    return ("key",) if sees else ()


def _covers(masks: tuple[Hidden, Hidden] | None, piece: Piece, a: Array, b: Array) -> tuple[Array, Array] | None:
    """Where masks hide the keys of a piece on both sides."""
    if masks is None:
        return None
    ours, theirs = masks
    return beside_lost_rows(
        a, b, ours.places(a, piece.ours, piece.picks_ours), theirs.places(b, piece.theirs, piece.picks_theirs)
    )


def _size(apart: TextGaps) -> float:
    return math.inf if apart.unlike else apart.largest


def _equal(one: Array, other: Array) -> bool:
    return one.dtype == other.dtype and np.array_equal(one, other)


def window_in_block(window: tuple[slice, ...], block: tuple[int, int]) -> Rectangle:
    """Where a window lies in a block of rows."""
    index = list(window)
    if len(index) > 1:
        rows = index[-2]
        index[-2] = slice(rows.start - block[0], rows.stop - block[0])
    return tuple(index)
