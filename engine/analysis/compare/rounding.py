"""What rounding alone may do to a stage: the measure everything is held against when dtypes or shapes differ."""

from __future__ import annotations

import math

from ...program.dtypes import FLOATS, coarser
from ...program.kinds import Products
from ...program.stage import Stage
from ...program.trace import LiveTrace, Trace

# Epsilons of the coarser dtype that two healthy computations may be apart, for each layer passed, relative to the
# reference's largest magnitude. Measured on all-MiniLM-L6-v2 and the bundled model, texts of 5 to 130 tokens, one and
# two threads, a stage is apart by up to 16 epsilons a layer in float32 against float64 and up to 3.8 in bfloat16 and 2.7
# in float16 against float32 (their products are summed in float32, so that only results are rounded). The worst are
# softmaxes, which turn the error of a large score into weights. Twice that is allowed.
PER_LAYER = {"float64": 32, "float32": 32, "float16": 8, "bfloat16": 8}


def grains(trace: Trace) -> dict[str, str]:
    """What each value is good to: the coarsest dtype of all that went into it, not only the one it is kept in.

    T5's `wo` is float32 in a float16 model and is fed from float16; ModernBERT turns and weighs in float32 in a float64 one.
    "" for whole numbers, which are exact.
    """
    coarsest: dict[str, str] = {}
    for stage in trace.program:
        own = kept_in(stage, trace.value(stage.name).dtype)
        for name in stage.inputs if own in FLOATS else ():
            own = coarser(own, coarsest[name])
        coarsest[stage.name] = own if own in FLOATS else ""
    return coarsest


def kept_in(stage: Stage, dtype: str) -> str:
    """What a stage's numbers go through: float32 in a float64 model where that is how the operation is defined."""
    options = stage.options
    single = options.get("single") or options.get("upcast") or (stage.card.single and not options.get("fused"))
    return "float32" if dtype == "float64" and single else dtype


def allowed(stage: Stage, layers: int, dtype: str) -> float:
    """How far apart a stage may be for rounding alone, relative to the reference's largest magnitude."""
    after = max(1, layers) + 1  # a head comes after the layers, or without any after the embeddings
    passed = stage.layer + 1 if stage.layer is not None else after if stage.room in ("head", "final") else 1
    return PER_LAYER[dtype] * max(1, passed) * FLOATS[dtype].epsilon


def expected(stage: Stage, ours: Trace, dtype: str, absmax: float) -> float | None:
    """How much error one stage may add itself, relative to the reference's largest magnitude; None for a recording's.

    A sum of k terms gathers about √k epsilons when it is kept in float32 (each rounds at random, and terms may be larger
    than what is left of them), none worth counting when half precision is summed in float32; one more each for rounding
    inputs and result. Softmax takes an absolute error of its input for a relative one of its result. Healthy stages
    measured stay below 0.55 of this.

    Args:
        dtype: what the value is good to.
        absmax: the largest magnitude of the stage's input.
    """
    if not isinstance(ours, LiveTrace) or not dtype:
        return None
    gathered = math.sqrt(_terms(stage, ours)) if dtype in ("float32", "float64") else 0.0
    spread = absmax if stage.card.shares else 0.0
    return (2 + gathered + spread) * FLOATS[dtype].epsilon


def _terms(stage: Stage, ours: Trace) -> int:
    """Of how many numbers an element may be the sum; the last axis of the input where nothing is known of the operation."""
    card = stage.card
    if card.elementwise or card.moves or not stage.inputs:
        return 1
    if card.products is Products.WEIGHT:
        return math.prod(ours.weight_shapes[stage.weights[0]][1:])
    shape = ours.shapes[stage.inputs[0]]
    return shape[-1] if shape else 1


def cancelling(stage: Stage, ours: Trace, dtype: str, absmax: float, result: float) -> float:
    """What rounding may add to a product whose terms cancel, relative to its largest magnitude; 0 for other stages.

    Rounding each input x by half an epsilon moves Σ w x by about ε · max |x| · ‖w‖ at most, however small the sum is: with one
    output, as heads of one label have, nothing else tells how large the terms were.

    Args:
        absmax: the largest magnitude of the input; result: of the stage.
    """
    if stage.card.products is not Products.WEIGHT or not result:
        return 0.0
    weight = ours.weight(stage.weights[0]).astype("float64")
    matrix = weight.reshape(len(weight), -1)  # (out, terms): a filter's numbers side by side
    return FLOATS[dtype].epsilon * absmax * float(((matrix**2).sum(axis=-1) ** 0.5).max()) / result
