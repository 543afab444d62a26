"""One element of one stage, and what its explanation may read: rows and single numbers, never a whole tensor."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..program.dtypes import FLOATS
from ..program.element import face_at, text_of
from ..program.explanation import CONSTANT, STAGE, WEIGHT, Explanation, Floats, NamedSum, Operand, Terms, as_float64
from ..program.factors import Factors, RowPlace, factors_of
from ..program.per_text import Index
from ..program.stage import Stage, write_shape
from ..program.trace import Trace
from ..program.value import Value
from ..program.writing import write_number

ElementIndex = tuple[int, ...]
ALL = slice(None)


class Element:
    """One element of one stage.

    Args:
        trace: a run or a recording.
        stage: which stage.
        index: a number for each axis.
    """

    def __init__(self, trace: Trace, stage: Stage, index: ElementIndex) -> None:
        self.trace, self.stage, self.index = trace, stage, index
        self.value = trace.value(stage.name)
        self.options = stage.options
        self.stored = float(self.value.read(index))
        self._names: dict[str, str] = {}
        self._sources: dict[str, tuple[str, Value]] = {}

    # -- numbers -----------------------------------------------------------------------------------------------

    def input(self, number: int) -> Value:
        """The value of an input."""
        return self.trace.value(self.stage.inputs[number])

    def read(self, number: int, index: Index) -> Floats:
        """A window of an input, in float64."""
        return as_float64(self.input(number).read(index))

    def one(self, number: int, index: ElementIndex) -> Operand:
        """One element of an input, as an operand."""
        return self.operand(number, index, float(self.input(number).read(index)))

    def weight(self, number: int, index: Index) -> Floats:
        """A window of a weight, in float64.

        Raises:
            InputError: this trace holds no weights.
        """
        return as_float64(self.trace.weight(self.stage.weights[number], index))

    @property
    def factors(self) -> Factors:
        """How the two inputs are multiplied, as the card says."""
        first, second = (len(self.trace.program[name].axes) for name in self.stage.inputs[:2])
        return factors_of(self.stage.card.factors, first, second, len(self.stage.axes))

    def row(self, number: int, pattern: RowPlace) -> Floats:
        """The numbers of an input that an element of a product is made of."""
        return self.read(number, tuple(ALL if place is None else place for place in pattern))

    # -- operands ----------------------------------------------------------------------------------------------

    def operand(self, number: int, index: ElementIndex, value: float) -> Operand:
        """An element of an input whose number is known already."""
        return self.of_stage(self.stage.inputs[number], index, value)

    def of_stage(self, name: str, index: ElementIndex, value: float) -> Operand:
        """An element of any stage."""
        source = self._sources.get(name)
        if source is None:
            source = self._sources[name] = (self.short(name), self.trace.value(name))
        return Operand(STAGE, name, index, float(value), source[0] + self._at(source[1], index))

    def parameter(self, number: int, symbol: str, index: ElementIndex, value: float) -> Operand:
        """An element of a weight."""
        name = self.stage.weights[number]
        words = [f" {self.trace.word(index[0])!r}"] if symbol in "EW" and self._looks_up_words else [""]
        parts = [f"{at}{word}" for at, word in zip(index, [*words, *[""] * len(index)], strict=False)]
        return Operand(WEIGHT, name, index, float(value), f"{symbol}[{', '.join(parts)}]")

    @staticmethod
    def constant(text: str, value: float) -> Operand:
        """A number of the formula."""
        return Operand(CONSTANT, text, (), float(value), text)

    # -- words -------------------------------------------------------------------------------------------------

    def short(self, name: str) -> str:
        """A stage's name without what it shares with this one's; kept for the legend."""
        short = name.removeprefix(self.stage.block + ".")
        axes = f"[{', '.join(self.trace.program[name].axes)}]"
        self._names[short] = axes if short == name else f"{name} {axes}"
        return short

    def symbol(self, number: int, symbol: str) -> str:
        """What the formula calls a weight; kept for the legend."""
        name = self.stage.weights[number]
        shape = self.trace.weight_shapes.get(name)
        self._names[symbol] = f"{name} {write_shape(shape)}" if shape is not None else name
        return symbol

    def input_name(self, number: int) -> str:
        """An input's short name."""
        return self.short(self.stage.inputs[number])

    def word(self, axis: str, at: int) -> str:
        """The token at a place of an axis; "" where the axis has none."""
        return face_at(self.value, axis, at, (text_of(self.value, self.index),))

    def token(self, axis: str, at: int) -> str:
        """`key 5 'cross'`."""
        word = self.word(axis, at)
        return f"{axis} {at}" + (f" {word!r}" if word else "")

    @property
    def name(self) -> str:
        """The stage's last word and the index: `scores[0, 3, 1, 5]`."""
        return self.stage.part + at(*self.index)

    @property
    def _looks_up_words(self) -> bool:
        """Whether its first input holds ids of words."""
        return bool(self.stage.inputs) and self.input(0).holds_ids

    def _at(self, value: Value, index: ElementIndex) -> str:
        words = _words(value, index)
        return at(*(f"{place} {word!r}" if word else place for place, word in zip(index, words, strict=True)))

    # -- the result --------------------------------------------------------------------------------------------

    def _seen_behind(self) -> Iterable[str]:
        """Of a number that is not finite and has no terms: what stands at its place in the inputs, which is so whatever the operation.

        An elementwise operation has made it of the numbers at its place; of any other the row of the first input is looked at.
        """
        card = self.stage.card
        for number, name in enumerate(self.stage.inputs[: None if card.elementwise else 1]):
            if card.moves or not self.trace.has(name):
                continue
            value, short = self.input(number), self.short(name)
            place = _beside(value, self.index, self.value.shape, whole_row=not card.elementwise)
            if place is None:
                continue
            row = np.atleast_1d(as_float64(value.read(place)))
            bad = np.flatnonzero(~np.isfinite(row))
            lead = tuple(part for part in place if isinstance(part, int))
            if len(lead) == len(place):
                yield f"at the same place, {self.operand(number, lead, float(row[0])).place} = {write_number(float(row[0]))}"
            elif len(bad):
                first = self.operand(number, (*lead, int(bad[0])), float(row[bad[0]]))
                yield (
                    f"in the same row of {short} {len(bad)} of {len(row)} numbers are NaN or infinite, "
                    f"the first {first.place} = {write_number(first.value)}"
                )
            else:
                yield f"in the same row of {short} all {len(row)} numbers are finite"

    def explain(
        self,
        formula: str,
        terms: Terms | None,
        parts: Iterable[NamedSum] = (),
        facts: Mapping[str, float] | None = None,
        notes: Iterable[str] = (),
        bound: float = 0.0,
    ) -> Explanation:
        """What is known of this element, put together.

        Args:
            formula: the right-hand side.
        """
        pairs = zip(self.value.axes, self.index, _words(self.value, self.index), strict=True)
        place = ", ".join(f"{axis}={number}" + (f" {word!r}" if word else "") for axis, number, word in pairs)
        if terms is None and not math.isfinite(self.stored):
            notes = [*notes, *self._seen_behind()]
        explanation = Explanation(
            self.stage.name, self.index, self.stage.kind, f"{self.stage.name}[{place}]",
            self.stage.part + self._at(self.value, self.index), f"{self.name} = {formula}", self.stored,
            self.value.dtype, NamedSum("", terms) if terms is not None else None, tuple(parts), dict(facts or {}),
            tuple(notes), self._names, bound,
        )  # fmt: skip
        if self.stage.name not in self.trace.patched:
            return explanation
        total = explanation.total
        if explanation.holds or total is None or _overflows(explanation):
            return replace(explanation, notes=(*explanation.notes, "this stage is patched"))
        by_hand = f"this number was put there by hand; the stage would have computed {write_number(total)}"
        return replace(explanation, sum=None, parts=(), facts={}, notes=(by_hand,), by_hand=True)


def _beside(
    value: Value, index: ElementIndex, shape: Sequence[int], *, whole_row: bool
) -> tuple[int | slice, ...] | None:
    """Where an input has the place of an element of the result, or the row it is in; None where its axes are others.

    Args:
        shape: of the result.
    """
    axes = len(value.shape)
    if axes > len(index) or (whole_row and axes < len(index)) or not axes:
        return None
    own, theirs = index[len(index) - axes :], shape[len(shape) - axes :]
    if whole_row:
        own, theirs = own[:-1], theirs[:-1]
    if any(size not in (1, other) for size, other in zip(value.shape, theirs, strict=False)):
        return None
    lead = tuple(0 if size == 1 else place for place, size in zip(own, value.shape, strict=False))
    return (*lead, ALL) if whole_row else lead


def _overflows(explanation: Explanation) -> bool:
    """Whether it is infinite because what it is the sum of is too large for its dtype, whatever else of the stage is patched."""
    total, kind = explanation.total, FLOATS.get(explanation.dtype)
    if total is None or kind is None or not math.isinf(explanation.stored):
        return False
    return abs(total) > -kind.lowest and (total > 0) == (explanation.stored > 0)


def _words(value: Value, index: ElementIndex) -> list[str]:
    """What the place along each axis is called; "" where it has no name."""
    text = text_of(value, index)
    return [face_at(value, axis, place, (text,)) for axis, place in zip(value.axes, index, strict=True)]


def at(*parts: Any) -> str:
    """`[0, 3, k]`."""
    return f"[{', '.join(map(str, parts))}]"


def clipped(value: Value, index: Sequence[int]) -> ElementIndex:
    """The same place in a value some of whose axes are one for all: the mask, which is the same for every head."""
    return tuple(0 if size == 1 else place for place, size in zip(index, value.shape, strict=True))
