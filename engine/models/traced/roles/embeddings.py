"""What goes into the first layer: vectors that are looked up, their sum, its norm."""

from __future__ import annotations

from dataclasses import dataclass, field

from .flow import CASTS, DROPOUT, Flow, operand, operands
from .masks import LOOKUPS
from .patches import name_patches
from .projections import projection
from .sides import Reading, is_by_number, live_operand

# Fewer rows than any table of positions has, and more than any of segments: one that has no more is of segments.
FEW = 4
# What makes places out of nothing, or out of which ids are padding.
COUNTS = frozenset({"arange", "cumsum"})


@dataclass
class Embeddings:
    """What was told of the embeddings.

    Attributes:
        names: role -> value, of calls and of inputs.
        inner: calls that are part of one of the steps -> that step.
        texts: the axes of a text are those of this value: the ids.
    """

    names: dict[str, str] = field(default_factory=dict[str, str])
    inner: dict[str, str] = field(default_factory=dict[str, str])
    texts: str = ""


def embeddings_of(known: Reading, entry: str) -> Embeddings:
    """The embeddings that end in what enters the first layer.

    Args:
        entry: the value that the first sum is made with: what attention gives is added to it.
    """
    flow, made = known.flow, Embeddings()
    current, steps = entry, dict[str, str]()
    for _ in range(6):
        call = flow.call(current)
        if call is None:
            return made
        if call.word in CASTS | DROPOUT:
            current = operand(call, 0)
            continue
        whole = projection(flow, current)
        if current in known.norms and "embeddings.norm" not in steps:
            steps["embeddings.norm"] = current
            current = known.norms[current].source
        elif whole is not None and "embeddings.norm" not in steps and "embeddings.projection" not in steps:
            steps["embeddings.projection"] = current
            current = whole.source
        elif "embeddings.masked" not in steps and _masks_tokens(flow, current):
            steps["embeddings.masked"] = current
            current = live_operand(flow, current)
        else:
            break
    tables = _tables(known, current)
    if tables is None:
        if name_patches(known, current, made.names, made.inner):
            made.names |= steps
        return made
    made.names |= steps
    _name_tables(known, current, tables, made)
    return made


def _masks_tokens(flow: Flow, name: str) -> bool:
    """Whether padding is set to 0: a product with the mask, a number for each token."""
    call = flow.call(name)
    if call is None or call.word != "mul":
        return False
    others = [part for part in operands(call) if not flow.is_live(part)]
    return (
        len(others) == 1 and not flow.is_fixed(others[0]) and flow.shape(others[0])[-1:] == (1,)
        and flow.root(others[0]) in flow.graph.inputs
    )  # fmt: skip


@dataclass(frozen=True)
class LookedUp:
    """A table that something is looked up in.

    Attributes:
        value: the vectors there, or that by a number.
        lookup: the vectors.
        index: what was looked up.
        rows: how many rows there are.
        scaled: whether the number is another than 1.
    """

    value: str
    lookup: str
    index: str
    rows: int
    scaled: bool = False


def _tables(known: Reading, name: str) -> tuple[list[LookedUp], list[str]] | None:
    """The tables whose vectors a sum is of, and the sums within; None where anything but tables and weights is added."""
    flow = known.flow
    call = flow.call(name)
    if call is None:
        return ([], []) if flow.leaf(name) is not None and flow.is_fixed(name) else None
    if call.word == "add" and not call.options:
        tables, sums = list[LookedUp](), [name]
        for part in operands(call):
            within = _tables(known, part)
            if within is None:
                return None
            tables += within[0]
            sums += within[1]
        return tables, sums
    by_number = call.word == "mul" and flow.is_live(name) and is_by_number(flow, name)
    bare = live_operand(flow, name) if by_number else name
    lookup = flow.call(flow.root(bare))
    if lookup is not None and lookup.word in ("embedding", "index_select") and flow.is_fixed(operand(lookup, 0)):
        index = operand(lookup, 1) or operand(lookup, 2)
        scale = next((argument for argument in call.arguments[1:] if by_number and argument != 1), None)
        return [LookedUp(name, bare, flow.root(index), flow.shape(operand(lookup, 0))[0], scale is not None)], []
    return ([], []) if flow.is_fixed(name) else None


def _name_tables(known: Reading, total: str, summed: tuple[list[LookedUp], list[str]], made: Embeddings) -> None:
    flow = known.flow
    tables, sums = summed
    places = [table for table in tables if _counts(flow, table.index)]
    looked_up = [table for table in tables if table not in places]
    given = [table for table in looked_up if flow.root(table.index) in flow.graph.inputs]
    most = max((table.rows for table in given), default=0)
    words = [table for table in given if table.rows == most]
    if len(words) != 1 or most <= FEW:
        made.names.clear()
        return
    word = words[0]
    segments = [table for table in looked_up if table is not word and table.rows <= FEW]
    unknown = [table for table in looked_up if table is not word and table not in segments]
    places += [table for table in unknown if flow.is_fixed(table.index)]  # a buffer of places, cut to the text
    made.texts = flow.root(word.index)
    made.names["tokens.ids"] = made.texts
    _name_table("embeddings.token", word, made)
    for role, index, ones in (
        ("embeddings.position", "tokens.positions", places),
        ("embeddings.segment", "tokens.segments", segments),
    ):
        if len(ones) == 1:
            _name_table(role, ones[0], made)
            made.names[index] = ones[0].index
    if sums:
        made.names["embeddings.sum"] = total
        made.inner.update((name, total) for name in sums if name != total)


def _name_table(role: str, table: LookedUp, made: Embeddings) -> None:
    made.names[role] = table.lookup
    if role == "embeddings.token" and table.scaled:
        made.names["embeddings.scaled"] = table.value


def _counts(flow: Flow, index: str) -> bool:
    """Whether what is looked up was counted: 0, 1, 2, ..., or the ids that are no padding."""
    made_of = flow.before(index, lambda call: call.word not in LOOKUPS)  # what was looked up was not counted
    return any((call := flow.call(name)) is not None and call.word in COUNTS for name in made_of)
