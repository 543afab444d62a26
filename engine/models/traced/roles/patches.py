"""Patches of an image in the place of tokens: a product of each with each filter, laid out in a row, with vectors before them and positions."""

from __future__ import annotations

from .flow import MOVES, operand, operands
from .sides import Reading


def name_patches(known: Reading, total: str, names: dict[str, str], inner: dict[str, str]) -> bool:
    """`embeddings.patches`, `.concat`, `.class_token`, `.position` and `.sum`, if a sum is of patches and positions.

    Args:
        total: the sum.
        names, inner: where role -> value, and call -> the call it is part of, are written.
    """
    flow = known.flow
    call = flow.call(total)
    parts = operands(call) if call is not None and call.word == "add" else ()
    live = [name for name in parts if flow.is_live(name)]
    if len(parts) != 2 or len(live) != 1:
        return False
    (tokens,), (position,) = live, [name for name in parts if name not in live]
    joined = flow.call(tokens)
    last, vectors = tokens, list[str]()
    if joined is not None and joined.word == "cat":
        *vectors, last = operands(joined)
        if (
            not vectors
            or joined.arguments[1:] not in ((1,), (-2,))
            or not all(flow.is_fixed(vector) for vector in vectors)
        ):
            return False
    patches, moves = _patches(known, last)
    if not patches:
        return False
    names.update({"embeddings.patches": patches, "embeddings.sum": total})
    inner.update(dict.fromkeys(moves, tokens if vectors else total))
    if vectors:
        names["embeddings.concat"] = tokens
    if len(vectors) == 1:
        names["embeddings.class_token"] = vectors[0]
    table = flow.call(position)
    if table is not None and table.word == "embedding":
        names["embeddings.position"] = position
    pixels = _operand_of(known, patches)
    if pixels in flow.graph.inputs and len(flow.shape(pixels)) == 4:
        names["image.pixels"] = pixels
    return True


def _patches(known: Reading, name: str) -> tuple[str, list[str]]:
    """The convolution whose filters lie side by side, and the moves after it; "" where there is another."""
    flow, moves = known.flow, list[str]()
    while (call := flow.call(name)) is not None and call.word in MOVES:
        moves.append(name)
        name = operand(call, 0)
    if call is None or call.word != "conv2d" or len(call.arguments) > 4:
        return "", []
    filters = flow.shape(operand(call, 1))
    stride = list(call.arguments[3]) if len(call.arguments) > 3 else [1, 1]
    return (name, moves) if filters[2:] == tuple(stride * (2 // len(stride))) else ("", [])


def _operand_of(known: Reading, name: str) -> str:
    """What a convolution is of."""
    call = known.flow.call(name)
    assert call is not None
    return known.flow.root(operand(call, 0))
