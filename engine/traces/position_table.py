"""A formula of positions, worked out for every position and not for those of a text alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ..ops import Op
from ..ops.base import no_memory
from ..program.addresses import AT
from ..program.kinds import TABLE
from ..program.per_text import Index, is_rectangle
from ..program.position_table import table_axes
from ..program.stage import Stage
from ..program.torch_calls import from_numpy
from ..program.value import Value
from .tensors import to_numpy


class PositionTable(Value):
    """Rows for positions 0, 1, 2, ...: (position, hidden), computed for the window that is read, as the stage computes its own.

    Args:
        stage, op: whose formula.
        shape: how many positions, and how many numbers each has.
        dtype, device: of the run.
    """

    def __init__(self, stage: Stage, op: Op, shape: tuple[int, int], dtype: torch.dtype, device: torch.device) -> None:
        self.name, self.axes, self.shape = f"{stage.name}{AT}{TABLE}", table_axes(stage), shape
        self.dtype = str(dtype).removeprefix("torch.")
        self._op, self._device = op, device

    def read(self, index: Index | str = ()) -> npt.NDArray[Any]:
        bound = self.bind(index)
        assert is_rectangle(bound)  # it has no batch, and so no other places in each text
        row, column = bound
        places = np.arange(self.shape[0])[row if isinstance(row, slice) else [row]]
        positions = from_numpy(np.array(places, order="C", ndmin=2)).to(self._device)  # (1, position)
        table = to_numpy(self._op.compute([positions], (), no_memory)[0])  # (position, hidden)
        return np.array(table[slice(None) if isinstance(row, slice) else 0, column])
