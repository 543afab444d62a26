"""The view `why`: a number as the sum of its terms, largest first, each of which can be followed to where it comes from."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from rich.style import Style
from textual import events

from ...engine.messages.translation import said, tr
from ..drawing.bars import across
from ..drawing.numbers import Scalar, exact
from ..drawing.text import StyledText, cell_len, cut, fit, wrapped
from ..reading.why import Why, read_why, tile_of
from ..state.plane import Plane, within_plane
from ..state.subject import Subject
from ..state.view_state import ViewState
from .layouts import why as layout
from .layouts.why import STAGE, Block, Columns, Page
from .picture import PictureRequest, Shown, StyledPieces
from .value_view import ValueView

if TYPE_CHECKING:
    from ...engine.analysis.why import Operand, Row

ROOM_TO_WRAP = 14  # rows: from here on what is said above the terms takes the lines it needs


class WhyView(ValueView):
    """An explanation. Up and down choose a term, left and right one of its operands."""

    name_of_view: ClassVar[str] = "why"
    smallest: ClassVar[tuple[int, int]] = (16, 2)

    def __init__(self, colours: bool | None = None) -> None:
        super().__init__(colours)
        self._page: Page | None = None
        self._columns: dict[int, Columns] = {}
        self._top = 0
        self._head: list[StyledText] = []

    # -- what is needed --------------------------------------------------------------------------------------

    @classmethod
    def applies(cls, subject: Subject) -> bool:
        return not subject.is_weight

    def refusal(self, subject: Subject) -> str:
        if subject.is_weight:
            return tr(
                "A weight was learned, not computed: it is the sum of nothing. W shows the next one, or the value."
            )
        return "" if self.plane_of(subject).size else tr("an axis has size 0: there is nothing in it")

    def request(self, subject: Subject, plane: Plane) -> PictureRequest | None:
        state = within_plane(self.state, plane)
        index = plane.cell(state.row, state.column)
        start, stop = tile_of(self.state.term)
        key = (subject, index, start)
        return PictureRequest(
            key, lambda session: read_why(session, subject.stage, index, start, stop), (stop - start) * 1000
        )

    def arrived(self, shown: Shown) -> None:
        why: Why = shown.frame
        self._head = self._write_head(why)
        self._page = Page(why, self.size.width, self._room)
        self._columns = {part: layout.columns_of(why, part, self.size.width) for part in range(len(why.parts))}
        self._scroll(why)

    def changed(self, shown: Shown, before: ViewState) -> None:
        self._scroll(shown.frame)
        self.redraw()

    def _scroll(self, why: Why) -> None:
        if self._page is not None:
            self._top = self._page.top_for(self._top, self._term(why), why.count, self._room)

    def _term(self, why: Why) -> int:
        return max(0, min(self.state.term, why.count - 1))

    # -- moving ----------------------------------------------------------------------------------------------

    def moved(self, where: str, state: ViewState, subject: Subject) -> ViewState:
        """Up and down choose a term, left and right one of its operands; the cell stays where it is."""
        if self.shown is None or self.shown.subject.stage != subject.stage:
            return state
        why: Why = self.shown.frame
        term, last, page = self._term(why), max(0, why.count - 1), max(1, self._room - 1)
        steps = {"up": -1, "down": 1, "page-up": -page, "page-down": page, "top": -last, "bottom": last}
        if where in steps:
            return replace(state, term=max(0, min(term + steps[where], last)), factor=state.factor)
        count = len(self._followed(why.row(term)))
        factor = min(state.factor, max(0, count - 1))
        to = {"left": factor - 1, "right": factor + 1, "row-start": 0, "row-end": count}.get(where, factor)
        return replace(state, term=term, factor=max(0, min(to, count - 1)))

    def _wheel(self, event: events.MouseEvent, rows: int) -> None:
        if self.shown is not None:
            event.stop()
            self.post_message(self.Asked(self.moved("down" if rows > 0 else "up", self.state, self.shown.subject)))

    def place_at(self, x: int, y: int) -> ViewState | None:
        if self.shown is None or self._page is None or not 0 <= y - len(self._head) < self._room:
            return None
        term = self._page.term_at(self._top + y - len(self._head))
        return None if term is None else replace(self.state, term=term)

    def number_of(self, subject: Subject, plane: Plane, row: int, column: int) -> Scalar | None:
        shown = self.shown
        same = shown is not None and shown.subject == subject and shown.frame.index == plane.cell(row, column)
        return shown.frame.number if shown is not None and same else None

    @staticmethod
    def _followed(numbered: tuple[int, Row] | None) -> list[Operand]:
        return [operand for operand in numbered[1].term.factors if operand.kind == STAGE] if numbered else []

    # -- painting --------------------------------------------------------------------------------------------

    @property
    def _foot(self) -> int:
        return 2 if self.size.height >= 9 else 1 if self.size.height >= 5 else 0

    @property
    def _room(self) -> int:
        return max(0, self.size.height - len(self._head) - self._foot)

    def paint(self, shown: Shown, y: int) -> StyledPieces:
        why: Why = shown.frame
        head = len(self._head)
        if y < head:
            return self._head[y]
        if y >= head + self._room:
            return self._feet(why)[y - head - self._room]
        spot = self._page.at(self._top + y - len(self._head)) if self._page else None
        if spot is None:
            return []
        block, line = spot
        return self._row(why, block.first + line) if block.count else self._words(block, line)

    def _words(self, block: Block, line: int) -> StyledPieces:
        return [(cut(block.lines[line], self.size.width), self.ink(block.kind))]

    def _write_head(self, why: Why) -> list[StyledText]:
        """What it is called and how it is made; how many terms, and how well they add up."""
        width, height = self.size
        name = cut(why.name, max(0, width - cell_len(exact(why.number)) - 3))
        lines = [list(self.status_words((why.place, name), why.number)), *self._whole(why.formula, "label")]
        sums = ["; ".join(why.sums) or tr("the terms of this number are not known")]
        if cell_len(sums[0]) > width and len(why.sums) > 1:
            sums = list(why.sums) if height >= 12 else [why.sums[-1]]
        for line in sums:
            for long, short in ((" in float64", ""), ("difference", "off by"), ("rounding allows", "may be")):
                line = line if cell_len(line) <= width else line.replace(tr(long), tr(short))
            line = line if cell_len(line) <= width or len(sums) > 1 else why.brief
            lines += self._whole(line, "note" if why.holds else "warning")
        lines += [[]] * (height >= 16)
        return lines[: max(1, height - 2)]

    def _whole(self, text: str, kind: str) -> list[StyledText]:
        """All of a text where there is room for its lines, and else what goes into one."""
        width, height = self.size
        lines = wrapped(text, width) if height >= ROOM_TO_WRAP else [cut(text, width)]
        return [[(line, self.ink(kind))] for line in lines]

    def _row(self, why: Why, term: int) -> StyledText:
        """Rank, value, bar, share up to here, operands."""
        here, numbered = term == self._term(why), why.row(term)
        if numbered is None:
            return [("  …", self.ink("quiet"))]
        (number, row), columns = numbered, self._columns[numbered[0]]
        part = why.parts[number]
        note, quiet = self.ink("note"), self.ink("quiet")
        rank = f"{'▸' if here else ' '}{row.rank + 1:>{columns.rank - 2}} "
        line: StyledText = [(rank, self.ink("label-here") if here else quiet)]
        value = part.format.write(row.term.value) if columns.aligned else layout.brief(row.term.value)
        line.append((fit(value, columns.value, "right"), note + Style(bold=here or None)))
        if columns.bar:
            line += [(" ", note), (across(abs(row.term.value) / part.largest, columns.bar - 1), self.ink("label"))]
        if columns.share:
            line.append((f"{row.share:>{columns.share}.1%}", quiet))
        return [*line, ("  ", note), *self._operands(row, columns, chosen=here)]

    def _operands(self, row: Row, columns: Columns, *, chosen: bool) -> StyledText:
        line: StyledText = []
        chose = self._chosen(row) if chosen else None
        for at, operand in enumerate(row.term.factors):
            text = layout.operand_text(operand, columns.form, columns.varying[at])
            if at:
                line.append((" · " if not row.term.how else " , ", self.ink("quiet")))
            ink = self.ink("cursor" if operand is chose else "note" if operand.kind == STAGE else "label")
            line.append((text, ink))
            if at + 1 < len(row.term.factors):
                line.append((" " * (columns.factors[at] - cell_len(text)), self.ink("note")))
        if row.term.how and (columns.how or not line):
            line.append((f"  {said(row.term.how)}".removeprefix("" if line else "  "), self.ink("quiet")))
        return line

    def _chosen(self, row: Row) -> Operand | None:
        followed = self._followed((0, row))
        return followed[min(self.state.factor, len(followed) - 1)] if followed else None

    def _feet(self, why: Why) -> list[StyledText]:
        """Where Enter goes; which keys there are."""
        width, numbered = self.size.width, why.row(self._term(why))
        operand = self._chosen(numbered[1]) if numbered else None
        label, note = self.ink("label"), self.ink("note")
        first: StyledText = [(cut(_no_way(numbered[1]) if numbered else tr("nothing to follow"), width), label)]
        if operand is not None:
            bracket = operand.place.partition("[")[2]
            value = f" = {operand.value:.7g}"
            forms = (f"{operand.name}[{bracket}", operand.place, operand.place.rpartition(".")[2])
            room = width - cell_len(value) - 8
            text = next((form for form in forms if cell_len(form) <= room), cut(forms[-1], room))
            first = [("enter → ", self.ink("label-here")), (text + value, note)]
        keys = tr("↑↓ term  ←→ operand")
        trail = self.state.trail
        if trail:
            way = "" if len(trail) == 1 else f" ({len(trail)})"
            keys += "  " + tr("o back{way} to {name}", way=way, name=trail[-1].name)
        at = f"  {tr('term')} {self._term(why) + 1}/{why.count}" if why.count else ""
        return [first, [(fit(keys, max(0, width - cell_len(at))), self.ink("quiet")), (at, self.ink("quiet"))]]


def _no_way(row: Row) -> str:
    """Why there is nothing to follow."""
    if not row.term.factors:
        return tr("{term}: the walk ends here", term=said(row.term.how) or tr("this term"))
    texts = [
        tr("{place} is a {kind}, {name}", place=operand.place, kind=tr(operand.kind), name=operand.name)
        for operand in row.term.factors
    ]
    return f"{'; '.join(texts)}: {tr('nothing to follow')}"
