"""Products with a matrix, however they are written: `linear`, `addmm`, `matmul` with a weight, an `einsum`, low-rank updates beside one."""

from __future__ import annotations

from ..graph import TorchCall
from .flow import CASTS, DROPOUT, MOVES, Chain, Flow, operand, operands


def projection(flow: Flow, name: str) -> Chain | None:
    """The product that a value is; None where it is none."""
    call = flow.call(name)
    if call is None:
        return None
    source = _multiplied(flow, call)
    if source:
        return Chain(call.name, source)
    if call.word == "add" and len(operands(call)) == 2:
        return _with_bias(flow, call) or _with_update(flow, call)
    if call.word in ("view", "reshape", "_unsafe_view"):
        return _rolled_up(flow, call)
    return None


def _multiplied(flow: Flow, call: TorchCall) -> str:
    """What a call multiplies with a matrix; "" where it does something else."""
    if call.word == "linear_dynamic":
        return operand(call, 0)
    if call.word == "linear":
        return operand(call, 0) if flow.is_fixed(operand(call, 1)) else ""
    if call.word in ("matmul", "mm"):
        matrix = operand(call, 1)
        return operand(call, 0) if flow.is_fixed(matrix) and len(flow.shape(matrix)) == 2 else ""
    if call.word == "addmm":
        fixed = flow.is_fixed(operand(call, 0)) and flow.is_fixed(operand(call, 2))
        return operand(call, 1) if fixed and len(flow.shape(operand(call, 0))) == 1 else ""
    if call.word == "einsum":
        live = [name for name in operands(call) if flow.is_live(name)]
        return live[0] if len(live) == 1 and len(operands(call)) == 2 else ""
    return ""


def _rolled_up(flow: Flow, call: TorchCall) -> Chain | None:
    """view(addmm(bias, view(x), W)): the product of x, as `Conv1D` writes it."""
    inner = flow.call(operand(call, 0))
    if inner is None or inner.word != "addmm" or call.shape[-1] != inner.shape[-1] or len(flow.users(inner.name)) != 1:
        return None
    source = _multiplied(flow, inner)
    laid = flow.call(source)
    if laid is None or laid.word not in MOVES or flow.shape(operand(laid, 0))[:-1] != call.shape[:-1]:
        return None
    return Chain(call.name, operand(laid, 0), (inner.name, laid.name))


def _with_bias(flow: Flow, call: TorchCall) -> Chain | None:
    """matmul(x, W) + b."""
    for product, bias in (operands(call), operands(call)[::-1]):
        inner = flow.call(product)
        if inner is None or inner.word not in ("matmul", "mm", "einsum") or not flow.is_fixed(bias):
            continue
        source = _multiplied(flow, inner)
        rank = len(call.shape)
        if (
            source
            and len(flow.users(product)) == 1
            and len(flow.shape(bias)) < rank
            and flow.shape(bias) == call.shape[rank - len(flow.shape(bias)) :]
        ):
            return Chain(call.name, source, (product,))
    return None


def _with_update(flow: Flow, call: TorchCall) -> Chain | None:
    """linear(x) + s · linear(linear(x)): a matrix and a low-rank update of it, as LoRA adds them (Hu et al. 2021)."""
    for main, update in (operands(call), operands(call)[::-1]):
        whole = flow.call(main)
        source = _multiplied(flow, whole) if whole is not None else ""
        if not source or len(flow.users(main)) != 1:
            continue
        steps, current, products = [main], update, 0
        while (step := flow.call(current)) is not None and len(flow.users(current)) == 1 and products < 2:
            inner = _multiplied(flow, step)
            products += bool(inner)
            by_number = step.word == "mul" and len(operands(step)) == 1
            if not inner and not by_number and step.word not in DROPOUT | CASTS:
                break
            steps.append(current)
            current = inner or operand(step, 0)
        inside = flow.call(current)
        while inside is not None and inside.word in DROPOUT | CASTS and current != source:
            steps.append(current)
            current = operand(inside, 0)
            inside = flow.call(current)
        if products == 2 and current == source:
            return Chain(call.name, source, tuple(steps))
    return None
