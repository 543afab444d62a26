"""The screen inside of somebody's running script: opened on a session that stands, left with everything as it was."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ...engine.messages.errors import one_line
from ...engine.messages.translation import language, language_of, use
from ...engine.messages.visible import visible
from ..preferences.kept import kept_for
from .app import EncoderApp
from .faults import Faults
from .streams import alone_on_terminal

if TYPE_CHECKING:
    from .engine_thread import Start

# Those that Textual, or its driver, takes for itself.
SIGNALS = ("SIGINT", "SIGTSTP", "SIGCONT", "SIGTERM", "SIGHUP", "SIGWINCH")
PATIENCE = (
    60.0  # seconds for what is being computed on leaving: two that compute at once are not as if nothing had happened
)


def open_session(start: Start, lines: Sequence[str] = ()) -> None:
    """Run the screen on a session that stands until someone leaves it. What fails in the screen is told, and is no reason to end the script.

    A signal that ends the screen is the script's once the terminal is as it was.

    Args:
        start: gives the session to the screen's own thread.
        lines: command lines to run first.
    """
    ended_by: signal.Signals | None = None
    with _as_before():
        kept = kept_for([])
        use(kept.preferences.language or language_of(os.environ))
        app = EncoderApp(start, lines, Faults(), kept)
        with alone_on_terminal():
            app.run()
        app.engine.close(PATIENCE)
        ended_by = app.ended_by
        if app.failure is not None:
            print(f"encoder-tui: {visible(one_line(app.failure))}", file=sys.stderr)
    if ended_by is not None:
        os.kill(os.getpid(), ended_by)


@contextmanager
def _as_before() -> Generator[None]:
    """Let signals, the language and the collector of garbage be what they were."""
    handlers: dict[int, Any] = {}
    for name in SIGNALS:
        number = getattr(signal, name, None)  # Windows has few of them
        if number is not None:
            handlers[number] = signal.getsignal(number)
    spoken, frozen = language(), gc.get_freeze_count()
    try:
        yield
    finally:
        for number, handler in handlers.items():
            if handler is not None:  # which was not set from Python
                signal.signal(number, handler)
        use(spoken)
        if not frozen:
            gc.unfreeze()
