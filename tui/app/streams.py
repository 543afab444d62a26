"""Standard output and standard error behind the gate: whoever writes there, nothing steers the terminal.

And the terminal: there has to be one, and while the screen stands on it what a library writes past Python waits until it has left.
"""

from __future__ import annotations

import io
import os
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

from ...engine.messages.errors import InputError
from ...engine.messages.visible import visible_lines


class Gated:
    """A stream on which control and format characters come out as escapes; its lines stay lines.

    Args:
        stream: what is written to.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write; the count is that of what was given."""
        self._stream.write(visible_lines(text))
        return len(text)

    def writelines(self, lines: Any) -> None:
        """Write each."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def gated() -> Generator[None]:
    """Have all that Python writes to standard output and standard error pass the gate, until the block is through.

    A letter that the terminal's encoding lacks is no reason to stop: it is written as an escape too.
    """
    before = sys.stdout, sys.stderr
    for stream in before:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    sys.stdout, sys.stderr = (stream and Gated(stream) for stream in before)  # None where it was closed
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


@contextmanager
def alone_on_terminal() -> Generator[None]:
    """Let none but the screen draw on the terminal, until the block is through.

    The screen is drawn through `sys.__stderr__`. Libraries in C and Rust write their warnings and panics to the same
    descriptor, in the middle of a frame; here it leads to a file meanwhile, and what they said is told afterwards.
    """
    before = sys.__stderr__
    assert before is not None
    terminal = os.dup(before.fileno())
    screen = open(terminal, "w", encoding=before.encoding, errors=before.errors)  # noqa: SIM115 - closed below
    with tempfile.TemporaryFile() as kept:
        os.dup2(kept.fileno(), before.fileno())
        sys.__stderr__ = screen
        try:
            yield
        finally:
            sys.__stderr__ = before
            os.dup2(terminal, before.fileno())
            kept.seek(0)
            said = kept.read().decode("utf-8", "replace")
            with suppress(OSError):  # the terminal is gone, and nobody is there to be told
                screen.close()
                if said and sys.stderr is not None:
                    sys.stderr.write(said)
                    sys.stderr.flush()


def need_terminal() -> None:
    """Textual reads keys from standard input and draws on standard error. Text piped in leaves the keyboard elsewhere.

    Raises:
        InputError: there is no terminal.
    """
    if os.environ.get("TEXTUAL_DRIVER", "").startswith("textual.drivers.web_driver:"):  # it is in a browser
        return
    if sys.__stderr__ is None or not sys.__stderr__.isatty():
        raise InputError("standard error is not a terminal, and the screen is drawn there; use --batch without one")
    if sys.__stdin__ is not None and sys.__stdin__.isatty():
        return
    try:
        keyboard = os.open("/dev/tty", os.O_RDWR)
    except OSError:
        raise InputError("there is no terminal to read keys from; use --batch without one") from None
    if sys.__stdin__ is None:  # it was closed
        sys.__stdin__ = os.fdopen(keyboard, encoding="utf-8", errors="replace")  # type: ignore[misc]
        return
    os.dup2(keyboard, sys.__stdin__.fileno())
    os.close(keyboard)
