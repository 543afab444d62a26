"""The first stage that is apart, with what is known around it: what causes are found by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ...program.stage import Stage
from ...program.trace import LiveTrace, Trace
from ..compare.added_error import counterpart
from ..compare.align import Alignment
from ..compare.gaps import StageGap

if TYPE_CHECKING:
    import torch

    from ...traces.run import Run

Float64s = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Case:
    """Two traces and the first stage at which they are apart.

    Attributes:
        ours: what can be edited.
        theirs: what it is held against.
        alignment: which token belongs to which.
        first: the first stage that is apart.
        settings: what the model's config says, as it stands in the file.
    """

    ours: Run
    theirs: Trace
    alignment: Alignment
    first: StageGap
    settings: Mapping[str, Any]

    @property
    def stage(self) -> Stage:
        """Of ours, where it begins."""
        return self.ours.program[self.first.name]

    @cached_property
    def suspects(self) -> tuple[Stage, ...]:
        """What may be the cause, nearest first: the first stage that is apart, and those before it that theirs lacks."""
        seen, waiting = [self.stage], [self.stage]
        while waiting:
            for name in waiting.pop(0).inputs:
                stage = self.ours.program[name]
                if stage not in seen and not self.is_known(name):
                    seen.append(stage)
                    waiting.append(stage)
        return tuple(seen)

    def suspected(self, *kinds: str) -> Iterator[Stage]:
        """Suspects whose operations are called so."""
        return (stage for stage in self.suspects if stage.kind in kinds)

    def is_known(self, name: str) -> bool:
        """Whether theirs has a value for a stage, laid out as ours is."""
        other = counterpart(self.ours.program[name], self.theirs.program)
        return other is not None and other.axes == self.ours.program[name].axes and self.theirs.has(name)

    # -- numbers -------------------------------------------------------------------------------------------------------

    def mine(self, name: str) -> Float64s:
        """Our value, as float64."""
        return np.asarray(self.ours.value(name).read(), np.float64)

    def others(self, name: str) -> Float64s | None:
        """Theirs, where it has one whose elements stand where ours do."""
        if not self.alignment.same or not self.is_known(name) or self.ours.shapes[name] != self.theirs.shapes[name]:
            return None
        return np.asarray(self.theirs.value(name).read(), np.float64)

    def both(self, name: str) -> tuple[Float64s, Float64s] | None:
        """Both sides' rows of real tokens: (row, feature); of scores (row of keys, key), those that a mask hides left out."""
        other = self.others(name)
        if other is None or other.ndim < 2:
            return None
        mine, real = self.mine(name), self.real(self.ours.program[name])
        if real is None:
            return None
        rows = real.reshape(-1) if real.ndim == mine.ndim - 1 else real
        return mine.reshape(-1, mine.shape[-1])[rows], other.reshape(-1, other.shape[-1])[rows]

    def both_of_ours(self, name: str) -> Float64s | None:
        """Our rows of real tokens: (row, feature)."""
        mine, real = self.mine(name), self.real(self.ours.program[name])
        return None if real is None or mine.ndim < 2 else mine.reshape(-1, mine.shape[-1])[real.reshape(-1)]

    def real(self, stage: Stage) -> npt.NDArray[np.bool_] | None:
        """Which rows of a value are of real tokens: of its shape without the last axis."""
        shape, sequence = self.ours.shapes[stage.name][:-1], self.ours.original_inputs.sequences[stage.sequence]
        real = np.ones(shape, dtype=bool)
        for axis, name in enumerate(stage.axes[:-1]):
            if name in ("token", "query"):
                stands = sequence.mask != 0  # (batch, token)
                if "batch" not in stage.axes:
                    continue
                wide = [1] * len(shape)
                wide[stage.axes.index("batch")], wide[axis] = stands.shape
                if shape[axis] != stands.shape[1] or shape[stage.axes.index("batch")] != stands.shape[0]:
                    return None
                real &= stands.reshape(wide)
        return real

    # -- weights -------------------------------------------------------------------------------------------------------

    @cached_property
    def live(self) -> LiveTrace | None:
        """Theirs, where its weights are at hand."""
        origin = getattr(self.theirs, "origin", None)
        return next((trace for trace in (self.theirs, origin) if isinstance(trace, LiveTrace)), None)

    def their_weights(self, stage: Stage) -> tuple[torch.Tensor, ...] | None:
        """Theirs of a stage, in the order of ours, where they are at hand and as many."""
        called = getattr(self.theirs, "called", {}).get(stage.name, stage.name)
        if self.live is None or called not in self.live.program:
            return None
        names = self.live.program[called].weights
        if len(names) < len(stage.weights):
            return None
        like = [self.ours.weights[name] for name in stage.weights]
        return tuple(
            self.live.weights[name].detach().to(weight.device, weight.dtype)
            for name, weight in zip(names, like, strict=False)
        )
