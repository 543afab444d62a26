"""One stage of ours on the reference's inputs: what is left of the difference then, that stage itself has added."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

import numpy as np

from ...program.arrays import Array
from ...program.index import TOKEN_AXES
from ...program.per_text import Rectangle
from ...program.program import Program
from ...program.stage import Shape, Stage
from ...program.torch_calls import from_numpy
from ...program.trace import LiveTrace, Trace, expect_live
from .hidden_keys import HIDES, may_hide

if TYPE_CHECKING:
    import torch

    from ...ops import Op

Span = tuple[int, int]
SPAN_BYTES = 32 << 20  # of one block of a result that has rows
KEPT, KEPT_BYTES = 4, 16 << 20  # inputs kept in our dtype: how many, and how large each may be
FREE_AXES = (*TOKEN_AXES, "batch")


def spans(ours: Trace, theirs: Trace, stage: Stage) -> list[Span]:
    """Blocks of rows in which a stage is gone through: as the runs compute it, or all at once where that is small."""
    shape = theirs.shapes[stage.name]
    for trace in (theirs, ours):
        if isinstance(trace, LiveTrace) and trace.is_windowed(stage.name) and trace.shapes[stage.name] == shape:
            return [(start, stop) for start, stop in trace.row_blocks(stage.name)]
    rows = shape[-2] if len(shape) > 1 else 1
    if len(shape) < 2:
        return [(0, rows)]
    if stage.axes[-2] not in TOKEN_AXES:  # of texts, for instance, for all of which either side may have one row
        return [(0, max(rows, ours.shapes[stage.name][-2]))]
    step = max(1, SPAN_BYTES // max(1, 4 * math.prod(shape) // max(1, rows)))
    return [(start, min(start + step, rows)) for start in range(0, rows, step)] or [(0, 0)]


class Added:
    """Our stages on the reference's inputs.

    Args:
        ours: whose stages are run; a recording cannot be.
        theirs: where the inputs come from.
    """

    def __init__(self, ours: Trace, theirs: Trace) -> None:
        self.ours, self.theirs = ours, theirs
        self._free: dict[tuple[Shape, torch.dtype], torch.Tensor] = {}
        self._blocks = 1
        self._moved: dict[str, torch.Tensor] = {}  # inputs brought to our dtype that later stages want again

    def refused(self, stage: Stage) -> str:
        """Why a stage cannot be run on the reference's inputs; "" when it can."""
        if not isinstance(self.ours, LiveTrace):
            return "ours is a recording, which computes nothing"
        for name in stage.inputs:
            if counterpart(self.ours.program[name], self.theirs.program) is None:
                return f"the reference has no {name}"
            if not self.theirs.has(name) and name not in self.theirs.lent:
                return f"the reference did not record {name}"
            if not same_shapes(self.ours.program[name], self.ours.shapes[name], self.theirs.shapes[name]):
                return f"{name} has another shape there"
        return self._ids(stage)

    def _ids(self, stage: Stage) -> str:
        """An embedding matrix of ours may be too short for the reference's ids."""
        run = expect_live(self.ours)
        for name, weight in zip(stage.inputs, stage.weights, strict=False):
            value, shape = self.theirs.value(name), run.weights[weight].shape
            if value.dtype.startswith("int") and len(shape) == 2 and int(value.read().max(initial=0)) >= shape[0]:
                return f"{name} has ids that {weight} has no row for"
        return ""

    def results(self, stage: Stage, blocks: list[Span]) -> Iterator[Array]:
        """The stage's value in blocks of rows, as numpy."""
        op = cast("Op", stage.op)
        self._blocks = len(blocks) if op.rows is not None else 1
        whole = (
            {}
            if op.rows is None
            else {n: self._input(n) for n, cut in zip(stage.inputs, op.rows, strict=True) if not cut}
        )
        if op.rows is None or len(blocks) == 1:
            result = self._for_every_text(stage, _plain(self._compute(stage, [self._input(n) for n in stage.inputs])))
            for start, stop in blocks:
                yield result[..., start:stop, :] if len(blocks) > 1 else result
            return
        for span in blocks:
            inputs = [whole[name] if name in whole else self._input(name, span) for name in stage.inputs]
            yield self._for_every_text(stage, _plain(self._compute(stage, inputs, span)))

    def _for_every_text(self, stage: Stage, result: Array) -> Array:
        """The same for each text, where theirs has one row of what goes in for all of them and spreads it out afterwards."""
        at, shape = stage.axes.index("batch") if "batch" in stage.axes else -1, self.theirs.shapes[stage.name]
        if at < 0 or result.shape[at] != 1 or shape[at] < 2:
            return result
        return np.broadcast_to(result, (*result.shape[:at], shape[at], *result.shape[at + 1 :]))

    def _compute(self, stage: Stage, inputs: list[torch.Tensor], span: Span | None = None) -> torch.Tensor:
        run, op = expect_live(self.ours), cast("Op", stage.op)
        weights = [run.weights[name] for name in stage.weights]
        if span is not None:
            return op.compute_rows(inputs, weights, lambda: self._memory(stage, inputs), *span)
        return op.compute(inputs, weights, lambda: self._memory(stage, inputs))

    def _memory(self, stage: Stage, inputs: list[torch.Tensor]) -> torch.Tensor | None:
        """Memory for one result at a time; fresh memory costs more than the arithmetic."""
        import torch

        run, op = expect_live(self.ours), cast("Op", stage.op)
        shape = op.shape(
            [tuple(tensor.shape) for tensor in inputs], [tuple(run.weights[name].shape) for name in stage.weights]
        )
        if self._blocks > 1 or any(tensor.device != run.device for tensor in inputs):
            return None
        key = (shape, run.dtype(stage.name))
        if key not in self._free:
            self._free[key] = torch.empty(shape, dtype=key[1], device=run.device)
        return self._free[key]

    def _input(self, name: str, span: Span | None = None) -> torch.Tensor:
        """An input from the reference, on our device and in our dtype; what hides there hides here."""
        import torch

        if span is None and name in self._moved:
            return self._moved[name]
        run = expect_live(self.ours)
        tensor, dtype = self._theirs(name, span), run.dtype(name)
        if tensor.dtype == dtype:
            return tensor.to(run.device)
        moved = tensor.to(device=run.device, dtype=dtype)
        if may_hide(run.program[name]) and dtype.is_floating_point:
            if moved.itemsize < tensor.itemsize:  # their minimum overflowed to minus infinity
                moved = moved.clamp(min=torch.finfo(dtype).min)
            else:
                moved = moved.masked_fill(tensor.to(run.device) < HIDES, torch.finfo(dtype).min)
        if span is None and moved.nbytes <= KEPT_BYTES:
            while len(self._moved) >= KEPT:
                del self._moved[next(iter(self._moved))]
            self._moved[name] = moved
        return moved

    def _theirs(self, name: str, span: Span | None) -> torch.Tensor:
        other = self.theirs
        if isinstance(other, LiveTrace):
            tensor = other.tensor(name) if span is None else other.rows(name, *span)
            return tensor.clone() if other.is_tight else tensor
        value, run = other.value(name), expect_live(self.ours)
        index = () if span is None else (*(slice(None),) * (len(value.shape) - 2), slice(*span))
        tensor = from_numpy(np.asarray(value.read(index)))
        return tensor if run.is_windowed(name) else _laid_out(tensor, run.tensor(name))


def peek(trace: Trace, name: str, index: Rectangle) -> Array:
    """A window to look at and not to write to: what a run holds in memory is not copied."""
    if not isinstance(trace, LiveTrace) or trace.is_windowed(name):
        return np.asarray(trace.value(name).read(index))
    window = trace.tensor(name)[index]
    return _plain(window.clone() if trace.is_tight else window)


def _plain(tensor: torch.Tensor) -> Array:
    """A tensor as numpy sees it; bfloat16, which numpy lacks, as float32."""
    import torch

    here = tensor.detach().cpu()
    return (here.float() if here.dtype == torch.bfloat16 else here).numpy()


def _laid_out(tensor: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """The same numbers in memory in the order of another tensor's axes: products of views take other kernels."""
    order = sorted(range(like.ndim), key=lambda axis: -like.stride(axis))
    back = sorted(range(like.ndim), key=order.__getitem__)
    return tensor.permute(order).contiguous().permute(back)


def counterpart(stage: Stage, theirs: Program) -> Stage | None:
    """The reference's stage of the same name; None where it has none, or one that is over other sequences' tokens."""
    if stage.name not in theirs or (other := theirs[stage.name]).name != stage.name:  # an alias is no stage
        return None
    return None if other.axes == stage.axes and other.sequences != stage.sequences else other


def same_shapes(stage: Stage, ours: Shape, theirs: Shape) -> bool:
    """Whether two values of a stage can be compared: equal sizes but for texts and tokens, which are aligned."""
    return len(ours) == len(theirs) and all(
        a == b or axis in FREE_AXES for axis, a, b in zip(stage.axes, ours, theirs, strict=True)
    )
