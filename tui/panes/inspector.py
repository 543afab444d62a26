"""The inspector: one value, what it is called, how it came about, and a view of its numbers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.geometry import Size
from textual.message import Message

from ...engine.commands.screen import SEEKS, VIEWS
from ...engine.program.addresses import AT
from ..drawing.laid_once import LaidOnce
from ..drawing.numbers import exact
from ..reading.copying import read_copy
from ..reading.seek import seek
from ..reading.why import find_operand
from ..reading.window import Bounds
from ..reading.work import Wanted, Work
from ..state.plane import Plane, plane_of, scaled, within_plane
from ..state.subject import Subject
from ..state.view_state import ViewState
from ..views.change_view import ChangeView
from ..views.diff_map import DiffMap
from ..views.head_gallery import HeadGallery
from ..views.heat_map import HeatMap
from ..views.layer_grid import LayerGrid
from ..views.link_view import LinkView
from ..views.map_view import MapView
from ..views.number_grid import NumberGrid
from ..views.product_view import ProductView
from ..views.source_view import SourceView
from ..views.statistics import Statistics
from ..views.value_view import ValueView
from ..views.whole_map import WholeMap
from ..views.why_view import WhyView
from ..views.word_window_view import WordWindowView
from ..views.words_view import WordsView
from .cover import Cover
from .inspector_header import InspectorHeader

if TYPE_CHECKING:
    from textual import getters
    from textual.app import App

    from ...engine.commands.session import Session
    from ..state.position import Position


WITH_FORMULA = 3  # lines of a header from which it has the formula
COPY = "inspector.copy"  # what is wanted of the engine's thread

# What shows a value for each word of `view`; their order is the command's.
WIDGETS: dict[str, type[ValueView]] = {
    widget.name_of_view: widget
    for widget in (
        HeatMap,
        NumberGrid,
        HeadGallery,
        Statistics,
        WhyView,
        DiffMap,
        LinkView,
        LayerGrid,
        ChangeView,
        ProductView,
        WordsView,
        SourceView,
        MapView,
    )
}


def applies(view: str, subject: Subject) -> bool:
    """Whether a view has a picture of a subject."""
    in_window = view == LinkView.name_of_view and WordWindowView.applies(subject)
    return in_window or WIDGETS[view].applies(subject)


class Inspector(LaidOnce, Vertical):
    """Shows what the app's state points at; holds no state of its own but scroll positions.

    Args:
        colours: whether the terminal has enough of them to carry meaning; None asks it.
    """

    BLANK = True  # header and view cover it
    DEFAULT_CSS: ClassVar[str] = """
    Inspector { width: 1fr; height: 1fr; }
    """

    if TYPE_CHECKING:
        app = getters.app(App[Any])  # Textual leaves open what running it returns

    class Followed(Message):
        """An operand was found.

        Attributes:
            name: what the number is called whose operand it is.
            stage, index: the operand.
        """

        def __init__(self, name: str, stage: str, index: tuple[int, ...]) -> None:
            super().__init__()
            self.of, self.stage, self.index = name, stage, index

    class Fitted(Message):
        """The header has another height.

        Attributes:
            lines: of the header: from three on it has the formula, from four on that of shapes as well.
        """

        def __init__(self, lines: int) -> None:
            super().__init__()
            self.lines = lines

    class Copied(Message):
        """Numbers were read.

        Attributes:
            text: for the clipboard.
            written: what they are called.
        """

        def __init__(self, text: str, written: str) -> None:
            super().__init__()
            self.text, self.written = text, written

    def __init__(self, colours: bool | None = None, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._state = ViewState()
        self._subject: Subject | None = None
        self._header = InspectorHeader(VIEWS, applies)
        self._header_lines = self._told = 0
        self._hatching = Cover()
        self._map = MapView(colours)
        self._views = {name: WIDGETS[name](colours) for name in VIEWS} | {MapView.name_of_view: self._map}
        self._views[WholeMap.name_of_view] = WholeMap(colours)
        self._views[WordWindowView.name_of_view] = WordWindowView(colours)
        self._displayed: ValueView | None = self._views[self._state.view]

    def compose(self) -> ComposeResult:
        yield self._header
        self._hatching.display = False
        yield self._hatching
        for name, view in self._views.items():
            view.display = name == self._state.view
            yield view

    @property
    def view(self) -> ValueView:
        """The view on screen."""
        name = self._state.view
        if self._state.whole and name == HeatMap.name_of_view:
            name = WholeMap.name_of_view
        elif name == LinkView.name_of_view and self._subject is not None and WordWindowView.applies(self._subject):
            name = WordWindowView.name_of_view  # its lines go from words to words
        return self._views.get(name, self._views[VIEWS[0]])

    @property
    def is_late(self) -> bool:
        """Whether the numbers have been waited for so long that it shows."""
        return self.view.late

    def stop(self) -> None:
        """What the view waits for has been stopped."""
        self.view.stop()

    def show(
        self, state: ViewState, subject: Subject | None, position: Position | None = None, room: Size | None = None
    ) -> None:
        """Show what the state points at.

        Args:
            state: the app's.
            subject: of `state.stage`; None before anything is loaded.
            position: where the debugger stands, for the view of all stages.
            room: the size it is about to have, where panes beside it come or go; without it, the one it has.
        """
        self._state, self._subject = state, subject
        room = room or self.size
        self._hatching.display = covered = position is not None and position.covers(state)
        turned, displayed = not self.view.display, None if covered else self.view
        if displayed is not self._displayed:
            self._displayed = displayed
            for view in self._views.values():
                view.display = view is displayed
        if room.height:  # else there is none yet, and it will be told of it
            self._fit_header(room.height)
        self._header.show(state, subject)
        if turned or room != self.size:
            self.view.expect(Size(room.width, max(0, room.height - self._header_lines)))
        if isinstance(self.view, MapView | SourceView) and position is not None:
            self.view.stand(position)
        self.view.show(state, subject)

    def tell(self, kind: str, note: str, more: str) -> None:
        """Say on the map what was told on opening; see `MapView.tell`."""
        self._map.tell(kind, note, more)

    def moved(self, where: str, state: ViewState) -> ViewState:
        """The state after `move WHERE`; a page is what the view shows at once. What has to be looked for is gone to later."""
        if where in SEEKS:
            self._seek(where, state)
            return state
        return self.view.moved(where, state, self._subject) if self._subject else state

    def _seek(self, what: str, state: ViewState) -> None:
        """Look for a number on the engine's thread, and go to it."""
        subject = self._subject
        if subject is None or not subject.readable:
            return
        plane = plane_of(subject, state)
        cell = within_plane(state, plane)

        def run(session: Session) -> Any:
            return seek(session, plane, (cell.row, cell.column), what)

        self.app.post_message(Wanted(Seeker(self, subject, plane), Work("inspector.seek", run, subject.generation)))

    def go(self, subject: Subject, plane: Plane, cell: tuple[int, int]) -> None:
        """Go to a cell that was looked for, unless something else is looked at by now."""
        if subject == self._subject and plane == plane_of(subject, self._state):
            self.post_message(ValueView.Asked(replace(self._state, row=cell[0], column=cell[1])))

    def follow(self, state: ViewState, index: tuple[int, ...], number: int | None) -> None:
        """Find the operand that is chosen in the explanation of an element, or the one of that number."""

        def run(session: Session) -> Any:
            return find_operand(session, state.stage, index, state.term, state.factor, number)

        generation = self._subject.generation if self._subject is not None else None
        self.app.post_message(Wanted(self, Work("inspector.follow", run, generation)))

    def receive(self, work: Work, result: Any) -> None:
        """Take what was found, or what is to be copied."""
        self.post_message(self.Copied(*result) if work.key == COPY else self.Followed(*result))

    def failed(self, work: Work, text: str) -> None:
        """There is no operand to go to, or nothing to copy."""

    def must_wait(self) -> None:
        """Nothing is shown until it is there."""

    def scaled(self, direction: str, state: ViewState) -> ViewState:
        """The state after `contrast up|down|reset`."""
        return scaled(direction, state)

    def copy_text(self) -> str:
        """The number under the cell cursor with its name and index; "" while there is none to be had."""
        subject = self._subject
        if subject is None:
            return ""
        plane = plane_of(subject, self._state)
        state = within_plane(self._state, plane)
        views = (self.view, *self._views.values())
        numbers = (view.number_of(subject, plane, state.row, state.column) for view in views)
        number = next((number for number in numbers if number is not None), None)
        index = ", ".join(map(str, plane.cell(state.row, state.column)))
        return f"{subject.stage}[{index}] = {exact(number)}" if number is not None else ""

    def copy(self, what: str) -> None:
        """Read numbers to be copied: `row`, `window` or `number`, and `tsv` or `python` after it."""
        subject = self._subject
        if subject is None or not subject.readable:
            return
        plane = plane_of(subject, self._state)
        cell = within_plane(self._state, plane)
        if self._state.view == DiffMap.name_of_view:  # what is seen there has an address of its own
            plane = replace(plane, stage=f"{plane.stage}{AT}difference")
        extent, _, form = what.partition(" ")
        bounds = {
            "number": Bounds(cell.row, cell.row + 1, cell.column, cell.column + 1),
            "row": Bounds(cell.row, cell.row + 1, 0, plane.columns),
            "window": self.view.on_screen(plane),
        }[extent]

        def run(session: Session) -> Any:
            return read_copy(session, subject, plane, bounds, form)

        self.app.post_message(Wanted(self, Work(COPY, run, subject.generation)))

    def on_resize(self, event: events.Resize) -> None:
        """A low inspector has a short header."""
        self._fit_header(self.size.height)

    def _fit_header(self, height: int) -> None:
        """Over the map there is none: it speaks of one stage."""
        subject, view = self._subject, self.view
        wanted = view.wants(subject, self._state) if subject is not None else 0
        least = view.smallest[1] if subject is not None and view.applies(subject) else 0
        lines = self._header.fit_into(0 if isinstance(view, MapView) else height, wanted, least)
        self._header_lines = lines
        told = WITH_FORMULA if isinstance(view, MapView) else lines  # the map's foot has the formula
        if told != self._told:
            self._told = told
            self.post_message(self.Fitted(told))


@dataclass(frozen=True, slots=True)
class Seeker:
    """Waits for the place of a number in a plane."""

    inspector: Inspector
    subject: Subject
    plane: Plane

    @property
    def is_attached(self) -> bool:
        """Whether there is a screen still."""
        return self.inspector.is_attached

    def receive(self, work: Work, result: tuple[int, int]) -> None:
        """Go there."""
        self.inspector.go(self.subject, self.plane, result)

    def failed(self, work: Work, text: str) -> None:
        """There is none; the console says so."""

    def must_wait(self) -> None:
        """Nothing is shown until it is gone to."""
