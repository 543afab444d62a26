"""Indices as people write them: numpy's, with axis names and token text as well. Parsed, never evaluated.

[0, 3, :, -1]
[head=3, query="cat"]
[0, head=3, key=2:5]
[query="cat"#2]

A token's name means that token of each text by itself: bound to a batch in which it stands in different places, it is a
`PerText`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from ..messages.errors import InputError, nearest
from ..messages.visible import quoted
from .per_text import Index, PerText
from .stage import Shape, write_shape
from .token_names import Nth, place_in_each, written_name

WORD_AXES = ("vocabulary", "label")
TOKEN_AXES = ("token", "query", "key")
# The tokens' strings by the axis whose places they are: `along["key"][batch][token]`.
Strings = Sequence[Sequence[str]]
Along = Mapping[str, Strings]
NO_TOKENS: Along = MappingProxyType({})
MOST_DIGITS = 18  # what an int64 holds; Python itself refuses to read thousands

PLACE_AXIS = "place"

Selector = int | slice | str | Nth | PerText

_WORD = re.compile(
    r"""\s*(?:(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<number>[-+]?\d+)|(?P<name>[^\W\d]\w*)|(?P<dots>\.\.\.)|(?P<mark>[,:=#]))"""
)


def offset(place: int, places: int) -> int:
    """How far a place around a token is from it, of half as many before it as there are: −2, −1, 1, 2."""
    reach = places // 2
    return place - reach if place < reach else place - reach + 1


def token_in(along: Along, axis: str, at: int, rows: Iterable[int] = (0,)) -> str:
    """The token at a place along an axis; "" where the axis has none, or texts disagree on it.

    Args:
        along: the tokens' strings along each axis.
        rows: the texts that are meant.
    """
    tokens = along.get(axis, ())
    words = {tokens[row][at] for row in rows if row < len(tokens) and at < len(tokens[row])}
    return words.pop() if len(words) == 1 else ""


def texts_of(along: Along) -> int:
    """How many texts there are; 0 where no axis has tokens."""
    return max(map(len, along.values()), default=0)


@dataclass(frozen=True, slots=True)
class Written:
    """An index as it was written: selectors by position and by axis name, not yet matched to a value."""

    positional: tuple[Selector | None, ...] = ()
    named: tuple[tuple[str, Selector], ...] = ()


def parse_index(text: str) -> Written:
    """Read what stands between the brackets.

    Raises:
        InputError: it is not an index; the message points at the place.
    """
    return _Reader(text).read()


def split_index(text: str) -> tuple[str, str | None]:
    """Split `name[...]` into the name and what stands between the brackets (None without brackets).

    Raises:
        InputError: brackets that do not match.
    """
    name, bracket, rest = text.strip().partition("[")
    if not bracket:
        if "]" in name:
            raise InputError(f"index {text!r} has ']' without '['; write STAGE[0, 3, :, -1]")
        return name, None
    if not rest.endswith("]"):
        raise InputError(f"index {text!r} does not end in ']'; write STAGE[0, 3, :, -1]")
    return name.strip(), rest[:-1]


def bind_index(
    written: Written,
    shape: Shape,
    axes: Sequence[str],
    along: Along = NO_TOKENS,
    labels: Sequence[str] = (),
) -> Index:
    """Match an index to a value: one entry for each axis, ints not negative, slices within the axis.

    A token's name becomes the int where it stands in every text that the index means, or a `PerText` where that differs.

    Args:
        shape, axes: of the value.
        along: the tokens' strings along each axis, for selectors such as `query="cat"`.
        labels: names of the places along the axis `label`.

    Raises:
        InputError: too many selectors, no such axis, out of range, or a token that is not in a text, or several times.
    """
    bound: list[int | slice | PerText] = []
    for axis, size, selector in zip(axes, shape, _place(written, shape, axes), strict=True):
        if axis == "label" and isinstance(selector, str):
            selector = _label(selector, labels)
        elif isinstance(selector, str | Nth):
            tokens = along.get(axis, ())
            selector = _token(selector, axis, tokens, _texts(bound, axes, shape, tokens))
        if isinstance(selector, PerText):
            bound.append(_of_texts(selector, axis, size, _texts(bound, axes, shape, selector.places)))
        else:
            bound.append(_within(slice(None) if selector is None else selector, axis, size))
    return tuple(bound)


def _within(selector: int | slice, axis: str, size: int) -> int | slice:
    """A number or a slice checked against the size of its axis."""
    if isinstance(selector, slice):
        start, stop, step = selector.indices(size)
        if not len(range(start, stop, step)):
            start = stop = 0
        return slice(start, stop if stop >= 0 else None, step)  # a stop of -1 would mean the last one
    if -size <= selector < size:
        return selector % size
    if size == 1 and axis == "head":  # one for all: the same mask for every head
        return 0
    raise InputError(f"index {selector} is out of range for axis {axis!r} of size {size}")


def _texts(
    bound: Sequence[int | slice | PerText], axes: Sequence[str], shape: Shape, rows: Sequence[object]
) -> range | None:
    """Which texts an index means; None for a value that is the same for all of them.

    Args:
        bound: of the axes so far: the batch is the first of all.
        rows: something for each text.
    """
    if axes[0] != "batch" or not bound or shape[0] != len(rows):
        return None
    part = bound[0]
    assert not isinstance(part, PerText)
    return range(part, part + 1) if isinstance(part, int) else range(*part.indices(shape[0]))


def _of_texts(places: PerText, axis: str, size: int, rows: range | None) -> int | PerText:
    """The places checked against the size of their axis; an int where they are the same in all texts that are meant."""
    if rows is None or any(places.places[row] is None for row in rows):
        raise InputError(f"axis {axis!r} is given another place in each text, but not one for each text of this value")
    kept = [_within(places.of(row), axis, size) for row in rows]
    if len(set(kept)) <= 1:
        return places.of(rows[0]) if rows else 0
    return PerText(tuple(place if row in rows else None for row, place in enumerate(places.places)))


def _place(written: Written, shape: Shape, axes: Sequence[str]) -> list[Selector | None]:
    """A selector for each axis; None where all of it is meant."""
    chosen = list(written.positional)
    if None in chosen:  # an ellipsis stands for as many whole axes as are left
        at = chosen.index(None)
        chosen[at : at + 1] = [None] * (len(axes) - len(chosen) + 1)
    if len(chosen) > len(axes):
        raise InputError(
            f"{len(chosen)} indices for {len(axes)} axes ({', '.join(axes)}) of shape {write_shape(shape)}"
        )
    chosen += [None] * (len(axes) - len(chosen))
    for axis, selector in written.named:
        if axis not in axes:
            raise InputError(f"no axis {axis!r} among {', '.join(axes)}{nearest(axis, axes)}")
        if axes.count(axis) > 1:
            raise InputError(f"{axes.count(axis)} axes are called {axis!r} ({', '.join(axes)}); index by position")
        if chosen[axes.index(axis)] is not None:
            raise InputError(f"axis {axis!r} is given twice")
        chosen[axes.index(axis)] = selector
    return chosen


def _token(name: str | Nth, axis: str, tokens: Sequence[Sequence[str]], rows: range | None) -> int | PerText:
    """Where the token of a name stands in each of the texts `rows`; in all of them alike where a value is one for all."""
    if not tokens:
        raise InputError(f"axis {axis!r} has no tokens; give a number instead of {written_name(name)}")
    places = place_in_each(name, tokens, range(len(tokens)) if rows is None else rows)
    if rows is not None:
        return PerText(tuple(places.get(row) for row in range(len(tokens))))
    first, other = 0, next((row for row, place in places.items() if place != places[0]), None)
    if other is not None:
        raise InputError(
            f"axis {axis!r} of this value is the same for all texts, and {written_name(name)} stands at {places[first]} in text {first} "
            f"and at {places[other]} in text {other}; give a number"
        )
    return places[first]


def _label(text: str, labels: Sequence[str]) -> int:
    if text not in labels:
        raise InputError(
            f"no label {quoted(text)}{nearest(text, labels)}; the labels are {', '.join(labels[:12]) or 'not named'}"
        )
    return list(labels).index(text)


class _Reader:
    """A reader of one index, by hand: four kinds of words and no nesting."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.words: list[tuple[str, str, int]] = []
        position = 0
        while position < len(text.rstrip()):
            matched = _WORD.match(text, position)
            if not matched or matched.lastgroup is None:
                raise self._error(len(text) - len(text[position:].lstrip()))
            self.words.append((matched.lastgroup, matched[matched.lastgroup], matched.start(matched.lastgroup)))
            position = matched.end()
        self.at = 0

    def read(self) -> Written:
        positional: list[Selector | None] = []
        named: list[tuple[str, Selector]] = []
        while self.at < len(self.words):
            name = self._name()
            selector = self._selector()
            if name:
                if selector is None:
                    raise self._error_here(-1)
                named.append((name, selector))
            elif named:
                raise InputError(f"index [{self.text}] has a plain index after a named one; put plain ones first")
            elif selector is None and None in positional:
                raise self._error_here(-1)
            else:
                positional.append(selector)
            if self.at < len(self.words) and not self._take("mark", ","):
                raise self._error_here()
        return Written(tuple(positional), tuple(named))

    def _name(self) -> str:
        if self._kind() == "name" and self._kind(1) == "mark" and self.words[self.at + 1][1] == "=":
            self.at += 2
            return self.words[self.at - 2][1]
        return ""

    def _selector(self) -> Selector | None:
        if self._take("dots"):
            return None
        if self._kind() in ("text", "name"):
            kind, word, _ = self.words[self.at]
            self.at += 1
            name = re.sub(r"\\(.)", r"\1", word[1:-1]) if kind == "text" else word
            return Nth(name, self._nth()) if self._take("mark", "#") else name
        parts: list[int | None] = [self._number()]
        while len(parts) < 3 and self._take("mark", ":"):
            parts.append(self._number())
        if len(parts) > 1:
            if parts[2:] == [0]:
                raise InputError(f"index [{self.text}] has a step of 0")
            return slice(*parts)
        if parts[0] is None:
            raise self._error_here()
        return parts[0]

    def _nth(self) -> int:
        """Which of several tokens of a name: 1, 2, or from the end -1, -2."""
        number = self._number()
        if not number:
            raise self._error_here(-1 if number == 0 else 0)
        return number

    def _number(self) -> int | None:
        if self._kind() != "number":
            return None
        self.at += 1
        digits = self.words[self.at - 1][1]
        return int(digits) if len(digits) <= MOST_DIGITS else self._too_long(digits)

    def _too_long(self, digits: str) -> int:
        raise InputError(f"index {digits[:MOST_DIGITS]}... has {len(digits)} digits: no axis is that long")

    def _kind(self, ahead: int = 0) -> str:
        return self.words[self.at + ahead][0] if self.at + ahead < len(self.words) else "end"

    def _take(self, kind: str, word: str | None = None) -> bool:
        if self._kind() == kind and (word is None or self.words[self.at][1] == word):
            self.at += 1
            return True
        return False

    def _error_here(self, ahead: int = 0) -> InputError:
        at = self.at + ahead
        return self._error(self.words[at][2] if 0 <= at < len(self.words) else len(self.text))

    def _error(self, position: int) -> InputError:
        return InputError(
            f'cannot read index [{self.text}] at {self.text[position:] or "its end"!r}; write [0, 3, :, -1] or [head=3, query="cat"]'
        )
