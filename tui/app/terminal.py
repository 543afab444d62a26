"""Textual's driver for a terminal, made to stand what terminals do: bytes that are no text, signals, and hanging up.

Left to itself it ends with a traceback at a byte that is not UTF-8, spins when the terminal is gone, leaves the terminal as it
is on SIGTERM, starts a second time on a SIGCONT that no SIGTSTP came before, shows a blank screen after any, and leaves the
mouse counted in pixels.
"""

from __future__ import annotations

import os
import selectors
import signal
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message

if TYPE_CHECKING:
    from textual.app import App

    from .shell import Shell

ENDING = (signal.SIGTERM, signal.SIGHUP)
PATIENCE = 0.1  # seconds: how soon the thread that reads sees that it is to end


class Gone(Exception):
    """There is nobody at the other end of the terminal any more."""


class Output:
    """The terminal as a file to draw on; what is drawn on one that is gone is lost, and nobody waits for it.

    Args:
        file: the terminal.
    """

    def __init__(self, file: Any) -> None:
        self._file = file

    def write(self, text: str) -> None:
        """Draw."""
        try:
            self._file.write(text)
        except (OSError, ValueError):
            return

    def flush(self) -> None:
        """Have it drawn."""
        try:
            self._file.flush()
        except (OSError, ValueError):
            return

    def fileno(self) -> int:
        """Its number."""
        return self._file.fileno()


class Terminal(LinuxDriver):
    """A terminal that is left as it was found, however one leaves."""

    def __init__(self, app: App[Any], **options: Any) -> None:
        super().__init__(app, **options)  # pyright: ignore[reportUnknownMemberType] # Textual's App has no argument
        self._file = cast(Any, Output(self._file))
        for number in ENDING:
            if signal.getsignal(number) is not signal.SIG_IGN:  # `nohup` asked for it
                signal.signal(number, self._end)

    # -- signals ---------------------------------------------------------------------------------------------------

    def _end(self, number: int, frame: object) -> None:
        """Leave as by `q`, and die by the signal afterwards."""
        self._soon(cast("Shell", self._app).end_by, signal.Signals(number))

    def _soon(self, do: Callable[..., object], *arguments: object) -> None:
        """Do something between two messages: a signal may come while the lock is held that writing takes."""
        with suppress(RuntimeError):  # it has left already
            self._loop.call_soon_threadsafe(do, *arguments)

    def _sigtstp_application(self, *_: object) -> None:
        stop = cast(Callable[[], None], super()._sigtstp_application)  # pyright: ignore[reportUnknownMemberType] # its *_
        self._soon(stop)

    def _sigcont_application(self, *_: object) -> None:
        self._soon(self._go_on)

    def _go_on(self) -> None:
        if not self._auto_restart:
            return
        if not self._must_signal_resume:  # stopped from outside: the shell has had the terminal meanwhile
            self.suspend_application_mode()
        self.resume_application_mode()
        for screen in self._app.screen_stack:  # what it shows is blank now, and Textual draws what has changed
            screen.refresh()

    # -- modes -----------------------------------------------------------------------------------------------------

    def _disable_mouse_support(self) -> None:
        super()._disable_mouse_support()
        if self._mouse_pixels:
            self.write("\x1b[?1016l")
            self.flush()
            self._mouse_pixels = False

    def close(self) -> None:
        """Stop writing, for good or until it is begun again."""
        super().close()
        self._writer_thread = None

    def write(self, data: str) -> None:
        """Draw; nothing while the terminal is the shell's."""
        if self._writer_thread is not None:
            super().write(data)

    # -- keys ------------------------------------------------------------------------------------------------------

    def run_input_thread(self) -> None:
        """Read what is pressed until the screen is left or the terminal is gone."""
        decode = getincrementaldecoder("utf-8")("replace").decode
        parser = XTermParser(self._debug)
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(self.fileno, selectors.EVENT_READ)
                while not self.exit_event.is_set():
                    text = decode(_read(self.fileno)) if selector.select(PATIENCE) else ""
                    for letter in (*text, ""):
                        try:
                            self._take(parser.feed(letter) if letter else parser.tick())
                        except Exception:  # what the parser stumbles over is no key, and what follows may be one
                            parser = _like(parser, self._debug)
        except Gone:
            self._soon(cast("Shell", self._app).end_by, signal.SIGHUP)

    def _take(self, messages: Iterable[Message]) -> None:
        for message in messages:
            self.process_message(message)


def _read(file: int) -> bytes:
    try:
        data = os.read(file, 1 << 12)
    except OSError:
        raise Gone from None
    if not data:
        raise Gone
    return data


def _like(parser: XTermParser, debug: bool) -> XTermParser:
    """Another parser that knows of the terminal what the one before knew."""
    new = XTermParser(debug)
    new.mouse_pixels = parser.mouse_pixels
    new.terminal_size, new.terminal_pixel_size = parser.terminal_size, parser.terminal_pixel_size
    return new
