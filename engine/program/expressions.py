"""A small language of numbers: conditions, patches and watches are written in it. Parsed here, never given to `eval`.

    absmax > 100 and not nan
    x[head=3, query="it", key="animal"] > 0.4
    max(layers.0.attention.weights[head=3]) - 0.5 * mean
    x * 0

Numbers, names, `name[index]`, `function(argument)`, `+ - * / **`, comparisons (chained as in Python), `and or not`.
What a name or function means is for the `Scope` to say.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from ..messages.errors import InputError
from .index import Written, parse_index

# Longer or deeper than anyone writes by hand: refused, so that no expression can exhaust the stack.
MOST_CHARACTERS = 1000
MOST_DEPTH = 50


class Scope(Protocol):
    """What names stand for: numbers, or arrays of them."""

    def name(self, word: str) -> Any:
        """The value of a bare name."""

    def window(self, word: str, index: Written) -> Any:
        """The value of `name[index]`."""

    def call(self, function: str, argument: Any) -> Any:
        """The value of `function(argument)`."""


class Expression(Protocol):
    """A parsed expression."""

    def value(self, scope: Scope) -> Any:
        """Its value, with names looked up in the scope."""

    def parts(self) -> Iterator[Expression]:
        """The expression itself and everything in it."""
        ...


@dataclass(frozen=True, slots=True)
class Number:
    """A number as written."""

    number: float

    def value(self, scope: Scope) -> Any:
        return self.number

    def parts(self) -> Iterator[Expression]:
        yield self


@dataclass(frozen=True, slots=True)
class QuotedToken:
    """A string in quotes: a token."""

    text: str

    def value(self, scope: Scope) -> Any:
        return self.text

    def parts(self) -> Iterator[Expression]:
        yield self


@dataclass(frozen=True, slots=True)
class Name:
    """A bare name; `at` is where it stands in the text."""

    word: str
    at: int

    def value(self, scope: Scope) -> Any:
        return scope.name(self.word)

    def parts(self) -> Iterator[Expression]:
        yield self


@dataclass(frozen=True, slots=True)
class Indexed:
    """A name with an index."""

    word: str
    index: Written
    at: int

    def value(self, scope: Scope) -> Any:
        return scope.window(self.word, self.index)

    def parts(self) -> Iterator[Expression]:
        yield self


@dataclass(frozen=True, slots=True)
class Call:
    """A function of one argument."""

    function: str
    argument: Expression
    at: int

    def value(self, scope: Scope) -> Any:
        return scope.call(self.function, self.argument.value(scope))

    def parts(self) -> Iterator[Expression]:
        yield self
        yield from self.argument.parts()


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """Arithmetic on one or two operands."""

    symbol: str
    operands: tuple[Expression, ...]

    def value(self, scope: Scope) -> Any:
        values = [operand.value(scope) for operand in self.operands]
        return -values[0] if len(values) == 1 else _ARITHMETIC[self.symbol](*values)

    def parts(self) -> Iterator[Expression]:
        yield self
        for operand in self.operands:
            yield from operand.parts()


@dataclass(frozen=True, slots=True)
class Inequality:
    """`a < b <= c`: true where every neighbouring pair is; never of many numbers."""

    symbols: tuple[str, ...]
    operands: tuple[Expression, ...]

    def value(self, scope: Scope) -> Any:
        values = [operand.value(scope) for operand in self.operands]
        pairs = zip(self.symbols, values, values[1:], strict=False)
        return all(_single(_COMPARISONS[symbol](a, b)) for symbol, a, b in pairs)

    def parts(self) -> Iterator[Expression]:
        yield self
        for operand in self.operands:
            yield from operand.parts()


@dataclass(frozen=True, slots=True)
class Logic:
    """`and`, `or`, `not`; the second operand is looked at only where it matters."""

    word: str
    operands: tuple[Expression, ...]

    def value(self, scope: Scope) -> Any:
        if self.word == "not":
            return not self.operands[0].value(scope)
        results = (bool(operand.value(scope)) for operand in self.operands)
        return all(results) if self.word == "and" else any(results)

    def parts(self) -> Iterator[Expression]:
        yield self
        for operand in self.operands:
            yield from operand.parts()


def _single(result: Any) -> bool:
    return bool(result) if getattr(result, "size", 1) == 1 else False


def _divide(a: Any, b: Any) -> Any:
    """As IEEE 754 has it, not as Python: 1/0 is infinite and 0/0 is not a number."""
    if isinstance(a, int | float) and isinstance(b, int | float) and b == 0:
        return float("nan") if a == 0 or a != a else float("inf") if a > 0 else float("-inf")
    return a / b


def _power(a: Any, b: Any) -> Any:
    try:
        result = a**b
    except (OverflowError, ZeroDivisionError):
        return float("inf")
    return float("nan") if isinstance(result, complex) else result


_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": _divide, "**": _power,
}  # fmt: skip
_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq, "!=": operator.ne,
}  # fmt: skip

_WORD = re.compile(
    r"""\s*(?:
        (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)
      | (?P<name>[A-Za-z_]\w*(?:\.\w+)*(?::\d+)?(?:@[\w.]*)?)
      | (?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      | (?P<mark>\*\*|<=|>=|==|!=|[-+*/<>()\[])
    )""",
    re.VERBOSE,
)


def parse(text: str, what: str = "expression") -> Expression:
    """Read an expression.

    Args:
        text: the whole of it.
        what: what it is to be called in messages.

    Raises:
        InputError: it is not one; the message points at the place.
    """
    return _Parser(text, what).whole()


class _Parser:
    """Precedence climbing over the text, by hand; `at` is always the place the message would point at."""

    def __init__(self, text: str, what: str) -> None:
        self.text, self.what, self.at, self.depth = text, what, 0, 0
        if len(text) > MOST_CHARACTERS:
            raise InputError(f"{what} is {len(text)} characters long; {MOST_CHARACTERS} is the most")

    def whole(self) -> Expression:
        expression = self._or()
        if self.text[self.at :].strip():
            raise self._error("an operator or the end")
        return expression

    def _or(self) -> Expression:
        return self._logic("or", lambda: self._logic("and", self._not))

    def _logic(self, word: str, part: Callable[[], Expression]) -> Expression:
        operands = [part()]
        while self._take("name", word):
            operands.append(part())
        return Logic(word, tuple(operands)) if len(operands) > 1 else operands[0]

    def _not(self) -> Expression:
        if self._take("name", "not"):
            return self._deeper(lambda: Logic("not", (self._not(),)))
        return self._comparison()

    def _comparison(self) -> Expression:
        symbols: list[str] = []
        operands = [self._sum()]
        while symbol := self._take("mark", *_COMPARISONS):
            symbols.append(symbol)
            operands.append(self._sum())
        return Inequality(tuple(symbols), tuple(operands)) if symbols else operands[0]

    def _sum(self) -> Expression:
        return self._chain(("+", "-"), lambda: self._chain(("*", "/"), self._sign))

    def _chain(self, symbols: tuple[str, ...], part: Callable[[], Expression]) -> Expression:
        left = part()
        while symbol := self._take("mark", *symbols):
            left = Arithmetic(symbol, (left, part()))
        return left

    def _sign(self) -> Expression:
        if self._take("mark", "-"):
            return self._deeper(lambda: Arithmetic("-", (self._sign(),)))
        if self._take("mark", "+"):
            return self._deeper(self._sign)
        base = self._atom()
        if self._take("mark", "**"):
            return self._deeper(lambda: Arithmetic("**", (base, self._sign())))
        return base

    def _atom(self) -> Expression:
        kind, word, start = self._peek()
        if kind == "number":
            self._advance()
            return Number(float(word))
        if kind == "text":
            self._advance()
            return QuotedToken(re.sub(r"\\(.)", r"\1", word[1:-1]))
        if kind == "name" and word not in ("and", "or", "not"):
            self._advance()
            return self._named(word, start)
        if self._take("mark", "("):
            inner = self._deeper(self._or)
            self._close()
            return inner
        raise self._error("a number or a name")

    def _named(self, word: str, start: int) -> Expression:
        if self._take("mark", "("):
            argument = self._deeper(self._or)
            self._close()
            return Call(word, argument, start)
        if self._take("mark", "["):
            inside = self._bracket()
            return Indexed(word, parse_index(inside), start)
        return Name(word, start)

    def _bracket(self) -> str:
        """The text up to the bracket that closes, past any quoted token."""
        matched = re.compile(r"""(?:[^\]"']|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')*""").match(self.text, self.at)
        inside = matched.group() if matched else ""
        if not self.text.startswith("]", self.at + len(inside)):
            self.at += len(inside)
            raise self._error("']'")
        self.at += len(inside) + 1
        return inside

    def _close(self) -> None:
        closing = re.compile(r"\s*\)").match(self.text, self.at)
        if not closing:
            raise self._error("')'")
        self.at = closing.end()

    def _deeper(self, part: Callable[[], Expression]) -> Expression:
        self.depth += 1
        if self.depth > MOST_DEPTH:
            raise InputError(f"{self.what} {self.text[:40]!r}... is nested more than {MOST_DEPTH} deep")
        parsed = part()
        self.depth -= 1
        return parsed

    def _peek(self) -> tuple[str, str, int]:
        ahead = _WORD.match(self.text, self.at)
        if not ahead or ahead.lastgroup is None:
            return "", "", self.at
        return ahead.lastgroup, ahead[ahead.lastgroup], ahead.start(ahead.lastgroup)

    def _advance(self) -> None:
        ahead = _WORD.match(self.text, self.at)
        assert ahead
        self.at = ahead.end()

    def _take(self, kind: str, *words: str) -> str:
        next_kind, word, _ = self._peek()
        if next_kind == kind and word in words:
            self._advance()
            return word
        return ""

    def _error(self, expected: str) -> InputError:
        rest = self.text[self.at :].lstrip()
        column = len(self.text) - len(rest) + 1
        where = f"at {rest[:20]!r} (column {column})" if rest else "at its end"
        return InputError(f"cannot read {self.what} {self.text!r} {where}: expected {expected}")
