"""Commands that move the cursor, and leave."""

from __future__ import annotations

from collections.abc import Callable

from ..debugger.cursor import START, Debugger, Stop
from ..messages.errors import InputError
from .session import Session
from .table import Command, Key, Reply, count_of, nothing_more

Motion = Callable[[Debugger, int], Stop]


def _counted(usage: str, motion: Motion) -> Callable[[Session, str], Reply]:
    def run(session: Session, rest: str) -> Reply:
        return Reply(stop=motion(session.debugger, count_of(rest, usage)))

    return run


def _plain(usage: str, motion: Callable[[Debugger], Stop]) -> Callable[[Session, str], Reply]:
    def run(session: Session, rest: str) -> Reply:
        nothing_more(rest, usage)
        return Reply(stop=motion(session.debugger))

    return run


def _until(session: Session, rest: str) -> Reply:
    if not rest:
        raise InputError("until where? write `until STAGE`")
    return Reply(stop=session.debugger.until(rest))


def _goto(session: Session, rest: str) -> Reply:
    if not rest:
        raise InputError("go where? write `goto STAGE`, `goto start` or `goto end`")
    if rest in ("start", "end"):
        position = START if rest == "start" else session.debugger.last
    else:
        position = session.debugger.position_of(rest)
    return Reply(stop=session.debugger.goto(position))


def _quit(session: Session, rest: str) -> Reply:
    nothing_more(rest, "quit")
    return Reply(quit=True)


COMMANDS = (
    Command(
        "step", "step [N]", "Run the next stage, or the next N.",
        _counted("step [N]", Debugger.step), "motion", ("s",),
        (Key("s", "step", "step"), Key("f11", "step", "step")),
    ),
    Command(
        "next", "next [N]", "Run the rest of the current block (attention, ffn, ...); in code of your own, of the line.",
        _counted("next [N]", Debugger.next), "motion", ("n",),
        (Key("n", "next", "next block"), Key("f10", "next", "next block")),
    ),
    Command(
        "finish", "finish [N]", "Run the rest of the current layer; in code of your own, of the module.",
        _counted("finish [N]", Debugger.finish), "motion", ("f", "fin"),
        (Key("f", "finish", "finish layer"),),
    ),
    Command(
        "continue", "continue", "Run to the next breakpoint or the end.",
        _plain("continue", Debugger.cont), "motion", ("c",),
        (Key("c", "continue", "continue"), Key("f5", "continue", "continue")),
    ),
    Command(
        "until", "until STAGE", "Run, forwards or backwards, to a stage or a breakpoint on the way.",
        _until, "motion", ("u",),
        (Key("t", "until {stage}", "run to the stage looked at"),), "stage",
    ),
    Command(
        "goto", "goto STAGE|start|end", "Move the cursor to a stage without stopping on the way.",
        _goto, "motion", (),
        (Key("J", "goto {stage}", "move the cursor to the stage looked at"),), "stage",
    ),
    Command(
        "reverse-step", "reverse-step [N]", "Go back one stage, or N.",
        _counted("reverse-step [N]", Debugger.reverse_step), "motion", ("rs",),
        (Key("S", "reverse-step", "step back"),),
    ),
    Command(
        "reverse-next", "reverse-next [N]", "Go back to before the current block.",
        _counted("reverse-next [N]", Debugger.reverse_next), "motion", ("rn",),
        (Key("N", "reverse-next", "block back"),),
    ),
    Command(
        "reverse-finish", "reverse-finish [N]", "Go back to before the current layer.",
        _counted("reverse-finish [N]", Debugger.reverse_finish), "motion", ("rf",),
        (Key("F", "reverse-finish", "layer back"),),
    ),
    Command(
        "reverse-continue", "reverse-continue", "Go back to the previous breakpoint or the start.",
        _plain("reverse-continue", Debugger.reverse_cont), "motion", ("rc",),
        (Key("C", "reverse-continue", "continue back"),),
    ),
    Command(
        "back", "back", "Return to where the cursor was before its last motion.",
        _plain("back", Debugger.back), "motion", (),
        (Key("backspace", "back", "where the cursor was before"),),
    ),
    Command(
        "forward", "forward", "Undo a `back`.",
        _plain("forward", Debugger.forward), "motion", ("fo",),
    ),
    Command("quit", "quit", "Leave.", _quit, "motion", ("q", "exit"), (Key("q", "quit", "quit"),)),
)  # fmt: skip
