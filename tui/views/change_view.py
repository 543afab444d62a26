"""The view `change`: the numbers of one token before and after a stage, as histograms over the same axis."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from rich.style import Style

from ...engine.messages.translation import tr
from ...engine.program.dtypes import FLOATS
from ..drawing.bars import columns
from ..drawing.braille import ACROSS, DOWN, Canvas
from ..drawing.text import StyledText, cell_len, cut, first_lines, fit, wrapped
from ..reading.change import Axis, ChangePicture, CurvePoints, read_change
from ..state.plane import Plane, within_plane, written_place
from ..state.subject import Subject
from ..state.view_state import ViewState
from .layouts.change import ChangeLayout, bins_for, layout_for
from .picture import PictureRequest, Shown, StyledPieces
from .value_view import ValueView
from .words_of_change import ends_of, figure_lines, name_of, notes_of, spread_of

CURVE, POINT = 0, 1


class ChangeView(ValueView):
    """Rows of numbers one above the other. Up and down choose another token."""

    name_of_view: ClassVar[str] = "change"
    smallest: ClassVar[tuple[int, int]] = (26, 3)

    def __init__(self, colours: bool | None = None) -> None:
        super().__init__(colours)
        self._lines: list[StyledText] = []

    @classmethod
    def applies(cls, subject: Subject) -> bool:
        return not subject.is_weight and subject.dtype in FLOATS and bool(subject.shape)

    def refusal(self, subject: Subject) -> str:
        if subject.is_weight:
            return tr("A weight is not computed: nothing goes in. W shows the next one, or the value.")
        return "" if self.plane_of(subject).size else tr("an axis has size 0: there is nothing in it")

    def request(self, subject: Subject, plane: Plane) -> PictureRequest | None:
        row, bins = within_plane(self.state, plane).row, bins_for(self.size.width)
        return PictureRequest(
            (subject, plane, row, bins), lambda session: read_change(session, plane, row, bins), 1 << 15
        )

    def arrived(self, shown: Shown) -> None:
        self._lines = self._write(shown)

    def changed(self, shown: Shown, before: ViewState) -> None:
        """What is drawn depends on the row alone, and another row is another picture."""

    @property
    def page(self) -> tuple[int, int]:
        return max(1, self.size.height // 2), max(1, self.size.width // 10)

    def paint(self, shown: Shown, y: int) -> StyledPieces:
        return self._lines[y] if y < len(self._lines) else []

    # -- writing ---------------------------------------------------------------------------------------------

    def _write(self, shown: Shown) -> list[StyledText]:
        picture: ChangePicture = shown.frame
        width, height = self.size
        if not picture.bands:
            text = tr(
                "Nothing that goes into this stage is a row of numbers like those that come out: there is no before and after."
            )
            return [[(line, self.ink("note"))] for line in wrapped(text, width)]
        notes = [line for note in notes_of(picture, shown) for line in wrapped(note, width)]
        layout = layout_for(
            width, height, len(picture.bands), len(picture.axes), len(notes), curve=picture.curve is not None
        )
        lines = [self._where(shown, width)]
        bands = picture.bands[: layout.rows]
        for number, band in enumerate(bands):
            lines += self._band(shown.subject.stage, picture, number, layout)
            if picture.curve is not None and number == 0 and layout.curve:
                lines += self._curve(picture.curve, picture.axes[0], layout)
            if layout.axes and (number + 1 == len(bands) or bands[number + 1].axis != band.axis):
                lines += self._axis(picture.axes[band.axis], layout, first=band.axis == 0)
        return [*lines, *([(line, self.ink("note"))] for line in first_lines(notes, layout.notes, width))]

    def _where(self, shown: Shown, width: int) -> StyledText:
        state = within_plane(self.state, shown.plane)
        long = written_place(shown.plane, shown.subject, state.row, state.column)[0]
        place = long.rpartition(", ")[0].removeprefix("[") or tr("the whole vector")  # of the row, not of a cell in it
        keys = tr("↑↓ another")
        room = width - cell_len(keys) - 2
        return (
            [(fit(place, room), self.ink("label-here")), ("  " + keys, self.ink("quiet"))]
            if room > 8
            else [(cut(place, width), self.ink("label-here"))]
        )

    def _band(self, here: str, picture: ChangePicture, number: int, layout: ChangeLayout) -> list[StyledText]:
        """What is said of a row, beside its bars, and below them where its mean and deviation lie."""
        band = picture.bands[number]
        ink = self.ink("label-here" if band.stage == here else "label")
        name = name_of(picture, number, here, layout.text)
        if layout.row == 1:
            figures = figure_lines(band, layout.text - cell_len(name) - 1, 1)[0]
            words = [fit(name, layout.text - cell_len(figures)) + figures]
        else:
            words = [name, *figure_lines(band, layout.text, layout.row)]
        bars = columns(band.counts, layout.bars)
        spread = [spread_of(band, picture.axes[band.axis], layout.bins)] * layout.spread
        most = str(max(band.counts, default=0))
        lines: list[StyledText] = []
        for at, drawn in enumerate([*bars, *spread]):
            text = words[at] if at < len(words) else ""
            room = layout.text - cell_len(most) - 1
            room = room if at == 0 and layout.bars > 1 and cell_len(text) <= room else layout.text
            named: StyledText = [(fit(text, room), ink if at == 0 else self.ink("note"))]
            if room < layout.text:
                named.append((f" {most}", self.ink("quiet")))
            lines.append([*named, ("│", self.ink("quiet")), (drawn, ink if at < layout.bars else self.ink("note"))])
        return lines

    def _axis(self, axis: Axis, layout: ChangeLayout, *, first: bool) -> list[StyledText]:
        quiet = self.ink("quiet")
        forms = (tr("─ all  ━ mean ± deviation"), tr("─ all  ━ mean ± dev"))
        legend = next((form for form in forms if cell_len(form) <= layout.text), "") if layout.spread and first else ""
        line = ["─"] * layout.bins
        if axis.low < 0 < axis.high:
            line[axis.place(0.0, layout.bins)] = "┴"
        return [
            [(fit(legend, layout.text), quiet), ("└" + "".join(line), quiet)],
            [(" " * (layout.text + 1), quiet), (ends_of(axis, layout.bins), self.ink("label"))],
        ]

    def _curve(self, curve: CurvePoints, axis: Axis, layout: ChangeLayout) -> list[StyledText]:
        """The function over the same axis: thin where it is alone, thick where this place's numbers are."""
        canvas = Canvas(layout.bins, layout.curve)
        top = layout.curve * DOWN - 1
        size = curve.high - curve.low or 1.0
        down = top - (curve.heights - curve.low) / size * top
        canvas.dots(down[::2], np.arange(len(down), dtype=np.int64)[::2], CURVE)
        share = (curve.xs / 2 - axis.low / 2) / (axis.high / 2 - axis.low / 2)
        across = np.minimum((share * layout.bins * ACROSS).astype(np.int64), layout.bins * ACROSS - 1)
        canvas.dots(top - (curve.ys - curve.low) / size * top, across, POINT, thick=2)
        words = [f"  {curve.kind}(x) = {curve.written}" if curve.kind not in curve.written else f"  {curve.written}"]
        words += [tr("each number a point:"), tr("x across, y up")]
        words[1:] = [f"  {word}" for word in words[1:]]
        inks = {CURVE: self.ink("quiet"), POINT: self.ink("label-here")}
        lines: list[StyledText] = []
        for y in range(layout.curve):
            named = fit(words[y] if y < len(words) else "", layout.text)
            drawn = [(text, inks.get(code, Style())) for text, code in canvas.runs(y)]
            lines.append([(named, self.ink("label")), ("│", self.ink("quiet")), *drawn])
        return lines
