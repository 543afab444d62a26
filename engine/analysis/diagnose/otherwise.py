"""An operation that does what ours does and something else besides, to try whether that is what somebody else computes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, cast

from ...ops.base import Op, Out, Tensors, unexplained
from ...program.kinds import Card
from ...program.stage import Shape, Stage

if TYPE_CHECKING:
    import torch

Function = Callable[[Sequence["torch.Tensor"], Sequence["torch.Tensor"]], "torch.Tensor"]


@dataclass(frozen=True)
class Otherwise(Op, recorded=False):
    """A function in the place of an operation; it is known as what it stands for.

    Attributes:
        of: the operation it is in the place of.
        written: the right-hand side of its formula.
        grain: the dtype that it rounds to on the way; "" for none.
        function: inputs and weights -> the result, of the shape and dtype of what it stands for.
    """

    of: Op
    written: str
    function: Function = field(repr=False)
    grain: str = ""
    card: ClassVar[Card] = Card()
    explain = staticmethod(unexplained)

    def __post_init__(self) -> None:
        object.__setattr__(self, "card", self.of.card)  # its own, as what is known of it depends on what it stands for
        object.__setattr__(self, "symbols", self.of.symbols)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        return self.function(inputs, weights)

    def shape(self, inputs: Sequence[Shape], weights: Sequence[Shape]) -> Shape:
        return self.of.shape(inputs, weights)

    def result_dtype(
        self, inputs: Sequence[torch.dtype], weights: Sequence[torch.dtype], dtype: torch.dtype
    ) -> torch.dtype:
        return self.of.result_dtype(inputs, weights, dtype)

    def write(self, *operands: str) -> str:
        return self.written


def with_options(stage: Stage, **options: Any) -> Stage:
    """A stage whose operation has other settings."""
    op: Any = stage.op
    return replace(stage, op=replace(op, **options))


def plainly(op: Op, inputs: Tensors, weights: Tensors) -> torch.Tensor:
    """What an operation gives, in memory of its own."""
    return op.compute(inputs, weights, lambda: None)


def op_of(stage: Stage) -> Op:
    """The operation of a stage that is computed."""
    return cast(Op, stage.op)


def followed_by(stage: Stage, written: str, then: Callable[[torch.Tensor], torch.Tensor], grain: str = "") -> Any:
    """The operation of a stage, and a function of its result."""
    op = op_of(stage)
    return Otherwise(op, written, lambda inputs, weights: then(plainly(op, inputs, weights)), grain)
