"""Norms: one operation, or written out step by step, which is one stage all the same."""

from __future__ import annotations

from ..graph import TorchCall
from .flow import CASTS, NORMS, Chain, Flow, number, operand, operands

ROOTS = frozenset({"rsqrt", "sqrt", "pow"})


def norms_of(flow: Flow) -> dict[str, Chain]:
    """Every norm by its result."""
    norms: dict[str, Chain] = {}
    for call in flow.graph.calls:
        norm: Chain | None = None
        if call.word in NORMS and flow.is_live(operand(call, 0)):
            if call.pick in (None, 0) and len(call.arguments[1]) == 1:
                norm = Chain(call.name, operand(call, 0))
        elif call.word in ROOTS:
            norm = written_out(flow, call)
        if norm is not None:
            norms[norm.result] = norm
    return norms


def written_out(flow: Flow, root: TorchCall) -> Chain | None:
    """The norm of which a root of a mean is a step: x · rsqrt(mean(x²) + ε) · w, or with the mean taken off and a bias.

    Args:
        root: `rsqrt`, `sqrt`, or a power of ±½.
    """
    power = number(root, 1)
    if root.word == "pow" and power not in (0.5, -0.5):
        return None
    inverse = root.word == "rsqrt" or power == -0.5
    mean = _mean_below(flow, operand(root, 0))
    source = _mean_of_squares(flow, mean) if mean is not None else None
    if source is None or not flow.is_live(source):
        return None
    last = _divided(flow, root, source, inverse)
    if last is None:
        return None
    centred = source
    source = _whole(flow, centred)
    last = _scaled(flow, last)
    steps = _between(flow, last, source)
    return Chain(last, source, steps) if steps is not None else None


def _uncast(flow: Flow, name: str) -> str:
    while (call := flow.call(name)) is not None and call.word in CASTS:
        name = operand(call, 0)
    return name


def _mean_below(flow: Flow, name: str) -> TorchCall | None:
    """The mean to which ε was added."""
    call = flow.call(name)
    if call is not None and call.word == "add":
        name = operand(call, 0)
        call = flow.call(name)
    if call is None or call.word not in ("mean", "var"):
        return None
    rank = len(flow.shape(operand(call, 0)))
    last = len(call.arguments) > 1 and call.arguments[1] in ([-1], [rank - 1], (-1,))
    return call if last and len(call.shape) == rank else None


def _mean_of_squares(flow: Flow, mean: TorchCall) -> str | None:
    """What was squared, cast or not."""
    inside = operand(mean, 0)
    if mean.word == "var":
        return _uncast(flow, inside)
    square = flow.call(inside)
    if square is None:
        return None
    if (square.word == "pow" and number(square, 1) == 2) or square.word == "square":
        return _uncast(flow, operand(square, 0))
    if square.word == "mul" and len(set(operands(square))) == 1:
        return _uncast(flow, operand(square, 0))
    return None


def _whole(flow: Flow, centred: str) -> str:
    """x of x - mean(x); a value of which no mean was taken off, itself."""
    call = flow.call(centred)
    if call is None or call.word != "sub":
        return centred
    x, mean = operand(call, 0), flow.call(operand(call, 1))
    if mean is not None and mean.word == "mean" and _uncast(flow, operand(mean, 0)) == _uncast(flow, x):
        return _uncast(flow, x)
    return centred


def _divided(flow: Flow, root: TorchCall, source: str, inverse: bool) -> str | None:
    """What was divided by the root: the source itself, or the source less its mean."""
    for user in flow.users(root.name):
        pair = [operand(user, 0), operand(user, 1)]
        if user.word != ("mul" if inverse else "div") or root.name not in pair:
            continue
        if not inverse and pair[1] != root.name:
            continue
        other = pair[0] if pair[1] == root.name else pair[1]
        if _whole(flow, _uncast(flow, other)) == _whole(flow, source):
            return user.name
    return None


def _scaled(flow: Flow, name: str) -> str:
    """After a cast, a product with a weight and the sum with a bias, as long as no one else takes what is between."""
    for words in (("mul",), ("add",)):
        after = flow.onward(name, CASTS)
        users = flow.users(after)
        if len(users) != 1 or users[0].word not in words or after in flow.outputs:
            break
        others = [other for other in operands(users[0]) if other != after]
        if len(others) != 1 or not flow.is_fixed(others[0]) or flow.shape(others[0]) != flow.shape(name)[-1:]:
            break
        name = users[0].name
    # what is cast back to what went in
    after = flow.onward(name, CASTS)
    return after


def _between(flow: Flow, last: str, source: str) -> tuple[str, ...] | None:
    """The live calls between a norm's last step and its source; None where one of them needs anything live besides."""
    steps: list[str] = []
    left, seen = [last], {last, source}
    while left:
        call = flow.call(left.pop())
        if call is None or len(steps) > 20:
            return None
        for name in call.inputs:
            if name not in seen and flow.is_live(name):
                seen.add(name)
                left.append(name)
                steps.append(name)
    return tuple(steps)
