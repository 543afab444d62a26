"""The view `diff`: ours less the reference, in colours, and all three numbers under the cell cursor."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from rich.style import Style

from ...engine.messages.translation import tr
from ..drawing.numbers import Scalar, exact
from ..drawing.text import cell_len, cut
from ..reading.diff import DifferenceHeat, read_difference
from ..reading.heat import Heat
from ..reading.window import Bounds
from ..state.plane import Plane, written_place
from ..state.subject import Subject
from ..state.view_state import ViewState
from .heat_map import HeatMap
from .picture import PictureRequest, Shown, StyledPieces

NEVER = "Nothing compared yet: try :compare dtype float64"
LARGEST = 1 << 22  # cells; three windows are kept of it

MARK = "✗"  # what a verdict begins with that is no good


class DiffMap(HeatMap):
    """A heat map of the difference, on a scale of its own with zero in the middle."""

    name_of_view: ClassVar[str] = "diff"
    hidden_word: ClassVar[str] = "without a partner"
    most_cells: ClassVar[int] = LARGEST

    @property
    def foot(self) -> int:
        height = self.size.height
        return 4 if height >= 14 else 3 if height >= 9 else 1

    def show(self, state: ViewState, subject: Subject | None) -> None:
        """Rows and columns are called by both sides' tokens."""
        if subject is not None and subject.against is not None and subject.against.tokens:
            subject = replace(subject, tokens=subject.against.tokens)
        super().show(state, subject)

    @classmethod
    def applies(cls, subject: Subject) -> bool:
        return subject.against is not None and not subject.against.refused and not subject.is_weight

    def refusal(self, subject: Subject) -> str:
        if subject.is_weight:
            return tr("Values are compared, weights are not. W shows the next one, or the value.")
        return tr(NEVER) if subject.against is None else subject.against.refused

    def request_of(self, subject: Subject, plane: Plane, bounds: Bounds) -> PictureRequest:
        gain, against, cells = self.state.gain, subject.against, bounds.cells
        assert against is not None
        key = (subject, plane, bounds, gain)
        return PictureRequest(key, lambda session: read_difference(session, plane, bounds, gain, against), cells * 25)

    def number_of(self, subject: Subject, plane: Plane, row: int, column: int) -> Scalar | None:
        """The numbers of this view are not the value's."""
        return None

    def foot_line(self, shown: Shown, line: int) -> StyledPieces:
        """The three numbers; the figures of the stage; the verdict; what it was compared with."""
        against, width = shown.subject.against, self.size.width
        assert against is not None
        if line == 0:
            return self._three(shown)
        if line == 1:
            power = self._power(shown.frame)
            figures = [tr("cells ×1e{power}", power=power)] * bool(power and self._has_numbers) + list(against.figures)
            while len(figures) > 1 and cell_len("  ".join(figures)) > width:
                figures.pop()
            return [(cut("  ".join(figures), width), self.ink("label"))]
        if line == 2:
            return [(cut(_fitting(against.verdict, width), width), self.ink("warning" if against.beyond else "note"))]
        notes = "; ".join([*against.notes, tr("A is this run, B is {title}", title=against.title)])
        return [(cut(notes, width), self.ink("quiet"))]

    @property
    def _has_numbers(self) -> bool:
        return self._layout is not None and self._layout.cell_width >= 4

    @staticmethod
    def _power(heat: Heat) -> int:
        """Small differences are written in units of a power of ten, or they would all read as zero."""
        largest = max(abs(heat.scale.low), abs(heat.scale.high))
        return math.floor(math.log10(largest)) if 0 < largest < 0.1 else 0

    def numbers_in(self, heat: Heat, numbers: npt.NDArray[Any], width: int) -> list[str]:
        if isinstance(heat, DifferenceHeat) and heat.ids:
            return ["≠" if number else "=" for number in numbers]
        power = self._power(heat)
        if power:
            unit = 10.0**power
            scale = replace(heat.scale, low=heat.scale.low / unit, high=heat.scale.high / unit)
            heat, numbers = replace(heat, scale=scale), numbers.astype(np.float64) / unit
        return super().numbers_in(heat, numbers, width)

    def _three(self, shown: Shown) -> StyledPieces:
        picture: DifferenceHeat = shown.frame
        row, column = self.cell
        numbers = [window.at(row, column) for window in (picture.ours, picture.theirs, picture.window)]
        texts = ["…" if number is None else exact(number) for number in numbers]
        if self._is_alone(shown, row, column):
            texts[1:] = [tr("no partner"), "-"]
        short = ["…" if number is None else f"{float(number):.6g}" for number in numbers]
        place = written_place(shown.plane, shown.subject, row, column)
        bold = self.ink("note") + Style(bold=True)
        for values in (texts, short):
            apart = f"A−B {values[2]}"
            if picture.ids and numbers[2] is not None:
                apart = tr("they differ") if numbers[2] else tr("equal")
            written = f"A {values[0]}  B {values[1]}  {apart}"
            for form in (*place, ""):
                if cell_len(form) + cell_len(written) + 2 * bool(form) <= self.size.width:
                    return [(f"{form}  " if form else "", self.ink("label")), (written, bold)]
        return [(cut(f"A−B {short[2]}", self.size.width), bold)]

    @staticmethod
    def _is_alone(shown: Shown, row: int, column: int) -> bool:
        from ..drawing.colours import MASKED

        heat: DifferenceHeat = shown.frame
        down, across = row - heat.bounds.row, column - heat.bounds.column
        inside = 0 <= down < heat.codes.shape[0] and 0 <= across < heat.codes.shape[1]
        return inside and heat.codes[down, across] == MASKED


def _fitting(verdict: str, width: int) -> str:
    """A verdict, or where that is too long which stage is the first: by how much this one is off stands above it."""
    own, _, first = verdict.partition("; ")
    if cell_len(verdict) <= width or not first:
        return verdict
    return f"{MARK} {first}" if own.startswith(MARK) else first
