"""What single figures must be for a condition to hold: `nan`, `absmax > 1e30 or inf`, `layer == 3 and std > 2`, `max(x[head=3]) > 0.9`.

Mostly the range that a figure is in shows that a condition cannot hold, and the figure itself need not be known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol, cast

from ..program.expressions import Arithmetic, Expression, Indexed, Inequality, Logic, Name, Number, Scope
from ..program.figures import Range

Ranges = Callable[[str], Iterable[Range]]

# Whether any number of a range compares so with a limit; NaN never does.
_MAY: dict[str, Callable[[Range, float], bool]] = {
    "<": lambda ends, limit: ends[0] < limit,
    "<=": lambda ends, limit: ends[0] <= limit,
    ">": lambda ends, limit: ends[1] > limit,
    ">=": lambda ends, limit: ends[1] >= limit,
    "==": lambda ends, limit: ends[0] <= limit <= ends[1],
}
_REVERSED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "=="}


class NecessaryCondition(Protocol):
    """A condition as far as it speaks of single figures: where this cannot hold, the whole cannot."""

    def may_hold(self, ranges: Ranges) -> bool:
        """Whether it holds for any figures in their ranges. `ranges` gives those of a word, ever narrower."""
        ...


@dataclass(frozen=True, slots=True)
class Limit:
    """A figure on one side of a number, or at it.

    Attributes:
        word: the figure; `x` for a single number of the value.
        symbol: how it compares, the figure on the left: `>`.
        number: the limit.
    """

    word: str
    symbol: str
    number: float

    def may_hold(self, ranges: Ranges) -> bool:
        """Until the first range that rules it out."""
        may = _MAY[self.symbol]
        return all(may(ends, self.number) for ends in ranges(self.word))


@dataclass(frozen=True, slots=True)
class All:
    """Conditions that must all be met."""

    conditions: tuple[NecessaryCondition, ...]

    def may_hold(self, ranges: Ranges) -> bool:
        """Unless one is ruled out."""
        return all(condition.may_hold(ranges) for condition in self.conditions)


@dataclass(frozen=True, slots=True)
class Any:
    """Conditions of which one must be met."""

    conditions: tuple[NecessaryCondition, ...]

    def may_hold(self, ranges: Ranges) -> bool:
        """Unless all are ruled out."""
        return any(condition.may_hold(ranges) for condition in self.conditions)


def necessary_condition(expression: Expression) -> NecessaryCondition | None:
    """What single figures must be for an expression to hold; None when it may hold whatever they are."""
    if isinstance(expression, Name) and expression.word in ("nan", "inf"):  # counts: true means more than none
        return Limit(expression.word, ">", 0)
    if isinstance(expression, Logic) and expression.word in ("and", "or"):
        conditions = [necessary_condition(operand) for operand in expression.operands]
        known = tuple(condition for condition in conditions if condition is not None)
        if expression.word == "and":
            return All(known) if known else None
        return Any(known) if len(known) == len(conditions) else None
    if isinstance(expression, Inequality):
        pairs = zip(expression.symbols, expression.operands, expression.operands[1:], strict=False)
        known = tuple(limit for pair in pairs if (limit := _limit(*pair)) is not None)
        return (known[0] if len(known) == 1 else All(known)) if known else None
    return None


def _limit(symbol: str, left: Expression, right: Expression) -> Limit | None:
    if symbol not in _REVERSED:
        return None
    word, number = _word(left), _number(right)
    if word is None:
        symbol, word, number = _REVERSED[symbol], _word(right), _number(left)
    return Limit(word, symbol, number) if word is not None and number is not None else None


def _word(expression: Expression) -> str | None:
    """The figure that is meant; `x` for a number of the stage's own value."""
    if isinstance(expression, Name):
        return expression.word
    return "x" if isinstance(expression, Indexed) and expression.word == "x" else None


def _number(expression: Expression) -> float | None:
    """A number as written, or worked out of such: `-5`, `2 * 3`."""
    if isinstance(expression, Number):
        return expression.number
    if not isinstance(expression, Arithmetic):
        return None
    operands = [_number(operand) for operand in expression.operands]
    if any(number is None for number in operands):
        return None
    try:
        result = expression.value(cast(Scope, None))  # numbers ask for no names
    except (ArithmeticError, ValueError):
        return None
    return result if isinstance(result, int | float) else None
