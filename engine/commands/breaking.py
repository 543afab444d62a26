"""Commands that set, list and take away breakpoints."""

from __future__ import annotations

import re
from collections.abc import Callable

from ..debugger.breakpoints import Condition
from ..debugger.conditions import condition, read_condition
from ..debugger.unexpected import Unexpected
from ..debugger.watches import watch, write_watched
from ..messages.errors import InputError
from ..program.source_lines import is_line
from .session import Session
from .table import Command, Key, Reply, is_number, shell_words


def _set(usage: str, *, temporary: bool) -> Callable[[Session, str], Reply]:
    def run(session: Session, rest: str) -> Reply:
        pattern, condition = _place(session, rest)
        point = session.debugger.add(pattern, condition, temporary=temporary)
        count = len(point.stages)
        where = next(iter(point.stages)) if count == 1 else f"{count} stages"
        when = f" if {point.condition.text}" if point.condition else ""
        return Reply(f"{'temporary ' if temporary else ''}breakpoint {point.number} set at {where}{when}")

    return run


def read_place(rest: str) -> tuple[str, str]:
    """Stages and condition, as they are written, of `STAGE`, `STAGE if COND`, `if COND` (every stage) and `unexpected`.

    Returns:
        The stages, "" for the one where the cursor is; and the condition, `unexpected` or one to be read, "" for none.

    Raises:
        InputError: there is an `if` and no condition, or `unexpected` beside another one.
    """
    pattern, word, written = re.match(r"(.*?)(?:(?:^|\s+)(if)(?:\s+(.*))?)?$", rest, re.DOTALL).groups()  # type: ignore[union-attr]
    if pattern == "unexpected" and not word:
        pattern, word, written = "*", "if", "unexpected"
    if pattern == "unexpected":
        raise InputError(
            "unexpected is a condition that stands alone; write `break unexpected`, and another condition as a breakpoint "
            f"of its own: `break if {written or 'absmax > 100'}`"
        )
    if not word:
        return pattern, ""
    if not written:
        raise InputError("if what? write for instance `break STAGE if absmax > 100`")
    pattern = pattern or "*"
    if written != "unexpected" and "unexpected" in (written.split()[0], written.split()[-1]):
        raise InputError(
            f"unexpected is a condition that stands alone; write `break {pattern} if unexpected`, and another condition as "
            "a breakpoint of its own"
        )
    return pattern, written


def expect_condition(rest: str) -> None:
    """Refuse what is no condition of any module's stages, before there is one.

    Raises:
        InputError: see `read_place` and `read_condition`.
    """
    _, written = read_place(rest)
    if written != "unexpected":
        read_condition(written)


def _place(session: Session, rest: str) -> tuple[str, Condition | None]:
    pattern, written = read_place(rest)
    if not written:
        return pattern or session.stage_or_here(""), None
    if written == "unexpected":
        return pattern, Unexpected()
    trace = session.trace
    stages = trace.program.expect(pattern)
    return pattern, condition(written, trace, stages)


def _watch(session: Session, rest: str) -> Reply:
    if not rest:
        raise InputError("watch what? write `watch absmax > 100` or `watch STAGE[INDEX]`")
    trace = session.trace
    wanted = watch(rest, trace)
    point = session.debugger.add("*", watch=wanted)
    now = None if session.debugger.stage is None else wanted.value(trace, session.debugger.stage)
    return Reply(f"watch {point.number}: {rest} ({write_watched(now)})")


def _toggle(session: Session, rest: str) -> Reply:
    name = rest if is_line(rest) else session.stage_or_here(rest)
    stages = session.debugger.stops(name)
    own = [point for point in session.debugger.breakpoints.values() if point.stages == stages]
    if own:
        for point in own:
            session.debugger.delete(point.number)
        return Reply(f"deleted the breakpoint at {name}")
    return Reply(f"breakpoint {session.debugger.add(name).number} set at {name}")


def _numbers(session: Session, rest: str, usage: str) -> list[int]:
    words = shell_words(rest, usage)
    if words in ([], ["all"]):
        return list(session.debugger.breakpoints)
    for word in words:
        if not is_number(word):
            raise InputError(f"{word!r} is not the number of a breakpoint; write `{usage}`")
    return [int(word) for word in words]


def _delete(session: Session, rest: str) -> Reply:
    numbers = _numbers(session, rest, "delete [N ...]")
    for number in numbers:
        session.debugger.delete(number)
    return Reply(f"deleted {len(numbers)} breakpoint{'s' * (len(numbers) != 1)}")


def _switch(usage: str, enabled: bool) -> Callable[[Session, str], Reply]:
    def run(session: Session, rest: str) -> Reply:
        numbers = _numbers(session, rest, usage)
        for number in numbers:
            session.debugger.change(number, enabled=enabled)
        done = "enabled" if enabled else "disabled"
        return Reply(f"{done} {len(numbers)} breakpoint{'s' * (len(numbers) != 1)}")

    return run


def _ignore(session: Session, rest: str) -> Reply:
    words = shell_words(rest, "ignore N COUNT")
    if len(words) != 2 or not all(map(is_number, words)):
        raise InputError(f"cannot read {rest!r}; write `ignore N COUNT`")
    session.debugger.change(int(words[0]), ignore=int(words[1]))
    return Reply(f"breakpoint {words[0]} lets its next {words[1]} stops pass")


COMMANDS = (
    Command(
        "break", "break [STAGE] [if COND]",
        "Stop at a stage or every stage a glob means, where a condition holds: break *.weights if entropy < 0.1, "
        "break if nan, break unexpected.",
        _set("break [STAGE] [if COND]", temporary=False), "breakpoints", ("b",),
        (Key("B", "break {stage} if ", "breakpoint with a condition"),), "stage",
    ),
    Command(
        "toggle", "toggle [STAGE]", "Set a breakpoint at a stage, or take it away.",
        _toggle, "breakpoints", (),
        (Key("b", "toggle {stage}", "breakpoint"), Key("f9", "toggle {stage}", "breakpoint")), "stage",
    ),
    Command(
        "tbreak", "tbreak [STAGE] [if COND]", "Stop there once.",
        _set("tbreak [STAGE] [if COND]", temporary=True), "breakpoints", ("tb",), (), "stage",
    ),
    Command(
        "watch", "watch EXPR", "Stop where a value changes: watch absmax > 100, watch layers.1.output[0, 3, 7].",
        _watch, "breakpoints", ("w",), (Key("w", "watch {stage}[ ", "watch a number"),), "stage",
    ),
    Command("delete", "delete [N ...]", "Delete breakpoints, or all of them.", _delete, "breakpoints", ("del",)),
    Command("enable", "enable [N ...]", "Switch breakpoints on.", _switch("enable [N ...]", True), "breakpoints"),
    Command("disable", "disable [N ...]", "Switch breakpoints off.", _switch("disable [N ...]", False), "breakpoints"),
    Command("ignore", "ignore N COUNT", "Let a breakpoint pass its next COUNT stops.", _ignore, "breakpoints"),
)  # fmt: skip
