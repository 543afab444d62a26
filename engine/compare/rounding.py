"""What rounding alone may do to a stage: the measure everything is held against when dtypes or shapes differ."""

from __future__ import annotations

import math

from ..program import Stage
from ..trace import Trace
from .measure import EPSILONS

# Epsilons of the coarser dtype that two healthy computations may be apart, for each layer passed, relative to the
# reference's largest magnitude. Measured on all-MiniLM-L6-v2 (6 layers) and the bundled model: against float64, float32 is
# apart by up to 5.0 epsilons a layer, against float32 bfloat16 by 1.1 and float16 by 1.3 (their products are summed
# in float32, so that only results are rounded). Three times that is allowed.
PER_LAYER = {"float64": 16, "float32": 16, "float16": 4, "bfloat16": 4}
# Operations that round each element once, whatever the size of what goes in.
ELEMENTWISE = {
    "Activation", "AddMask", "AdditiveMask", "Concat", "FirstToken", "Given", "Lookup", "Scale", "SplitHeads", "Sum",
}  # fmt: skip


def allowed(stage: Stage, layers: int, dtype: str) -> float:
    """How far apart a stage may be for rounding alone, relative to the reference's largest magnitude."""
    passed = stage.layer + 1 if stage.layer is not None else layers if stage.room == "head" else 1
    return PER_LAYER[dtype] * max(1, passed) * EPSILONS[dtype]


def expected(stage: Stage, ours: Trace, dtype: str, absmax: float) -> float | None:
    """How much error one stage may add itself, relative to the reference's largest magnitude; None for a recording's.

    A sum of k terms gathers about √k / 2 epsilons when it is kept in float32 (half a one each, at random), none worth
    counting when half precision is summed in float32; one more each for rounding inputs and result. Softmax takes an
    absolute error of its input for a relative one of its result. Healthy stages measured stay below half of this.

    Args:
        absmax: the largest magnitude of the stage's input.
    """
    if not ours.live or not dtype:
        return None
    kind = type(stage.op).__name__
    terms = 1
    if kind not in ELEMENTWISE and stage.inputs:
        shape = ours.shapes[stage.inputs[0]]
        terms = shape[-1] if shape else 1
    gathered = math.sqrt(terms) / 2 if dtype in ("float32", "float64") else 0.0
    spread = absmax if kind == "Softmax" else 0.0
    return (2 + gathered + spread) * EPSILONS[dtype]
