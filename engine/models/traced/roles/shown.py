"""Which input says what is seen and what is hidden, and whether its 1 means the one or the other."""

from __future__ import annotations

from ..graph import TorchCall
from .attention import FUSED, Attention
from .flow import CASTS, MOVES, Flow, number, operand, operands
from .masks import is_low

TURNED_OVER = frozenset({"logical_not", "bitwise_not"})


def shown_by(flow: Flow, attention: Attention) -> set[tuple[str, int]]:
    """The inputs behind the masks of an attention, each with 1 where its larger number is for what is seen, else -1."""
    inputs: set[tuple[str, int]] = set()
    left: list[tuple[str, int]] = []
    for mask in attention.masks:
        for user in flow.users(mask):
            if user.word == "masked_fill" and operand(user, 1) == mask:
                left.append((mask, -1))
            elif user.word in ("add", "baddbmm", FUSED) or (user.word == "where" and operand(user, 0) == mask):
                left.append((mask, 1))
    seen: set[tuple[str, int]] = set()
    while left:
        value = left.pop()
        if value in seen:
            continue
        seen.add(value)
        if value[0] in flow.graph.inputs:
            inputs.add(value)
        call = flow.call(value[0])
        if call is not None:
            left += [(name, sign) for name, sign in _before(flow, call, value[1]) if not flow.is_fixed(name)]
    return inputs


def _before(flow: Flow, call: TorchCall, sign: int) -> list[tuple[str, int]]:
    """The operands of a step of which it is known which way they turn what it gives."""
    first = operand(call, 0)
    if call.word in MOVES | CASTS | {"index", "slice", "select"}:
        return [(first, sign)]
    if call.word in TURNED_OVER:
        return [(first, -sign)]
    if call.word in ("eq", "ne", "gt", "lt", "ge", "le"):
        return [(first, sign * turn)] if (turn := _compared(call)) else []
    if call.word in ("__and__", "bitwise_and", "logical_and"):
        return [(name, sign) for name in operands(call)] if sign > 0 else []
    if call.word in ("__or__", "bitwise_or", "logical_or"):
        return [(name, sign) for name in operands(call)] if sign < 0 else []
    if call.word == "rsub":
        return [(first, -sign)]
    if call.word in ("add", "sub"):
        both = (first, sign), (operand(call, 1), sign if call.word == "add" else -sign)
        return [(name, turn) for name, turn in both if name]
    if call.word == "mul":
        by = number(call, 1)
        if by is not None:
            return [(first, sign if by > 0 else -sign)]
        return (
            [(name, sign) for name in operands(call)] if all(not flow.is_fixed(name) for name in operands(call)) else []
        )
    if call.word == "masked_fill":
        turn = -1 if is_low(flow, call.arguments[2]) else 0
        return [(operand(call, 1), sign * turn)] * bool(turn) + [(first, sign)]
    if call.word == "where":
        low = [is_low(flow, argument) for argument in call.arguments[1:3]]
        return [(first, sign if low[1] else -sign)] if low.count(True) == 1 else []
    return []


def _compared(call: TorchCall) -> int:
    """Which way a comparison with a number turns 0 and 1; 0 where it tells other numbers apart."""
    by = number(call, 1)
    if by not in (0, 1):
        return 0
    turns = {
        ("eq", 0): -1,
        ("ne", 0): 1,
        ("gt", 0): 1,
        ("eq", 1): 1,
        ("ne", 1): -1,
        ("lt", 1): -1,
        ("ge", 1): 1,
        ("le", 0): -1,
    }
    return turns.get((call.word, int(by)), 0)
