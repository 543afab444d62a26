"""What is different about a stage itself, beside its inputs: its formula, its weights, dropout that one side has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from ...debugger.faults.dropout import dropout_rate, write_dropout
from ...program.stage import Stage
from ...program.trace import LiveTrace, Trace

if TYPE_CHECKING:
    from ...traces.run import Run

LOOKED_AT = 1 << 16  # numbers that are looked at for dropout


def notes(ours: Trace, theirs: Trace, stage: Stage, *, aligned: bool) -> list[str]:
    """A line for each thing that is different.

    Args:
        aligned: whether tokens are at the same places on both sides.
    """
    dropped = _dropout(ours, theirs, stage) if aligned else ""
    return [*unlike_weights(ours, theirs, stage), *([dropped] if dropped else [])]


def _dropout(ours: Trace, theirs: Trace, stage: Stage) -> str:
    """Whether one side is the other after dropout."""
    mine, other = ours.value(stage.name), theirs.value(stage.name)
    if mine.shape != other.shape:
        return ""
    window = (slice(0, 1),) if len(mine.shape) > 1 else ()
    a, b = mine.read(window).ravel()[:LOOKED_AT], other.read(window).ravel()[:LOOKED_AT]
    for who, whose, now, before in (("theirs", "ours", b, a), ("ours", "theirs", a, b)):
        rate = dropout_rate(now, before)
        if rate is not None:
            return (
                f"{who} is {whose} after {write_dropout(rate)}; {who} ran in training mode: model.eval() drops nothing"
            )
    return ""


def unlike_weights(ours: Trace, theirs: Trace, stage: Stage) -> list[str]:
    """What is different about the stage itself: its formula, its weights. A line each."""
    lines: list[str] = []
    mine, other = ours.formulas(stage.name)[0], theirs.formulas(stage.name)[0]
    if mine != other:
        lines.append(f"ours computes {mine}, theirs {other}")
    if not (isinstance(ours, LiveTrace) and isinstance(theirs, LiveTrace)):
        return lines
    for name, else_ in zip(stage.weights, theirs.program[stage.name].weights, strict=False):
        lines += _unlike_weight(name, cast("Run", ours).weights[name], cast("Run", theirs).weights[else_])
    return lines


def _unlike_weight(name: str, ours: Any, theirs: Any) -> list[str]:
    import torch

    if ours.shape != theirs.shape:
        return [f"{name} has the shape {list(ours.shape)}, theirs {list(theirs.shape)}"]
    ours, theirs = ours.cpu(), theirs.cpu()
    if ours.dtype != theirs.dtype:  # the same numbers, once rounded?
        narrow = min((ours.dtype, theirs.dtype), key=lambda dtype: torch.finfo(dtype).bits)
        wide = ours if ours.dtype != narrow else theirs
        ours, theirs = ours.to(narrow), theirs.to(narrow)
        lost = ours.isinf() & wide.isfinite()
        if lost.any():
            largest = float(wide[lost].abs().max())
            return [f"{name} overflows in {str(narrow)[6:]}: {int(lost.sum()):,} numbers, up to {largest:.4g}"]
    if torch.equal(ours, theirs):
        return []
    if ours.ndim == 2 and ours.shape[0] == ours.shape[1] and torch.equal(ours, theirs.t()):
        return [f"{name} is theirs transposed"]
    apart = (ours != theirs) & ~(ours.isnan() & theirs.isnan())
    count = int(apart.sum())
    if not count:
        return []
    nan = int((ours.isnan() ^ theirs.isnan()).sum())
    more = f", {nan:,} of them NaN on one side only" if nan else ""
    if ours.ndim == 2 and count > ours.shape[1]:
        for shift in (1, 2, -1, -2):
            if torch.equal(ours, theirs.roll(shift, 0)):
                return [f"{name} is theirs with its rows moved by {shift}"]
    return [f"{name} differs in {count:,} of {ours.numel():,} numbers{more}"]
