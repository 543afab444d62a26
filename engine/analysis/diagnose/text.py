"""A diagnosis as plain text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from .diagnose import Cause, Diagnosis

LABEL = 11


def write_diagnosis(diagnosis: Diagnosis) -> str:
    """Each cause with where it is, what showed it and what to change; the last line says what came of it all."""
    lines: list[str] = []
    for number, cause in enumerate(diagnosis.causes, start=1):
        lines += [*_cause(cause, f"cause {number}" if len(diagnosis.causes) > 1 else "cause"), ""]
    return "\n".join([*lines, verdict_of(diagnosis)])


def verdict_of(diagnosis: Diagnosis) -> str:
    """What came of it, in a line."""
    left = diagnosis.left
    if diagnosis.nothing:
        return "nothing to diagnose: no stage is further apart than rounding may bring it"
    said = "; ".join(cause.cause for cause in diagnosis.causes)
    if left is None:
        several = f"{len(diagnosis.causes)} causes" if len(diagnosis.causes) > 1 else "cause"
        return f"{several}: {said}"
    tried = f"tried there: {', '.join(diagnosis.tried)}" if diagnosis.tried else "nothing is known to be tried there"
    if not diagnosis.causes:
        return f"no cause found at {left.name}: nothing that was tried closes the gap; {tried}"
    return f"{said}; after that no cause found at {left.name}; {tried}"


def _cause(cause: Cause, title: str) -> list[str]:
    return [f"{name:<{LABEL}}{text}" for name, text in cause_rows(cause, title)]


def cause_rows(cause: Cause, title: str) -> list[tuple[str, str]]:
    """What is said of a cause, each with what it is: what, where, shown by what, what to change on either side."""
    rows = [(title, f"{cause.kind}: {cause.cause}"), ("at", _where(cause)), ("shown by", _shown(cause))]
    return rows + [("in ours", cause.ours)] * bool(cause.ours) + [("in theirs", cause.theirs)] * bool(cause.theirs)


def _where(cause: Cause) -> str:
    others = [name for name in cause.stages if name != cause.first]
    path, _, number = cause.line.rpartition(":")
    line = f"  ({Path(path).name}:{number})" if cause.line else ""
    return f"{cause.first}{line}" + (f", and {_few(others)}" if others else "")


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:2]) + (f" and {len(names) - 2} more" if len(names) > 2 else "")


def _shown(cause: Cause) -> str:
    before = "infinite" if math.isinf(cause.before) else f"{cause.before:.3g} of the largest value"
    after = "0" if not cause.after else f"{cause.after:.3g}"
    then = f"the next that is apart is {cause.then}" if cause.then else "no stage is apart any more"
    return f"with the same in ours the gap falls from {before} to {after}, and {then}"
