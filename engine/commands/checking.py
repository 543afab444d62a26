"""Commands that look for faults of a known kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..messages.errors import InputError, nearest
from .session import Session
from .table import Command, Reply

if TYPE_CHECKING:
    from ..analysis.checks.findings import Checked


def _masks(session: Session) -> Checked:
    from ..analysis.checks import Checked, check_masks

    if not any(stage.axes[-1:] == ("key",) for stage in session.trace.program):
        return Checked((), ("there is no attention in this program, so there is no mask to follow",))
    return check_masks(session.trace, session.stopped)


def _padding(session: Session) -> Checked:
    from ..analysis.checks import check_padding

    return check_padding(session.trace, session.encoder, session.stopped)


def _weights(session: Session) -> Checked:
    from ..analysis.weights import check_weights

    return check_weights(session.trace, session.encoder, session.stopped)


CHECKS: dict[str, Callable[[Session], Checked]] = {"masks": _masks, "padding": _padding, "weights": _weights}


def checked(session: Session, name: str) -> tuple[Checked, str]:
    """Check, and write down what was found.

    Raises:
        InputError: there is no such check, or nothing here that it could look at.
    """
    from ..analysis.checks import write_checked

    if name not in CHECKS:
        written = ", ".join(f"check {known}" for known in CHECKS)
        raise InputError(
            f"check {name!r} is not known{nearest(name, CHECKS)}; write {written}"
            if name
            else f"check what? write {written}"
        )
    result = CHECKS[name](session)
    return result, write_checked(result)


def _check(session: Session, rest: str) -> Reply:
    from ..pages.facts import check_facts

    result, text = checked(session, rest)
    return Reply(text, verdict=text.splitlines()[-1], facts=lambda: [check_facts(rest, result)])


COMMANDS = (
    Command(
        "check", f"check {'|'.join(CHECKS)}",
        "Follow the attention mask from tokenizer to softmax, see whether padding changes real tokens, or what is unlikely in the weights.",
        _check, "values", (), (), (*CHECKS,),
    ),
)  # fmt: skip
