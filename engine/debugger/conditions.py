"""Predicates of breakpoints and watches: expressions over a stage's value in the field's words."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from itertools import islice, product
from typing import Any

import numpy as np

from ..messages.errors import InputError, nearest
from ..program.addresses import stage_at
from ..program.element import Matches, Place, first_place
from ..program.expressions import Call, Expression, Indexed, Inequality, Logic, Name, QuotedToken, parse
from ..program.figures import FROM_STATS, WORDS, Range, figures_of, measure
from ..program.index import Written, bind_index
from ..program.program import Program
from ..program.stage import Stage
from ..program.token_names import NotOneToken
from ..program.trace import Trace
from ..program.value import ShapeAlone, Value
from .necessary_conditions import NecessaryCondition, necessary_condition

FUNCTIONS = (*FROM_STATS, "abs")
PLACES = ("layer", "head")


# How to tell the number that a figure names from the others; the figure itself is measured when that takes it.
PLACED: dict[str, Callable[[Callable[[], float]], Matches]] = {
    "x": lambda figure: lambda block: np.ones(block.shape, bool),
    "nan": lambda figure: np.isnan,
    "inf": lambda figure: np.isinf,
    "max": lambda figure: _equal(figure()),
    "min": lambda figure: _equal(figure()),
    "absmax": lambda figure: _equal(figure(), np.abs),
}


def _equal(number: float, of: Callable[[Any], Any] = lambda block: block) -> Matches:
    return lambda block: of(block) == number


@dataclass(frozen=True, slots=True)
class Predicate:
    """A condition as it was written. Made by `condition`.

    Attributes:
        text: as typed.
        by_head: whether it speaks of `head`; it is then asked of each head's part alone, and holds if any does.
        by_text: whether it compares a number and does not say of which text (`x[head=3, query="it", key=0] > 0.4`); in a
            batch it is then asked of each text's part alone, and holds if any does.
        necessary: what it asks of single figures; None where it asks nothing that a range could rule out.
    """

    text: str
    expression: Expression
    by_head: bool
    necessary: NecessaryCondition | None = None
    by_text: bool = False

    def holds(self, trace: Trace, stage: Stage) -> str:
        """What made it true (`nan = 3`, `head = 5, entropy = 0.21`), or "" when it does not hold."""
        if self.necessary is not None and not self.necessary.may_hold(lambda word: self._ranges(trace, stage, word)):
            return ""
        scope = self._true(trace, stage)
        if scope is None:
            return ""
        return ", ".join(f"{word} = {number:.6g}" for word, number in scope.seen.items()) or "true"

    def place(self, trace: Trace, stage: Stage) -> Place:
        """The first number it looked at that has a place: one that is indexed, a NaN, an infinity, an extreme; or the head."""
        scope = self._true(trace, stage)
        return scope.place() if scope is not None else ()

    def _true(self, trace: Trace, stage: Stage) -> StageScope | None:
        """What the words meant when it held; None when it does not."""
        heads: list[int | None] = [None]
        if self.by_head:
            if "head" not in stage.axes:
                return None
            heads = list(range(trace.shapes[stage.name][stage.axes.index("head")]))
        texts = range(trace.tokens.shape[0]) if self._by_text(trace) else [None]
        for text, head in product(texts, heads):
            scope = StageScope(trace, stage, head, text)
            if truth(self.expression.value(scope), self.text):
                return scope
        return None

    def _by_text(self, trace: Trace) -> bool:
        return self.by_text and trace.tokens.shape[0] > 1

    def _ranges(self, trace: Trace, stage: Stage, word: str) -> Iterable[Range]:
        """Ranges that a figure lies in at a stage, or at each of its heads."""
        if word in PLACES or (word == "entropy" and not is_softmax(stage)):
            known = stage.layer if word == "layer" else None
            return () if word == "head" else [(math.nan, math.nan) if known is None else (known, known)]
        if word != "x" and not self.by_head and not self._by_text(trace):
            return trace.ranges(stage.name, word)
        return islice(trace.ranges(stage.name, "max" if word == "x" else word), 1)


def condition(text: str, trace: Trace, stages: Collection[str]) -> Predicate:
    """Parse a condition and check it against the stages it is for.

    Args:
        stages: canonical names of the stages it will be asked of; an index of `x` must fit at least one.

    Raises:
        InputError: it cannot be read, or a name, function, index or comparison in it can never work.
    """
    expression, program = read_condition(text), trace.program
    for part in expression.parts():
        _check(part, text, program, stages)
    by_text = check_windows(expression, f"condition {text!r}", trace, stages, each_text=True)
    by_head = any(isinstance(part, Name) and part.word == "head" for part in expression.parts())
    if by_head and not any("head" in program[name].axes for name in stages):
        raise InputError(f"condition {text!r} speaks of heads, and {next(iter(stages))} has none")
    return Predicate(text, expression, by_head, necessary_condition(expression), by_text)


def read_condition(text: str) -> Expression:
    """Parse a condition, and refuse what no stage of any program could make it one.

    Raises:
        InputError: it cannot be read, it is a number, or a name or function in it is unknown.
    """
    expression = parse(text, "condition")
    if not isinstance(expression, Inequality | Logic | Name):
        raise InputError(f"condition {text!r} is a number, not a condition; compare it: {text} > 0")
    for part in expression.parts():
        _check_words(part, text)
    return expression


def _check_words(part: Expression, text: str) -> None:
    if isinstance(part, QuotedToken):
        raise InputError(
            f"condition {text!r} has the text {part.text!r} outside an index; write x[query={part.text!r}]"
        )
    if isinstance(part, Name) and part.word not in (*WORDS, *PLACES):
        known = (*WORDS, *PLACES, "x")
        more = (
            "; index it: x[head=3, query=0, key=1]"
            if part.word == "x"
            else nearest(part.word, known) or f"; known: {', '.join(known)}"
        )
        raise InputError(f"condition {text!r} has the unknown word {part.word!r} (column {part.at + 1}){more}")
    if isinstance(part, Call) and part.function not in (*FUNCTIONS, "entropy"):
        hint = nearest(part.function, FUNCTIONS) or f"; known: {', '.join(FUNCTIONS)}"
        raise InputError(f"condition {text!r} has the unknown function {part.function!r} (column {part.at + 1}){hint}")


def _check(part: Expression, text: str, program: Program, stages: Collection[str]) -> None:
    if isinstance(part, Name) and part.word == "entropy" and not any(is_softmax(program[name]) for name in stages):
        raise InputError(f"condition {text!r}: entropy is of softmax rows, and {next(iter(stages))} is no softmax")


def check_windows(
    expression: Expression,
    said: str,
    trace: Trace,
    stages: Collection[str],
    each_text: bool = False,
) -> bool:
    """Refuse an index that fits none of the stages, or that gives many numbers where one is meant.

    Args:
        said: what the expression is called, for people: `condition 'x[0] > 3'`.
        stages: those that `x` may be.
        each_text: whether one number of each text will do as well, where the index says nothing of the batch.

    Returns:
        Whether there is one of a single number that does not say of which text.

    Raises:
        InputError: there is one that must be refused.
    """
    by_text = False
    inside = {id(inner) for part in expression.parts() if isinstance(part, Call) for inner in part.parts()}
    for part in expression.parts():
        if isinstance(part, Indexed):
            single = id(part) not in inside
            by_text |= _of_each_text(part, said, trace, stages, single=single, each_text=each_text)
    return by_text


def _of_each_text(
    part: Indexed,
    said: str,
    trace: Trace,
    stages: Collection[str],
    *,
    single: bool,
    each_text: bool,
) -> bool:
    """Whether a window is one number of each text, whichever that is, at the first stage that it fits."""
    here, own = f"{said} (column {part.at + 1})", part.word == "x"
    if not own and stage_at(part.word) == "x":
        raise InputError(
            f"{here}: x is the value of the stage alone; write the address whole: STAGE{part.word[1:]}[...]"
        )
    names = sorted(stages, key=trace.program.index) if own else [part.word]
    unsaid = each_text and not part.index.positional and "batch" not in dict(part.index.named)
    problem: InputError | None = None
    for name in names:
        value = trace[name]
        if isinstance(value, ShapeAlone) and not own:
            raise InputError(f"{here}: {value.refusal}")
        try:
            index = bind_index(part.index, value.shape, value.axes, value.tokens, value.labels)
        except NotOneToken as error:  # it would fit, were it not for the text
            raise InputError(f"{here}: {error}") from None
        except InputError as error:
            problem = problem or InputError(f"{here}: {error}")
            continue
        sizes = zip(value.axes, index, value.shape, strict=True)
        left = [axis for axis, at, size in sizes if isinstance(at, slice) and len(range(*at.indices(size))) > 1]
        if not single:
            return False
        if not left or (left == ["batch"] and unsaid):
            return unsaid and "batch" in value.axes
        problem = InputError(
            f"{here}: {part.word}[...] is many numbers (along {', '.join(left)}); "
            f"index one of them, or take a figure: max({part.word}[...])"
        )
    assert problem is not None
    raise problem


def is_softmax(stage: Stage) -> bool:
    """Whether its rows are distributions."""
    return stage.card.shares


def truth(result: Any, text: str) -> bool:
    """An expression's result as true or false; NaN is false.

    Raises:
        InputError: it is many numbers.
    """
    if np.size(result) != 1:
        raise InputError(f"{text!r} gives {np.size(result)} numbers; take one of them, or a figure such as max(...)")
    return not (isinstance(result, float) and math.isnan(result)) and bool(result)


class StageScope:
    """What words mean for one stage: figures of its value, or of one head's or one text's part where that is given.

    Attributes:
        seen: the figures that were looked at, in order.
    """

    def __init__(self, trace: Trace, stage: Stage, head: int | None = None, text: int | None = None) -> None:
        self.trace, self.stage, self.head = trace, stage, head
        self._alone = {axis: at for axis, at in (("batch", text), ("head", head)) if at is not None}
        self.seen: dict[str, float] = {} if text is None else {"text": text}
        self._placed: list[tuple[str, Any]] = []  # figures that have a place, and the window each is of
        self._window: Any = None  # the last one that was read of this stage

    def name(self, word: str) -> Any:
        """A figure of the value, `layer` or `head`."""
        if word == "layer":
            number = math.nan if self.stage.layer is None else self.stage.layer
        elif word == "head":
            number = math.nan if self.head is None else self.head
        elif word == "entropy" and not is_softmax(self.stage):
            number = math.nan
        else:
            quick = None if self._alone else self.trace.quick(self.stage.name, word)
            number = self._measured(word) if quick is None else quick
        if word in PLACED:
            self._placed.append((word, self._whole()))
        self.seen[word] = number
        return number

    def place(self) -> Place:
        """The first of what was looked at that stands in one place; else the head; () where there is none."""
        value = self.trace.value(self.stage.name)
        for word, index in self._placed:
            place = first_place(value, PLACED[word](lambda word=word, index=index: measure(value, word, index)), index)
            if place is not None:
                return place
        return tuple(self._alone.get(axis) for axis in self.stage.axes) if self._alone else ()

    def _measured(self, word: str) -> float:
        return measure(self.trace.value(self.stage.name), word, self._whole())

    def _whole(self) -> Any:
        """The index of the stage's value, or of the part that is one head's or one text's."""
        return self._bind(self.trace.value(self.stage.name), Written()) if self._alone else ()

    def window(self, word: str, index: Written) -> Any:
        """A number or several of this stage (`x`) or another."""
        try:
            value = self.trace.value(self.stage.name) if word == "x" else self.trace[word]
            bound = self._bind(value, index)
        except InputError:
            return math.nan  # the index fits another of the stages a glob means, or what was compared lacks this one
        numbers = value.read(bound)
        own = value.name == self.stage.name
        self._window = bound if own else None
        if numbers.size != 1:
            return numbers
        if own:
            self._placed.append(("x", bound))
        self.seen[word] = float(numbers.item())
        return self.seen[word]

    def call(self, function: str, argument: Any) -> Any:
        """A figure of a window, or `abs`."""
        if function == "abs":
            return abs(argument)
        if function == "entropy":
            from ..program.value import ArrayValue

            array = np.atleast_1d(argument)
            figure = measure(ArrayValue("window", ("",) * array.ndim, array), "entropy")
        else:
            figure = FROM_STATS[function](figures_of(argument))
            if function in PLACED and self._window is not None:
                self._placed.append((function, self._window))
        self.seen[f"{function}(...)"] = figure
        return figure

    def _bind(self, value: Value, index: Written) -> Any:
        """The index within the part that is asked. In a value that all texts share, a token's name is still that text's."""
        alone, tokens = dict(self._alone), value.tokens
        if "batch" in alone and dict(zip(value.axes, value.shape, strict=True)).get("batch", 1) == 1:
            text = alone.pop("batch")
            tokens = {axis: strings[text : text + 1] for axis, strings in tokens.items()}
        if not index.positional:
            said = dict(index.named)
            more = [(axis, at) for axis, at in alone.items() if axis in value.axes and axis not in said]
            index = Written((), (*index.named, *more))
        return bind_index(index, value.shape, value.axes, tokens, value.labels)
