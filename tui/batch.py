"""Batch mode: no screen. Run the commands, then the program to its end, print, export."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from ..engine.commands import TABLE, Reply
from ..engine.commands.checking import checked
from ..engine.commands.comparing import ComparedWith, compare_against
from ..engine.commands.comparing import against as read_against
from ..engine.commands.files import check_export
from ..engine.commands.files import export as write_export
from ..engine.commands.over_texts import OverTextsRequest
from ..engine.commands.reporting import check_report_path, pair_for_report, write_report
from ..engine.commands.session import Session
from ..engine.debugger.writing import write_stop
from ..engine.messages.errors import InputError
from ..engine.messages.visible import visible
from ..engine.models.text.coverage import unknown_words
from ..engine.pages.facts import check_facts, json_line, stop_facts, text_facts
from .output import write_out

if TYPE_CHECKING:
    from ..engine.analysis.checks.findings import Checked
    from ..engine.debugger.cursor import Stop
    from ..engine.pages.facts import JsonObject
    from ..engine.pages.report.report import ComparedPair

STOPPED = 3


def run_batch(
    start: Callable[[Callable[[str], None]], Session],
    lines: Sequence[str],
    export: str | None = None,
    select: str | None = None,
    against: Sequence[str] = (),
    checks: Sequence[str] = (),
    report: str | None = None,
    *,
    as_json: bool = False,
) -> int:
    """Run without a screen.

    Args:
        start: makes the session.
        lines: commands, in order.
        export, select: where to write what was reached, and which stages of it.
        against: what to compare with at the end, as after `compare`.
        checks: what to check at the end, as after `check`.
        report: where to write what differs, and why.
        as_json: whether to print JSON, an object a line.

    Returns:
        0 when the program ran to its end (or a command said `quit`), 3 when a breakpoint holds it, it differs from
        what it is compared with, or a check found a fault.

    Raises:
        InputError: whatever is wrong with the input or a command.
    """
    if export:
        check_export(export)
    if report:
        check_report_path(report)
    reply = Reply()
    session = start(_say if sys.stderr is not None and sys.stderr.isatty() else lambda _: None)
    session.tell = _say
    for note in session.notes:
        _say(note)
    unknown = unknown_words(session.trace.tokens)
    if unknown:
        _say(unknown)
    told = _Told(session, as_json)
    for line in lines:
        reply = TABLE.execute(session, line)
        told.reply(reply, line)
        if reply.quit:
            break
    left = reply.quit
    references = [] if left else [read_against(session, line) for line in against]
    if report and any(isinstance(reference, OverTextsRequest) for reference in references):
        raise InputError(
            "--report tells of the texts of this run; give one of the file as TEXT, and leave `texts FILE` out"
        )
    if select is not None:
        session.trace.addresses(select)
    if not left and not session.held and session.debugger.position < session.debugger.last:
        told.stop(session.debugger.cont())
    if export:
        _say(write_export(session, export, select))
    stopped, pairs = session.held, list["ComparedPair"]()
    for line, reference in zip(against, references, strict=False):
        compared = compare_against(session, reference)
        told.text(compared.text, compared.facts, f"compare {line}")
        stopped = stopped or not compared.equal
        if report and isinstance(compared, ComparedWith):
            pairs.append(pair_for_report(session, compared.diagnosis))
    if report and pairs:
        _say(write_report(session, pairs, against, report))
    for name in () if left else checks:
        result, text = checked(session, name)
        told.text(text, partial(_facts_of_check, name, result), f"check {name}")
        stopped = stopped or bool(result.faults)
    return STOPPED if stopped else 0


class _Told:
    """What is printed: text for people, or JSON, an object a line, each with the command it comes from."""

    def __init__(self, session: Session, as_json: bool) -> None:
        self.session, self.as_json = session, as_json

    def reply(self, reply: Reply, line: str) -> None:
        if reply.stop is not None:
            self.stop(reply.stop, line)
        if reply.text:
            self.text(reply.text, reply.facts or (lambda: [text_facts(reply.text)]), line)
        if reply.request is not None and not reply.text:
            _say(f"`{line}` changes the screen, and there is none")

    def stop(self, stop: Stop, line: str | None = None) -> None:
        shapes = self.session.trace.shapes
        self.text(write_stop(stop, shapes), lambda: [stop_facts(stop, shapes)], line)

    def text(self, text: str, facts: Callable[[], list[JsonObject]], line: str | None) -> None:
        if self.as_json:
            for each in facts():
                write_out(json_line({"kind": each["kind"], "command": line, **each}))
        else:
            write_out(text)


def _facts_of_check(name: str, result: Checked) -> list[JsonObject]:
    return [check_facts(name, result)]


def _say(message: str) -> None:
    print(visible(message), file=sys.stderr)
