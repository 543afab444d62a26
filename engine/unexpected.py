"""What is never right, by kind of stage: the condition behind `break unexpected`.

It needs no exceptions on a healthy model, and names the first faulty stage of a broken one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .measures import measure
from .places import Place, Wanted, first_place, write_place
from .program import Stage
from .trace import Trace
from .value import Value

# Infinity is how some models hide keys; nowhere else does one belong.
MAY_BE_INFINITE = frozenset({"AdditiveMask", "AddMask"})
HOLD_WHOLE_NUMBERS = frozenset({
    "Given", "OneHot", "Best", "Buckets", "Distances", "LogBuckets", "PairMask", "Places", "PositionsAfterPadding",
    "RelativeIndex", "WithoutPrompt",
})  # fmt: skip
# These change no number: what is wrong with theirs was wrong before.
MOVES_ONLY = frozenset({
    "SplitHeads", "Concat", "FirstToken", "FirstSeen", "LastSeen", "MaxPool", "Beside", "Pick",
    "EndToken", "Prepend", "TokenAt", "Part",
})  # fmt: skip
# How far the sum of a softmax row may be from 1, in units of the dtype's last place times the square root of its length.
ROW_SUM_ULPS = 16
# How far from 1 the deviation of a normalised row may be. A sound epsilon is small beside the variance.
DEVIATION_TOLERANCE = 0.05
# How many numbers of a row mostly show that its variance is large enough.
PART_OF_A_ROW = 8
# Below this an additive mask is meant to hide a key: half of the -10000 of the first BERT.
HIDES = -5000.0
EPSILON = {"float64": 2.0**-52, "float32": 2.0**-23, "float16": 2.0**-10, "bfloat16": 2.0**-7}


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a value, and the first number or row where it is."""

    text: str
    place: Place


@dataclass(frozen=True, slots=True)
class Unexpected:
    """A condition that holds where a value cannot be right."""

    text: str = "unexpected"

    def holds(self, trace: Trace, stage: Stage) -> str:
        """What is wrong with the stage's value, or ""."""
        found = self._find(trace, stage)
        return found.text if found is not None else ""

    def place(self, trace: Trace, stage: Stage) -> Place:
        """The first number or row that is wrong."""
        found = self._find(trace, stage)
        return found.place if found is not None else ()

    def _find(self, trace: Trace, stage: Stage) -> Fault | None:
        kind = stage.kind
        if kind in HOLD_WHOLE_NUMBERS or not trace.has(stage.name):
            return None
        if not trace.finite(stage.name) and (found := _not_finite(trace, stage)):
            return found
        more = _MORE.get(kind)
        return more(trace, stage) if more else None


def _not_finite(trace: Trace, stage: Stage) -> Fault | None:
    value = trace.value(stage.name)
    if value.dtype not in EPSILON:
        return None
    if stage.kind in MOVES_ONLY and stage.name not in trace.patched:
        return None
    nan, inf = measure(value, "nan"), measure(value, "inf")
    if nan:
        return _named(value, f"{nan:,.0f} of {value.size:,} numbers are NaN", np.isnan)
    if inf and stage.kind not in MAY_BE_INFINITE:
        return _named(value, f"{inf:,.0f} of {value.size:,} numbers are infinite", np.isinf)
    return None


def _named(value: Value, text: str, wrong: Wanted) -> Fault:
    place = first_place(value, wrong) or ()
    return Fault(f"{text}, the first at {write_place(value.axes, place)}", place)


def _row_of(value: Value, row: int) -> Place:
    """The place of a row, counted through the value; along it none is meant."""
    return (*(int(at) for at in np.unravel_index(row, value.shape[:-1])), None)


def _rows(trace: Trace, stage: Stage) -> Fault | None:
    """Rows of a softmax lie in [0, 1], sum to 1, and give padding nothing."""
    value = trace.value(stage.name)
    if value.dtype not in EPSILON:
        return None
    if stage.name in trace.patched or not trace.live:  # exp() itself gives nothing below 0
        low = measure(value, "min")
        if low < 0:
            return Fault(f"a softmax weight is negative: {low:.6g}", first_place(value, lambda block: block < 0) or ())
    low, high = trace.row_ends(stage.name, "sum")
    kept = "float32" if value.dtype == "float64" and stage.options.get("single") else value.dtype
    off = max(1 - low, high - 1)
    most = ROW_SUM_ULPS * EPSILON[kept] * value.shape[-1] ** 0.5
    if off > most:
        return Fault(
            f"a softmax row sums to 1 only within {off:.3g}, and rounding explains no more than {most:.3g}",
            _row_of(value, int(np.abs(value.rows("sum") - 1).argmax())),
        )
    return _padding(trace, value) if value.axes[-1] == "key" else None


def _padding(trace: Trace, value: Value) -> Fault | None:
    """No padded key gets any weight from a token; what a padded query looks at, nobody reads."""
    if not trace.has("tokens.mask") or _all_shown(trace):
        return None
    padded = trace.value("tokens.mask").read() == 0  # (batch, key)
    for row in np.flatnonzero(padded.any(axis=-1) & ~padded.all(axis=-1)):
        queries = _stretches(~padded[row]) if value.shape[-2] == padded.shape[1] else [(0, value.shape[-2])]
        for start, stop in _stretches(padded[row]):
            for first, last in queries:
                window = (int(row), slice(None), slice(first, last), slice(start, stop))
                given = measure(value, "max", window)
                if given > 0:
                    place = first_place(value, lambda block, given=given: block == given, window) or ()
                    return Fault(f"a padded key gets attention: a weight of {given:.6g} in text {row}", place)
    return None


def _all_shown(trace: Trace) -> bool:
    """Whether it is known at once that nothing is padded."""
    return (trace.quick("tokens.mask", "min") or 0) > 0


def _stretches(flags: np.ndarray) -> list[tuple[int, int]]:
    """Where runs of true begin and end."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], flags.astype(np.int8), [0]))))
    return [(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)]


def _mask(trace: Trace, stage: Stage) -> Fault | None:
    """A text whose keys are all hidden attends to nothing; a softmax then makes equal weights of it."""
    if _all_shown(trace) and trace.quick(stage.name, "min") == 0:
        return None
    value = trace.value(stage.name)
    seen = trace.value("tokens.mask").read() != 0
    apart = stage.options.get("causal") or stage.options.get("window") is not None
    for row in range(value.shape[0]):
        # where queries see different keys, a key is hidden when none sees it
        blocks = value.blocks((row, 0)) if apart else [value.read((row, 0, 0))[None]]
        hidden = np.all([(block < HIDES).all(axis=0) for block in blocks], axis=0)
        wrong = _wrong_mask(row, seen[row], hidden)
        if wrong:
            return Fault(wrong, (row, *(None for _ in value.shape[1:])))
    return None


def _wrong_mask(row: int, seen: np.ndarray, hidden: np.ndarray) -> str:
    """What is wrong with how the keys of a text are hidden, beside those that `tokens.mask` shows; "" for nothing."""
    if not seen.any():
        return f"every key of text {row} is masked: its rows of attention mean nothing"
    if hidden[seen].all() and not hidden[~seen].any():
        return f"the mask of text {row} is inverted: it hides the tokens and shows the padding"
    if hidden.all():
        return f"every key of text {row} is masked, though tokens.mask shows {int(seen.sum())} of them"
    return ""


def _deviation(variance: float, epsilon: float) -> float:
    """Of a row of that variance, once normalised."""
    return (1 + epsilon / variance) ** -0.5 if variance > 0 else 0.0


def _norm(trace: Trace, stage: Stage) -> Fault | None:
    """Before its affine a norm has mean 0 and deviation 1: an epsilon that is not small beside the variance spoils it."""
    epsilon = getattr(stage.op, "epsilon", None)
    source = stage.inputs[0]
    if epsilon is None or not trace.has(source):
        return None
    length = trace.shapes[source][-1]
    # The squares of a whole row, less its mean, sum to no less than those of a part, less the part's own.
    part = min(PART_OF_A_ROW, length)
    least = trace.row_ends(source, "var", part)[0] * part / length
    if _deviation(least, epsilon) >= 1 - DEVIATION_TOLERANCE:
        return None
    spread = trace.value(source).rows("var")
    varied = spread > 0  # a row of equal numbers has no deviation to begin with
    lowest = _deviation(float(spread[varied].min(initial=math.inf)), epsilon)
    if lowest < 1 - DEVIATION_TOLERANCE:
        row = int(np.where(varied, spread, math.inf).argmin())
        return Fault(
            f"a normalised row has deviation {lowest:.4g}, not 1: epsilon {epsilon:g} is not small beside its variance",
            _row_of(trace.value(stage.name), row),
        )
    return None


# Of these more is asked than that they are finite.
_MORE = {"Softmax": _rows, "AdditiveMask": _mask, "LayerNorm": _norm}
