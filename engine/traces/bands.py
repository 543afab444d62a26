"""Local attention in rows: keys that a block of queries cannot see get a weight of exactly 0, and need no score to get it.

The weights come out the same to the last bit: what is left out adds zeros to a row's sum, and the keys that are computed begin where torch
begins to add anew, so that every number is added in its own place.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol, cast

import torch

from ..ops import AdditiveMask, Scale
from ..ops.sizes import largest
from ..program.program import Program
from ..program.stage import Stage
from .patches.patch_set import PatchSet
from .shapes import Shadow

# Torch adds up a row in 8, 16 or 32 sums side by side, by the processor and the dtype.
SIDE_BY_SIDE = 64
CHAIN = ("AddMask", "Scale", "Scores")


class Near(Protocol):
    """What is at hand to tell which keys are near."""

    program: Program
    shadows: Mapping[str, Shadow]
    device: torch.device

    @property
    def patches(self) -> PatchSet:
        """What is changed by hand."""
        ...

    def known(self, name: str) -> torch.Tensor | None:
        """A value where nothing has to be computed for it."""
        ...


class Bands:
    """Which keys a block of rows of one stage's weights is computed from; its inputs are at hand.

    Args:
        near: what is at hand.
        weights: the stage.
        seen: stages all of whose numbers are wanted, so that none of them may be left out on the way.
    """

    def __init__(self, near: Near, weights: Stage, seen: Collection[str] = ()) -> None:
        self._near, self._weights, self._wanted = near, weights, frozenset(seen)
        self._window: int | None = None
        self._seen: torch.Tensor | None = None  # (token,): the mask that goes in
        self._look()

    def keys(self, start: int, stop: int) -> slice | None:
        """The keys of queries `start` to `stop`; None for all: where not every query sees itself, all keys of one may be hidden alike."""
        if self._window is None or self._seen is None or not bool((self._seen[start:stop] != 0).all()):
            return None
        tokens = len(self._seen)
        first = max(0, start - self._window) // SIDE_BY_SIDE * SIDE_BY_SIDE
        last = min(tokens, -(-(stop + self._window) // SIDE_BY_SIDE) * SIDE_BY_SIDE)
        return slice(first, last) if last - first <= tokens // 2 else None

    def _look(self) -> None:
        """Find the window, where the chain is our own and no score can reach through the mask."""
        program, pairs = self._near.program, self._near.program.pairs
        chain: list[Stage] = []
        stage = self._weights
        for kind in CHAIN:
            stage = program[stage.inputs[0]] if stage.inputs else stage
            if stage.kind != kind:
                return
            chain.append(stage)
        masked, scaled, scores = chain
        mask, op = pairs[masked.inputs[1]]
        names = {one.name for one in (*chain, mask)}
        if not isinstance(op, AdditiveMask) or op.window is None or not names.isdisjoint(self._near.patches.names):
            return
        if not self._wanted.isdisjoint(one.name for one in chain):
            return
        seen, shadow = self._near.known(mask.inputs[-1]), self._near.shadows[masked.name]
        if seen is None or seen.shape[0] != 1 or seen.shape[1] != shadow.shape[-2] or self._near.device.type != "cpu":
            return
        # beside what a mask adds to a hidden score, that of the query's own key is so much larger that exp() of the difference is 0
        if self._largest(scores) * cast(Scale, pairs[scaled.name][1]).head_dim ** -0.5 < largest(shadow.dtype) / 4:
            self._window, self._seen = op.window, seen[0]

    def _largest(self, scores: Stage) -> float:
        """A bound on every score; NaN where there is none."""
        query, key = (self._near.known(name) for name in scores.inputs)
        if query is None or key is None:
            return float("nan")
        most = [max(abs(end.item()) for end in torch.aminmax(tensor)) for tensor in (query, key)]
        return 1.01 * most[0] * most[1] * query.shape[-1]
