"""The view `product`: A · B = C about the cell cursor, A at the left, B above, C where A's row meets B's column."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from typing import ClassVar

from rich.style import Style

from ...engine.messages.translation import tr
from ..drawing.colours import MARKS, MASKED, MIDDLE, Palette
from ..drawing.heat_paint import CURSOR
from ..drawing.numbers import Scalar, counted
from ..drawing.text import StyledText, cell_len, cut, fit, wrapped
from ..reading.product import MatricesSeen, Panel, ProductAsked, ProductPicture, ShownAxis, read_product
from ..state.plane import Plane, fitted, within_plane, written_place
from ..state.product_layout import CELL
from ..state.subject import Subject
from ..state.view_state import ViewState
from .picture import PictureRequest, Shown, StyledPieces
from .product_foot import foot
from .value_view import ValueView

RULE, BORDER = "│", "┊"
PLAIN, MARKED = Style(), Style(bold=True, underline=True)
QUIET_LEVELS = 4  # of colour: a number as near zero as that is written as quietly as what is not looked at


class ProductView(ValueView):
    """A product of two matrices. Motion is in C; page up and down choose another term of the sum."""

    name_of_view: ClassVar[str] = "product"
    smallest: ClassVar[tuple[int, int]] = (34, 10)

    def __init__(self, colours: bool | None = None) -> None:
        super().__init__(colours)
        self._read = MatricesSeen()
        self._asked: ProductAsked | None = None
        self._foot: list[StyledText] = []
        self._looks: dict[tuple[Palette | None, int, bool], Style] = {}  # of cells

    # -- what is needed --------------------------------------------------------------------------------------

    @classmethod
    def applies(cls, subject: Subject) -> bool:
        return subject.is_product and not subject.is_weight

    def refusal(self, subject: Subject) -> str:
        if subject.is_weight:
            return tr("A weight was learned, not computed: it is no product. W shows the next one, or the value.")
        if not self.plane_of(subject).size:
            return tr("an axis has size 0: there is nothing in it")
        if subject.is_product:
            return ""
        if not subject.nearest_product:
            return tr(
                "{formula}: no product of two matrices; no stage of this program is one.", formula=subject.formula
            )
        return tr(
            "{formula}: no product of two matrices; the nearest is {stage}, enter goes there.",
            formula=subject.formula, stage=subject.nearest_product,
        )  # fmt: skip

    def request(self, subject: Subject, plane: Plane) -> PictureRequest | None:
        state = within_plane(self.state, plane)
        index = plane.cell(state.row, state.column)
        asked = ProductAsked(subject.stage, index, state.term, state.gain, *self.size)
        if self._asked is None or replace(self._asked, origins=(0, 0, 0)) != asked:
            before = self.shown.frame.origins if self.shown and self.shown.subject.stage == subject.stage else (0, 0, 0)
            asked = self._asked = replace(asked, origins=before)
        asked, seen = self._asked, self._read
        return PictureRequest((subject, asked), lambda session: read_product(session, asked, seen), 1 << 17)

    def show(self, state: ViewState, subject: Subject | None) -> None:
        if subject is None or self.subject is None or subject.generation != self.subject.generation:
            self._read = MatricesSeen()  # the engine's thread may still fill the old one
        super().show(state, subject)

    def changed(self, shown: Shown, before: ViewState) -> None:
        """What is drawn depends on what was asked for alone, and another cell is another picture; while it is late, that is said."""
        if self.late:
            self.redraw()

    def arrived(self, shown: Shown) -> None:
        picture: ProductPicture = shown.frame
        inks = {name: self.ink(name) for name in ("label", "label-here", "quiet", "note", "warning", "cursor")}
        place = written_place(shown.plane, shown.subject, *self.cell)
        status = list(self.status_words(place, picture.number))
        self._foot = foot(picture, status, self.size.width, picture.layout.foot, inks)

    # -- moving ----------------------------------------------------------------------------------------------

    @property
    def page(self) -> tuple[int, int]:
        layout = self.shown.frame.layout if self.shown is not None else None
        return (layout.rows, layout.columns) if layout is not None else (1, 1)

    def moved(self, where: str, state: ViewState, subject: Subject) -> ViewState:
        """Motion is in C; page up and page down go from term to term of its sum, the largest first."""
        if where not in ("page-up", "page-down"):
            return super().moved(where, state, subject)
        sum_ = self.shown.frame.sum if self.shown is not None else None
        if sum_ is None or not sum_.ranks:
            return state
        return replace(state, term=max(0, min(sum_.rank + (1 if where == "page-down" else -1), sum_.ranks - 1)))

    def place_at(self, x: int, y: int) -> ViewState | None:
        """Of C a cell; of A a row, of B a column."""
        if self.shown is None:
            return None
        picture: ProductPicture = self.shown.frame
        layout = picture.layout
        row, column = y - layout.top, (x - layout.result) // CELL
        state = within_plane(self.state, self.shown.plane)
        in_rows, in_columns = 0 <= row < len(picture.rows.labels), 0 <= column < len(picture.columns.labels)
        if x >= layout.result and in_columns and y < layout.top:
            return replace(state, column=picture.columns.first + column)
        if in_rows and x < layout.left:
            return replace(state, row=picture.rows.first + row)
        if not in_rows or not in_columns or x < layout.result:
            return None
        return replace(state, row=picture.rows.first + row, column=picture.columns.first + column)

    def number_of(self, subject: Subject, plane: Plane, row: int, column: int) -> Scalar | None:
        shown = self.shown
        same = shown is not None and shown.subject == subject and shown.frame.asked.index == plane.cell(row, column)
        return shown.frame.number if shown is not None and same else None

    # -- painting --------------------------------------------------------------------------------------------

    def paint(self, shown: Shown, y: int) -> StyledPieces:
        picture: ProductPicture = shown.frame
        layout = picture.layout
        below = y - (self.size.height - layout.foot)
        if below == layout.foot - 1 and self.late and self.subject is not None:  # the number below is another cell's
            plane = self.plane_of(self.subject)
            here = within_plane(self.state, plane)
            return self.status_words(written_place(plane, self.subject, here.row, here.column), None)
        if below >= 0:
            return self._foot[below] if below < len(self._foot) else []
        if y < layout.top - 2:
            return self._above(picture, y)
        return self._beside(picture, y - layout.top)

    def line_key(self, y: int) -> Hashable | None:
        """Another cell is another picture; while that is late, it is said."""
        return None if self.late else y

    def _above(self, picture: ProductPicture, y: int) -> StyledText:
        """A line of B, and of what is shown of the three axes."""
        layout, here = picture.layout, picture.summed.first + y - 2
        in_b = y >= 2 and here - picture.summed.first < len(picture.summed.labels)
        label: StyledText = []
        room = layout.left
        if in_b:
            text = fitted(picture.summed.labels[y - 2], min(layout.left - 2, cell_len(picture.summed.labels[y - 2])))
            is_here = here == picture.summed.here
            label = [
                ("▸" if is_here else " ", self.ink("label-here")),
                (text + " ", self.ink("label-here" if is_here else "label")),
            ]
            room -= cell_len(text) + 2
        line: StyledText = [
            (fit(self._axis_words(picture, y, room - 1), room), self.ink("quiet")),
            *label,
            (RULE + " ", self.ink("quiet")),
        ]
        if y == 0:
            return [*line, *self._title(picture.right, self.size.width - layout.result)]
        if y == 1:
            return [*line, *self._labels(picture.columns)]
        if not in_b:
            return line
        if picture.right.trouble:
            told = wrapped(picture.right.trouble, self.size.width - layout.result)
            return [*line, (told[y - 2] if y - 2 < len(told) else "", self.ink("quiet"))]
        return [
            *line,
            *self._cells(
                picture.right,
                y - 2,
                [at == picture.columns.here for at in _places(picture.columns)],
                chosen=here == picture.summed.here,
            ),
        ]

    def _beside(self, picture: ProductPicture, row: int) -> StyledText:
        """A line of A and C; two above their first row their names, one above it the places of the sum."""
        layout = picture.layout
        if row == -2:
            left, between = self._title(picture.left, layout.left), "┼─"
            used = sum(cell_len(text) for text, _ in left)
            filler = ("─" * (layout.left - used), self.ink("quiet"))
            return [
                *left,
                filler,
                (between, self.ink("quiet")),
                *self._title(picture.result, self.size.width - layout.result, "= "),
            ]
        if row == -1:
            return [
                (" " * layout.gutter, Style()),
                *self._labels(picture.summed, picture.joined),
                (RULE + " ", self.ink("quiet")),
                *self._labels(picture.columns),
            ]
        if row >= len(picture.rows.labels):
            return [(" " * layout.left, Style()), (RULE, self.ink("quiet"))]
        is_here = picture.rows.first + row == picture.rows.here
        label = fitted(picture.rows.labels[row], layout.gutter - 2)
        line: StyledText = [(f"{'▸' if is_here else ' '}{label} ", self.ink("label-here" if is_here else "label"))]
        width = len(picture.summed.labels)
        line += self._cells(
            picture.left,
            row,
            [is_here] * width,
            picture.summed.here - picture.summed.first if is_here else -1,
            borders=_borders(picture.summed, picture.joined),
        )
        line.append((RULE + " ", self.ink("quiet")))
        at = picture.columns.here - picture.columns.first if is_here else -1
        return [*line, *self._cells(picture.result, row, [False] * len(picture.columns.labels), cursor=at)]

    def _axis_words(self, picture: ProductPicture, y: int, room: int) -> str:
        """`↓ token 0-5 of 15`: which places of an axis are on the screen."""
        axes = (("↓", picture.rows), ("Σ", picture.summed), ("→", picture.columns))
        if y >= len(axes):
            return ""
        mark, along = axes[y]
        if not along.axis:
            return ""
        last = along.first + len(along.labels) - 1
        size = counted(along.total)
        span = f"{counted(along.first)}-{counted(last)}" if last > along.first else counted(along.first)
        name, short = f"{mark} {along.axis}", f"{mark} {along.axis} {span}/{size}"
        long = tr("{name} {span} of {size}", name=name, span=span, size=size)
        forms = (long, short, f"{mark} {along.axis} {span}")
        if picture.joined and along is picture.summed:
            first, end = along.first // picture.joined, last // picture.joined
            heads = f"{tr(picture.part)} {first}" + f"-{end}" * (end > first)
            forms = (f"{long}: {heads}", f"{short}: {heads}", f"{forms[-1]}: {heads}", *forms)
        return next((form for form in forms if cell_len(form) <= room), cut(forms[-1], max(0, room)))

    def _title(self, panel: Panel, width: int, lead: str = "") -> StyledText:
        room = width - cell_len(panel.sizes) - 2
        if room < cell_len(lead + panel.title):
            return [(cut(lead + panel.title, width), self.ink("note"))]
        return [(lead + panel.title, self.ink("note") + Style(bold=True)), (f" {panel.sizes} ", self.ink("quiet"))]

    def _labels(self, along: ShownAxis, joined: int = 0) -> StyledText:
        words: StyledText = []
        for at, text in zip(_places(along), along.labels, strict=True):
            border = BORDER if joined and at % joined == 0 and at else ""
            text = (
                border
                + fit(text.partition(" ")[0] if along.axis == "vocabulary" else text, CELL - 1 - len(border), "right")
                + " "
            )
            words.append((text, self.ink("label-here" if at == along.here else "label")))
        return words

    def _cells(
        self,
        panel: Panel,
        row: int,
        lit: list[bool],
        cursor: int = -1,
        borders: tuple[int, ...] = (),
        *,
        chosen: bool = False,
    ) -> StyledText:
        """A row of numbers: what is lit on the ground of its colour, the rest in its colour alone."""
        if row >= len(panel.cells):
            return [(" " * (CELL * len(lit)), Style())]
        palette = self.palette(signed=panel.signed) if self.has_colours else None
        words: StyledText = []
        for at, (text, code, is_lit) in enumerate(zip(panel.cells[row], panel.codes[row].tolist(), lit, strict=True)):
            text = MARKS[code] * (CELL - 1) if code == MASKED else text or "#"
            style = self._style(palette, code, is_lit)
            if at == cursor and not is_lit:
                style = CURSOR if palette else self.ink("cursor")
            elif (at == cursor or chosen) and is_lit:
                style += MARKED
            edge = BORDER if at in borders else ""
            if edge:
                words.append((edge, self.ink("note")))
            written = fit(text, CELL - 1 - len(edge), "right")
            bare = style.transparent_background and not is_lit and at != cursor
            words += [(written + " ", style)] if bare else [(written, style), (" ", PLAIN)]
        return words

    def _style(self, palette: Palette | None, code: int, lit: bool) -> Style:
        key = palette, code, lit
        if key not in self._looks:
            self._looks[key] = self._look(palette, code, lit)
        return self._looks[key]

    def _look(self, palette: Palette | None, code: int, lit: bool) -> Style:
        if palette is None:
            return Style(reverse=True) if lit else PLAIN
        style, note = palette.style(code), self.ink("note")
        if code in MARKS:
            return style
        near_zero = (abs(code - MIDDLE) if palette.signed else code) <= QUIET_LEVELS
        if lit:  # zero has nearly the colour of the ground, and is lit none the less
            return style + Style(color=note.color) if near_zero else style
        return self.ink("quiet") if near_zero else palette.writing(code)

    def notify_style_update(self) -> None:
        """Forget the colours of the old theme."""
        super().notify_style_update()
        self._looks.clear()


def _places(along: ShownAxis) -> range:
    return range(along.first, along.first + len(along.labels))


def _borders(along: ShownAxis, joined: int) -> tuple[int, ...]:
    """Which of the columns on the screen are the first of a part."""
    return tuple(at - along.first for at in _places(along) if joined and at and at % joined == 0)
