"""The application: panes, the engine's thread and the controller, put together."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import events, on
from textual.app import App
from textual.binding import Binding, BindingType

from ...engine.messages.errors import InputError
from ...engine.messages.translation import tr
from ..panes.breakpoint_list import BreakpointList
from ..panes.command_line import CommandLine
from ..panes.console import Console
from ..panes.footer import Footer
from ..panes.program_tree import ProgramTree
from ..panes.token_strip import TokenStrip
from ..preferences.kept import Kept
from ..reading.work import Wanted
from ..screens.main import MainScreen
from ..screens.modal import Modal, PaletteScreen, opened
from .choices import Choices
from .controller import ORIGINS, Controller, words_of
from .engine_thread import Answered, EngineThread, Failed, Listed, Progress, Ready, Start, TakesLong, Waits, Worked
from .faults import Faults
from .keys import fill, is_begun
from .painted import Painted
from .streams import alone_on_terminal, need_terminal
from .themes import THEMES

if TYPE_CHECKING:
    from textual.command import Provider
    from textual.driver import Driver

    from ...engine.commands import CommandTable
    from ..panes.inspector import Inspector
    from ..views.source_view import SourceView
    from ..views.value_view import ValueView

TICK = 0.1
FROM_OUTSIDE = (events.InputEvent, events.Paste, events.Resize, events.AppFocus, events.AppBlur)


def _provider() -> type[Provider]:
    from ..screens.palette import TableProvider

    return TableProvider


class EncoderApp(Painted):
    """Composition only: messages come in here and go to the one whose business they are.

    Args:
        start: makes the session, on the engine's thread.
        lines: command lines to run once it stands.
        kept: what is kept for whoever runs it; nothing, if it is not given.
    """

    TITLE = "encoder-tui"
    CSS_PATH = "../styles/app.tcss"
    ENABLE_COMMAND_PALETTE = False  # its key comes from the command table
    COMMANDS: ClassVar = {_provider}
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+z", "suspend_process", show=False)]

    def __init__(
        self,
        start: Start,
        lines: Sequence[str] = (),
        faults: Faults | None = None,
        kept: Kept | None = None,
        *,
        on_map: bool = False,
    ) -> None:
        super().__init__()
        self.failure: BaseException | None = None
        self.ended_by: signal.Signals | None = None
        self.faults = faults or Faults()
        self.kept = kept or Kept()
        self.engine = EngineThread(start, self.post_message, self.faults, self.kept.preferences.keys)
        self.controller = Controller(self, self.engine, on_map=on_map)
        self.main = MainScreen(self.controller.complete)
        self._lines = tuple(lines)
        self._early: list[events.Key] | None = []  # keys from before there was anything to press them on
        for theme in THEMES:
            self.register_theme(theme)
        self.choices = Choices(self, self.kept)
        # no watcher: nothing is drawn yet that would have to be drawn again
        self.set_reactive(App.theme, self.choices.first_theme())
        self.stylesheet.set_variables(self.get_css_variables())

    def get_default_screen(self) -> MainScreen:
        """The one main screen."""
        return self.main

    def on_mount(self) -> None:
        self.main.load(tr("loading"), None)
        self.set_interval(TICK, self._tick)
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        gc.freeze()
        self.engine.begin()
        if self.kept.history is not None:
            self.main.console.line.recollect(self.kept.history.lines())

    def _tick(self) -> None:
        self.controller.say_busy()
        self.main.title_line.turn()

    # -- what the engine says ------------------------------------------------------------------------------------

    @on(Listed)
    async def _listed(self, message: Listed) -> None:
        self.choices.refused += tuple(message.refused)
        self.controller.listed(message.table)
        await self.main.furnish()
        for first in self.kept.init:
            self.controller.run(first.line, first.place)
        for line in self._lines:  # what was asked for with the start goes before every key, however early
            self.controller.run(line, "script")
        early, self._early = self._early or [], None
        for event in early:
            await self.on_event(event)

    @on(Progress)
    def _progress(self, message: Progress) -> None:
        self.main.load(f"{tr('loading')}: {tr(message.text)}", message.share)

    @on(TakesLong)
    def _takes_long(self, message: TakesLong) -> None:
        self.main.say("note", message.text)

    @on(Ready)
    def _stands(self, message: Ready) -> None:
        gc.freeze()  # what was imported meanwhile, torch before all: to look through it takes longer than to draw
        self.controller.ready(message.position, (*self.choices.refused, *message.notes))

    @on(Failed)
    def _failed(self, message: Failed) -> None:
        self.failure = message.error
        self.leave(2 if isinstance(message.error, InputError) else 1)

    @on(Answered)
    def _answered(self, message: Answered) -> None:
        self.controller.answered(message)

    @on(Wanted)
    def _wanted(self, message: Wanted) -> None:
        self.engine.want(message.sender, message.work)
        if not self.controller.pending:
            self.main.frames.expect(message.work.key)
        elif self.engine.keeps_waiting:
            message.sender.must_wait()

    @on(Waits)
    def _waits(self, message: Waits) -> None:
        if self.engine.current(message):
            message.sender.must_wait()

    @on(Worked)
    def _worked(self, message: Worked) -> None:
        if message.position is not None:
            self.controller.refreshed(message.position)
        if not self.engine.current(message):
            return
        if isinstance(message.result, BaseException):
            self.complain(message.result)
            if message.sender.is_attached:
                message.sender.failed(message.work, words_of(message.result))
        elif message.sender.is_attached:
            message.sender.receive(message.work, message.result)
        self.main.frames.came(message.work.key)

    # -- what people do ------------------------------------------------------------------------------------------

    async def on_event(self, event: events.Event) -> None:
        """Keys take effect one after the other: what follows `:` is its text, what follows `?q` is not the help's."""
        if isinstance(event, FROM_OUTSIDE) and self.main not in self.screen_stack:
            return  # nothing is there yet, or any more, that it could be for: a palette goes after what is below it
        if not (isinstance(event, events.Key) and not event.is_forwarded and self._took(event)):
            await super().on_event(event)

    def _took(self, event: events.Key) -> bool:
        top = self.screen_stack[-1] if self.screen_stack else None
        if isinstance(top, Modal):
            return top.pressed(event)
        if top is not self.main or self.focused is not None or not self.main.takes(event.key):
            return False
        leaves = event.key in ("ctrl+c", "escape") or (event.key == "q" and not self._early)
        if self._early is None or leaves:
            self.controller.press([event.key, *event.aliases], typing=False)
        else:
            self._early.append(event)
        return True

    @on(MainScreen.Pressed)
    def _pressed(self, message: MainScreen.Pressed) -> None:
        self.controller.press(message.names, message.typing)

    @on(Footer.Pressed)
    def _clicked(self, message: Footer.Pressed) -> None:
        self.choose(message.line)

    @on(Console.Typed)
    def _typed(self, message: Console.Typed) -> None:
        if self.kept.history is not None:
            self.kept.history.add(message.line)
        self.controller.run(message.line, "console")

    @on(Console.Hint)
    def _hint(self, message: Console.Hint) -> None:
        if self.main.console.line.has_focus:  # else it was left, and the footer may say what came of it
            self.main.footer.hint(self.controller.hint(message.line, message.choices))

    @on(Console.Left)
    def _left(self) -> None:
        self.main.footer.hint("")

    @on(CommandLine.Stopped)
    def _stopped(self) -> None:
        self.controller.stop_or_leave(True)

    @on(ProgramTree.Chosen)
    def _chosen(self, message: ProgramTree.Chosen) -> None:
        self.controller.look_at(message.stage)

    @on(BreakpointList.Switched)
    def _switched(self, message: BreakpointList.Switched) -> None:
        self.controller.run(f"switch {message.number}", "key")

    @on(TokenStrip.Picked)
    def _picked(self, message: TokenStrip.Picked) -> None:
        self.controller.token(message.index)

    def on_value_view_asked(self, message: ValueView.Asked) -> None:
        """A view was clicked. (By its name, because importing the view takes numpy along.)"""
        self.controller.asked(message.state)

    def on_source_view_toggled(self, message: SourceView.Toggled) -> None:
        """A line's margin was clicked."""
        self.controller.run(f"toggle {message.line}", "key")

    def on_inspector_followed(self, message: Inspector.Followed) -> None:
        """An operand was found."""
        self.controller.arrive(message.of, message.stage, message.index)

    def on_inspector_copied(self, message: Inspector.Copied) -> None:
        """Numbers were read to be copied."""
        self.copy(message.text, message.written)

    # -- for the controller and the palette ----------------------------------------------------------------------

    @property
    def table(self) -> CommandTable:
        """The commands; only after they are known."""
        assert self.controller.keyboard is not None
        return self.controller.keyboard.table

    def choose(self, line: str) -> None:
        """Run a line chosen from a list, or put it on the command line to be completed."""
        line = fill(line, self.controller.state.stage)
        if is_begun(line):
            self.main.console.begin(line)
        elif line:
            self.controller.run(line, "palette")

    def complain(self, error: BaseException, origin: str = "") -> None:
        """Say what went wrong, and where, if that is a file's line."""
        told = words_of(error) if origin in ("", *ORIGINS) else f"{origin}: {words_of(error)}"
        self.main.say("error", told)

    def relabel(self) -> None:
        """Write everything anew in the language in use."""
        self.main.label()
        for widget in self.main.query("*"):
            widget.notify_style_update()  # forgets lines that are drawn already
            widget.refresh(layout=True)

    def copy(self, text: str, name: str = "") -> None:
        """Put text on the clipboard, through the terminal; `name` is what it is called, where that is shorter."""
        if text:
            self.copy_to_clipboard(text)
        self.main.footer.hint(tr("copied {text}", text=name or text) if text else tr("there is no number to copy here"))

    def show_palette(self) -> None:
        """Show everything that can be done, to choose from."""
        opened(self, PaletteScreen(placeholder=tr("Find a command …")))

    def show_keys(self) -> None:
        """Show all keys."""
        from ..screens.keys import KeysScreen

        opened(self, KeysScreen(self.table))

    def show_reply(self) -> None:
        """Show the last answer on the whole screen."""
        from ..screens.reply import ReplyScreen

        if self.main.console.last:
            opened(self, ReplyScreen(*self.main.console.last))
        else:
            self.main.footer.hint(tr("no command has answered yet"))

    def save_screen(self, path: str) -> None:
        """Write what is on the screen to a file."""
        from .screenshot import write_screen

        self.main.footer.hint(write_screen(self, path))

    def _fatal_error(self) -> None:
        """Called by Textual after a fault of ours: what tells of it, in one line or with the traceback, is `main`."""
        self.failure = self.failure or self._exception
        self._close_messages_no_wait()

    def get_driver_class(self) -> type[Driver]:
        """Ours where Textual would take the one it is made from."""
        usual = super().get_driver_class()
        if usual.__name__ != "LinuxDriver":
            return usual
        from .terminal import Terminal

        return Terminal

    def end_by(self, number: signal.Signals) -> None:
        """Leave because of a signal, or because the terminal is gone."""
        self.ended_by = number
        self.leave(128 + number)

    def leave(self, status: int) -> None:
        """Leave with an exit status."""
        self.exit(status, return_code=status)

    def action_help_quit(self) -> None:
        """Ctrl-C, as Textual binds it."""
        self.controller.stop_or_leave(True)


def run_app(start: Start, lines: Sequence[str] = (), faults: Faults | None = None, kept: Kept | None = None) -> int:
    """Run the screen until someone leaves it.

    Args:
        start: makes the session; runs on the engine's thread while the screen is already there.
        lines: command lines to run, in order, once it stands.
        faults: where faults of ours are written down.
        kept: what is kept for whoever runs it.

    Returns:
        The exit status, 0. A signal that ended the screen ends the process as well, once the terminal is as it was.

    Raises:
        InputError: there is no terminal, or `start` raised it; the terminal is as it was.
        Exception: whatever else `start` raised.
    """
    need_terminal()
    with alone_on_terminal():
        home = kept.preferences.home if kept is not None else ""
        app = EncoderApp(start, lines, faults, kept, on_map=not lines and home != "tree")
        status = app.run()
    ended = app.engine.close()
    _as_before()
    if app.ended_by is not None:
        signal.signal(app.ended_by, signal.SIG_DFL)
        os.kill(os.getpid(), app.ended_by)
    if app.failure is not None:
        raise app.failure
    status = app.return_code or 0 if status is None else status
    if not ended:  # the thread is inside a library that cannot be stopped; ending Python around it would crash
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    return status


def _as_before() -> None:
    """Have signals mean what they meant: the driver's handlers would have the screen stand up again."""
    for name in ("SIGTSTP", "SIGCONT", "SIGTERM", "SIGHUP", "SIGWINCH"):
        number = getattr(signal, name, None)  # Windows has few of them
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
