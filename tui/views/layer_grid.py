"""The view `grid`: all heads of all layers of a stage, small, on one screen; it fills layer by layer."""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from rich.style import Style

from ...engine.messages.translation import tr
from ..drawing import heat_paint as paint
from ..drawing.colours import Scale, codes_of, scale_of
from ..drawing.heat_legend import legend
from ..drawing.numbers import short
from ..drawing.scroll_position import with_axes
from ..drawing.text import StyledText, cell_len, cut, fit, wrapped
from ..reading.layer_grid import LayerRow, read_layer
from ..state.plane import axes_named, origin_for, plane_of, written_place
from ..state.subject import Subject
from ..state.view_state import ViewState
from .layouts.grid import GUTTER, GridLayout, grid_of
from .picture import Shown, StyledPieces, Trouble
from .picture_chain import PictureChain, Sheet

if TYPE_CHECKING:
    from ...engine.commands.session import Session

EDGE = "┃"
WAITING, TROUBLED = "·", "✗"


@dataclass(frozen=True, slots=True)
class LayerSheet(Sheet):
    """What the thumbnails depend on: besides, the stage of each layer."""

    stages: tuple[str, ...]

    def read(self, session: Session, stage: str) -> LayerRow:
        return read_layer(session, stage, self.text, self.height, self.width)


class LayerGrid(PictureChain):
    """Layers down, heads across, all on one scale. The cursor is the stage's layer and the head that is looked at."""

    name_of_view: ClassVar[str] = "grid"
    smallest: ClassVar[tuple[int, int]] = (12, 6)

    def __init__(self, colours: bool | None = None) -> None:
        super().__init__(colours)
        self._codes: dict[str, list[np.ndarray]] = {}
        self._scale = Scale()
        self._layout: GridLayout | None = None
        self._origin = (0, 0)
        self._half_lines: dict[tuple[str, int], paint.HalfLines] = {}
        self._thumbnail = lru_cache(maxsize=8192)(self._paint_thumbnail)

    # -- what is needed --------------------------------------------------------------------------------------

    @classmethod
    def applies(cls, subject: Subject) -> bool:
        return bool(subject.layers)

    def refusal(self, subject: Subject) -> str:
        if subject.layers:
            return ""
        nearest = subject.nearest_with_keys or subject.nearest_with_heads
        if not nearest:
            return tr(
                "The grid is of a stage that is in the layers and divided into heads; no stage of this program is."
            )
        return tr(
            "The grid is of a stage that is in the layers and divided into heads; the nearest stage that is so is {stage}.",
            stage=nearest,
        )

    def _ask(self) -> bool:
        """See to it that every layer is at hand or due; whether the whole picture has to be painted."""
        subject = self.subject
        if subject is None or self.refusal(subject) or not self._fits():
            self._settle()
            self.shown = None
            self.redraw()
            return True
        plane = self.plane_of(subject)
        self._layout = layout = self._layout_for(subject)
        text = plane.fixed[plane.axes.index("batch")] if "batch" in plane.axes[:-2] else 0
        sheet = LayerSheet(text, layout.values_down, layout.values_across, subject.generation, subject.layers)
        another = self._want(subject, sheet, subject.layers)
        if another:
            self._colour()
            self._scroll()
            self.redraw()
        return another

    def came(self, stage: str) -> None:
        """All are on one scale."""
        self._colour()
        self.redraw()

    def _layout_for(self, subject: Subject) -> GridLayout:
        # signs are not known before anything is read: weights have none
        signed = not subject.stage.endswith(".weights")
        rows, columns = subject.shape[-2:]
        return grid_of(
            len(subject.layers), subject.size("head"), rows, columns, self.size.width, self.size.height - 3,
            colours=self.has_colours, signed=signed,
        )  # fmt: skip

    def _colour(self) -> None:
        """Quantise what is there, all on one scale."""
        self._strips.clear()
        self._forget_painted()
        dtype = self.subject.dtype if self.subject else "float32"
        rows = {stage: row.pictures for stage, row in self._pictures.items() if isinstance(row, LayerRow)}
        flat = [picture.picture.reshape(-1) for pictures in rows.values() for picture in pictures]
        self._scale = (scale_of(np.concatenate(flat), dtype) if flat else Scale()).with_gain(self.state.gain)
        tall = self._layout.cell_height if self._layout else 1
        self._codes = {
            stage: [codes_of(each.picture, self._scale, dtype).repeat(tall, axis=0) for each in pictures]
            for stage, pictures in rows.items()
        }

    # -- what changes ----------------------------------------------------------------------------------------

    def changed(self, shown: Shown, before: ViewState) -> None:
        if before.gain != self.state.gain:
            self._colour()
        origin = self._origin
        self._scroll()
        if before.gain != self.state.gain or origin != self._origin or self._layout is None:
            self._strips.clear()
            self.redraw()
            return
        layers = {self._layer_of(before, shown.subject), self._layer}
        height = self._layout.height
        lines = {1 + (layer - origin[0]) * height + line for layer in layers for line in range(height)}
        self.refresh_lines(y for y in {*lines, 0, self.size.height - 1} if 0 <= y < self.size.height)

    def arrived(self, shown: Shown) -> None:
        self._colour()
        self._scroll()

    def _scroll(self) -> None:
        layout, subject = self._layout, self.subject
        if layout is not None and subject is not None:
            self._origin = (
                origin_for(self._origin[0], self._layer, layout.layers, len(subject.layers)),
                origin_for(self._origin[1], self._head, layout.heads, subject.size("head")),
            )

    @staticmethod
    def _layer_of(state: ViewState, subject: Subject) -> int:
        stages = subject.layers
        return stages.index(state.stage if state.stage in stages else subject.stage) if stages else 0

    @property
    def _layer(self) -> int:
        return self._layer_of(self.state, self.subject) if self.subject else 0

    @property
    def _head(self) -> int:
        return max(0, min(self.state.head, self.subject.size("head") - 1)) if self.subject else 0

    # -- moving ----------------------------------------------------------------------------------------------

    def moved(self, where: str, state: ViewState, subject: Subject) -> ViewState:
        """Motion goes from head to head and from layer to layer, which is another stage."""
        if not subject.layers:
            return super().moved(where, state, subject)
        layers, heads = len(subject.layers) - 1, subject.size("head") - 1
        layer, head = self._layer_of(state, subject), max(0, min(state.head, heads))
        page = self._layout.layers if self._layout else 1
        layer, head = {
            "left": (layer, head - 1), "right": (layer, head + 1), "up": (layer - 1, head), "down": (layer + 1, head),
            "page-up": (layer - page, head), "page-down": (layer + page, head),
            "row-start": (layer, 0), "row-end": (layer, heads), "top": (0, head), "bottom": (layers, head),
        }.get(where, (layer, head))  # fmt: skip
        return replace(state, stage=subject.layers[max(0, min(layer, layers))], head=max(0, min(head, heads)))

    def place_at(self, x: int, y: int) -> ViewState | None:
        layout, subject = self._layout, self.subject
        if layout is None or subject is None or y < 1 or x < GUTTER:
            return None
        down, across = (y - 1) // layout.height, (x - GUTTER) // (layout.width + 1)
        layer, head = self._origin[0] + down, self._origin[1] + across
        inside = down < layout.layers and across < layout.heads
        if not inside or layer >= len(subject.layers) or head >= subject.size("head"):
            return None
        return replace(self.state, stage=subject.layers[layer], head=head)

    # -- painting --------------------------------------------------------------------------------------------

    def paint(self, shown: Shown, y: int) -> StyledPieces:
        layout, height = self._layout, self.size.height
        if layout is None:
            return []
        if y == height - 1:
            return self._status(shown)
        if y == height - 2:
            return self._legend(shown, layout)
        if y == 0:
            return self._heads(shown, layout)
        tile, line = divmod(y - 1, layout.height)
        layer = self._origin[0] + tile
        inside = tile < layout.layers and layer < len(shown.subject.layers)
        return self._line(shown, layout, layer, line) if inside else []

    def line_key(self, y: int) -> Hashable | None:
        layout = self._layout
        if layout is None or not 1 <= y < self.size.height - 2:
            return None
        tile, line = divmod(y - 1, layout.height)
        layer = self._origin[0] + tile
        return None if layer == self._layer or tile >= layout.layers else (layer, line, self._origin[1])

    def _heads(self, shown: Shown, layout: GridLayout) -> StyledPieces:
        words: StyledText = [(fit("head", GUTTER - 1, "right") + " ", self.ink("quiet"))]
        for head in self._heads_on_screen(shown, layout):
            ink = self.ink("label-here" if head == self._head else "label")
            words.append((" " + fit(str(head), layout.width, "center"), ink))
        return words

    def _heads_on_screen(self, shown: Shown, layout: GridLayout) -> range:
        return range(self._origin[1], min(shown.subject.size("head"), self._origin[1] + layout.heads))

    def _line(self, shown: Shown, layout: GridLayout, layer: int, line: int) -> StyledText:
        here, stage = layer == self._layer, shown.subject.layers[layer]
        label = fit(f"L{layer}", GUTTER - 2, "right") if line == 0 else " " * (GUTTER - 2)
        mark = "▸" if here and line == 0 else " "
        words: StyledText = [(f"{mark}{label} ", self.ink("label-here" if here else "label"))]
        framed, before = self.ink("label-here"), False
        for head in self._heads_on_screen(shown, layout):
            # the last line of a thumbnail is half free: it has no frame
            chosen = here and head == self._head
            words.append((EDGE if chosen or before else " ", framed))
            words += self._thumbnail(layout, stage, head, line)
            before = chosen
        return [*words, (EDGE if before else " ", framed)]

    def _paint_thumbnail(self, layout: GridLayout, stage: str, head: int, line: int) -> StyledText:
        read, codes = self._pictures.get(stage), self._codes.get(stage, ())
        if head >= len(codes):
            mark = TROUBLED if isinstance(read, Trouble) else WAITING if read is None else ""
            return [(fit(mark if line == 0 else "", layout.width, "center"), self.ink("quiet"))]
        picture = codes[head]
        if not self.has_colours:
            row = picture[line : line + 1]
            signed, width = self._scale.signed, layout.cell_width
            return paint.shades(row[0], [], width, signed=signed) if len(row) else [(" " * layout.width, Style())]
        if 2 * line >= len(picture):
            return [(" " * layout.width, self.ink("label"))]
        if (stage, head) not in self._half_lines:
            palette = self.palette(signed=self._scale.signed)
            self._half_lines[stage, head] = paint.HalfLines(picture, layout.cell_width, palette)
        return self._half_lines[stage, head].line(line)

    def notify_style_update(self) -> None:
        """Forget what was painted in the colours of the old theme."""
        super().notify_style_update()
        self._forget_painted()

    def _forget_painted(self) -> None:
        self._thumbnail.cache_clear()
        self._half_lines.clear()

    def _legend(self, shown: Shown, layout: GridLayout) -> StyledPieces:
        total = len(shown.subject.layers)
        if self._due:
            at = {"layer": total - len(self._due) + 1, "total": total}
            stopped = tr("stopped before layer {layer} of {total}; any key goes on", **at)
            return [(stopped if self._stopped else tr("reading layer {layer} of {total}…", **at), self.ink("quiet"))]
        every = max((row.every for row in self._pictures.values() if isinstance(row, LayerRow)), default=1)
        span = f"{self._origin[0]}-{self._origin[0] + layout.layers - 1}"
        parts = [tr("layers {span} of {count}", span=span, count=total)] * (layout.layers < total)
        brief = [f"L{span}/{total}"] * (layout.layers < total)
        heads = shown.subject.size("head")
        span = f"{self._origin[1]}-{self._origin[1] + layout.heads - 1}"
        parts += [tr("heads {span} of {count}", span=span, count=heads)] * (layout.heads < heads)
        brief += [f"h{span}/{heads}"] * (layout.heads < heads)
        parts += [tr("one row in {every} read", every=every)] * (every > 1)
        palette = self.palette(signed=self._scale.signed) if self.has_colours else None
        where = with_axes(axes_named(shown.plane), ("  ".join(parts), " ".join(brief), "  ".join(parts[-1:])))
        return legend(
            self._scale, palette, where, self.size.width, self.state.gain, counts=False,
            quiet=self.ink("quiet"), note=self.ink("label"), warning=self.ink("warning"),
        )  # fmt: skip

    def _status(self, shown: Shown) -> StyledPieces:
        """Where the chosen head is strongest."""
        layer, head, width = self._layer, self._head, self.size.width
        read = self._pictures.get(shown.subject.layers[layer])
        name = tr("layer {layer} head {head}", layer=layer, head=head)
        if isinstance(read, Trouble):
            return [(cut(f"{name}: {read.text}", width), self.ink("warning"))]
        if read is None or head >= len(read.pictures):
            words = tr("reading…") if read is None else tr("this recording does not hold it")
            return [(cut(f"{name}: {words}", width), self.ink("note"))]
        picture = read.pictures[head]
        if math.isnan(picture.peak):
            return [(cut(tr("{name}: no number to colour", name=name), width), self.ink("note"))]
        plane = plane_of(shown.subject, replace(self.state, head=head))
        places = written_place(plane, shown.subject, picture.row, picture.column)
        peak = short(picture.peak)
        said = [tr("{name} peaks at {peak} in {place}", name=name, peak=peak, place=place) for place in places]
        forms = [*(f"{words}   {tr('enter opens it')}" for words in said), *said]
        return [(cut(next((form for form in forms if cell_len(form) <= width), forms[-1]), width), self.ink("note"))]

    def _excuses(self) -> list[str]:
        """Stages that have not run are computed for the picture, so that is no reason to show none."""
        if self.subject is not None and self._fits():
            return wrapped(self.refusal(self.subject), self.size.width)
        return super()._excuses()
