"""The command that writes what differs, where and why, as a file to be shown to others."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..messages.errors import InputError
from .comparing import asides_of
from .diagnosing import diagnosed
from .session import Session
from .table import Command, Reply, shell_words

if TYPE_CHECKING:
    from ..analysis.diagnose import Diagnosis
    from ..pages.report.report import ComparedPair

REPORT = "report PATH"


def pair_for_report(session: Session, diagnosis: Diagnosis | None = None) -> ComparedPair:
    """What is told of what was compared last. The cause of a difference is looked for where that was not done yet.

    Raises:
        InputError: nothing was compared, or values have changed since.
    """
    from ..pages.report.report import pair_of

    reference = session.expect_reference()
    comparison = reference.comparison
    if comparison is None or reference.ours is not session.trace or reference.generation != session.generation:
        raise InputError(f"values have changed since; write `compare {reference.title}` again")
    refusal = ""
    if diagnosis is None and not comparison.equal:
        try:
            diagnosis = diagnosed(session, comparison.given)
        except InputError as error:
            if session.stopped():
                raise
            refusal = str(error)
    asides = tuple(asides_of(session.trace, reference.trace).splitlines())
    return pair_of(reference, comparison, asides, diagnosis, refusal)


def write_report(session: Session, pairs: Sequence[ComparedPair], lines: Sequence[str], path: str) -> str:
    """Write the file; what was written, in one line.

    Args:
        pairs: what it tells of.
        lines: what they were compared with, as it was typed.

    Raises:
        InputError: a path that cannot be written.
    """
    from ..pages.report.report import DifferenceReport, versions
    from ..pages.report.saving import save_report

    return save_report(DifferenceReport(tuple(pairs), versions(), _again(session, lines, path)), path)


def check_report_path(path: str) -> None:
    """Refuse a path that a report cannot be written to, before the work, not after it.

    Raises:
        InputError: another ending, or no such directory.
    """
    from ..pages.report.saving import check_report

    check_report(path)


def _again(session: Session, lines: Sequence[str], path: str) -> str:
    """The command line that does it again; "" where the session was not begun by one."""
    if not session.begun:
        return ""
    words = ["encoder-tui", "--batch"]
    for line in session.done:
        words += ["-ex", line]
    for line in lines:
        words += ["--against", line]
    return shlex.join([*words, "--report", path, *session.begun[1:]])


def _report(session: Session, rest: str) -> Reply:
    words = shell_words(rest, REPORT)
    if len(words) != 1:
        raise InputError(f"report where? write `{REPORT}`; the path ends in .html, .md or .json")
    check_report_path(words[0])
    pair = pair_for_report(session)
    return Reply(write_report(session, [pair], [session.compared_line], words[0]))


COMMANDS = (
    Command(
        "report", REPORT,
        "Write what was compared last, what differs, where and why, to .html, .md or .json, to be shown to others.",
        _report, "files", (), (), "path",
    ),
)  # fmt: skip
