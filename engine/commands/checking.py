"""Commands that look for faults of a known kind."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import InputError, nearest
from ..session import Session
from .table import Command, Reply


def _masks(session: Session) -> str:
    from ..checks import check_masks, write_checked

    if not any(stage.axes[-1:] == ("key",) for stage in session.trace.program):
        return "there is no attention in this program, so there is no mask to follow"
    return write_checked(check_masks(session.trace, lambda: session.debugger.interrupted))


def _padding(session: Session) -> str:
    from ..checks import check_padding, write_checked

    return write_checked(check_padding(session.trace, session.encoder, lambda: session.debugger.interrupted))


CHECKS: dict[str, Callable[[Session], str]] = {"masks": _masks, "padding": _padding}


def _check(session: Session, rest: str) -> Reply:
    if rest not in CHECKS:
        raise InputError(
            f"check {rest!r} is not known{nearest(rest, CHECKS)}; write check {' or check '.join(CHECKS)}"
            if rest
            else f"check what? write check {' or check '.join(CHECKS)}"
        )
    session.debugger.interrupted = False
    return Reply(CHECKS[rest](session))


COMMANDS = (
    Command(
        "check", f"check {'|'.join(CHECKS)}",
        "Follow the attention mask from tokenizer to softmax, or see whether padding changes real tokens.",
        _check, "values", (), (), (*CHECKS,),
    ),
)  # fmt: skip
