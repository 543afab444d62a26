"""What layers share: the mask, the bias by distance, the tables of rotations; and the norm after the last one."""

from __future__ import annotations

from collections.abc import Sequence

from .blocks import LayerSteps
from .flow import CASTS, operand, operands
from .layers import Unit
from .naming import Names
from .shown import shown_by
from .sides import Reading


def name_mask(known: Reading, names: Names, units: Sequence[Unit]) -> None:
    """`mask.additive`, where every layer adds the same, for each query and key."""
    flow = known.flow
    adding: set[str] = set()
    for unit in units:
        masked = flow.call(unit.whole.steps.get("masked", ""))
        if masked is None or masked.word != "add" or len(unit.whole.masks) != 1:
            return
        adding.add(unit.whole.masks[0])
    if len(adding) != 1:
        return
    mask = adding.pop()
    square = flow.shape(units[0].whole.core)
    if (
        flow.call(mask) is not None
        and len(flow.shape(mask)) == 4
        and flow.shape(mask)[-2:] == square[-2:]
        and flow.shape(mask)[1] == 1
    ):
        names.give(mask, "mask.additive")


def name_shown(known: Reading, names: Names, units: Sequence[Unit], texts: str) -> None:
    """`tokens.mask`: the input that is 1 for a token and 0 for padding, where it alone says what is seen."""
    inputs: set[tuple[str, int]] = set()
    for unit in units:
        for part in unit.parts:
            inputs |= shown_by(known.flow, part)
    told = [(name, sign) for name, sign in inputs if name != texts]
    shape = known.flow.shape(told[0][0]) if len(told) == 1 else ()
    if len(told) == 1 and told[0][1] > 0 and len(shape) == 2 and (not texts or shape == known.flow.shape(texts)):
        names.give(told[0][0], "tokens.mask")


def name_biases(known: Reading, names: Names, units: Sequence[Unit]) -> None:
    """`positions.bias`, of a table that all layers share, or `layers.0.attention.position_bias`, of one that each has."""
    flow = known.flow
    tables: dict[str, list[int]] = {}
    for at, unit in enumerate(units):
        for bias in unit.whole.biases:
            looked_up = _table_of(known, bias)
            if looked_up:
                tables.setdefault(looked_up, []).append(at)
    if len(units) < 2:  # whether others would share it is not said
        return
    if len(tables) == 1 and len(units) == len(next(iter(tables.values()))):
        (table,) = tables
        names.give(table, "positions.bias")
        call = flow.call(table)
        lookup = flow.call(operand(call, 0)) if call is not None else None
        if lookup is not None and lookup.word == "embedding":
            names.give(operand(lookup, 1), "positions.buckets")
    elif all(len(layers) == 1 for layers in tables.values()):
        for table, (at,) in tables.items():
            names.give(table, f"layers.{at}.attention.position_bias")


def _table_of(known: Reading, bias: str) -> str:
    """The numbers that were looked up for each distance, as (head, query, key); "" where there is no such value."""
    current = bias
    while (call := known.flow.call(current)) is not None:
        first = known.flow.call(operand(call, 0))
        if call.word == "permute" and first is not None and first.word == "embedding":
            return current if len(call.shape) == 3 and list(call.arguments[1]) == [2, 0, 1] else ""
        if call.word not in CASTS | {"unsqueeze", "expand", "contiguous", "clone"}:
            return ""
        current = operand(call, 0)
    return ""


def name_turns(known: Reading, names: Names, units: Sequence[Unit]) -> None:
    """`rotary.cos` and `rotary.sin`, where all layers turn by the same."""
    flow = known.flow
    turned = [side for unit in units for _, side in unit.whole.sides if side.rotated]
    tables = {tuple(sorted(side.tables)) for side in turned}
    if len(tables) != 1 or not turned:
        return
    for table in tables.pop():
        call = flow.call(table)
        if call is not None and call.word == "mul" and len(operands(call)) == 1:
            call = flow.call(operand(call, 0))
        if call is not None and call.word in ("cos", "sin"):
            names.give(table, f"rotary.{call.word}")


def name_final_norm(known: Reading, names: Names, layers: Sequence[LayerSteps]) -> None:
    """`final.norm`: of all that leaves the last layer, where nothing else is made of that."""
    if not layers or not layers[-1].result:
        return
    result = layers[-1].result
    norms = [norm for norm in known.norms.values() if norm.source == result]
    if len(norms) == 1:
        names.give(norms[0].result, "final.norm")
