"""Breakpoints whose conditions name what other texts do not have: they would never stop, and nobody would know why."""

from __future__ import annotations

from collections.abc import Iterable

from ..messages.errors import InputError
from ..program.trace import Trace
from .breakpoints import Breakpoint
from .conditions import Predicate, check_windows
from .watches import Watch


def stale_breakpoints(trace: Trace, breakpoints: Iterable[Breakpoint]) -> list[str]:
    """A sentence for each that cannot stop at these texts: a token or a place that it names is not there."""
    return list(filter(None, (_refusal(trace, each) for each in breakpoints)))


def _refusal(trace: Trace, breakpoint: Breakpoint) -> str:
    asked = breakpoint.condition or breakpoint.watch
    if not isinstance(asked, Predicate | Watch):
        return ""
    try:
        check_windows(
            asked.expression, repr(asked.text), trace, breakpoint.stages, each_text=isinstance(asked, Predicate)
        )
    except InputError as error:
        return f"breakpoint {breakpoint.number} cannot stop here: {error}"
    return ""
