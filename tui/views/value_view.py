"""What every view of a value has in common: asking for numbers, keeping the old picture till the new one is there."""

from __future__ import annotations

from abc import abstractmethod
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from rich.style import Style
from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.strip import Strip
from textual.timer import Timer

from ...engine.messages.translation import tr
from ..drawing.colours import Palette
from ..drawing.linewise import LinewiseWidget
from ..drawing.numbers import Scalar, exact
from ..drawing.strips import strip_of
from ..drawing.text import cell_len, fit
from ..reading.window import Bounds, Window, all_of
from ..reading.work import LATE, Wanted, Work, see
from ..state.plane import Plane, moved, plane_of, within_plane
from ..state.subject import Subject
from ..state.view_state import ViewState
from .excuses import in_its_place, not_read
from .picture import PictureRequest, Shown, StyledPieces, Trouble

if TYPE_CHECKING:
    from textual import getters
    from textual.app import App

    from ...engine.commands.session import Session

KEPT_BYTES = 96 << 20
KEPT_STRIPS = 512  # Textual keeps with each what it sent to the terminal for it


class ValueView(LinewiseWidget):
    """A view of one value. Subclasses say what they need (`request`) and paint lines of it (`paint`).

    Args:
        colours: whether the terminal has enough of them; None asks it.
    """

    name_of_view: ClassVar[str] = ""
    smallest: ClassVar[tuple[int, int]] = (12, 3)
    faded: ClassVar[float] = 0.55  # how much is left of an old picture while the new one is late
    late = False  # whether it is said that it is waited for

    INKS: ClassVar[str] = "view--"
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "view--label", "view--label-here", "view--quiet", "view--note", "view--warning", "view--success", "view--cursor", "view--faint",
    }  # fmt: skip
    DEFAULT_CSS = """
    ValueView {
        width: 1fr; height: 1fr;
        & .view--label { color: $foreground 75%; }
        & .view--label-here { color: $accent; text-style: bold; }
        & .view--quiet { color: $foreground 45%; }
        & .view--faint { color: $foreground 22%; }
        & .view--note { color: $foreground; }
        & .view--warning { color: $warning; text-style: bold; }
        & .view--success { color: $success; }
        & .view--cursor { text-style: reverse bold; }
    }
    """

    if TYPE_CHECKING:
        app = getters.app(App[Any])  # Textual leaves open what running it returns

    class Asked(Message):
        """Someone clicked or turned the wheel: this is where they want to look."""

        def __init__(self, state: ViewState) -> None:
            super().__init__()
            self.state = state

    def __init__(self, colours: bool | None = None) -> None:
        super().__init__()
        self._colours = colours
        self.state, self.trouble = ViewState(), ""
        self.subject: Subject | None = None
        self.shown: Shown | None = None
        self._awaited: PictureRequest | None = None
        self._results: OrderedDict[Hashable, tuple[Any, int, int]] = OrderedDict()  # frame, cost, number of the picture
        self._strips: OrderedDict[Hashable, Strip] = OrderedDict()  # of the pictures seen last
        self._on_screen = self._numbered = 0  # number of the one on screen, and of the one read last
        self._timer: Timer | None = None
        self._palettes: dict[bool, Palette] = {}
        self._excused: list[str] = []  # what was drawn last in place of a picture
        self._expected = self._asked_for = Size(0, 0)

    # -- what subclasses say ---------------------------------------------------------------------------------

    @abstractmethod
    def request(self, subject: Subject, plane: Plane) -> PictureRequest | None:
        """What is needed to paint this plane at the present size and state; None when it cannot be painted."""

    @abstractmethod
    def paint(self, shown: Shown, y: int) -> StyledPieces:
        """One line of the picture."""

    def plane_of(self, subject: Subject) -> Plane:
        """The plane to be shown; the same for every state that shows the same picture."""
        return plane_of(subject, self.state)

    def line_key(self, y: int) -> Hashable | None:
        """What a line of the picture depends on besides the picture and the size, if it is worth keeping painted."""
        return None

    def changed(self, shown: Shown, before: ViewState) -> None:
        """The state changed and the picture did not: repaint what the change touches. By default every line that differs."""
        self.redraw()

    def arrived(self, shown: Shown) -> None:
        """Another picture is about to be painted."""

    @classmethod
    def applies(cls, subject: Subject) -> bool:
        """Whether this view has a picture of such a value: known from what it is, before a number of it is read."""
        return True

    def refusal(self, subject: Subject) -> str:
        """Why this view has nothing to show of a value that has numbers; "" when it has."""
        return ""

    def wants(self, subject: Subject, state: ViewState) -> int:
        """How many rows show all there is, where one more or less may decide on that; 0 where none would."""
        return 0

    @property
    def page(self) -> tuple[int, int]:
        """How many rows and columns are on screen."""
        return max(1, self.size.height - 3), max(1, self.size.width // 10)

    def on_screen(self, plane: Plane) -> Bounds:
        """The rows and columns of the plane that can be seen; all of them where it is not shown cell by cell."""
        return all_of(plane)

    def moved(self, where: str, state: ViewState, subject: Subject) -> ViewState:
        """The state after `move WHERE`."""
        return moved(where, state, plane_of(subject, state), self.page)

    def number_of(self, subject: Subject, plane: Plane, row: int, column: int) -> Scalar | None:
        """The number of a cell, where the view has it at hand."""
        shown = self.shown
        if shown is None or (shown.subject, shown.plane) != (subject, plane):
            return None
        window = getattr(shown.frame, "window", shown.frame)
        return window.at(row, column) if isinstance(window, Window) else None

    def place_at(self, x: int, y: int) -> ViewState | None:
        """The state with its cell under a point of the widget; None where there is no cell."""
        return None

    # -- showing ---------------------------------------------------------------------------------------------

    @property
    def has_colours(self) -> bool:
        """Whether colours may carry meaning here: not under NO_COLOR, nor where there are sixteen or none."""
        if self._colours is None:
            self._colours = not self.app.no_color and self.app.console.color_system in ("256", "truecolor", "windows")
        return self._colours

    @property
    def is_dark(self) -> bool:
        """Whether the theme's ground is dark."""
        return self.app.current_theme.dark

    def palette(self, *, signed: bool) -> Palette:
        """The colours of numbers on this theme's ground, of those that the terminal has."""
        if signed not in self._palettes:
            self._palettes[signed] = Palette(signed, self.is_dark, self.app.console.color_system == "256")
        return self._palettes[signed]

    @property
    def waiting(self) -> bool:
        """Whether the picture on screen is an old one, the new one not having come yet."""
        return self._awaited is not None

    @property
    def size(self) -> Size:
        """Its size, which has no border to be taken off; before it is on the screen, the one that it will have there."""
        return self._expected or self._size

    def expect(self, room: Size) -> None:
        """Know the size it is about to have: what it shows need not wait for the layout, and is drawn once."""
        self._expected = room

    def show(self, state: ViewState, subject: Subject | None) -> None:
        """Show what the state points at; what is on screen stays until the numbers are there."""
        before, self.state = self.state, state
        if subject is None or subject != self.subject:
            if subject is None or self.subject is None or subject.generation != self.subject.generation:
                self._results.clear()
            self.subject = subject
        other_size, self._asked_for = self.size != self._asked_for, self.size
        if not self._ask() and self.shown is not None:
            if other_size:  # the resize to come finds it laid out already
                self._lay()
            self.changed(self.shown, before)

    def _ask(self) -> bool:
        """See to it that what is needed is at hand or asked for; whether another picture took the screen."""
        subject = self.subject
        if subject is None or not subject.readable or self.refusal(subject) or not self._fits():
            self._settle()
            if self.shown is not None or self._excuses() != self._excused:
                self.shown = None
                self.redraw()
            return True
        plane = self.plane_of(subject)
        request = self.request(subject, plane)
        if request is None:
            self._settle()
            return False
        if request.key in self._results:
            self._results.move_to_end(request.key)
            frame, _, number = self._results[request.key]
            return self._adopt(subject, plane, frame, number)
        if self._awaited is None or self._awaited.key != request.key:
            self._awaited = request
            self._send(subject, plane, request)
        return False

    def _send(self, subject: Subject, plane: Plane, request: PictureRequest) -> None:
        from ...engine.messages.errors import InputError, one_line

        def run(session: Session) -> Any:
            try:
                if request.sees and subject.place == "ahead":
                    see(session, subject.stage)
                return subject, plane, request, request.run(session)
            except (InputError, MemoryError) as error:
                return subject, plane, request, Trouble(one_line(error))

        if self._timer is None and not self.late:
            self._timer = self.set_timer(LATE, self._is_late)
        self.app.post_message(Wanted(self, Work(f"inspector.{self.name_of_view}", run, subject.generation)))

    def receive(self, work: Work, result: Any) -> None:
        """Take what came back from the engine's thread; what is no longer wanted is kept but not shown."""
        subject, plane, request, frame = result
        if self.subject is None or subject.generation != self.subject.generation:
            return
        if not isinstance(frame, Trouble):
            self._keep(request, frame)
        if self._awaited is not None and self._awaited.key == request.key:
            self._adopt(self.subject, plane, frame, self._numbered)

    def failed(self, work: Work, text: str) -> None:
        """What was asked for cannot be had: say so where it would be, and ask again once someone looks again."""
        if self.subject is not None and self._awaited is not None:
            self.receive(work, (self.subject, self.plane_of(self.subject), self._awaited, Trouble(text)))

    def must_wait(self) -> None:
        """It is late for certain, which is said at once; what is shown fades by the clock, for the numbers may come before."""
        if self._timer is not None and not self.late:
            self.late = True
            self.redraw()

    def stop(self) -> None:
        """What is asked for has been stopped."""

    def _keep(self, request: PictureRequest, frame: Any) -> None:
        self._numbered += 1
        self._results[request.key] = (frame, request.cost, self._numbered)
        self._results.move_to_end(request.key)
        while len(self._results) > 1 and sum(cost for _, cost, _ in self._results.values()) > KEPT_BYTES:
            self._results.popitem(last=False)

    def _adopt(self, subject: Subject, plane: Plane, frame: Any, number: int) -> bool:
        self._settle()
        self.trouble = frame.text if isinstance(frame, Trouble) else ""
        shown = self.shown
        if shown is not None and shown.frame is frame and shown.plane == plane and shown.subject == subject:
            return False
        self.shown = None if self.trouble else Shown(subject, plane, frame)
        if self.shown is not None:
            self._on_screen = number
            self.arrived(self.shown)
        self.redraw()
        return True

    def _settle(self) -> None:
        self._awaited, self.trouble = None, ""
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
        self._be_late(False)

    def _is_late(self) -> None:
        self._timer = None
        self._be_late(self.waiting)

    def _be_late(self, late: bool) -> None:
        if late != self.late:
            self.late = late
            self.redraw()
        if self.styles.opacity != (opacity := self.faded if late else 1.0):
            self.styles.opacity = opacity  # by a class, every style would be looked up anew

    def on_resize(self, event: events.Resize) -> None:
        """Another size needs other numbers, or the same painted otherwise."""
        self._expected = Size(0, 0)
        if self.size == self._asked_for:
            return
        self._asked_for = self.size
        self._ask()
        self._lay()

    def _lay(self) -> None:
        """Lay out for the size there is now."""
        self._strips.clear()
        if self.shown is not None:
            self.arrived(self.shown)
        self.refresh()

    # -- painting --------------------------------------------------------------------------------------------

    @property
    def cell(self) -> tuple[int, int]:
        """Row and column of the cell cursor in the plane on screen."""
        if self.shown is None:
            return 0, 0
        state = within_plane(self.state, self.shown.plane)
        return state.row, state.column

    def draw_line(self, y: int) -> Strip:
        """One line of the widget, exactly as wide as it is."""
        width, height = self.size
        if width <= 0 or y >= height:  # it may be drawn once more before it has the size it is about to have
            return Strip.blank(max(0, width), self.ground)
        if self.shown is None or not self._fits():
            return strip_of(self._excuse(y), self.ground, width)
        if (key := self.line_key(y)) is None:
            return strip_of(self.paint(self.shown, y), self.ground, width)
        key = self._kept_as(key)
        if key not in self._strips:
            if len(self._strips) >= KEPT_STRIPS:
                self._strips.popitem(last=False)
            self._strips[key] = strip_of(self.paint(self.shown, y), self.ground, width)
        return self._strips[key]

    def _kept_as(self, key: Hashable) -> Hashable:
        return self._on_screen, *self.size, key  # one may come back to what was seen: another head, the stage before

    def _fits(self) -> bool:
        return self.size.width >= self.smallest[0] and self.size.height >= self.smallest[1]

    def _excuse(self, y: int) -> StyledPieces:
        if y == 0:
            self._excused = self._excuses()
        return [(fit(self._excused[y], self.size.width), self.ink("note"))] if y < len(self._excused) else []

    def _excuses(self) -> list[str]:
        """Why there is no picture, in lines: first what is true of the value in any room, then that there is too little."""
        subject, fits = self.subject, self._fits()
        if subject is None:
            return []
        refused = self.refusal(subject) if subject.readable else not_read(subject.unread)
        return in_its_place((self.trouble if fits else "") or refused, *self.size, fits=fits, late=self.late)

    def status_words(self, places: tuple[str, ...], number: Scalar | None) -> StyledPieces:
        """The last line of a view: a place and the exact number there; the number is never cut."""
        text = tr("reading…") if self.late else "…" if number is None else exact(number)
        room = self.size.width - cell_len(text) - 3
        place = next((place for place in places if cell_len(place) <= room), "")
        return [(f"{place} = " if place else "", self.ink("label")), (text, self.ink("note") + Style(bold=True))]

    def notify_style_update(self) -> None:
        """Forget styles of the old theme."""
        super().notify_style_update()
        self._strips.clear()
        self._palettes.clear()

    def on_click(self, event: events.Click) -> None:
        """A click moves the cell cursor."""
        offset = event.get_content_offset(self)
        state = self.place_at(offset.x, offset.y) if offset is not None and self.shown is not None else None
        if state is not None:
            self.post_message(self.Asked(state))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """The wheel moves the cell cursor three rows down."""
        self._wheel(event, 3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """The wheel moves the cell cursor three rows up."""
        self._wheel(event, -3)

    def _wheel(self, event: events.MouseEvent, rows: int) -> None:
        if self.shown is not None:
            event.stop()
            row = within_plane(self.state, self.shown.plane).row + rows
            self.post_message(self.Asked(within_plane(replace(self.state, row=row), self.shown.plane)))
