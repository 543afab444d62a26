"""Commands that set, list and take away breakpoints."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import InputError
from ..session import Session
from .table import Command, Key, Reply, words_of


def _set(usage: str, *, temporary: bool) -> Callable[[Session, str], Reply]:
    def run(session: Session, rest: str) -> Reply:
        pattern = rest or session.stage_or_here(rest)
        found = session.debugger.add(pattern, temporary=temporary)
        count = len(found.stages)
        where = next(iter(found.stages)) if count == 1 else f"{count} stages"
        return Reply(f"{'temporary ' if temporary else ''}breakpoint {found.number} at {where}")

    return run


def _toggle(session: Session, rest: str) -> Reply:
    name = session.stage_or_here(rest)
    own = [found for found in session.debugger.at(name) if found.stages == {name}]
    if own:
        for found in own:
            session.debugger.delete(found.number)
        return Reply(f"deleted the breakpoint at {name}")
    return Reply(f"breakpoint {session.debugger.add(name).number} at {name}")


def _numbers(session: Session, rest: str, usage: str) -> list[int]:
    words = words_of(rest, usage)
    if words in ([], ["all"]):
        return list(session.debugger.breakpoints)
    for word in words:
        if not word.isdigit():
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
    words = words_of(rest, "ignore N COUNT")
    if len(words) != 2 or not all(word.isdigit() for word in words):
        raise InputError(f"cannot read {rest!r}; write `ignore N COUNT`")
    session.debugger.change(int(words[0]), ignore=int(words[1]))
    return Reply(f"breakpoint {words[0]} lets its next {words[1]} stops pass")


COMMANDS = (
    Command(
        "break", "break [STAGE]", "Stop at a stage, or at every stage a glob means; without one, here.",
        _set("break [STAGE]", temporary=False), "breakpoints", ("b",),
        (Key("B", "break {stage} ", "breakpoint, to be completed"),), "stage",
    ),
    Command(
        "toggle", "toggle [STAGE]", "Set a breakpoint at a stage, or take it away.",
        _toggle, "breakpoints", (),
        (Key("b", "toggle {stage}", "breakpoint"), Key("f9", "toggle {stage}", "breakpoint")), "stage",
    ),
    Command(
        "tbreak", "tbreak [STAGE]", "Stop there once.",
        _set("tbreak [STAGE]", temporary=True), "breakpoints", ("tb",), (), "stage",
    ),
    Command("delete", "delete [N ...]", "Delete breakpoints, or all of them.", _delete, "breakpoints", ("del",)),
    Command("enable", "enable [N ...]", "Switch breakpoints on.", _switch("enable [N ...]", True), "breakpoints"),
    Command("disable", "disable [N ...]", "Switch breakpoints off.", _switch("disable [N ...]", False), "breakpoints"),
    Command("ignore", "ignore N COUNT", "Let a breakpoint pass its next COUNT stops.", _ignore, "breakpoints"),
)  # fmt: skip
