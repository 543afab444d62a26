"""What is added to scores, or fills them: a mask, which hides, or a bias, which is learnt."""

from __future__ import annotations

from ..graph import TorchCall
from .flow import CASTS, MOVES, Flow, number, operand, operands

MASK, BIAS = "mask", "bias"
HIDES = -1e3  # what is added to hide is this, or below: in half precision -65504, else more
LOOKUPS = frozenset({"embedding", "index", "index_select", "gather", "take_along_dim"})


def added(flow: Flow, call: TorchCall, main: str) -> str:
    """What a step does to the scores: `MASK`, `BIAS`, or "" where that cannot be told.

    Args:
        main: the operand that the scores are.
    """
    if call.word == "masked_fill":
        return MASK if operand(call, 0) == main and is_low(flow, call.arguments[2]) else ""
    if call.word == "where":
        rest = [argument for place, argument in enumerate(call.arguments) if place and _name(argument) != main]
        return MASK if operand(call, 0) != main and len(rest) == 1 and is_low(flow, rest[0]) else ""
    if call.word not in ("add", "baddbmm"):
        return ""
    other = next((name for name in operands(call) if name not in (main, *_pair(call))), "")
    if not other:
        return ""
    kinds = _made_of(flow, other)
    return MASK if MASK in kinds else BIAS if BIAS in kinds else ""


def _pair(call: TorchCall) -> tuple[str, ...]:
    return (operand(call, 1), operand(call, 2)) if call.word == "baddbmm" else ()


def _name(argument: object) -> str:
    return getattr(argument, "name", "")


def _made_of(flow: Flow, name: str) -> set[str]:
    """What shows in the making of something added: numbers that hide, tables that are looked up."""
    kinds: set[str] = set()
    for part in flow.before(name, lambda call: call.word != "softmax"):
        call = flow.call(part)
        if call is None:
            continue
        if any(isinstance(argument, int | float) and argument <= HIDES for argument in call.arguments):
            kinds.add(MASK)
        if call.word in LOOKUPS:
            table = operand(call, 0)
            if flow.is_fixed(table) and flow.dtype(table).startswith(("float", "bfloat")):
                kinds.add(BIAS)
        if call.word in ("linear", "matmul", "bmm", "einsum"):
            kinds.add(BIAS)
    root = name
    while (call := flow.call(root)) is not None and call.word in MOVES | CASTS and operand(call, 0):
        root = operand(call, 0)
    if root in flow.graph.inputs:  # torch's own `attn_mask`: a tensor that is given to be added to the scores
        kinds.add(MASK)
    return kinds


def is_low(flow: Flow, argument: object) -> bool:
    """Whether a number hides: itself, or as a tensor of one number that was filled with it."""
    if isinstance(argument, int | float):
        return argument <= HIDES
    call = flow.call(_name(argument))
    if call is not None and call.word in ("full", "full_like", "new_full", "scalar_tensor"):
        return (number(call, 1) or 0) <= HIDES if call.word != "scalar_tensor" else (number(call, 0) or 0) <= HIDES
    return False
