"""What computes a run that was edited: an edit need not make sense, and what does not fit together ends it."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ...program.stage import Stage
from ...traces.compute import Computation


class FittingComputation(Computation):
    """Computes values, and sees that each has the shape that its operation says."""

    def _result(self, stage: Stage, inputs: Sequence[torch.Tensor]) -> torch.Tensor:
        """As it is computed.

        Raises:
            ValueError: it has another shape; what comes after would be computed in memory of another size, of which torch warns.
        """
        result = super()._result(stage, inputs)
        if tuple(result.shape) != self.shape(stage.name):
            raise ValueError(f"{stage.name} is {tuple(result.shape)} where its operation says {self.shape(stage.name)}")
        return result
