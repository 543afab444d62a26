"""The one main screen: title, tokens, the program's tree, the inspector, breakpoints and console, keys."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from rich.style import Style
from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.geometry import Region, Size
from textual.message import Message
from textual.screen import Screen
from textual.strip import Strip
from textual.widgets import Static

from ...engine.messages.translation import language, tr
from ...engine.program.index import TOKEN_AXES
from ...engine.program.stage import MAIN
from ..drawing.laid_once import LaidOnce
from ..drawing.text import cell_len
from ..panes.breakpoint_list import BreakpointList
from ..panes.console import MARKS, Console
from ..panes.explanation import ExplanationPane
from ..panes.footer import Footer
from ..panes.program_tree import ProgramTree
from ..panes.rule import Rule
from ..panes.title import Status, Title, bar_of
from ..panes.token_strip import StripTokens, TokenStrip
from ..state.completion import Completion
from ..state.footer_keys import Wish, footer_keys, idle_commands, tour_wishes
from ..state.plane import paged, plane_at, within_plane
from ..state.position import Position
from ..state.subject import Subject, subject_of, window_at
from ..state.view_state import ViewState
from .frames import FramedScreen
from .owners import OwnerCompositor

if TYPE_CHECKING:
    from ...engine.commands import CommandTable
    from ...engine.program.tokens import Tokens as Given
    from ..panes.inspector import Inspector

LEAST = (60, 18)
BELOW, BELOW_NARROW = 8, 6  # lines of the strip with breakpoints and console, as in app.tcss
MARKED = {  # the panes that a class is about, as in app.tcss
    "-narrow": ("tree", "below", "explanation"), "-zoomed": ("below",), "-explained": ("below",),
    "-touring": ("explanation",), "-typing": ("below",), "-unsaid": ("below",), "-unbroken": ("below",),
}  # fmt: skip


class _Column(LaidOnce, Vertical):
    """Panes one above the other. They cover it: Textual need not ask, for each frame, how each of its lines looks."""

    BLANK = True


class _Row(LaidOnce, Horizontal):
    """Panes side by side, which cover it."""

    BLANK = True


class _Room(LaidOnce, Vertical):
    """Where the inspector is: a border above it, and a blank column at either side."""

    def render_lines(self, crop: Region) -> list[Strip]:
        """Called by Textual in each frame: below the border all lines are one and the same."""
        border = max(0, min(self.styles.gutter.top - crop.y, crop.height))
        lines = super().render_lines(Region(crop.x, crop.y, crop.width, border)) if border else []
        background = self.background_colors[1]
        blank = Strip.blank(crop.width, Style(bgcolor=background.rich_color))
        for each in self.get_line_filters():
            blank = blank.apply_filter(each, background)
        return lines + [blank] * (crop.height - border)


class MainScreen(FramedScreen, Screen[None]):
    """Lays the panes out and hands each what it shows. Decides nothing.

    Args:
        complete: what Tab makes of a command line.
    """

    AUTO_FOCUS = ""
    BINDING_GROUP_TITLE = "encoder-tui"
    BLANK = True  # it is covered, as its column is

    class Pressed(Message):
        """A key that no widget took.

        Attributes:
            names: what the key is called.
            typing: whether a command is being typed.
        """

        def __init__(self, names: list[str], typing: bool) -> None:
            super().__init__()
            self.names, self.typing = names, typing

    def __init__(self, complete: Callable[[str], Completion]) -> None:
        super().__init__()
        self._compositor = OwnerCompositor()
        self.title_line = Title(id="title")
        self.tokens = TokenStrip(id="tokens")
        self.program = ProgramTree(id="tree")
        self.inspector: Inspector
        self.breakpoints = BreakpointList(id="breakpoints")
        self.console = Console(complete, id="console")
        self.explanation = ExplanationPane(id="explanation")
        self.footer = Footer(id="footer")
        self._rule, self._below_rule = Rule(id="rule"), Rule("┼", id="below-rule")
        self._room, self._below = _Room(id="room"), _Row(id="below")
        self._panes = {pane.id: pane for pane in (self.program, self._rule, self._below, self.explanation)}
        self._marks: set[str] = set()
        self._zoomed = self._explained = False
        for empty in ("-unbroken", "-unsaid"):  # nothing is listed or said yet
            self._mark(empty, True)
        self._loading = Static(tr("loading"), id="loading", markup=False)
        self._notice = Static(id="too-small", markup=False)
        self._kept_open = False  # the console, for what it says
        self._known: tuple[Position, tuple[object, ...], Subject] | None = None
        self._table: CommandTable | None = None
        self._controls = frozenset({"ctrl+p"})  # keys with Ctrl that stand for commands
        self._hinted: tuple[object, ...] = ()

    def compose(self) -> ComposeResult:
        with _Column(id="all"):
            yield self.title_line
            yield self.tokens
            with _Row(id="middle"):
                yield self.program
                yield self._rule
                with self._room:
                    yield self._loading
            yield self.explanation
            with self._below:
                yield self.breakpoints
                yield self._below_rule
                yield self.console
            yield self.footer
        yield self._notice

    def on_mount(self) -> None:
        self.label()

    def _mark(self, name: str, on: bool) -> None:
        """Give a class to the panes it is about, or take it away. Were it the screen's, all styles of all views would be looked up anew."""
        if on != (name in self._marks):
            self._marks ^= {name}
            for pane in MARKED[name]:
                self._panes[pane].set_class(on, name)

    def label(self) -> None:
        """Write the titles of the panes in the language in use."""
        self.program.entitle(f" {tr('program')} ")
        self.breakpoints.entitle(f" {tr('breakpoints')} ")
        self.console.heading.label(tr("console"))

    @property
    def hides_console(self) -> bool:
        """Whether what the console says cannot be seen."""
        covered = self._zoomed or (self._explained and "-narrow" in self._marks) or "-unsaid" in self._marks
        return not self.console.line.has_focus and covered

    def say(self, kind: str, text: str, verdict: str = "", *, opens: bool = False) -> None:
        """Say something in the console, which opens for it; for one short line the footer has room, as long as it is closed.

        Args:
            kind, text, verdict: as in `Console.say`.
            opens: whether the console opens for a short line as well.
        """
        line = MARKS[kind] + text
        short = "\n" not in text and cell_len(line) < self.size.width
        if kind != "command" and (opens or not short or self.console.line.has_focus):
            self._keep_open(True)
        self.console.say(kind, text, verdict)
        if self.hides_console and (kind == "error" or (short and kind != "command")):
            self.footer.hint(line)

    def tell(self, title: str, said: Sequence[tuple[str, str]]) -> bool:
        """Say what is to be said on opening; see `Console.tell`. The last line is not worth opening the console for."""
        self._keep_open(len(said) > 1)
        return self.console.tell(title, said)

    def put_away(self) -> bool:
        """Close the console until it has something to say; whether it was open."""
        was_open, self._kept_open = self._kept_open and not self.hides_console, False
        self._lay_below()
        return was_open

    def _keep_open(self, kept: bool) -> None:
        self._kept_open = self._kept_open or kept
        self._lay_below()

    def _lay(self, state: ViewState) -> None:
        """Show the panes that a state leaves room for. Not by classes: for those, every style of a pane would be looked up anew."""
        self._zoomed, self._explained = state.zoomed, state.explained
        for pane, shown in ((self.program, not state.zoomed), (self._rule, not state.zoomed)):
            if pane.display != shown:
                pane.display = shown
        self._show_explanation()
        self._lay_below()

    def _room_beside(self) -> Size:
        """The size that the inspector will have once the panes beside it and below have theirs, as in app.tcss."""
        marks = self._marks
        narrow = "-narrow" in marks
        tree = 0 if self._zoomed else min(30 if narrow else 40, self.size.width * 45 // 100) + 1
        below = explained = 0
        if self.explanation.display:
            explained = 6 + 2 * (narrow or "-touring" in marks) + (narrow and "-touring" in marks)
        if not self.hides_console:
            below = self._below.size.height if self.console.line.has_focus else BELOW_NARROW if narrow else BELOW
        return Size(self.size.width - tree - 2, self.size.height - self.tokens.size.height - 3 - explained - below)

    @property
    def hides_explanation(self) -> bool:
        """Whether there is no room for an explanation, since somebody types."""
        return self._marks >= {"-narrow", "-typing"}

    def _show_explanation(self) -> None:
        shown = self._explained and not self.hides_explanation
        if self.explanation.display != shown:
            self.explanation.display = shown

    def _lay_below(self) -> None:
        """Give the strip below room for what there is: the list of breakpoints, the console, both or neither."""
        narrow, listed = "-narrow" in self._marks, not self.breakpoints.is_empty
        self._mark("-unbroken", not listed)
        self._mark("-unsaid", not listed and not self._kept_open)
        hidden = "-unsaid" in self._marks  # what would cover it costs nothing then
        self._mark("-zoomed", self._zoomed and not hidden)
        self._mark("-explained", self._explained and narrow and not hidden)
        beside = (31 if narrow else 41) if listed else 0
        self.console.expect(Size(max(0, self.size.width - beside - 2), (BELOW_NARROW if narrow else BELOW) - 2))

    async def furnish(self) -> None:
        """Put the inspector in its place. It needs numpy, which the first frame does not wait for."""
        from ..panes.inspector import Inspector

        self.inspector = Inspector(id="inspector")
        self.inspector.display = False
        await self._room.mount(self.inspector)

    def know(self, table: CommandTable) -> None:
        """Say which keys there are, from now on."""
        self._table = table
        self._controls = frozenset(key.key for command in table for key in command.keys if key.key.startswith("ctrl+"))
        self._show_keys("", frozenset())

    def _show_keys(self, view: str, without: frozenset[str], first: tuple[Wish, ...] = ()) -> None:
        """Have the footer show the keys that are of use in a view; `without` are commands that do nothing there."""
        hinted = view, without, first, language(), self._table
        if self._table is not None and self._hinted != hinted:
            self._hinted = hinted
            self.footer.show(footer_keys(self._table, view, without, first))

    def load(self, text: str, share: float | None) -> None:
        """Say how far loading has come."""
        self.title_line.say(Status(text, "busy", share))
        self._loading.update(text if share is None else f"{text}\n\n{bar_of(share)}")

    # -- what is shown -------------------------------------------------------------------------------------------

    def show(self, state: ViewState, position: Position) -> None:
        """Show a state of the view and of the debugger."""
        if self._loading.display:
            self._loading.display, self.inspector.display = False, True
        self.title_line.describe(position)
        self.breakpoints.show(position)
        self._lay(state)
        self._mark("-touring", position.tour is not None)
        room = self._room_beside()
        self.program.expect(room.height)
        self.program.show(position, state.stage)
        self.program.entitle(f" {tr('program')} {position.cursor + 1}/{len(position.world.program)} ")
        asked = position.tour.stop if position.tour is not None and position.covers(state) else 0
        self.tokens.show(StripTokens() if asked == 1 else tokens_of(state, position))  # into which the text is cut
        self._below_rule.join("┬" if state.explained else "┼")
        self.console.heading.join(
            -1 if state.explained or state.zoomed or not self.breakpoints.is_empty else self._rule.region.x
        )
        # the picture first: its numbers are waited for
        self.inspector.show(state, self._subject_of(state, position), position, room)
        lines = "window" if window_at(position.world.program, state.stage) is not None else "lines"
        self._show_keys(
            lines if state.view == "lines" else state.view,
            idle_commands(state, position.world.program, position.world.shapes, toured=position.world.is_toured),
            tour_wishes(position.tour) if state.explained else (),
        )
        self.explanation.show(state, position, -1 if state.zoomed else self._rule.region.x)

    def _subject_of(self, state: ViewState, position: Position) -> Subject | None:
        """What is known of what is looked at, put together once for all keys that stay with it."""
        if state.stage not in position.world.program:
            return None
        asked = (state.stage, state.beside, language())
        if self._known is None or self._known[0] is not position or self._known[1] != asked:
            self._known = position, asked, subject_of(position, state.stage, state.beside)
        return self._known[2]

    def on_inspector_fitted(self, message: Inspector.Fitted) -> None:
        """The header above has another height. (By its name, because importing the inspector takes numpy along.)"""
        self.explanation.header_has(message.lines)

    @on(Console.Opened)
    def _typing(self) -> None:
        self._mark("-typing", True)
        self._show_explanation()

    @on(Console.Left)
    def _typed(self) -> None:
        self._mark("-typing", False)
        self._show_explanation()
        self.set_focus(None)

    # -- keys and size -------------------------------------------------------------------------------------------

    def takes(self, key: str) -> bool:
        """Whether a key may stand for a command; the others are Textual's, or the command line's."""
        typing = self.focused is not None
        if key in ("tab", "shift+tab", "ctrl+c") or (key.startswith("ctrl+") and key not in self._controls):
            return key == "ctrl+c" and not typing
        return not typing or key == "ctrl+p" or (key[0] == "f" and key[1:].isdigit())

    def on_key(self, event: events.Key) -> None:
        """Pass a key on that no widget took."""
        if not self.takes(event.key):
            return
        event.stop()
        event.prevent_default()
        self.post_message(self.Pressed([event.key, *event.aliases], self.focused is not None))

    def on_resize(self, event: events.Resize) -> None:
        """Say so when there is too little room."""
        width, height = event.size
        small = width < LEAST[0] or height < LEAST[1]
        self.set_class(small, "-small")
        self._mark("-narrow", width < 100 or height < 30)
        self._show_explanation()
        self._lay_below()
        if small:
            size, least = f"{width}×{height}", f"{LEAST[0]}×{LEAST[1]}"
            self._notice.update(
                "encoder-tui\n\n"
                + tr("this terminal has {size}\nit needs {least}\n\nmake it larger, or press q", size=size, least=least)
            )


def tokens_of(state: ViewState, position: Position) -> StripTokens:
    """The token strip for a state: which text, and which tokens the cell looked at belongs to."""
    world = position.world
    sequence, row, column, text = MAIN, None, None, state.text
    if state.stage in world.program and state.beside not in world.program[state.stage].own:
        stage = world.program[state.stage]
        plane = plane_at(stage.name, stage.axes, world.shapes[stage.name], state)
        cell = within_plane(state, plane)
        text = plane.text(cell.row) if "batch" in stage.axes else state.text
        row = cell.row if plane.row_axis in TOKEN_AXES and plane.rows > 1 else None
        row = plane.fixed[stage.axes.index("token")] if paged(stage.axes) == "token" else row
        column = cell.column if plane.column_axis in TOKEN_AXES and plane.columns > 1 else None
        above = stage.sequence_along(plane.column_axis) if column is not None else MAIN
        sequence = stage.sequence_along(plane.row_axis) if row is not None else above
        column = (
            column if above == sequence else None
        )  # its tokens are another sequence's: they stand above the numbers
    tokens = world.inputs.sequences[sequence]
    text = max(0, min(text, len(tokens.strings) - 1))
    cut = tokens.cut[text] if text < len(tokens.cut) else 0
    words, strings = world.inputs.called[sequence].faces[text], tokens.strings[text]
    unknown = frozenset(at for at, word in enumerate(words) if word != strings[at])
    return StripTokens(
        words, row, column, text, len(tokens.strings), _prompt_end(tokens, text), cut, tokens.cut_left, unknown
    )


def _prompt_end(tokens: Given, text: int) -> int:
    """The place behind the prompt of a text; 0 where it has none."""
    return int(tokens.mask[text].argmax()) + tokens.prompt_length if tokens.prompt_length else 0
