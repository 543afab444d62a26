"""What is never right, by kind of stage: the condition behind `break unexpected`.

It needs no exceptions on a healthy model, and names the first faulty stage of a broken one. The checks ask here as well, so that
they name the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..messages.errors import InputError
from ..program.dtypes import FLOATS
from ..program.element import Place
from ..program.figures import measure
from ..program.stage import Stage
from ..program.trace import Trace
from .faults.collapse import collapse
from .faults.fault import Fault, named, row_of
from .faults.masks import (
    by_hand,
    finite_or_hidden,
    mask_faults,
    mask_name,
    masked_fault,
    never,
    real_tokens,
    shared_positions,
    token_faults,
)
from .faults.softmax import softmax_fault

# How far from 1 the deviation of a normalised row may be. A sound epsilon is small beside the variance.
DEVIATION_TOLERANCE = 0.05
# Operations of torch's own that give minus infinity of finite numbers because their author says so: what `where` puts in the place of
# others, and the logarithm of 0, as of a distance of 0 that is looked up elsewhere. What goes wrong by it does so in what follows.
MEANT = frozenset({"where", "masked_fill", "full", "full_like", "fill", "log", "log2", "log10"})
# How many numbers of a row mostly show that its variance is large enough.
PART_OF_A_ROW = 8


@dataclass(frozen=True, slots=True)
class Unexpected:
    """A condition that holds where a value cannot be right."""

    text: str = "unexpected"

    def holds(self, trace: Trace, stage: Stage) -> str:
        """What is wrong with the stage's value, or ""."""
        fault = fault_at(trace, stage)
        return fault.text if fault is not None else ""

    def place(self, trace: Trace, stage: Stage) -> Place:
        """The first number or row that is wrong."""
        fault = fault_at(trace, stage)
        return fault.place if fault is not None else ()


def fault_at(trace: Trace, stage: Stage) -> Fault | None:
    """What is wrong with a stage's value; None for nothing, or where a recording lacks it."""
    if not trace.has(stage.name):
        return None
    if not stage.card.whole_numbers:
        if not trace.finite(stage.name) and (fault := _not_finite(trace, stage)):
            return fault
        if fault := collapse(trace, stage):
            return fault
    return _more(trace, stage)


def first_fault(trace: Trace, stopped: Callable[[], bool] = never) -> tuple[Stage, Fault] | None:
    """Where `break unexpected` stops first, and why; None where it runs to the end.

    Raises:
        InputError: it was stopped.
    """
    for position, stage in enumerate(trace.program):
        if stopped():
            raise InputError(f"the check was interrupted before {stage.name}")
        trace.reach(position)
        if fault := fault_at(trace, stage):
            return stage, fault
    return None


def _not_finite(trace: Trace, stage: Stage) -> Fault | None:
    value = trace.value(stage.name)
    if value.dtype not in FLOATS:
        return None
    if stage.card.moves and stage.name not in trace.patched:  # what is wrong with its numbers was wrong before
        return None
    nan, inf = measure(value, "nan"), measure(value, "inf")
    if nan:
        return named(value, f"{nan:,.0f} of {value.size:,} numbers are NaN", np.isnan, "not a number")
    if inf and (stage.card.may_be_infinite or _is_meant(stage) or _hid_before(trace, stage)):
        return finite_or_hidden(trace, stage, value)
    if inf:
        return named(value, f"{inf:,.0f} of {value.size:,} numbers are infinite", np.isinf, "infinite")
    return None


def _is_meant(stage: Stage) -> bool:
    """Whether the last of torch's own operations at a stage gives minus infinity where its author says so."""
    targets: list[str] = stage.options.get("torch") or []
    return bool(targets) and targets[-1].split(".")[1] in MEANT


def _hid_before(trace: Trace, stage: Stage) -> bool:
    """Whether infinities, of which those that hide are minus, went into a sum, a scale, or an operation of torch's own of which no more is known."""
    if "torch" not in stage.options and not (stage.card.adds_inputs or stage.card.scales):
        return False
    inputs = [trace.value(name) for name in stage.inputs if trace.has(name)]
    return any(value.dtype in FLOATS and measure(value, "inf") > 0 for value in inputs)


def _given(trace: Trace, stage: Stage) -> Fault | None:
    """The mask that goes in: beside the tokenizer's, and whether any token of a text is seen at all."""
    sequence = stage.sequence
    if stage.name != mask_name(sequence):
        return None
    if not by_hand(trace, stage.name) and real_tokens(trace, sequence).any(axis=1).all():
        return None
    faults = [fault for fault in token_faults(trace, sequence) if fault.kind != "tokenizer"]
    return faults[0] if faults else None


def _mask(trace: Trace, stage: Stage) -> Fault | None:
    """A mask of our own making follows `tokens.mask`; one that was put there may not."""
    if stage.axes[-1:] != ("key",) or len(stage.axes) != 4 or not by_hand(trace, stage.name):
        return None
    faults = mask_faults(trace, stage)
    return faults[0] if faults else None


def _masked(trace: Trace, stage: Stage) -> Fault | None:
    return masked_fault(trace, stage) if by_hand(trace, stage.name, *stage.inputs[1:]) else None


def _positions(trace: Trace, stage: Stage) -> Fault | None:
    """Positions that are counted by the padding's id take a real token of that id for padding."""
    faults = shared_positions(trace)
    return faults[0] if faults else None


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
        said = (
            f"a normalised row has deviation {lowest:.4g}, not 1: epsilon {epsilon:g} is not small beside its variance"
        )
        return Fault(said, row_of(trace.value(stage.name), row), "epsilon")
    return None


def _more(trace: Trace, stage: Stage) -> Fault | None:
    """What is asked of some values besides that they are finite."""
    card = stage.card
    if card.shares:
        return softmax_fault(trace, stage)
    if card.mask:
        return _mask(trace, stage)
    if card.hides:
        return _masked(trace, stage)
    if card.standardised:
        return _norm(trace, stage)
    if card.given:
        return _given(trace, stage)
    return _positions(trace, stage) if stage.kind == "PositionsAfterPadding" else None
