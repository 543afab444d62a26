"""A screen with nothing but the inspector, and an engine that answers at once or when it is told to."""

from __future__ import annotations

import driving  # noqa: F401 # pyright: ignore[reportUnusedImport] # its pauses wait for no clock
from encoder_tui.engine.commands.session import Session
from encoder_tui.tui.panes.inspector import Inspector
from encoder_tui.tui.reading.facts import look
from encoder_tui.tui.reading.work import Wanted
from encoder_tui.tui.state.position import Position
from encoder_tui.tui.state.subject import subject_of
from encoder_tui.tui.state.view_state import ViewState
from encoder_tui.tui.views import value_view
from encoder_tui.tui.views.value_view import ValueView
from rich.cells import cell_len
from textual.app import App, ComposeResult

value_view.LATE = 3600.0  # no answer is late by the clock, on however busy a machine: a test says when it is


async def shown(session: Session, state: ViewState, size: tuple[int, int], *, colours: bool = True) -> list[str]:
    """What the inspector shows of a state, without blanks at the ends; each line is exactly as wide as the screen."""
    app = InspectorApp(session, state, colours=colours)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        lines = app.lines()
    assert {cell_len(line) for line in lines} == {size[0]}
    return [line.rstrip() for line in lines]


class InspectorApp(App[None]):
    """Shows a state of a session.

    Args:
        colours: whether the terminal is taken to have them.
        held: keep requests in `waiting` instead of answering them; `answer` answers.
    """

    def __init__(self, session: Session, state: ViewState, *, colours: bool = True, held: bool = False) -> None:
        super().__init__()
        self.session, self.state, self.held = session, state, held
        self.inspector = Inspector(colours)
        self.position: Position | None = None
        self.waiting: list[Wanted] = []
        self.asked: list[ViewState] = []

    def compose(self) -> ComposeResult:
        yield self.inspector

    def on_mount(self) -> None:
        self.show(self.state)

    def show(self, state: ViewState) -> None:
        self.state = state
        self.position = position = look(self.session, self.position)
        self.inspector.show(state, subject_of(position, state.stage) if state.stage else None, position)

    def on_wanted(self, message: Wanted) -> None:
        self.waiting.append(message)
        if not self.held:
            self.answer()

    def answer(self, which: int = 0) -> None:
        message = self.waiting.pop(which)
        if not message.work.is_stale(self.session):
            message.sender.receive(message.work, message.work.run(self.session))

    def on_value_view_asked(self, message: ValueView.Asked) -> None:
        self.asked.append(message.state)
        self.show(message.state)

    def lines(self) -> list[str]:
        """What the view on screen paints."""
        view = self.inspector.view
        return [view.render_line(y).text for y in range(view.size.height)]

    def header(self) -> list[str]:
        header = self.inspector.query_one("InspectorHeader")
        return [header.render_line(y).text for y in range(header.size.height)]
