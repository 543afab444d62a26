"""What a notebook shows of each kind of object."""

from __future__ import annotations

from functools import singledispatch

from ..analysis.compare.comparison import Comparison
from ..messages.errors import one_line
from ..messages.translation import tr
from ..program.explanation import Explanation
from ..program.per_text import Index
from ..program.trace import Trace
from ..program.value import Value
from .comparison import comparison_html
from .explanation import explanation_html
from .markup import Html, join, tag
from .styles import piece
from .trace import trace_html
from .value import value_html


@singledispatch
def html_of(thing: object) -> Html:
    """An object as HTML."""
    return tag("p", repr(thing))


html_of.register(Comparison, comparison_html)
html_of.register(Explanation, explanation_html)
html_of.register(Trace, trace_html)
html_of.register(Value, value_html)


def shown(thing: object) -> str:
    """An object for `_repr_html_`. What goes wrong is shown: a notebook would fall back on the bare `repr`, without a word."""
    try:
        return piece(html_of(thing))
    except Exception as error:
        named = [tag("p", tag("code", repr(thing)))] if isinstance(thing, Value) else []
        return piece(join([*named, wrong(error)]))


def wrong(error: Exception) -> Html:
    """An error in one line."""
    return tag("p", tag("strong", tr("cannot be shown")), ": ", one_line(error), class_="wrong")


def piece_of(value: Value, index: Index | str) -> str:
    """See `Value.html`."""
    return piece(value_html(value, index))
