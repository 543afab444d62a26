"""Batch mode: no screen. Run the commands, then the program to its end, print, export."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence

from ..engine.commands import TABLE, Reply
from ..engine.session import Session
from ..engine.snapshot import save
from ..engine.writing import write_stop

STOPPED = 3


def run_batch(
    start: Callable[[Callable[[str], None]], Session],
    lines: Sequence[str],
    export: str | None = None,
    select: str | None = None,
) -> int:
    """Run without a screen.

    Args:
        start: makes the session.
        lines: commands, in order.
        export, select: where to write what was reached, and which stages of it.

    Returns:
        0 when the program ran to its end (or a command said `quit`), 3 when a breakpoint holds it.

    Raises:
        InputError: whatever is wrong with the input or a command.
    """
    session = start(_say if sys.stderr.isatty() else lambda _: None)
    for line in lines:
        reply = TABLE.execute(session, line)
        _print(session, reply, line)
        if reply.quit:
            return STOPPED if session.held else 0
    if not session.held and session.debugger.position < session.debugger.last:
        stop = session.debugger.cont()
        _out(write_stop(stop, session.trace.shapes))
    if export:
        saved = save(session.trace, export, select=select, upto=session.debugger.furthest)
        _say(f"wrote {len(saved.names)} stages, {saved.size:,} bytes, to {export}")
    return STOPPED if session.held else 0


def _print(session: Session, reply: Reply, line: str) -> None:
    if reply.stop is not None:
        _out(write_stop(reply.stop, session.trace.shapes))
    if reply.text:
        _out(reply.text)
    if reply.request is not None:
        _say(f"`{line}` changes the screen, and there is none")


def _out(text: str) -> None:
    """Print; when whoever reads our output has seen enough (`| head`), go on without, for the sake of --export."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _say(message: str) -> None:
    print(message, file=sys.stderr)
