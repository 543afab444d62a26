"""Conditions that set one figure one limit: `nan`, `absmax > 1e30`, `0 >= min`. Mostly a range of the figure settles them."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass

from .expressions import Comparison, Expression, Name, Number, Operation

_ORDERS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
_REVERSED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


@dataclass(frozen=True, slots=True)
class Limit:
    """A figure on one side of a number.

    Attributes:
        word: the figure.
        beyond: compares it with the number; true where the condition holds.
        number: the limit.
    """

    word: str
    beyond: Callable[[float, float], bool]
    number: float

    def may_hold(self, between: tuple[float, float]) -> bool:
        """Whether it holds anywhere in a range. What orders holds at one of the ends if it holds at all."""
        low, high = between
        return self.beyond(high, self.number) or self.beyond(low, self.number)


def limit_of(expression: Expression) -> Limit | None:
    """The limit that an expression sets; None when it says anything else."""
    if isinstance(expression, Name) and expression.word in ("nan", "inf"):  # counts: true means more than none
        return Limit(expression.word, operator.gt, 0)
    if not isinstance(expression, Comparison) or len(expression.symbols) != 1 or expression.symbols[0] not in _ORDERS:
        return None
    symbol = expression.symbols[0]
    left, right = expression.operands
    if not isinstance(left, Name):
        symbol, left, right = _REVERSED[symbol], right, left
    number = _number(right)
    return Limit(left.word, _ORDERS[symbol], number) if isinstance(left, Name) and number is not None else None


def _number(expression: Expression) -> float | None:
    """A number as written, with a minus sign or without."""
    if isinstance(expression, Number):
        return expression.number
    if isinstance(expression, Operation) and len(expression.operands) == 1:
        inside = _number(expression.operands[0])
        return None if inside is None else -inside
    return None
