"""All heads of a value side by side, small, the one that is looked at framed."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from rich.style import Style
from textual.geometry import Region

from ...engine.messages.translation import tr
from ..drawing import heat_paint as paint
from ..drawing.colours import NOTHING, Scale, codes_of, scale_of
from ..drawing.heat_legend import legend
from ..drawing.numbers import short
from ..drawing.scroll_position import with_axes
from ..drawing.text import cell_len, cut, fit
from ..reading.heads import HeadPicture, read_heads
from ..state.plane import Plane, axes_named, origin_for, paged, plane_of, written_place
from ..state.subject import Subject
from ..state.view_state import ViewState
from .layouts.gallery import GalleryLayout, gallery_of
from .picture import PictureRequest, Shown, StyledPieces
from .value_view import ValueView

CORNERS = "┏┓┗┛━┃"


class HeadGallery(ValueView):
    """Every head's plane as a small heat map, all on one scale so that they can be compared."""

    name_of_view: ClassVar[str] = "heads"
    smallest: ClassVar[tuple[int, int]] = (12, 4)

    def __init__(self, colours: bool | None = None) -> None:
        super().__init__(colours)
        self._layout: GalleryLayout | None = None
        self._codes: list[npt.NDArray[np.uint8]] = []
        self._scale = Scale()
        self._first = 0
        self._half_lines: dict[int, paint.HalfLines] = {}
        self._picture_line = lru_cache(maxsize=2048)(self._paint_line)

    # -- what is needed --------------------------------------------------------------------------------------

    @classmethod
    def applies(cls, subject: Subject) -> bool:
        return bool(paged(subject.axes))

    def refusal(self, subject: Subject) -> str:
        if paged(subject.axes):
            return ""
        nearest = subject.nearest_with_heads
        if not nearest:
            return tr("This value has no head axis; no stage of this program has one.")
        return tr("This value has no head axis; the nearest stage that has one is {stage}.", stage=nearest)

    def plane_of(self, subject: Subject) -> Plane:
        return plane_of(subject, replace(self.state, head=0))

    def request(self, subject: Subject, plane: Plane) -> PictureRequest | None:
        layout = self._layout_for(subject, plane)
        height, width = layout.pooled
        at = subject.axes.index(paged(subject.axes))
        fixed = plane.fixed
        planes = [replace(plane, fixed=(*fixed[:at], head, *fixed[at + 1 :])) for head in range(subject.shape[at])]
        key = (subject, planes[0] if planes else None, height, width)
        return PictureRequest(
            key,
            lambda session: read_heads(session, planes, height, width, subject.dtype),
            len(planes) * height * width * 9,
        )

    def _layout_for(self, subject: Subject, plane: Plane) -> GalleryLayout:
        heads = subject.size(paged(subject.axes))
        parts = 2 if self.has_colours else 1
        # where a number takes two cells, sign and shade, there is room for half as many
        wide = self.size.width if self.has_colours else self.size.width // 2
        return gallery_of(heads, plane.rows, plane.columns, wide, self.size.height - 2, parts=parts)

    def arrived(self, shown: Shown) -> None:
        layout = self._layout = self._layout_for(shown.subject, shown.plane)
        self._picture_line.cache_clear()
        self._half_lines.clear()
        pictures: list[HeadPicture] = shown.frame
        together = np.concatenate([picture.picture.reshape(-1) for picture in pictures])
        self._scale = scale_of(together, shown.subject.dtype).with_gain(self.state.gain)
        self._codes = [
            codes_of(picture.picture, self._scale, shown.subject.dtype)
            .repeat(layout.cell_height, axis=0)
            for picture in pictures
        ]  # fmt: skip
        self._scroll()

    def notify_style_update(self) -> None:
        """Forget what was painted in the colours of the old theme."""
        super().notify_style_update()
        self._picture_line.cache_clear()
        self._half_lines.clear()

    def changed(self, shown: Shown, before: ViewState) -> None:
        if before.gain != self.state.gain:
            self.arrived(shown)
            self.redraw()
            return
        first = self._first
        self._scroll()
        if self._first != first or self._layout is None:
            self.redraw()
            return
        # only the frames: most of the cost of a line is in sending its colours
        heads = (max(0, min(before.head, len(self._codes) - 1)), self._head)
        self.refresh(*[edge for head in heads for edge in self._frame_of(self._layout, head)])
        self.refresh_lines([self.size.height - 1])

    def _frame_of(self, layout: GalleryLayout, head: int) -> list[Region]:
        down, across = divmod(head, layout.across)
        x, y = across * (self._wide + 1), (down - self._first) * (layout.height + 1)
        wide, tall = self._wide + 2, layout.height + 2
        edges = (
            Region(x, y, wide, 1),
            Region(x, y + tall - 1, wide, 1),
            Region(x, y, 1, tall),
            Region(x + wide - 1, y, 1, tall),
        )
        return [edge for edge in edges if y >= 0]

    def _scroll(self) -> None:
        if self._layout is not None:
            here = self._head // self._layout.across
            self._first = origin_for(self._first, here, self._layout.shown, self._layout.down)

    @property
    def _noun(self) -> str:
        shown = self.shown
        return "head" if shown is None or "head" in shown.subject.axes else "channel"

    @property
    def _head(self) -> int:
        return max(0, min(self.state.head, len(self._codes) - 1))

    # -- moving ----------------------------------------------------------------------------------------------

    def moved(self, where: str, state: ViewState, subject: Subject) -> ViewState:
        """Motion goes from head to head."""
        heads = subject.size(paged(subject.axes))
        if not heads:
            return super().moved(where, state, subject)
        across, page = (self._layout.across, self._layout.shown) if self._layout else (1, 1)
        head = max(0, min(state.head, heads - 1))
        start = head - head % across
        target = {
            "left": head - 1, "right": head + 1, "up": head - across, "down": head + across,
            "page-up": head - across * page, "page-down": head + across * page,
            "row-start": start, "row-end": min(heads - 1, start + across - 1), "top": 0, "bottom": heads - 1,
        }.get(where, head)  # fmt: skip
        if where in ("up", "down") and not 0 <= target < heads:
            target = head
        return replace(state, head=max(0, min(target, heads - 1)))

    def place_at(self, x: int, y: int) -> ViewState | None:
        layout = self._layout
        if layout is None or y >= self.size.height - 2:
            return None
        across, down = x // (self._wide + 1), y // (layout.height + 1)
        head = (self._first + down) * layout.across + across
        inside = across < layout.across and down < layout.shown and head < len(self._codes)
        return replace(self.state, head=head) if inside else None

    @property
    def _wide(self) -> int:
        """Columns of the screen that a picture takes."""
        assert self._layout is not None
        return self._layout.width * (1 if self.has_colours else 2)

    # -- painting --------------------------------------------------------------------------------------------

    def paint(self, shown: Shown, y: int) -> StyledPieces:
        layout = self._layout
        if layout is None or not self._codes:
            return []
        if y == self.size.height - 1:
            return self._status(shown)
        if y == self.size.height - 2:
            return self._legend(shown, layout)
        tile, line = divmod(y, layout.height + 1)
        if tile > layout.shown or (tile == layout.shown and line):
            return []
        return self._titles(layout, tile) if line == 0 else self._pictures(layout, tile, line - 1)

    def _titles(self, layout: GalleryLayout, tile: int) -> StyledPieces:
        """The line above a row of pictures: their numbers, and the edges of the frame above or below it."""
        words: list[tuple[str, Style]] = []
        framed, plain, wide = self.ink("label-here"), self.ink("label"), self._wide
        corner = " "
        for across in range(layout.across):
            head = (self._first + tile) * layout.across + across
            title = f" {head} "[:wide] if head < len(self._codes) and tile < layout.shown else ""
            chosen = head == self._head and bool(title)
            if chosen or (tile > 0 and head - layout.across == self._head):
                left, right = CORNERS[:2] if chosen else CORNERS[2:4]
                words += [(left, framed), (title, framed if chosen else plain)]
                words.append((CORNERS[4] * (wide - len(title)), framed))
                corner = right
            else:
                words += [(corner, framed), (fit(title, wide), plain)]
                corner = " "
        return [*words, (corner, framed)]

    def _pictures(self, layout: GalleryLayout, tile: int, line: int) -> StyledPieces:
        words: list[tuple[str, Style]] = []
        before = False
        for across in range(layout.across):
            head = (self._first + tile) * layout.across + across
            chosen = head == self._head
            words.append((CORNERS[5] if chosen or before else " ", self.ink("label-here")))
            before = chosen
            if head < len(self._codes):
                words += self._picture_line(head, line)
            else:
                words.append((" " * self._wide, self.ink("label")))
        return [*words, (CORNERS[5] if before else " ", self.ink("label-here"))]

    def _paint_line(self, head: int, line: int) -> list[tuple[str, Style]]:
        layout, codes = self._layout, self._codes[head]
        assert layout is not None
        if not self.has_colours:
            width = layout.cell_width * 2
            rows = codes[line : line + 1]
            return (
                paint.shades(rows[0], [], width, signed=self._scale.signed)
                if len(rows)
                else [(" " * self._wide, Style())]
            )
        palette = self.palette(signed=self._scale.signed)
        if 2 * line >= len(codes):
            nothing = np.full_like(codes[0], NOTHING)
            return paint.halves(nothing, None, layout.cell_width, palette)
        if head not in self._half_lines:
            self._half_lines[head] = paint.HalfLines(codes, layout.cell_width, palette)
        return self._half_lines[head].line(line)

    def _legend(self, shown: Shown, layout: GalleryLayout) -> StyledPieces:
        palette = self.palette(signed=self._scale.signed) if self.has_colours else None
        first, last = self._first * layout.across, min(len(self._codes), (self._first + layout.shown) * layout.across)
        where = (
            (
                tr(
                    "{noun} {span} of {count}",
                    noun=tr(f"{self._noun}s"),
                    span=f"{first}-{last - 1}",
                    count=len(self._codes),
                ),
            )
            if layout.shown < layout.down
            else ()
        )
        return legend(
            self._scale, palette, with_axes(axes_named(shown.plane), where), self.size.width, self.state.gain, counts=False,
            quiet=self.ink("quiet"), note=self.ink("label"), warning=self.ink("warning"),
        )  # fmt: skip

    def _status(self, shown: Shown) -> StyledPieces:
        """Where the chosen head is strongest."""
        picture: HeadPicture = shown.frame[self._head]
        if self.late:
            return [(tr("reading…"), self.ink("note"))]
        plane = plane_of(shown.subject, replace(self.state, head=self._head))
        places = written_place(plane, shown.subject, picture.row, picture.column)
        peak, noun = short(picture.peak), tr(self._noun)
        if math.isnan(picture.peak):
            words = tr("{name}: no number to colour", name=f"{noun} {self._head}")
            return [(cut(words, self.size.width), self.ink("note"))]
        forms = [
            tr("{noun} {head} peaks at {peak} in {place}", noun=noun, head=self._head, peak=peak, place=place)
            for place in places
        ]
        words = next((form for form in forms if cell_len(form) <= self.size.width), forms[-1])
        return [(cut(words, self.size.width), self.ink("note"))]
