"""Stopping inside of a running script: `debug(module)` and `breakpoint()` open the screen on a passage of a module, and the script goes on.

The screen is another package, which the engine does not import: `SCREEN` names, in this one place, the function that opens it.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from torch import nn

from ..messages.errors import InputError, one_line
from ..messages.visible import visible
from ..models.traced.arguments import Arguments
from ..models.traced.armed import Armed, Beginning, as_if_nothing
from ..models.traced.attach import ModuleEncoder
from ..models.traced.record import ModuleRecording, record
from ..models.traced.words import token_names
from ..traces.saving import save
from . import TABLE
from .breaking import expect_condition
from .callers_modules import LinesAhead, meant_by
from .session import Session

if TYPE_CHECKING:
    from ..program.trace import Trace

SCREEN = "encoder_tui.tui.app.inside", "open_session"
CONDITIONS = "'unexpected', 'if nan', 'STAGE if COND'"

_opened = threading.Event()  # a passage that a stop makes itself meets no stop
_armed: list[_Stop] = []


def debug(
    module: nn.Module | None = None, *inputs: Any, when: str = "", tokenizer: str | Path | None = None, **named: Any
) -> None:
    """Stop at a module: the screen opens in this terminal on its next passage, with what it is really called with.

        debug(model)                             # on the next passage
        debug(model, ids)                        # at once, on a passage of its own
        debug(model, when="unexpected")          # on the first passage in which something cannot be right: a NaN, in step 5,211
        breakpoint()                             # with PYTHONBREAKPOINT=encoder_tui.engine.debug

    The script waits, and goes on when one leaves the screen, as if nothing had happened: random numbers, buffers and inputs are as they were.
    Without a terminal, or where standard input is not one, the passage is written to `encoder_tui-passage-N.safetensors` instead, and
    standard error says so.

    `breakpoint()` in a `forward` opens on that module; elsewhere it waits for the next passage of the caller's one module.

    Args:
        module: any; None for the one that the caller's names tell.
        inputs, named: what to call it with at once.
        when: whether to open at all, as after `break`: `unexpected`, `if nan`, `STAGE if COND`. Every passage is recorded until it holds.
        tokenizer: a directory with a tokenizer, for the tokens' names.

    Raises:
        InputError: no module; or `when` is no condition; or, at the first passage, no condition of this module's stages.
    """
    if _opened.is_set():
        return
    if when and when.strip() != "unexpected" and "if" not in when.split():
        raise InputError(f"when={when!r} is no condition; write one as after `break`: {CONDITIONS}")
    if when:  # now, and not at the first passage, which may be hours ahead
        expect_condition(when.strip())
    if module is None:
        _at_breakpoint(sys._getframe(1), when, tokenizer)  # pyright: ignore[reportPrivateUsage]
        return
    if not isinstance(cast(Any, module), nn.Module):
        raise InputError(f"debug takes a torch.nn.Module, not a {type(module).__name__}; give it the model itself")
    stop = _Stop(module, when, tokenizer)
    if inputs or named:
        stop.at_once(Arguments(inputs, named))
    else:
        stop.arm()


def _at_breakpoint(frame: Any, when: str, tokenizer: str | Path | None) -> None:
    """`breakpoint()`: what is not meant clearly is told, and is no reason to end a script."""
    try:
        meant = meant_by(frame)
    except InputError as error:
        _say(f"breakpoint() opens nothing: {error}")
        return
    stop = _Stop(meant.module, when, tokenizer)
    if meant.given is not None:
        stop.at_once(Arguments((), meant.given), meant.lines)
    else:
        try:
            stop.arm()
        except InputError as error:
            _say(f"breakpoint() opens nothing: {error}")
            return
        _say(f"opens at the next passage of {meant.name} ({type(meant.module).__name__})")


class _Stop:
    """A stop at a module.

    Args:
        module: it.
        when: as of `debug`.
        tokenizer: as of `debug`.
    """

    def __init__(self, module: nn.Module, when: str, tokenizer: str | Path | None) -> None:
        self.module, self.when, self._tokenizer = module, when.strip(), tokenizer
        self.module_name = type(module).__name__

    def arm(self) -> None:
        """Wait for the next passage, or for one in which the condition holds."""
        if any(stop.module is self.module and stop.when == self.when for stop in _armed):  # `breakpoint()` in a loop
            return
        if self.when or not has_screen():
            mine = set(self.module.modules())
            for stop in _armed:  # a passage cannot be recorded in the middle of another
                if stop.module in mine or self.module in stop.module.modules():
                    raise InputError(
                        f"a stop waits at {stop.module_name} already{f' for {stop.when!r}' if stop.when else ''}; one at a time"
                    )
            Armed(self.module, after=self._after, word=token_names(self._tokenizer)).arm()
        else:
            Armed(self.module, before=self._before).arm()
        _armed.append(self)

    def at_once(self, given: Arguments, lines: LinesAhead | None = None) -> None:
        """A passage of its own, now.

        Args:
            given: what the module is called with.
            lines: those of the code that has not run yet; the cursor goes to before them.
        """
        _opened.set()
        try:
            with as_if_nothing(self.module, Beginning.of(self.module, given)) as copies:
                if not has_screen():
                    run = record(self.module, *copies.positional, tokenizer=self._tokenizer, **copies.named)
                    if self._holds(run):
                        self._write(run, 1)
                    return
                session = self._attached(copies)
                if self._holds(session.trace):
                    ahead = lines.first(session.trace.program) if lines is not None else 0
                    self._open(session, 1, [f"goto {session.trace.program[ahead - 1].name}"] if ahead else ())
        finally:
            _opened.clear()

    def _before(self, number: int, beginning: Beginning) -> bool:
        _opened.set()
        try:
            with as_if_nothing(self.module, beginning) as given:
                self._open(self._attached(given), number, ())
        finally:
            _opened.clear()
            _armed.remove(self)
        return True

    def _after(self, number: int, beginning: Beginning, recording: ModuleRecording) -> bool:
        holds = True  # one that cannot be asked for is done with as well
        try:
            holds = self._holds(recording)
            if holds:
                self._open_recorded(number, beginning, recording)
        finally:
            if holds:
                _armed.remove(self)
        return holds

    def _open_recorded(self, number: int, beginning: Beginning, recording: ModuleRecording) -> None:
        _opened.set()
        try:
            if not has_screen():
                self._write(recording, number)
                return
            with as_if_nothing(self.module, beginning) as given:
                self._open(self._attached_like(recording, given), number, ())
        finally:
            _opened.clear()

    def _holds(self, trace: Trace) -> bool:
        """Whether the condition holds anywhere in a passage; there may be none."""
        if not self.when:
            return True
        session = Session(trace)
        TABLE.execute(session, f"break {self.when}")
        return session.debugger.cont().reason == "breakpoint"

    # -- what is opened ----------------------------------------------------------------------------------------------

    def _attached(self, given: Arguments) -> Session:
        """A session on a passage that is computed again here, in which everything can be changed and computed again."""
        encoder = ModuleEncoder(self.module, given, tokenizer=self._tokenizer, tell=lambda _: None)
        assert encoder.first is not None
        return Session(encoder.first, encoder)

    def _attached_like(self, recording: ModuleRecording, given: Arguments) -> Session:
        """The same of a passage that is over; the recording of it, where it cannot be computed again as it was."""
        try:
            session = self._attached(given)
        except InputError as error:
            why = one_line(error)
        else:
            if _same_numbers(recording, session.trace):
                return session
            why = "computed again, it has other numbers"
        _note(recording, f"this is the recording of the passage, in which nothing can be changed: {why}")
        return Session(recording)

    def _open(self, session: Session, number: int, lines: Sequence[str]) -> None:
        self._told(session.trace, number)
        to_it = (f"break {self.when}", "continue") if self.when else ()
        open_session = cast(
            "Callable[[Callable[..., Session], Sequence[str]], None]", getattr(import_module(SCREEN[0]), SCREEN[1])
        )
        open_session(lambda *_: session, (*to_it, *lines))

    def _write(self, trace: Trace, number: int) -> None:
        self._told(trace, number)
        endings = ("", *(f"-{at}" for at in range(2, 100)))
        paths = [Path(f"encoder_tui-passage-{number}{ending}.safetensors") for ending in endings]
        path = next((path for path in paths if not path.exists()), paths[-1])
        try:
            save(trace, path)
        except InputError as error:
            _say(f"{self._passage(number)} was not written: {error}")
        else:
            comma = "," * bool(self.when)
            _say(f"{self._passage(number)}{comma} is in {path.resolve()}; to look at it: encoder-tui --open {path}")

    def _told(self, trace: Trace, number: int) -> None:
        """Have a trace say which passage it is, and the title with it."""
        _note(trace, self._passage(number))
        trace.about = {**trace.about, "model": f"{self.module_name}, passage {number:,}"}

    def _passage(self, number: int) -> str:
        return f"passage {number:,} of {self.module_name}" + (f", the first with {self.when!r}" if self.when else "")


def has_screen() -> bool:
    """Whether a screen can be opened here: a terminal to read and to draw on, by the thread and the loop that may."""
    if threading.current_thread() is not threading.main_thread():
        return False
    with suppress(RuntimeError):
        asyncio.get_running_loop()
        return False
    streams = sys.__stdin__, sys.__stderr__
    try:
        return all(stream is not None and stream.isatty() for stream in streams)
    except ValueError:  # it was closed
        return False


def _same_numbers(recording: Trace, trace: Trace) -> bool:
    """Whether a passage that was computed again has the numbers that were recorded, to the last bit, wherever both have some."""
    names = [stage.name for stage in recording.program if recording.has(stage.name) and stage.name in trace.program]
    return bool(names) and all(recording[name].read().tobytes() == trace[name].read().tobytes() for name in names)


def _note(trace: Trace, note: str) -> None:
    """Have a trace say something before all else; a recording that nobody has looked at has its notes only when it is made."""
    trace.model_notes = (note, *(trace.model_notes if len(trace.program) else ()))


def _say(message: str) -> None:
    print(f"encoder-tui: {visible(message)}", file=sys.stderr)
