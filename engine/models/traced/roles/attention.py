"""Attention: a softmax between two products of hidden vectors, or the one operation that is all of it (Vaswani et al. 2017)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..graph import TorchCall
from .flow import CASTS, DROPOUT, MOVES, SOFTMAX, operand, operands
from .masks import BIAS, MASK, added
from .products import LiveProduct, gives_scores, product, takes_weights
from .sides import Reading, Side, is_by_number, side_of

FUSED = "scaled_dot_product_attention"
# Steps on the way to a softmax that change numbers: those that may have a name, and those that have none.
NAMED = frozenset({"add", "sub", "mul", "div", "masked_fill", "where"})
UNNAMED = frozenset({"tanh", "clamp", "max", "maximum", "minimum", "min", "nan_to_num"})

# Steps from a softmax on to the product that takes its weights.
UPON_WEIGHTS = frozenset({"masked_fill", "where", "nan_to_num", "mul"})


@dataclass(frozen=True)
class Attention:
    """One attention, of one head or of many.

    Attributes:
        core: the softmax, or the fused operation.
        fused: whether it is the latter.
        query, key, value: where they come from.
        steps: role -> value, of scores, scaled, biased, masked, weights, context; of an output made together with the context, output.
        masks, biases: what is added to the scores, or decides what is filled.
        inner: calls that are part of one of the steps -> that step.
        result: the context, or the output made together with it.
    """

    core: str
    fused: bool
    query: Side
    key: Side
    value: Side
    steps: Mapping[str, str]
    masks: tuple[str, ...]
    biases: tuple[str, ...]
    inner: Mapping[str, str]
    result: str

    @property
    def sides(self) -> tuple[tuple[str, Side], ...]:
        """The three by their roles."""
        return ("query", self.query), ("key", self.key), ("value", self.value)


def attentions_of(known: Reading) -> tuple[Attention, ...]:
    """Every attention of a graph, in the order they were computed."""
    all_of_them: list[Attention] = []
    for call in known.flow.graph.calls:
        if call.word == FUSED:
            all_of_them.append(_fused(known, call))
        elif call.word in SOFTMAX and (one := _between_products(known, call)) is not None:
            all_of_them.append(one)
    return tuple(all_of_them)


def _fused(known: Reading, call: TorchCall) -> Attention:
    query, key, value = (side_of(known, operand(call, place)) for place in range(3))
    mask = operand(call, 3) or next((ref for ref in operands(call)[3:]), "")
    masks = (mask,) if mask else ()
    return Attention(call.name, True, query, key, value, {"context": call.name}, masks, (), {}, call.name)


@dataclass
class _Way:
    """What is met between the first product and the softmax, from there back.

    Attributes:
        names: role -> value; of several steps of a role, the last.
        inner: steps that are part of a later one -> that one.
    """

    names: dict[str, str] = field(default_factory=dict[str, str])
    masks: list[str] = field(default_factory=list[str])
    biases: list[str] = field(default_factory=list[str])
    inner: dict[str, str] = field(default_factory=dict[str, str])
    after: str = ""

    def name(self, role: str, value: str) -> None:
        """A step that has a role, unless a later one has it."""
        if role in self.names:
            self.inner[value] = self.names[role]
        else:
            self.names[role] = self.after = value

    def pass_by(self, value: str) -> None:
        """A step without one, which is part of the next."""
        self.inner[value] = self.after


def _between_products(known: Reading, softmax: TorchCall) -> Attention | None:
    rank = len(softmax.shape)
    place = softmax.arguments[1]
    if not isinstance(place, int) or not rank:
        return None
    key = place - rank if place >= 0 else place
    weighed = _weighed(known, softmax.name, key)
    way = _Way(after=softmax.name)
    pair = _scores_below(known, operand(softmax, 0), key, way)
    if weighed is None or pair is None:
        return None
    last, value, between = weighed
    role = "output" if last.matrix else "context"
    steps = {**way.names, "weights": softmax.name, role: last.name}
    inner = {**way.inner, **dict.fromkeys(between, last.name)}
    query, key_side = (side_of(known, operand_name) for operand_name in pair)
    return Attention(
        softmax.name, False, query, key_side, side_of(known, value), steps, tuple(way.masks), tuple(way.biases), inner, last.name
    )  # fmt: skip


def _weighed(known: Reading, weights: str, key: int) -> tuple[LiveProduct, str, tuple[str, ...]] | None:
    """The product that takes the weights, what it weighs, and the calls between; None where there is none, or several."""
    flow = known.flow
    between: list[str] = []
    shape = flow.shape(weights)
    while True:
        products = [
            (made, value)
            for user in flow.users(weights)
            if (made := product(known, user.name)) is not None and (value := takes_weights(known, made, weights, key))
        ]
        if products:
            return (*products[0], tuple(between)) if len(products) == 1 else None
        onward = [
            user
            for user in flow.users(weights)
            if user.word in CASTS | DROPOUT
            or (user.word in MOVES and user.shape[-2:] == shape[-2:] and key == -1)
            or (user.word in UPON_WEIGHTS and user.shape == shape)
        ]
        onward = [user for user in onward if _weighed_at_all(known, user.name)]
        if len(onward) != 1:
            return None
        weights = onward[0].name
        between.append(weights)


def _weighed_at_all(known: Reading, name: str, depth: int = 4) -> bool:
    """Whether a product follows soon: of the weights that are averaged for the eye none does."""
    if any(product(known, user.name) is not None for user in known.flow.users(name)):
        return True
    return depth > 0 and any(
        _weighed_at_all(known, user.name, depth - 1)
        for user in known.flow.users(name)
        if user.word in CASTS | DROPOUT | MOVES | UPON_WEIGHTS
    )


def _scores_below(known: Reading, name: str, key: int, way: _Way) -> tuple[str, str] | None:
    """Walk from what the softmax is taken of back to the product of queries and keys, writing down the steps; those two."""
    flow = known.flow
    for _ in range(12):
        call = flow.call(name)
        if call is None:
            return None
        made = product(known, name)
        if made is not None:
            pair = gives_scores(known, made, key)
            if pair is not None:
                _name_product(known, call, way)
            return pair
        if call.word in MOVES | CASTS | DROPOUT:
            below = operand(call, 0)
            same = known.dims[below][-2:] == known.dims[name][-2:] and key == -1
            if call.word in MOVES and not (same or flow.shape(below)[-2:] == call.shape[-2:]):
                return None
            way.pass_by(name)
            name = below
            continue
        below = _main(known, call, key)
        if not below:
            return None
        _name_step(known, call, below, way)
        name = below
    return None


def _main(known: Reading, call: TorchCall, key: int) -> str:
    """Of the operands of a step that which leads to a product; "" where none does, or several do."""
    if call.word not in UNNAMED | NAMED:
        return ""
    leading = [part for part in dict.fromkeys(operands(call)) if known.flow.is_live(part) and _leads(known, part, key)]
    return leading[0] if len(leading) == 1 else ""


def _leads(known: Reading, name: str, key: int) -> bool:
    flow, left = known.flow, [name]
    for _ in range(40):
        if not left:
            return False
        current = left.pop()
        made = product(known, current)
        if made is not None:
            if gives_scores(known, made, key) is not None:
                return True
            continue
        call = flow.call(current)
        if call is not None and call.word in MOVES | CASTS | DROPOUT | UNNAMED | NAMED:
            left += [part for part in call.inputs if flow.is_live(part)]
    return False


def _name_step(known: Reading, call: TorchCall, below: str, way: _Way) -> None:
    flow = known.flow
    others = [part for part in operands(call) if part != below]
    if call.word in ("mul", "div") and is_by_number(flow, call.name) and operand(call, 0) == below:
        ones = [argument for argument in call.arguments[1:] if isinstance(argument, int | float)]
        if ones and ones[0] == 1:
            way.pass_by(call.name)
        else:
            way.name("scaled", call.name)
        return
    kind = added(flow, call, below)
    if kind == MASK:
        way.masks += others
        way.name("masked", call.name)
    elif kind == BIAS:
        way.biases += others
        way.name("biased", call.name)
    else:
        way.after = call.name
        way.names.pop("scaled", None)  # what was scaled after another step is no scaled scores


def _name_product(known: Reading, call: TorchCall, way: _Way) -> None:
    """The product itself: scores, unless it adds something or scales in the same operation."""
    if call.word != "baddbmm":
        way.name("scores", call.name)
        return
    beta, alpha = (float(call.options.get(name, 1)) for name in ("beta", "alpha"))
    if not beta:
        way.name("scores" if alpha == 1 else "scaled", call.name)
        return
    kind = added(known.flow, call, operand(call, 1))
    if kind == MASK:
        way.masks.append(operand(call, 0))
        way.name("masked", call.name)
    elif kind == BIAS:
        way.biases.append(operand(call, 0))
        way.name("biased", call.name)
