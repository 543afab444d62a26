"""The command that says what the program costs."""

from __future__ import annotations

from ..messages.translation import tr
from .session import Session
from .table import Command, Key, Reply, Request


def _cost(session: Session, rest: str) -> Reply:
    from ..analysis.cost import by_room, costs, never_whole, times, total, write_costs

    trace, encoder = session.trace, session.encoder
    chosen = set[str]() if rest in ("", "all") else set(trace.program.expect(rest if "*" in rest else f"{rest}*"))
    seconds = {}
    if encoder is not None and encoder.has_numbers:
        seconds = times(encoder, trace, session.stopped)
    each = costs(trace, seconds, encoder.checkpoint.holder) if encoder is not None else costs(trace)
    whole = total(tr("all"), each)
    batch, tokens = trace.tokens.shape
    size = tr("{batch} x {tokens} tokens", batch=batch, tokens=tokens)
    if rest:
        listed = [cost for cost in each if not chosen or cost.name in chosen]
        return Reply(write_costs(size, listed, whole), request=Request("reply"))
    here = session.debugger.stage or next((stage for stage in trace.program if stage.layer == 0), trace.program[0])
    inside = [cost for stage, cost in zip(trace.program, each, strict=True) if stage.room == here.room]
    tables = [write_costs(size, by_room(trace, each), whole)]
    room = tr("within {room}", room=here.room)
    tables.append(write_costs(room, inside, total(tr("all"), inside), within=f"{here.room}."))
    if told := never_whole(trace, each):
        tables.append(told)
    return Reply("\n\n".join(tables), request=Request("reply"))


COMMANDS = (
    Command(
        "cost", "cost [STAGE|all]",
        "Show parameters, multiply-adds, memory and time by layer and stage: where they go.",
        _cost, "values", (), (Key("dollar_sign", "cost", "what it costs", "$"),), "stage",
    ),
)  # fmt: skip
