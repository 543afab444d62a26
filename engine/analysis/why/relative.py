"""What distances between tokens come to: places, buckets, biases; and the norm and the gate that go with them in T5."""

from __future__ import annotations

import math

from ...messages.errors import InputError
from ...ops import rounding
from ...ops.element import Element, at
from ...program.explanation import Explanation, Term, Terms

# How near to a whole number the float32 logarithm of a bucket must be for rounding to choose between two.
NEAR_A_STEP = 1e-4


def places(element: Element) -> Explanation:
    """0, 1, 2, ...: the place itself."""
    place = element.index[0] if element.options["along"] == "query" else element.index[1]
    terms = Terms([float(place)], lambda _: Term(float(place), (), "the place"), 0)
    word = element.token(str(element.options["along"]), place)
    return element.explain(f"{place}, the place of {word}", terms)


def distances(element: Element) -> Explanation:
    """distance = key − query, or query − key."""
    query, key = element.index
    ahead = bool(element.options["ahead"])
    pair = [element.one(0, (query, 0)), element.one(1, (0, key))]
    signs = (-1.0, 1.0) if ahead else (1.0, -1.0)
    values = [sign * operand.value for sign, operand in zip(signs, pair, strict=True)]
    terms = Terms(values, lambda i: Term(values[i], (pair[i],), "" if signs[i] > 0 else "taken away"))
    order = pair[::-1] if ahead else pair
    return element.explain(" − ".join(operand.place for operand in order), terms)


def buckets(element: Element) -> Explanation:
    """T5's buckets: one for each small distance, then wider and wider ones, on either side."""
    count, most = int(element.options["count"]), int(element.options["distance"])
    relative = element.one(0, element.index)
    far, side = abs(int(relative.value)), count // 2
    alone = side // 2
    after = side if relative.value > 0 else 0
    exact = alone + math.log(far / alone) / math.log(most / alone) * (side - alone) if far >= alone else float(far)
    within = min(int(exact), side - 1)
    value = float(after + within)
    terms = Terms([value], lambda _: Term(value, (relative,), "bucket of"))
    whose = f"of {side}, for keys {'after' if after else 'up to'} the query"
    if far < alone:
        notes = [f"bucket {within} {whose}: it is for the distance {far} alone"]
    else:
        notes = [
            f"bucket {within} {whose}: {alone} + log({far} / {alone}) / log({most} / {alone}) · {side - alone} = {exact:.4g}"
        ]
        notes += ["the last one, for all that are as far or farther"] * (within == side - 1)
    bound = 1.0 if far >= alone and abs(exact - round(exact)) < NEAR_A_STEP else 0.0
    return element.explain(f"bucket of {relative.place}", terms, notes=notes, bound=bound)


def log_buckets(element: Element) -> Explanation:
    """DeBERTa's buckets: near distances as they are, far ones drawn together by the logarithm."""
    count, most = int(element.options["count"]), int(element.options["distance"])
    relative = element.one(0, element.index)
    far, half = abs(int(relative.value)), count // 2
    exact = float(far)
    notes = [f"up to ±{half} every distance is its own bucket"]
    if far > half:
        exact = math.log(far / half) / math.log((most - 1) / half) * (half - 1) + half
        notes = [
            f"⌈log({far} / {half}) / log({most - 1} / {half}) · {half - 1}⌉ + {half} = ⌈{exact:.4g}⌉, with the sign"
        ]
    value = math.copysign(math.ceil(exact), relative.value) if far else 0.0
    terms = Terms([value], lambda _: Term(value, (relative,), "bucket of"))
    bound = 1.0 if far > half and abs(exact - round(exact)) < NEAR_A_STEP else 0.0
    return element.explain(f"bucket of {relative.place}", terms, notes=notes, bound=bound)


def relative_index(element: Element) -> Explanation:
    """index = distance + span, kept within the table."""
    span = int(element.options["span"])
    far = element.one(0, element.index)
    value = min(max(far.value + span, 0.0), 2.0 * span - 1)
    terms = Terms([value], lambda _: Term(value, (far,), f"+ {span}"))
    notes = ["beyond the table: its end is taken"] * (value != far.value + span)
    return element.explain(f"{far.place} + {span}, from 0 to {2 * span - 1}", terms, notes=notes)


def position_bias(element: Element) -> Explanation:
    """bias[h, q, k] = E[bucket of q and k, h]."""
    head, query, key = element.index
    bucket = element.one(0, (query, key))
    number = int(bucket.value)
    formula = f"{element.symbol(0, 'E')}{at(number, head)} with {bucket.place} = {number}"
    try:
        entry = float(element.weight(0, (number, head)))
    except InputError as error:
        terms = Terms([element.stored], lambda _: Term(element.stored, (bucket,), f"E{at(number, head)}"))
        return element.explain(formula, terms, notes=[str(error)])
    parameter = element.parameter(0, "E", (number, head), entry)
    terms = Terms([entry], lambda _: Term(entry, (bucket, parameter), f"E{at(number, head)}"))
    return element.explain(formula, terms, notes=[f"bucket {number}, for every pair of tokens that far apart"])


def add_bias(element: Element) -> Explanation:
    """score + bias, which is the same for every text where it has no axis for them."""
    missing = len(element.index) - len(element.input(1).shape)
    pair = (element.one(0, element.index), element.one(1, element.index[missing:]))
    terms = Terms([operand.value for operand in pair], lambda i: Term(pair[i].value, (pair[i],)))
    formula = " + ".join(f"{element.input_name(number)}{at(*operand.index)}" for number, operand in enumerate(pair))
    return element.explain(formula, terms, bound=rounding.of_additions(element.value.dtype, terms))


def divide_by_root(element: Element) -> Explanation:
    """x / √size."""
    size = int(element.options["size"])
    x = element.one(0, element.index)
    return _over_root(element, x.value, x, f"{element.input_name(0)}{at(*element.index)}", size)


def content_to_position(element: Element) -> Explanation:
    """y[q, k] = x[q, index[q, k]] / √size: which of the query's scores for distances is that of the key."""
    batch, head, query, key = element.index
    place = int(element.input(1).read((query, key)))
    x = element.one(0, (batch, head, query, place))
    formula = f"{element.input_name(0)}{at(batch, head, query, f'{element.input_name(1)}{at(query, key)}')}"
    return _over_root(element, x.value, x, formula, int(element.options["size"]), _distance(element, place))


def position_to_content(element: Element) -> Explanation:
    """y[q, k] = x[k, index[q, k]] / √size: which of the key's scores for distances is that of the query."""
    batch, head, query, key = element.index
    place = int(element.input(1).read((query, key)))
    x = element.one(0, (batch, head, key, place))
    formula = f"{element.input_name(0)}{at(batch, head, key, f'{element.input_name(1)}{at(query, key)}')}"
    return _over_root(element, x.value, x, formula, int(element.options["size"]), _distance(element, place))


def _distance(element: Element, place: int) -> list[str]:
    return [
        f"row {place} of the relative positions, that of {element.token('query', element.index[2])} and {element.token('key', element.index[3])}"
    ]


def _over_root(
    element: Element, value: float, x: object, formula: str, size: int, notes: list[str] | None = None
) -> Explanation:
    factor = element.constant(f"1/√{size}", 1 / math.sqrt(size))
    product = value * factor.value
    terms = Terms([product], lambda _: Term(product, (x, factor)))  # type: ignore[arg-type]
    bound = rounding.of_steps(element.value.dtype, 3, abs(product)) + 2 * rounding.UNIT["float32"] * abs(product)
    return element.explain(f"{formula} / √{size}", terms, notes=notes or (), bound=bound)
