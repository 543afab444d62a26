"""Which attention is which layer's: heads that are computed one by one are one, and layers are those that follow on each other."""

from __future__ import annotations

from dataclasses import dataclass

from .attention import Attention
from .flow import CASTS, DROPOUT, MOVES, NORMS, PARTS, Flow, operand, operands
from .projections import projection
from .sides import Reading

# How keys are made fewer, or queries.
SHORTENING = MOVES | CASTS | DROPOUT | NORMS | PARTS | frozenset({
    "conv1d", "conv2d", "avg_pool1d", "avg_pool2d", "max_pool1d", "max_pool2d", "adaptive_avg_pool1d",
    "adaptive_avg_pool2d", "batch_norm", "linear", "cat", "mean", "pad", "constant_pad_nd", "amax",
})  # fmt: skip


@dataclass(frozen=True)
class Unit:
    """The attention of a layer.

    Attributes:
        parts: one, or each head's own, in the order in which they are laid side by side.
        source: what queries and keys are made of.
        result: the context of all heads, moved as it may be before the next product.
        beside: the call that lays heads computed one by one side by side; "" where there is one attention for all.
    """

    parts: tuple[Attention, ...]
    source: str
    result: str
    beside: str = ""

    @property
    def whole(self) -> Attention:
        """The one attention; the first head's where each has its own."""
        return self.parts[0]


def layers_of(known: Reading, attentions: tuple[Attention, ...]) -> tuple[Unit, ...]:
    """The attention of each layer, in order: the longest row of those that attend to themselves and follow on each other.

    Cross attention is in no layer, nor is whatever leads to its queries: a decoder's. Of two rows that are equally long the first
    is taken.
    """
    flow = known.flow
    crosses = [one for one in attentions if not attends_to_itself(known, one)]
    units = _grouped(flow, [one for one in attentions if one not in crosses])
    if len({unit.source for unit in units}) != len(units):  # two attentions of one value: which comes first is not said
        repeated = {unit.source for unit in units if sum(unit.source == other.source for other in units) > 1}
        units = [unit for unit in units if unit.source not in repeated]
    met = _streams(flow, units, crosses)
    leading = 0
    for cross in crosses:
        leading |= met.get(cross.query.source, 0)
    return _longest([(unit, met.get(unit.source, 0)) for unit in units], leading)


def attends_to_itself(known: Reading, one: Attention) -> bool:
    """Whether queries and keys are made of one value, or one of them of the other's by steps between which nothing is attended to."""
    query, key = one.query.source, one.key.source
    if not known.flow.is_live(query):
        return False
    return query == key or _is_made_of(known, key, query) or _is_made_of(known, query, key)


def _is_made_of(known: Reading, later: str, earlier: str) -> bool:
    """Whether a value is another that was pooled, convolved, normed, cut or joined."""
    before = known.flow.before(later, lambda call: call.word in SHORTENING and known.flow.is_live(call.name))
    return known.flow.is_live(earlier) and earlier in before


def _grouped(flow: Flow, attentions: list[Attention]) -> list[Unit]:
    """Heads whose contexts one call lays side by side are one."""
    units: list[Unit] = []
    taken: set[str] = set()
    for one in attentions:
        if one.core in taken:
            continue
        group, beside = [one], ""
        joins = [user for user in flow.users(one.result) if user.word in ("cat", "stack", "concat")]
        if len(joins) == 1 and len(flow.users(one.result)) == 1:
            by_result = {other.result: other for other in attentions if other.query.source == one.query.source}
            parts = [by_result.get(name) for name in operands(joins[0])]
            heads = [part for part in parts if part is not None]
            if (
                len(heads) == len(parts) == len({part.core for part in heads})
                and len({flow.shape(part.result) for part in heads}) == 1
            ):
                group, beside = heads, joins[0].name
        taken.update(part.core for part in group)
        units.append(Unit(tuple(group), one.query.source, beside or one.result, beside))
    return units


def _streams(flow: Flow, units: list[Unit], crosses: list[Attention]) -> dict[str, int]:
    """For each value the units that it has come through, as bits; through cross attention only by its queries."""
    own = {unit.result: 1 << at for at, unit in enumerate(units)}
    by_query = {cross.result: cross.query.source for cross in crosses}
    met: dict[str, int] = {}
    for call in flow.graph.calls:
        if call.name in by_query:
            met[call.name] = met.get(by_query[call.name], 0)
            continue
        bits = own.get(call.name, 0)
        for name in call.inputs:
            bits |= met.get(name, 0)
        met[call.name] = bits
    return met


def _longest(units: list[tuple[Unit, int]], leading: int) -> tuple[Unit, ...]:
    """The longest row of units each of which has come through the one before; those that lead to cross attention left out."""
    rows: list[tuple[int, ...]] = []
    for at, (_, bits) in enumerate(units):
        before = [rows[other] for other in range(at) if bits >> other & 1 and rows[other]]
        row = (*max(before, key=len, default=()), at)
        rows.append(() if leading >> at & 1 else row)
    best = max(rows, key=len, default=())
    return tuple(units[at][0] for at in best)


def output_of(known: Reading, unit: Unit) -> tuple[str, str, tuple[str, ...]]:
    """The heads side by side, the product with the matrix that brings them together, and the calls between.

    Returns:
        `concat` and `output`, "" where there is none, and what is between the context and concat.
    """
    flow = known.flow
    if "output" in unit.whole.steps:
        return "", unit.whole.steps["output"], ()
    current, between = unit.result, list[str]()
    while True:
        made = whole_product(known, current)
        if made:
            return (current if current != unit.result or unit.beside else ""), made, tuple(between)
        users = flow.users(current)
        if len(users) != 1 or users[0].word not in MOVES | DROPOUT or operand(users[0], 0) != current:
            return "", "", ()
        if current != unit.result:
            between.append(current)
        current = users[0].name


def whole_product(known: Reading, source: str) -> str:
    """The one product of a value with a matrix, where nothing else takes the value; "" where there is none, or several."""
    users = [user.name for user in known.flow.users(source)]
    whole = [name for user in users if (name := _projected(known, user, source))]
    for name in dict.fromkeys(whole):
        made = projection(known.flow, name)
        if made is not None and all(user == name or user in made.steps for user in users):
            return name
    return ""


def _projected(known: Reading, user: str, source: str) -> str:
    """The last step of the product of a value with a matrix that one of those who take the value begins."""
    name = ""
    while (made := projection(known.flow, user)) is not None and made.source == source:
        name = user
        after = [other.name for other in known.flow.users(user)]
        if len(after) != 1:
            break
        user = after[0]
    return name
