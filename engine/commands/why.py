"""`why`: a number explained, and its operands followed to where they come from."""

from __future__ import annotations

from ..messages.errors import InputError
from ..program.index import split_index
from .session import Session
from .table import Command, Reply, is_number

USAGE = "why [STAGE][INDEX]|N|back"


def _why(session: Session, rest: str) -> Reply:
    from ..analysis.why import explain

    if is_number(rest):
        return _follow(session, int(rest))
    if rest == "back":
        return _back(session)
    stage, index = split_index(session.target(rest))
    session.explain(explain(session.trace, stage, index or _stopped_at(session, stage)))
    return _reply(session)


def _stopped_at(session: Session, stage: str) -> str:
    """The element that the last stop named, as an index, where the cursor still is at that stage; "" where it named none."""
    debugger = session.debugger
    if debugger.stage is None or session.trace.program.resolve(stage) != debugger.stage.name:
        return ""
    named = zip(debugger.stage.axes, debugger.place, strict=False)
    return ", ".join(f"{axis}={at}" for axis, at in named if at is not None)


def _follow(session: Session, number: int) -> Reply:
    from ..analysis.why import explain

    if not session.why_path:
        raise InputError(f"nothing to follow to operand {number} yet; write for instance why STAGE[0, 3, 1, 5] first")
    operand = session.why_path[-1].operand(number)
    session.follow(explain(session.trace, operand.name, operand.index))
    return _reply(session)


def _back(session: Session) -> Reply:
    from ..analysis.why import explain

    if len(session.why_path) < 2:
        raise InputError("no operand was followed yet; `why N` follows operand N of the last explanation")
    place = session.why_path[-2]
    again = explain(session.trace, place.stage, place.index)  # what it was made from may have been patched since
    session.return_to(again)
    return _reply(session)


def _reply(session: Session) -> Reply:
    """The last explanation, and by which way it was reached."""
    from ..analysis.why import write_why

    path = [explanation.short for explanation in session.why_path]
    way = [f"{' < '.join(reversed(path))}  (`why back` returns)"] if len(path) > 1 else []
    return Reply("\n".join([*way, write_why(session.why_path[-1])]))


COMMANDS = (
    Command(
        "why", USAGE, "Explain one number as the sum of its terms, then follow operand N of it, or go back.",
        _why, "values", (), (), "stage",
    ),
)  # fmt: skip
