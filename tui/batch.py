"""Batch mode: no screen. Run the commands, then the program to its end, print, export."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from ..engine.commands import TABLE, Reply
from ..engine.commands.checking import checked
from ..engine.commands.comparing import against as read_against
from ..engine.commands.comparing import compare_against
from ..engine.commands.files import check_export
from ..engine.commands.files import export as write_export
from ..engine.commands.session import Session
from ..engine.debugger.writing import write_stop
from ..engine.messages.visible import visible
from ..engine.models.text.coverage import unknown_words
from .output import write_out

STOPPED = 3


def run_batch(
    start: Callable[[Callable[[str], None]], Session],
    lines: Sequence[str],
    export: str | None = None,
    select: str | None = None,
    against: Sequence[str] = (),
    checks: Sequence[str] = (),
) -> int:
    """Run without a screen.

    Args:
        start: makes the session.
        lines: commands, in order.
        export, select: where to write what was reached, and which stages of it.
        against: what to compare with at the end, as after `compare`.
        checks: what to check at the end, as after `check`.

    Returns:
        0 when the program ran to its end (or a command said `quit`), 3 when a breakpoint holds it, it differs from
        what it is compared with, or a check found a fault.

    Raises:
        InputError: whatever is wrong with the input or a command.
    """
    if export:
        check_export(export)
    reply = Reply()
    session = start(_say if sys.stderr is not None and sys.stderr.isatty() else lambda _: None)
    for note in session.notes:
        _say(note)
    unknown = unknown_words(session.trace.tokens)
    if unknown:
        _say(unknown)
    for line in lines:
        reply = TABLE.execute(session, line)
        _print(session, reply, line)
        if reply.quit:
            break
    left = reply.quit
    references = [] if left else [read_against(session, line) for line in against]
    if select is not None:
        session.trace.addresses(select)
    if not left and not session.held and session.debugger.position < session.debugger.last:
        stop = session.debugger.cont()
        write_out(write_stop(stop, session.trace.shapes))
    if export:
        _say(write_export(session, export, select))
    stopped = session.held
    for reference in references:
        comparison, text = compare_against(session, reference)
        write_out(text)
        stopped = stopped or not comparison.equal
    for name in () if left else checks:
        result, text = checked(session, name)
        write_out(text)
        stopped = stopped or bool(result.faults)
    return STOPPED if stopped else 0


def _print(session: Session, reply: Reply, line: str) -> None:
    if reply.stop is not None:
        write_out(write_stop(reply.stop, session.trace.shapes))
    if reply.text:
        write_out(reply.text)
    if reply.request is not None and not reply.text:
        _say(f"`{line}` changes the screen, and there is none")


def _say(message: str) -> None:
    print(visible(message), file=sys.stderr)
