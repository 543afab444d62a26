"""Where every chain of operands ends: embeddings, the one-hot row, the mask, and what the tokenizer gave."""

from __future__ import annotations

import math

import numpy as np

from ...messages.errors import InputError
from ...ops import rounding
from ...ops.element import ALL, Element, Place, at
from ...program.dtypes import FLOATS
from ...program.explanation import Explanation, Term, Terms, plain
from ...program.givers import GIVEN, PROCESSOR, giver
from ...program.trace import LiveTrace


def lookup(element: Element) -> Explanation:
    """y[t, j] = E[id, j]: the one-hot row of the id times the table, of which a lookup reads the one row that counts."""
    *place, j = element.index
    symbol = "W" if element.stage.kind == "OutputLookup" else "E"
    ids, table = element.input_name(0), element.symbol(0, symbol)
    number = int(element.input(0).read(tuple(place)))
    one_hot = _one_hot(element)
    if one_hot is None:
        source = element.operand(0, tuple(place), number)
        formula = f"{table}{at(number, j)} with {ids}{at(*place)} = {number}"
    else:
        source = element.of_stage(one_hot, (*place, number), float(element.trace.value(one_hot).read((*place, number))))
        formula = f"Σᵥ {one_hot}{at(*place, 'v')} · {table}{at('v', j)} = {table}{at(number, j)}"
    row: Place = (*_before(element), number)
    try:
        entry = float(element.weight(0, (*row, j)))
    except InputError as error:
        terms = Terms([element.stored], lambda _: Term(element.stored, (source,), f"{symbol}{at(number, j)}"))
        return element.explain(formula, terms, notes=[str(error)])
    parameter = element.parameter(0, symbol, (*row, j), entry)
    terms = Terms([entry], lambda _: Term(entry, (source, parameter), "" if one_hot else f"{symbol}{at(number, j)}"))
    who = element.token("token", place[1]) if len(place) == 2 else f"{ids}{at(*place)} {element.trace.word(number)!r}"
    notes = [f"row {number} of the table, for {who}"]
    if one_hot is not None:
        notes.append(_product(element, one_hot, symbol, entry))
    return element.explain(formula, terms, notes=notes)


def _before(element: Element) -> Place:
    """Zeros for the axes of size one that may stand before a table's own two."""
    return (0,) * (len(element.trace.weight_shapes.get(element.stage.weights[0], (0, 0))) - 2)


def _one_hot(element: Element) -> str | None:
    """The stage that holds the one-hot rows of these ids."""
    found = [
        stage for stage in element.trace.program if stage.kind == "OneHot" and stage.inputs == element.stage.inputs
    ]
    return found[0].name if found else None


def _product(element: Element, one_hot: str, symbol: str, entry: float) -> str:
    """The product that a lookup saves, carried out for this one element."""
    *place, j = element.index
    row, column = plain(element.trace.value(one_hot).read((*place, ALL))), element.weight(0, (ALL, j))
    with np.errstate(all="ignore"):
        product = float((row[: len(column)] * column[: len(row)]).sum())
    what = f"the product of the one-hot row with column {j} of {symbol}, {len(row):,} terms, is {product:.9g}"
    if product == entry or (math.isnan(product) and math.isnan(entry)):
        return f"{what}: the same number"
    bad = int(np.flatnonzero(~np.isfinite(column))[0]) if not np.isfinite(column).all() else -1
    return what + (f": row {bad} of the table is not finite, which a lookup does not see" if bad >= 0 else "")


def one_hot(element: Element) -> Explanation:
    """1 in the place of the token's id, 0 elsewhere."""
    *lead, place = element.index
    ids = element.one(0, tuple(lead))
    value = float(int(ids.value) == place)
    terms = Terms([value], lambda _: Term(value, (ids,), f"1 if id = {place}, else 0"))
    word = element.trace.word(int(ids.value))
    who = element.token("token", lead[1]) if len(lead) == 2 else ids.place
    note = f"the id of {who} is {ids.value:g} {word!r}" + (", this place" if value else f", not {place}")
    return element.explain(f"1 if {ids.place} = {place}, else 0", terms, notes=[note])


def sinusoid(element: Element) -> Explanation:
    """PE(p, j) = sin or cos of p / 10000^(2i/d), 2i being j or the even number before it (Vaswani et al. 2017, 3.5).

    Other layouts have all sines first (see `ops.Sinusoid`).
    """
    batch, token, j = element.index
    position = element.one(0, (batch, token))
    layout, size = element.options.get("layout", "turns"), int(element.options["hidden"])
    even, cosine = j - j % 2, j % 2 == 1
    if layout != "turns":
        half = size // 2 if layout == "spread" else size - size // 2  # an odd column is one of sines in Marian's
        even, cosine = j % half, j >= half
        even, size = (2 * even, size) if layout == "halves" else (even, half - 1)
        if j >= 2 * half or int(position.value) == int(element.options["padding"]):
            terms = Terms([0.0], lambda _: Term(0.0, (position,), "no wave: 0"))
            return element.explain("0", terms)
    angle = position.value / 10000.0 ** (even / size)
    wave = "cos" if cosine else "sin"
    value = math.cos(angle) if cosine else math.sin(angle)
    terms = Terms([value], lambda _: Term(value, (position,), f"{wave}(p / 10000^({even}/{size}))"))
    length = 2 * math.pi * 10000.0 ** (even / size)
    notes = [f"this feature's wave comes round every {length:,.4g} positions"]
    bound = rounding.of_steps("float32", 16, abs(angle)) + rounding.of_steps(element.value.dtype, 2, 1.0)
    formula = f"{wave}({element.input_name(0)}{at(batch, token)} / 10000^({even}/{size}))"
    return element.explain(formula, terms, facts={"angle": angle, "wavelength": length}, notes=notes, bound=bound)


def additive_mask(element: Element) -> Explanation:
    """0 where the key may be seen, the lowest number of the dtype where not."""
    batch, _, query, key = element.index
    stands = element.one(0, (batch, key))
    lowest = (
        -math.inf
        if element.options.get("infinite")
        else FLOATS[str(element.options.get("dtype", element.value.dtype))].lowest
    )
    causal, window = bool(element.options.get("causal", False)), element.options.get("window")
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
    formula = f"0 where {element.input_name(0)}{at(batch, key)} = 1{also}, {lowest:.4g} elsewhere"
    return element.explain(formula, terms, notes=[note])


def given(element: Element) -> Explanation:
    """What the tokenizer gave, or who stood in for it: here every chain ends."""
    batch, token = element.index
    trace, tokens, part = element.trace, element.trace.original_tokens, element.stage.part
    strings = tokens.strings[batch] if batch < len(tokens.strings) else ()
    word = strings[token] if token < len(strings) else ""
    pads, who = not int(tokens.mask[batch, token]), giver(trace)
    place = tokens.places[batch][token] if batch < len(tokens.places) and token < len(tokens.places[batch]) else (0, 0)
    notes = [f"token {token} of text {batch} is {word!r}"]
    if who == PROCESSOR:
        notes = [f"token {token} of image {batch} is {word!r}"]
        notes.append("a patch, by row and column" if "," in word else "a vector of its own, before the patches")
    elif pads:
        notes.append("padding, so that all rows are of one length")
    elif who == GIVEN:
        notes.append("there is no text that it would stand for a part of")
    elif place[0] == place[1]:
        notes.append("added by the tokenizer; it stands for no part of the text")
    else:
        second = tokens.is_second(batch, token)
        text = tokens.pair if second and tokens.pair is not None else tokens.texts[batch]
        where = "the second text" if second else f"text {batch}"
        notes.append(f"it stands for {text[place[0] : place[1]]!r}, characters {place[0]} to {place[1] - 1} of {where}")
    value = element.stored
    if element.stage.name in trace.patched and isinstance(
        trace, LiveTrace
    ):  # what was given is not what was put in its place
        value = float(tokens.given(element.stage.name)[batch, token])
    terms = Terms([value], lambda _: Term(value, (), "given"), 0)
    return element.explain(f"{part} from the {who}" if who else f"{part} as given", terms, notes=notes)
