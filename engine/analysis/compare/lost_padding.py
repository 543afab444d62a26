"""NaN at padding on one side alone: no part of the verdict by itself, and what all that is NaN behind it comes of."""

from __future__ import annotations

import numpy as np

from ...program.stage import Stage
from ...program.trace import Trace


def why_lost(trace: Trace, stage: Stage) -> str:
    """Why rows of a stage are NaN, where what goes into it says so; "" where it does not.

    Args:
        trace: the side that they are NaN on.
    """
    if stage.axes[-1:] != ("key",) or not stage.card.shares or not stage.inputs or not trace.has(stage.inputs[0]):
        return ""
    scores = trace.value(stage.inputs[0])
    if not np.isneginf(scores.read()).all(axis=-1).any():
        return ""
    return f"every key of them is hidden by -inf; hide by torch.finfo(torch.{scores.dtype}).min"
