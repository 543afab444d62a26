"""What can be wrong with the rows of a softmax: a sum that is not 1, dropout that was left on, weight on padding."""

from __future__ import annotations

import numpy as np

from ...program.dtypes import FLOATS
from ...program.element import first_place, write_place
from ...program.figures import measure
from ...program.stage import Stage
from ...program.trace import LiveTrace, Trace
from ...program.value import Value
from .dropout import dropout_rate, write_dropout
from .fault import Fault, row_of
from .masks import by_hand, mask_name, real_along

# How far the sum of a softmax row may be from 1, in units of the dtype's last place times the square root of its length.
ROW_SUM_ULPS = 16
# How many rows of weights are looked at for dropout.
ROWS = 256
EVAL = "call model.eval(), so that nothing is dropped"


def softmax_fault(trace: Trace, stage: Stage) -> Fault | None:
    """Rows of a softmax lie in [0, 1], sum to 1, and give padding nothing."""
    value = trace.value(stage.name)
    if value.dtype not in FLOATS:
        return None
    if stage.name in trace.patched or not isinstance(trace, LiveTrace):  # exp() itself gives nothing below 0
        low = measure(value, "min")
        if low < 0:
            place = first_place(value, lambda block: block < 0) or ()
            return Fault(f"a softmax weight is negative: {low:.6g}", place, "rows")
    low, high = trace.row_ends(stage.name, "sum")
    kept = "float32" if value.dtype == "float64" and stage.options.get("single") else value.dtype
    off = max(1 - low, high - 1)
    most = ROW_SUM_ULPS * FLOATS[kept].epsilon * value.shape[-1] ** 0.5
    if off > most:
        sums = Value.rows(value, "sum")  # in float64 whatever it is made of: what is said is to be the sum itself
        worst = int(np.abs(sums - 1).argmax())
        place = row_of(value, worst)
        rate = dropped_from_softmax(trace, stage)
        if rate is not None:
            said = f"dropout was left on: the weights are the softmax's after {write_dropout(rate)}"
            return Fault(said, place, "dropout", None, EVAL)
        at = write_place(value.axes, place)
        said = f"a softmax row sums to {sums[worst]:.9g}, at {at}, and rounding keeps it within {most:.3g} of 1"
        return Fault(said, place, "rows")
    return _padding(trace, stage, value) if value.axes[-1] == "key" else None


def dropped_from_softmax(trace: Trace, stage: Stage) -> float | None:
    """The rate of a dropout between a softmax's input and what it is said to have given; None for none, or not known."""
    value = trace.value(stage.name)
    source = stage.inputs[0] if stage.inputs else ""
    if not (stage.name in trace.patched or not isinstance(trace, LiveTrace)) or not source or not trace.has(source):
        return None
    heads = value.shape[1] if len(value.shape) == 4 else 1
    rows = slice(0, max(1, ROWS // max(1, heads)))
    window = (slice(0, 1), slice(None), rows) if len(value.shape) == 4 else (slice(0, ROWS),)
    scores = np.asarray(trace.value(source).read(window), dtype=np.float64)
    with np.errstate(all="ignore"):
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
        weights /= weights.sum(axis=-1, keepdims=True)
    return dropout_rate(value.read(window), weights)


def _padding(trace: Trace, stage: Stage, value: Value) -> Fault | None:
    """No padded key gets any weight from a token; what a padded query looks at, nobody reads."""
    name = mask_name(stage.sequence_along("key"))
    if name not in trace.program or not trace.has(name) or all_shown(trace, name) or _hidden_surely(trace, stage):
        return None
    padded = trace.value(name).read() == 0  # (batch, key)
    asking = real_along(trace, stage, "query")
    for row in np.flatnonzero(padded.any(axis=-1) & ~padded.all(axis=-1)):
        queries = _stretches(asking[row]) if value.shape[-2] == asking.shape[1] else [(0, value.shape[-2])]
        for start, stop in _stretches(padded[row]):
            for first, last in queries:
                heads = (slice(None),) * (len(value.shape) - 3)  # none, where an attention has one
                window = (int(row), *heads, slice(first, last), slice(start, stop))
                given = measure(value, "max", window)
                if given > 0:
                    place = first_place(value, lambda block, given=given: block == given, window) or ()
                    said = f"a padded key gets attention: a weight of {given:.6g} in text {row}"
                    return Fault(said, place, "padding seen", int(row))
    return None


def _hidden_surely(trace: Trace, stage: Stage) -> bool:
    """Whether our own mask hides the keys, and no score is so large that anything is left of one."""
    masked = trace.program[stage.inputs[0]]
    if masked.kind == "FillMasked":
        return not by_hand(trace, stage.name, masked.name, *masked.inputs[1:])
    if masked.kind != "AddMask" or by_hand(trace, stage.name, masked.name, *masked.inputs[1:]):
        return False
    known = next(iter(trace.ranges(masked.inputs[0], "absmax")), None)
    dtype = FLOATS.get(trace.value(masked.name).dtype)
    return known is not None and dtype is not None and known[1] < -dtype.lowest / 4


def all_shown(trace: Trace, mask: str) -> bool:
    """Whether it is known at once that nothing is padded, by the mask that is the stage of that name."""
    return (trace.quick(mask, "min") or 0) > 0


def _stretches(flags: np.ndarray) -> list[tuple[int, int]]:
    """Where runs of true begin and end."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], flags.astype(np.int8), [0]))))
    return [(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)]
