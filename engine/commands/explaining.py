"""The command that says what a stage does and why it is there."""

from __future__ import annotations

from ..program.index import split_index
from .session import Session
from .table import Command, Reply

EXPLAIN = "explain [STAGE][INDEX]"


def _explain(session: Session, rest: str) -> Reply:
    from ..analysis.explain import explain_stage, write_page

    stage, index = split_index(session.target(rest))
    return Reply(write_page(explain_stage(session.trace, stage, index)))


COMMANDS = (
    Command(
        "explain", EXPLAIN,
        "Say what a stage does and why it is there, with its formula and one of its numbers worked out.",
        _explain, "values", ("x",), (), "stage",
    ),
)  # fmt: skip
