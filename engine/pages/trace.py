"""A passage through a program as HTML: what went in, its output, and every stage's name, formula and shape."""

from __future__ import annotations

import math
from itertools import groupby

from ..messages.errors import InputError
from ..messages.translation import tr, trn
from ..program.stage import Stage, write_shape
from ..program.trace import Trace
from .markup import Html, join, tag
from .value import value_html

# Numbers of all values together: a passage with more is long, and nobody asked for it by naming it.
MOST_NUMBERS = 1 << 26
MOST_TOKENS = 64


def trace_html(trace: Trace) -> Html:
    """The whole of a trace. Its output is computed where that is quick; of the other stages no numbers are read."""
    about = ", ".join(f"{name} {fact}" for name, fact in trace.about.items())
    stages = trn(len(trace), "{count} stage", "{count} stages")
    parts = [tag("p", tag("strong", type(trace).__name__), f" {about} · {stages}"), tokens_html(trace)]
    parts += [tag("p", note, class_="quiet") for note in trace.notes]
    parts += [_output(trace)]
    for room, inside in groupby(trace.program, key=lambda stage: stage.room):
        rows = [_row(trace, stage) for stage in inside]
        parts.append(
            tag("details", tag("summary", tag("code", room), f" · {len(rows)}"), tag("table", tag("tbody", *rows)))
        )
    return join(parts)


def tokens_html(trace: Trace) -> Html:
    """The texts, token by token."""
    lines: list[Html] = []
    for strings in trace.tokens.strings:
        shown = [tag("span", string, class_="token") for string in strings[:MOST_TOKENS]]
        left = len(strings) - MOST_TOKENS
        more = [trn(left, "{count} more token", "{count} more tokens")] if left > 0 else []
        lines.append(tag("p", *shown, *more))
    return join(lines)


def _output(trace: Trace) -> Html:
    name = trace.program["output"].name if "output" in trace.program else trace.program[len(trace) - 1].name
    if sum(math.prod(shape) for shape in trace.shapes.values()) > MOST_NUMBERS:
        return tag("p", tr("it is long, and nothing is computed before it is asked for: [{name}] shows a stage", name=repr(name)), class_="quiet")  # fmt: skip
    try:
        return value_html(trace[name])
    except InputError as error:  # a recording without it, a model of shapes alone
        return tag("p", str(error), class_="quiet")


def _row(trace: Trace, stage: Stage) -> Html:
    cells = (stage.name, trace.formulas(stage.name)[0], write_shape(trace.shapes[stage.name]))
    return tag("tr", *(tag("td", tag("code", cell)) for cell in cells))
