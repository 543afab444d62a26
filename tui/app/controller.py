"""Keys and command lines go in; orders for the engine and states of the screen come out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, cast

from ...engine.messages.errors import InputError, one_line
from ...engine.messages.translation import language, tr
from ...engine.program.addresses import AT
from ..state import operand_trail, view_changes
from ..state.completion import Completion, command_of, complete
from ..state.first_look import at_mask, looked_at
from ..state.position import Position
from ..state.view_state import ViewState
from ..state.word_place import at_token
from . import answers
from .engine_thread import Answered, EngineThread
from .faults import OwnFault
from .glimpse import Glimpse
from .hints import hint_of
from .keys import Keyboard, fill, is_begun

if TYPE_CHECKING:
    from ...engine.commands import CommandTable, Request
    from ...engine.commands.session import Session
    from ...engine.debugger.cursor import Stop
    from .shell import Shell


ORIGINS = ("key", "palette", "console", "script")  # of a command line; another one is a place in a file


class Controller:
    """Holds the one `ViewState` and the last `Position`; everything that changes either comes through here.

    Args:
        app: shows what is decided here.
        engine: runs commands.
        on_map: whether the first thing that is seen is the map, not the first stage.
    """

    def __init__(self, app: Shell, engine: EngineThread, *, on_map: bool = False) -> None:
        self.app, self.engine, self.begins_on_map = app, engine, on_map
        self.state = ViewState()
        self.position: Position | None = None
        self.keyboard: Keyboard | None = None
        self.pending = 0
        self._early: list[tuple[Request, str]] = []  # looks from before there was anything to look at
        self.stop: Stop | None = None
        self._language = language()

    # -- what comes in -------------------------------------------------------------------------------------------

    def listed(self, table: CommandTable) -> None:
        """The commands are known."""
        self.keyboard = Keyboard(table)
        self.app.main.know(table)

    def ready(self, position: Position, notes: Sequence[str] = ()) -> None:
        """The engine stands."""
        self.position = position
        said = answers.on_opening(position, notes)
        if kept := said[:-1]:
            self.app.main.inspector.tell(*kept[0], answers.notes_to_read(len(kept)))
        there = at_mask(view_changes.at_cursor(self.state, position), position)
        self._show(view_changes.on_map(there) if self.begins_on_map else there)
        early, self._early = self._early, []
        for request, origin in early:
            self._request(request, origin)
        self.say_status()
        console = self.app.main.console
        if self.app.main.tell(tr("on opening"), said) and not console.line.has_focus:
            self.app.main.footer.hint(answers.notes_to_read(len(said) - 1))

    def press(self, names: Sequence[str], typing: bool = False) -> None:
        """A key."""
        if "escape" in names or "ctrl+c" in names:
            self.stop_or_leave("ctrl+c" in names)
            return
        key = self.keyboard.find(names) if self.keyboard else None
        if key is None:
            if names[0] == "q" and not typing:  # before the commands are known there must be a way out
                self.app.leave(0)
            return
        self.app.main.footer.hint("")
        line = fill(key.line, self.state.stage)
        if is_begun(line):
            self.app.main.console.begin(line)
        else:
            self.run(line, "key")

    def run(self, line: str, origin: str) -> None:
        """A command line.

        Args:
            origin: one of `ORIGINS`, or its place in the init file. What is typed runs strictly in order; a key that only
                looks elsewhere, or leaves, does not wait for the engine.
        """
        if origin == "console":
            self.app.main.say("command", line)
        command = command_of(line + " ", self.keyboard.table) if self.keyboard else None
        if command is not None and origin in ("key", "palette"):
            if command.name == "quit":
                self.app.leave(0)
                return
            if command.group == "screen":
                self._look(line, origin)
                return
        self.pending += 1
        self.engine.execute(line, origin)

    def answered(self, message: Answered) -> None:
        """A command line has been run."""
        self.pending = max(0, self.pending - 1)
        reply, before, self.position = message.reply, self.position, message.position
        state = self.state
        if self._language != language():
            self._language = language()
            self.app.relabel()
        if before is not None and before.world is not self.position.world:
            self.stop = None
            if before.world.shapes != self.position.world.shapes:  # else the same numbers are still there to be seen
                state = at_mask(replace(state, text=0, head=0, row=0, column=0, trail=()), self.position)
            state = view_changes.at_cursor(state, self.position)
        if reply is not None and reply.stop is not None:
            self.stop = reply.stop
        if before is not None and (before.cursor != self.position.cursor or (reply and reply.stop)):
            state = view_changes.at_cursor(state, self.position)
            if reply and reply.stop and reply.stop.stage and reply.stop.place:
                stage = reply.stop.stage.name
                state = operand_trail.at_element(state, self.position.world, stage, reply.stop.place)
        self._show(state)
        self._say(message)
        self.say_status()
        if reply is not None and reply.quit:
            self.app.leave(0)
        elif reply is not None and reply.request is not None:
            self._request(reply.request, message.origin)

    def _say(self, message: Answered) -> None:
        """Say what came of a command line, once the screen has room for what there is now."""
        reply, main = message.reply, self.app.main
        script, typed = message.origin == "script", message.origin in ("console", "script")
        elsewhere = answers.is_of_tour(reply) and not main.hides_explanation  # in its own pane
        if script and not elsewhere:
            main.say("command", message.line)
        if message.error is not None:
            self.app.complain(message.error, message.origin)
        if reply is None:
            return
        if reply.text and (not elsewhere or (message.origin == "console" and message.position.tour is None)):
            if not typed:
                main.say("command", message.line)
            main.say("text", reply.text, reply.verdict, opens=script)
            if main.console.is_cut and not elsewhere and not main.console.line.has_focus:
                main.footer.hint(answers.lines_to_read(len(reply.text.splitlines())))
        elif reply.text and message.position.tour is None:  # the tour's pane is gone when it ends
            main.footer.hint(reply.text.splitlines()[-1])
        if reply.stop is not None:
            said = answers.stop_line(reply.stop, message.position, typed and not elsewhere)
            if said and script:
                main.console.say(*said)  # the title line says as much: nothing opens for it
            elif said:
                main.say(*said)

    def refreshed(self, position: Position) -> None:
        """Looking has computed something again that was stale."""
        self.position = position
        self._show(self.state)

    def look_at(self, stage: str) -> None:
        """A stage was chosen with the mouse."""
        self._show(view_changes.at_stage(self.state, stage))

    def asked(self, state: ViewState) -> None:
        """A view was clicked: look where it says, at what is looked at now."""
        now = self.state
        stage = state.stage if state.view in ("grid", "map", "source") else now.stage  # they show more than one stage
        self._show(replace(state, stage=stage, zoomed=now.zoomed, gain=now.gain, sought=now.sought))

    def token(self, index: int) -> None:
        """A token was clicked: go to its row, or to its column or its page where rows have no tokens."""
        if self.position is None:
            return
        stage = self.position.world.program[self.state.stage]
        axes = () if self.state.beside in stage.own else stage.axes
        self._show(at_token(self.state, axes, index))

    def stop_or_leave(self, ctrl_c: bool) -> None:
        """Ctrl-C and Escape: stop what is going on, or else undo a zoom, or else say how to leave."""
        main = self.app.main
        main.footer.hint("")
        if self.engine.running or self.pending:
            forgotten = self.engine.interrupt()
            self.pending -= forgotten
            if forgotten:
                main.say("note", answers.not_run(forgotten))
        elif self.position is not None and main.inspector.is_late:
            main.inspector.stop()
            self.engine.interrupt()
        elif self.state.zoomed:
            self._show(replace(self.state, zoomed=False))
        elif not ctrl_c and main.put_away():
            self._show(self.state)
        elif ctrl_c and self.position is None:
            main.footer.hint(tr("loading goes on; press q to leave"))
        elif ctrl_c:
            main.footer.hint(tr("nothing is running to be stopped; press q to leave"))

    def complete(self, line: str) -> Completion:
        """What Tab makes of a line."""
        if self.keyboard is None:
            return Completion(line)
        if self.position is None:
            return complete(line, self.keyboard.table, None)
        return complete(line, self.keyboard.table, self.position.world.program, self.position.beside)

    def hint(self, line: str, choices: Sequence[str]) -> str:
        """What the footer says of a line that is being typed."""
        world = self.position.world if self.position is not None else None
        return hint_of(line, choices, self.keyboard.table, world) if self.keyboard is not None else ""

    def say_status(self) -> None:
        """Have the title line say what is going on."""
        if self.position is not None:
            self.app.main.title_line.say(answers.status(self.position, self.stop))

    def say_busy(self) -> None:
        """Have the title line say what is being run, if it still is."""
        line = self.engine.running
        if line:
            self.app.main.title_line.say(answers.busy(line, self.engine.cursor, self.position))

    # -- what only the screen does -------------------------------------------------------------------------------

    def _look(self, line: str, origin: str) -> None:
        if self.keyboard is None:
            return
        word, _, rest = line.partition(" ")
        glimpse = cast("Session", Glimpse(self.position))
        try:
            table = self.keyboard.table
            request = table.run(table.find(word), glimpse, rest.strip()).request
        except InputError as error:
            self.app.complain(error)
            return
        if request is not None:
            self._request(request, origin)

    def _request(self, request: Request, origin: str) -> None:
        try:
            if not self._opened(request):
                if self.position is None:
                    unseen = request.what == "map"  # which is gone to, and not left again
                    self._early.append((replace(request, argument="there") if unseen else request, origin))
                    return
                self._show(self._after(request, self.position))
            told = self.app.choices.made(request.what, request.argument, origin)
            if told:
                self.app.main.say("note", told)
                self.app.main.footer.hint(told.splitlines()[0])
        except InputError as error:
            self.app.complain(error, origin)

    def _opened(self, request: Request) -> bool:
        """See to requests that need nothing to be loaded and leave the state as it is; whether it was one."""
        opens = {
            "console": self.app.main.console.open,
            "palette": self.app.show_palette,
            "keys": self.app.show_keys,
            "reply": self.app.show_reply,
            "screenshot": partial(self.app.save_screen, request.argument),
        }
        if request.what in opens:
            opens[request.what]()
        return request.what in opens or request.what in ("theme", "language")  # which `Choices` sees to

    def _after(self, request: Request, position: Position) -> ViewState:
        """The state after a request; some do something else to the screen and leave the state as it is."""
        state, world, main, argument = self.state, position.world, self.app.main, request.argument
        match request.what:
            case "look":
                return self._looked(argument, position)
            case "view":
                return self._viewed(argument, position)
            case "head":
                return view_changes.with_head(state, argument, world)
            case "weight":
                return view_changes.with_weight(state, argument, world)
            case "layer":
                return view_changes.with_layer(state, argument, world)
            case "text":
                return view_changes.with_text(state, argument, world)
            case "move":
                return main.inspector.moved(argument, state)
            case "contrast":
                return main.inspector.scaled(argument, state)
            case "explanation":
                return replace(state, explained=not state.explained)
            case "tour":
                return view_changes.on_tour(state, argument, position)
            case "map":
                return view_changes.on_map(state, argument)
            case "whole":
                return view_changes.with_whole(state, argument)
            case "home":
                return view_changes.at_home(state, argument)
            case "zoom":
                return replace(state, zoomed=not state.zoomed)
            case "difference":
                return operand_trail.at_difference(state, world, argument)
            case "find":
                return self._found(replace(state, sought=argument), 0)
            case "find-next":
                return self._found(state, 1)
            case "find-previous":
                return self._found(state, -1)
            case "fold":
                main.program.fold()
            case "follow":
                return self._followed(argument, position)
            case "copy":
                if argument == "number":
                    self.app.copy(main.inspector.copy_text())
                else:
                    main.inspector.copy(argument)
            case what:
                raise InputError(f"this screen cannot {what!r} yet")
        return state

    def _viewed(self, view: str, position: Position) -> ViewState:
        there = view_changes.with_view(self.state, view, position.world)
        if there.stage != self.state.stage:
            self.app.main.footer.hint(answers.looked_elsewhere(view, there.stage))
        return there

    def _looked(self, argument: str, position: Position) -> ViewState:
        tree = self.app.main.program
        if argument == "here":
            return view_changes.at_cursor(self.state, position)
        if argument in ("up", "down"):
            stage = tree.step(-1 if argument == "up" else 1)
        elif argument in ("first", "last"):
            stage = tree.ends(argument == "last")
        else:
            stage, _, what = argument.partition(AT)
            if what:
                return view_changes.with_beside(view_changes.at_stage(self.state, stage), what, position)
        return view_changes.at_stage(self.state, stage) if stage else self.state

    def _followed(self, argument: str, position: Position) -> ViewState:
        state, main = self.state, self.app.main
        if argument == "back":
            return operand_trail.back(state)
        if not argument and state.view in ("grid", "map"):
            return replace(state, view="heat")
        if not argument and (product := view_changes.product_to_go_to(state, position.world)):
            return view_changes.at_stage(state, product)
        if not argument and state.view != "why":
            if not main.program.group or state.zoomed:
                return replace(state, view="why", trail=())
            main.program.fold()
            return state
        if state.beside:
            raise InputError("a weight comes from no other stage; W shows the next one, or the value again")
        main.inspector.follow(state, operand_trail.cell_of(state, position.world), int(argument) if argument else None)
        return state

    def arrive(self, name: str, stage: str, index: tuple[int, ...]) -> None:
        """An operand was found: go there."""
        if self.position is not None:
            self._show(operand_trail.followed(self.state, self.position.world, name, stage, index))

    def _found(self, state: ViewState, step: int) -> ViewState:
        assert self.position is not None
        there, at, count = view_changes.next_found(state, self.position.world, step)
        told = answers.named_alike(at, count, there.sought)
        if step == 0:
            self.app.main.say("note", told)
        self.app.main.footer.hint(f"{told}   {tr('. next   , before')}" if count > 1 else told)
        return there

    def _show(self, state: ViewState) -> None:
        position = self.position
        if position is not None and state.stage not in position.world.program:  # asked before another world was opened
            state = view_changes.at_cursor(replace(state, trail=()), position)
        if position is not None:
            state = view_changes.there_still(looked_at(self.state, state, position.world), position)
        self.state = state = operand_trail.anew(self.state, view_changes.off_map(self.state, state))
        if position is not None:
            self.app.main.show(state, position)


def words_of(error: BaseException) -> str:
    """One line for an error: what is said already as it is, others with what they are."""
    said = isinstance(error, InputError | OwnFault)
    return one_line(error) if said else f"{type(error).__name__}: {one_line(error)}"
