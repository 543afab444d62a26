"""Watches: expressions whose value is looked at after every stage; a motion stops where it changes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..messages.errors import InputError, nearest
from ..program.addresses import stage_at
from ..program.expressions import Call, Expression, Indexed, Name, QuotedToken, parse
from ..program.figures import WORDS
from ..program.stage import Stage
from ..program.trace import Trace
from ..program.writing import write_number
from .breakpoints import written
from .conditions import FUNCTIONS, PLACES, StageScope, check_windows


@dataclass(frozen=True, slots=True)
class Watch:
    """An expression to be watched. Made by `watch`.

    Attributes:
        text: as typed.
        needs: stages it speaks of by name; it is not known before the last of them has run.
        made: the last of them in the program, where its value comes to be; "" where it also speaks of the stage under the
            cursor (`absmax`, `x[...]`).
    """

    text: str
    expression: Expression
    needs: tuple[str, ...]
    made: str

    def value(self, trace: Trace, stage: Stage) -> float | bool | None:
        """Its value once `stage` has run; None where it has none yet, or none here."""
        here = trace.program.index(stage.name)
        if any(name not in trace.program or trace.program.index(name) > here for name in self.needs):
            return None
        value: Any = self.expression.value(StageScope(trace, stage))
        if np.size(value) != 1:
            return None  # one number of other stages, and many of this
        if np.asarray(value).dtype == np.bool_:
            return bool(value)
        return None if math.isnan(value) else float(value)


def watch(text: str, trace: Trace) -> Watch:
    """Parse an expression to be watched: a window of a stage, a figure, a comparison.

    Raises:
        InputError: it cannot be read, or speaks of what is not there.
    """
    program, expression = trace.program, parse(text, "watch")
    others: list[str] = []
    here = False
    for part in expression.parts():
        if isinstance(part, Indexed) and part.word != "x":
            others.append(part.word)
        elif isinstance(part, Indexed) or (isinstance(part, Name) and part.word in (*WORDS, *PLACES)):
            here = True
        elif isinstance(part, Name | QuotedToken):
            word = part.word if isinstance(part, Name) else part.text
            raise InputError(
                f"watch {text!r} has the unknown word {word!r}{nearest(word, WORDS) or '; index a stage: STAGE[0, 3, 2, 1]'}"
            )
        elif isinstance(part, Call) and part.function not in (*FUNCTIONS, "entropy"):
            raise InputError(
                f"watch {text!r} has the unknown function {part.function!r}{nearest(part.function, FUNCTIONS)}"
            )
    if not others and not here:
        raise InputError(f"watch {text!r} never changes; write a figure (`absmax`), or STAGE[INDEX]")
    check_windows(expression, f"watch {text!r}", trace, [stage.name for stage in program])
    needs = tuple(stage_at(trace[name].name) for name in others)  # a weight may go by its own name
    return Watch(text, expression, needs, "" if here else max(needs, key=program.index))


def write_watched(value: float | bool | None) -> str:
    """A watched value for people."""
    if value is None:
        return "not yet known"
    return written(value) if isinstance(value, bool) else write_number(value)
