"""How large a model's weights are, looked at once for all its runs: what it takes to bound a product with them."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from ...program.torch_calls import row_norms
from ..tensors import both


class WeightSizes:
    """Two figures of each weight, read when first asked for; both NaN where any of its numbers is.

    Args:
        weights: on the device, in the dtype to compute with. They never change.
    """

    def __init__(self, weights: Mapping[str, torch.Tensor]) -> None:
        self._weights = weights
        self._most: dict[str, float] = {}
        self._reach: dict[str, float] = {}

    def most(self, name: str) -> float:
        """The largest magnitude."""
        most = self._most.get(name)
        if most is None:
            low, high = both(torch.aminmax(self._weights[name]))
            most = self._most[name] = max(-low, high)
        return most

    def reach(self, name: str) -> float:
        """The largest sum of magnitudes of a row: how many times larger than its input's a product's numbers can be."""
        reach = self._reach.get(name)
        if reach is None:
            weight = self._weights[name]
            wide = torch.promote_types(weight.dtype, torch.float32)
            reach = self._reach[name] = row_norms(weight, 1, wide).max().item()
        return reach
