"""What goes in, and how ids become vectors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..messages.errors import InputError
from ..messages.visible import quoted
from ..program.dtypes import FLOATS
from ..program.explanation import Explanation, Term, Terms, as_float64
from ..program.kinds import Card
from ..program.preprocessor import GIVEN, IMAGE_PROCESSOR, preprocessor
from ..program.stage import Shape
from ..program.trace import LiveTrace
from .base import Op, Out, Tensors
from .element import ALL, Element, ElementIndex, at
from .lazy import torch
from .moments import Moments, MomentSources, of_two
from .sizes import Sizes

WHAT_IS_GIVEN = {
    "ids": "places of the tokens in the vocabulary",
    "mask": "1 where a token counts, 0 where not",
    "segments": "0 for the first text, 1 for the second",
    "positions": "places of the tokens in the sequence",
}  # what is not listed is called by its name


@dataclass(frozen=True, slots=True)
class Given(Op):
    """A value that comes from the tokenizer rather than from a computation."""

    what: str
    card: ClassVar[Card] = Card(given=True, whole_numbers=True, takes_no_memory=True, may_be_alike=True)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        raise AssertionError(f"{self.what} is given to the run, not computed")

    def highest(self, tokens: int, rows: int) -> int | None:
        return 1 if self.what in ("mask", "prompt") else rows - 1

    def write(self, *operands: str) -> str:
        return WHAT_IS_GIVEN.get(self.what, self.what)

    @staticmethod
    def explain(element: Element) -> Explanation:
        """What the tokenizer gave, or who stood in for it: here every chain ends."""
        batch, token = element.index
        trace, part = element.trace, element.stage.part
        inputs = trace.original_inputs
        tokens = inputs.sequences[element.stage.sequence]
        strings = tokens.strings[batch] if batch < len(tokens.strings) else ()
        word = strings[token] if token < len(strings) else ""
        pads, who = not int(tokens.mask[batch, token]), preprocessor(trace)
        places = tokens.places[batch] if batch < len(tokens.places) else ()
        first, end = places[token] if token < len(places) else (0, 0)
        notes = [f"token {token} of text {batch} is {word!r}"]
        if who == IMAGE_PROCESSOR:
            notes = [f"token {token} of image {batch} is {word!r}"]
            notes.append("a patch, by row and column" if "," in word else "a vector of its own, before the patches")
        elif pads:
            notes.append("padding, so that all rows are of one length")
        elif who == GIVEN:
            notes.append("there is no text that it would stand for a part of")
        elif first == end:
            notes.append("added by the tokenizer; it stands for no part of the text")
        else:
            second = tokens.is_second(batch, token)
            text = tokens.pair if second and tokens.pair is not None else tokens.texts[batch]
            where = "the second text" if second else f"text {batch}"
            notes.append(f"it stands for {text[first:end]!r}, characters {first} to {end - 1} of {where}")
        value = element.stored
        if element.stage.name in trace.patched and isinstance(trace, LiveTrace):
            # what was given is not what was put in its place
            value = float(inputs.given(element.stage)[batch, token])
        terms = Terms([value], lambda _: Term(value, (), "given"), 0)
        return element.explain(f"{part} from the {who}" if who else f"{part} as given", terms, notes=notes)


@dataclass(frozen=True, slots=True)
class GivenNumbers(Given):
    """A value given to the run that holds numbers of the run's own dtype: pixels, vectors.

    Attributes:
        sizes: of the axes after the batch, or after the token where `by_token` is set.
    """

    sizes: tuple[int, ...] = ()
    by_token: bool = False
    card: ClassVar[Card] = Card(given=True, elementwise=True, takes_no_memory=True, may_be_alike=True)

    def shape(self, inputs: Sequence[Shape], weights: Sequence[Shape]) -> Shape:
        batch, tokens = inputs[0]
        return (batch, tokens, *self.sizes) if self.by_token else (batch, *self.sizes)

    def highest(self, tokens: int, rows: int) -> int | None:
        return None

    @staticmethod
    def explain(element: Element) -> Explanation:
        """What the run was given: here every chain ends."""
        if "channel" in element.value.axes:
            return _pixels(element)
        terms = Terms([element.stored], lambda _: Term(element.stored, (), "given"), 0)
        return element.explain(f"{element.stage.part} as given to the run", terms)


def _pixels(element: Element) -> Explanation:
    """What the image processor gave: here every chain ends."""
    batch, channel, y, x = element.index
    trace = element.trace
    notes = [f"channel {channel}, row {y}, column {x} of image {batch}: {quoted(trace.tokens.texts[batch])}"]
    for user in (trace.program[name] for name in trace.program.users(element.stage.name)):
        if user.kind == "Patches":
            tall, wide = trace.weight_shapes[user.weights[0]][-2:]
            notes.append(f"it lies in patch {y // tall},{x // wide}")
    terms = Terms([element.stored], lambda _: Term(element.stored, (), "given"), 0)
    return element.explain(f"{element.stage.part} from the image processor", terms, notes=notes)


@dataclass(frozen=True, slots=True)
class OneHot(Op):
    """A row of zeros for each id, with a one in its place: (batch, token) -> (batch, token, vocabulary)."""

    size: int
    windows: ClassVar[bool] = True
    card: ClassVar[Card] = Card(whole_numbers=True, takes_no_memory=True, may_be_alike=True)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        return self.window(inputs, (slice(None),) * (inputs[0].dim() + 1))

    def window(self, inputs: Tensors, index: tuple[slice, ...]) -> torch.Tensor:
        """Only the rows and the columns that are asked for."""
        (ids,) = inputs
        places = torch.arange(self.size, device=ids.device)[index[-1]]
        return (ids[index[:-1]][..., None] == places).to(ids.dtype)  # (batch, token, vocabulary)

    def bound(self, sizes: Sizes) -> float:
        return 1.0

    def shape(self, inputs: Sequence[Shape], weights: Sequence[Shape]) -> Shape:
        return (*inputs[0], self.size)

    def write(self, *operands: str) -> str:
        return f"1 at {operands[0]}, 0 elsewhere, of {self.size} places"

    @staticmethod
    def explain(element: Element) -> Explanation:
        """1 in the place of the token's id, 0 elsewhere."""
        *lead, place = element.index
        ids = element.one(0, tuple(lead))
        value = float(int(ids.value) == place)
        terms = Terms([value], lambda _: Term(value, (ids,), f"1 if id = {place}, else 0"))
        word = element.trace.word(int(ids.value))
        who = element.token("token", lead[1]) if len(lead) == 2 else ids.place
        note = f"the id of {who} is {ids.value:g} {word!r}" + (", this place" if value else f", not {place}")
        return element.explain(f"1 if {ids.place} = {place}, else 0", terms, notes=[note])


@dataclass(frozen=True, slots=True)
class Lookup(Op):
    """Rows of an embedding matrix: (batch, token) and (vocabulary, hidden) -> (batch, token, hidden).

    Axes of size one before the matrix's own, as a position embedding may have for the batch, are passed over.
    """

    symbols: ClassVar[tuple[str, ...]] = ("E",)
    card: ClassVar[Card] = Card(elementwise=True, looks_up=True, factors="...v,vj->...j")

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        (ids,), (table,) = inputs, weights
        table = table.view(table.shape[-2:])
        memory = out()
        flat = None if memory is None else memory.view(-1, table.shape[1])
        return torch.index_select(table, 0, ids.reshape(-1), out=flat).view(*ids.shape, table.shape[1])

    def shape(self, inputs: Sequence[Shape], weights: Sequence[Shape]) -> Shape:
        return (*inputs[0], weights[0][-1])

    def write(self, *operands: str) -> str:
        ids, table = operands
        return f"rows of {table} at {ids}"

    @staticmethod
    def explain(element: Element) -> Explanation:
        """y[t, j] = E[id, j]."""
        return looked_up(element, "E")


def looked_up(element: Element, symbol: str) -> Explanation:
    """The one-hot row of an id times the table, of which a lookup reads the one row that counts.

    Args:
        symbol: what the table is called.
    """
    *place, j = element.index
    ids, table = element.input_name(0), element.symbol(0, symbol)
    number = int(element.input(0).read(tuple(place)))
    picked = f"{symbol}{at(number, j)}"
    one_hot = _one_hot(element)
    if one_hot is None:
        source = element.operand(0, tuple(place), number)
        formula = f"{table}{at(number, j)} with {ids}{at(*place)} = {number}"
    else:
        one = float(element.trace.value(one_hot).read((*place, number)))
        source = element.of_stage(one_hot, (*place, number), one)
        formula = f"Σᵥ {one_hot}{at(*place, 'v')} · {table}{at('v', j)} = {table}{at(number, j)}"
    row: ElementIndex = (*_before(element), number)
    try:
        entry = float(element.weight(0, (*row, j)))
    except InputError as error:
        terms = Terms([element.stored], lambda _: Term(element.stored, (source,), picked))
        return element.explain(formula, terms, notes=[str(error)])
    parameter = element.parameter(0, symbol, (*row, j), entry)
    terms = Terms([entry], lambda _: Term(entry, (source, parameter), "" if one_hot else picked))
    word = f"{ids}{at(*place)} {element.trace.word(number)!r}"
    notes = [f"row {number} of the table, for {element.token('token', place[1]) if len(place) == 2 else word}"]
    if one_hot is not None:
        notes.append(_product(element, one_hot, symbol, entry))
    return element.explain(formula, terms, notes=notes)


def _before(element: Element) -> ElementIndex:
    """Zeros for the axes of size one that may stand before a table's own two."""
    return (0,) * (len(element.trace.weight_shapes.get(element.stage.weights[0], (0, 0))) - 2)


def _one_hot(element: Element) -> str | None:
    """The stage that holds the one-hot rows of these ids."""
    program, inputs = element.trace.program, element.stage.inputs
    return next((stage.name for stage in program if stage.kind == "OneHot" and stage.inputs == inputs), None)


def _product(element: Element, one_hot: str, symbol: str, entry: float) -> str:
    """The product that a lookup saves, carried out for this one element."""
    *place, j = element.index
    row, column = as_float64(element.trace.value(one_hot).read((*place, ALL))), element.weight(0, (ALL, j))
    with np.errstate(all="ignore"):
        product = float((row[: len(column)] * column[: len(row)]).sum())
    what = f"the product of the one-hot row with column {j} of {symbol}, {len(row):,} terms, is {product:.9g}"
    if product == entry or (math.isnan(product) and math.isnan(entry)):
        return f"{what}: the same number"
    bad = int(np.flatnonzero(~np.isfinite(column))[0]) if not np.isfinite(column).all() else -1
    return what + (f": row {bad} of the table is not finite, which a lookup does not see" if bad >= 0 else "")


def all_seen(mask: torch.Tensor) -> bool:
    """Whether a mask hides nothing: as whoever brought it has noted on it, else asked of its device, which is waited for."""
    noted = getattr(mask, "all_seen", None)
    return bool((mask != 0).all()) if noted is None else noted


@dataclass(frozen=True, slots=True)
class AdditiveMask(Op):
    """0 where a key may be seen, the most negative number of the dtype where not: (batch, token) -> (batch, 1, query, key).

    Where queries are another sequence's, that one's mask comes first: (batch, query), (batch, key) -> (batch, 1, query, key).

    Equal to `eager_mask` of transformers' `masking_utils`. Where every query sees the same keys, the rows share memory;
    where nothing at all is hidden transformers adds no mask, the zeros then take no memory, and `AddMask` sees that. Causal
    and local masks are whole squares, of which rows can be made alone.

    Attributes:
        dtype: of the numbers.
        causal: whether what comes after a query is hidden from it as well.
        window: how many tokens away a key may be, on either side; None for any.
        infinite: whether minus infinity hides, as in torch.nn, rather than the most negative finite number.
    """

    dtype: str
    causal: bool = False
    window: int | None = None
    infinite: bool = False
    card: ClassVar[Card] = Card(elementwise=True, may_be_infinite=True, mask=True)

    @property
    def rows(self) -> tuple[bool, ...] | None:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Rows differ, and take memory, only where queries see different keys."""
        return (False,) if self.causal or self.window is not None else None

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        return self.compute_rows(inputs, weights, out, 0, inputs[0].shape[1])

    def compute_rows(self, inputs: Tensors, weights: Tensors, out: Out, start: int, stop: int) -> torch.Tensor:
        mask = inputs[-1]
        dtype, device = getattr(torch, self.dtype), mask.device
        batch, tokens = mask.shape
        everywhere = not self.causal and (self.window is None or self.window >= tokens - 1)
        zero = torch.zeros((), dtype=dtype, device=device)
        if everywhere and device.type != "meta" and all_seen(mask):
            return zero.expand(batch, 1, stop - start, tokens)
        first, last = 0, tokens  # the keys that any of these queries may see
        if self.window is not None and not everywhere:
            first, last = max(0, start - self.window), min(tokens, stop + self.window)
        seen = (mask[:, first:last] != 0)[:, None, None, :]  # (batch, 1, 1, key)
        keys = torch.arange(first, last, device=device)
        queries = torch.arange(start, stop, device=device)[:, None]
        if self.causal:
            seen = seen & (keys <= queries)  # (batch, 1, query, key)
        if self.window is not None and not everywhere:
            seen = seen & ((keys - queries).abs() <= self.window)
        lowest = -torch.inf if self.infinite else torch.finfo(dtype).min
        shown = torch.where(seen, zero, lowest).expand(batch, 1, stop - start, last - first)
        if last - first == tokens:
            return shown
        memory = out()
        rows = mask.new_empty((batch, 1, stop - start, tokens), dtype=dtype) if memory is None else memory
        rows.fill_(lowest)[..., first:last] = shown
        return rows

    def moments(self, sources: MomentSources) -> Moments | None:
        given, mask = sources.tensor(0), sources.tensor(-1)
        if given is None or mask is None:
            return None
        batch, keys = mask.shape
        queries = torch.arange(given.shape[1], device=mask.device)
        before = torch.nn.functional.pad((mask != 0).cumsum(1), (1, 0))  # how many keys are seen before a place
        first, last = torch.zeros_like(queries), torch.full_like(queries, keys)
        if self.window is not None:
            first, last = (queries - self.window).clamp(0, keys), (queries + self.window + 1).clamp(0, keys)
        if self.causal:
            last = last.clamp(max=queries + 1)
        seen = int((before[:, last] - before[:, torch.minimum(first, last)]).sum())
        hidden = 1 - seen / (batch * len(queries) * keys)
        lowest = -math.inf if self.infinite else torch.finfo(getattr(torch, self.dtype)).min
        return None if self.infinite and hidden else of_two(lowest if hidden else 0.0, hidden)

    def shape(self, inputs: Sequence[Shape], weights: Sequence[Shape]) -> Shape:
        (batch, queries), (_, keys) = inputs[0], inputs[-1]
        return (batch, 1, queries, keys)

    def write(self, *operands: str) -> str:
        lowest = "-inf" if self.infinite else f"{torch.finfo(getattr(torch, self.dtype)).min:.4g}"
        also = " and key ≤ query" * self.causal
        if self.window is not None:
            also += f" and |query − key| ≤ {self.window}"
        if also:
            return f"0 where {operands[-1]} = 1{also}, {lowest} elsewhere"
        asked = f" of {operands[0]}" * (len(operands) > 1)
        return f"0 where {operands[-1]} = 1, {lowest} where 0, for every query{asked}"

    @staticmethod
    def explain(element: Element) -> Explanation:
        """0 where the key may be seen, the lowest number of the dtype where not."""
        batch, _, query, key = element.index
        source = len(element.stage.inputs) - 1
        stands = element.one(source, (batch, key))
        options = element.options
        dtype = str(options.get("dtype", element.value.dtype))
        lowest = -math.inf if options.get("infinite") else FLOATS[dtype].lowest
        causal, window = bool(options.get("causal", False)), options.get("window")
        after = causal and key > query
        far = window is not None and abs(key - query) > int(window)
        value = 0.0 if stands.value and not after and not far else lowest
        also = " or key > query" * causal + (f" or |query − key| > {window}" if window is not None else "")
        rule = f"0 if 1, {lowest:.4g} if 0{also}"
        terms = Terms([value], lambda _: Term(value, (stands,), rule))
        who = element.token("key", key)
        if not stands.value:
            note = f"{who} is padding: hidden from every query"
        elif after:
            note = f"{who} comes after the query: a causal mask hides it"
        elif far:
            note = f"{who} is {abs(key - query)} tokens away: local attention sees {window} on either side"
        else:
            note = f"{who} may be seen"
        also = " and key ≤ query" * causal + (f" and |query − key| ≤ {window}" if window is not None else "")
        formula = f"0 where {element.input_name(source)}{at(batch, key)} = 1{also}, {lowest:.4g} elsewhere"
        return element.explain(formula, terms, notes=[note])
