"""Numbers of a recording that the module did not compute itself: made of those that are kept, in what is left of the budget."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress

import torch

from ...program.stage import Shape
from ...traces.recorded_values import LeftOut
from .again import CameOutOtherwiseError
from .budget import CORNERS, KeptWithin, remains_of
from .graph import Graph
from .numbers import given_up

UNKNOWN = "what it would be computed from is not kept, or has been written to since"


class AsTheyWere(Mapping[str, torch.Tensor]):
    """Every value of a graph as it was in the passage, on the CPU; on the device meta where its numbers are not known any more.

    Args:
        graph: whose values. Its weights are the module's, which may be written to at any time, and have no numbers here.
        kept: those that are kept.
    """

    def __init__(self, graph: Graph, kept: KeptWithin) -> None:
        self._kinds = {**graph.weights, **graph.inputs, **graph.by_name}
        self._kept = kept

    def __getitem__(self, name: str) -> torch.Tensor:
        kind = self._kinds[name]
        if name in self._kept and self._kept.is_as_it_was(name):
            with suppress(CameOutOtherwiseError):
                return self._kept[name]
        return torch.empty(kind.shape, dtype=getattr(torch, kind.dtype), device="meta")

    def __iter__(self) -> Iterator[str]:
        return iter(self._kinds)

    def __len__(self) -> int:
        return len(self._kinds)


class KeptBeside:
    """Who keeps such numbers, as far as there is room beside those of the module.

    Args:
        kept: those of the module.

    Attributes:
        kinds: shape and dtype of each stage that was heard of.
        numbers: those that are kept, by their stages.
        left_out: why others are not.
    """

    def __init__(self, kept: KeptWithin) -> None:
        self._budget, self._room = kept.budget, kept.budget - kept.size
        self.kinds: dict[str, tuple[Shape, str]] = {}
        self.numbers: dict[str, torch.Tensor] = {}
        self.left_out: dict[str, LeftOut] = {}

    def __call__(self, stage: str, numbers: Callable[[], torch.Tensor]) -> None:
        """Compute the numbers of a stage and keep them, or what they are like."""
        tensor = numbers()
        self.kinds[stage] = tuple(tensor.shape), str(tensor.dtype).removeprefix("torch.")
        if tensor.is_meta:
            self.left_out[stage] = LeftOut(UNKNOWN)
        elif tensor.nbytes > self._room:
            remains = remains_of(tensor, min(self._room, self._budget // CORNERS))
            self._room -= remains.corner.nbytes if remains.corner is not None else 0
            self.left_out[stage] = given_up(remains, self._budget)
        else:
            self._room -= tensor.nbytes
            self.numbers[stage] = tensor
