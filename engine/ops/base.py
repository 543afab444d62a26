"""What every operation has: it computes, writes its formula, bounds its result, explains one element of it, and has a card."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar, TypeAlias

from ..program.explanation import Explanation
from ..program.kinds import Card
from ..program.stage import Shape
from .element import Element
from .lazy import torch
from .moments import Moments, MomentSources
from .sizes import NO_RULE, Sizes

Tensors: TypeAlias = "Sequence[torch.Tensor]"
# Memory for the result, on request: a buffer of the right shape, or None for "allocate it yourself". torch takes
# either as `out=`. Fresh memory costs more than the arithmetic for long texts (page faults), so a run keeps buffers.
Out: TypeAlias = "Callable[[], torch.Tensor | None]"


class Op(ABC):
    """An operation of a stage. Subclasses are frozen dataclasses: an op is data, its numbers come with each call.

    A class that is no ABC itself declares its `card`, and explains its elements, or it cannot be made.

    Attributes:
        card: what is known of it besides its numbers.
        symbols: what the formula calls the weights, in order.
        rows: for ops whose result has rows (its last axis but one) that can be computed apart: for each input whether
            it is cut to the same rows. None for ops that are only computed whole.
        by_head: of ops with rows: whether each head of the result (the second of four axes) comes of that head of the inputs, or of
            the one that stands for all, so that a few heads can be computed apart.
        keys: of ops with rows whose last axis is of keys that can be computed apart: for each input which axis is cut to them, -1, -2 or None.
        in_place: whether the result may be written over the first input.
        windows: True for results so large and so simple that they are never built, only read by `window`.
    """

    card: ClassVar[Card]
    symbols: ClassVar[tuple[str, ...]] = ()
    rows: ClassVar[tuple[bool, ...] | None] = None
    by_head: ClassVar[bool] = False
    keys: ClassVar[tuple[int | None, ...] | None] = None
    in_place: ClassVar[bool] = False
    windows: ClassVar[bool] = False

    def __init_subclass__(cls, *, recorded: bool = True) -> None:
        """Hold a subclass to what it must have, and put it into the table of those that recordings name.

        Args:
            recorded: whether a recording may name it; not what only stands in for another to try something.
        """
        super().__init_subclass__()
        if ABC in cls.__bases__ or not recorded:
            return
        card = cls.__dict__.get("card")  # its own: an inherited one would be true of another operation
        if not isinstance(card, Card):
            raise TypeError(f"the operation {cls.__name__} has no card; give it one: card: ClassVar[Card] = Card(...)")
        if cls.explain is Op.explain:
            raise TypeError(
                f"the operation {cls.__name__} explains no element of its result; give it a static method explain(element), "
                "or say that it cannot: explain = staticmethod(unexplained)"
            )
        # A dataclass with slots makes its class a second time, which is why the card is no argument of the class.
        namesake = OPERATIONS.setdefault(cls.__name__, cls)
        if (namesake.__module__, namesake.__qualname__) != (cls.__module__, cls.__qualname__):
            raise TypeError(
                f"there is another operation called {cls.__name__}, in {namesake.__module__}, and recordings tell operations "
                "by their names; call it otherwise"
            )
        OPERATIONS[cls.__name__] = cls

    @abstractmethod
    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        """The result, with the same operations in the same order as the reference implementation.

        It makes no assumption on device or dtype, and runs on torch's `meta` device.
        """

    def compute_rows(self, inputs: Tensors, weights: Tensors, out: Out, start: int, stop: int) -> torch.Tensor:
        """Rows `start` to `stop` alone, of an op that has rows; inputs are cut to them where `rows` says so."""
        return self.compute(inputs, weights, out)

    def shape(self, inputs: Sequence[Shape], weights: Sequence[Shape]) -> Shape:
        """Shape of the result from those of inputs and weights (of a given value: from that of the batch)."""
        return inputs[0]

    def result_dtype(
        self, inputs: Sequence[torch.dtype], weights: Sequence[torch.dtype], dtype: torch.dtype
    ) -> torch.dtype:
        """What the result is made of.

        Args:
            inputs, weights: what those are made of.
            dtype: the run's, which nearly everything is made of.
        """
        return torch.int64 if self.card.whole_numbers else dtype

    def bound(self, sizes: Sizes) -> float:
        """A number that no element of the result exceeds in magnitude; NaN where that is not sure, so that all are read.

        A wrong one hides a NaN. Numbers that only move are no larger elsewhere.
        """
        return sizes.most(0) if self.card.moves else NO_RULE

    def moments(self, sources: MomentSources) -> Moments | None:
        """What the numbers of a result that is never whole are like together, where its inputs say; None where they do not.

        It is what spares a scan the parts of a square that nothing else needs. All numbers of the result are finite.
        """
        return None

    def highest(self, tokens: int, rows: int) -> int | None:
        """The largest number that may be put into a result that is looked up or tells what is seen; None where any may.

        Args:
            tokens: how many a text has.
            rows: of the smallest table that is looked up with it.
        """
        return None

    @abstractmethod
    def write(self, *operands: str) -> str:
        """The right-hand side of the formula, with the operands (inputs, then weights) written as given."""

    @staticmethod
    def explain(element: Element) -> Explanation:
        """Why one element of the result is what it is: the terms it is the sum of, and how far rounding may take it from that.

        It has no operation at hand but the stage's options, so that a recorded stage is explained as well, and it reads rows and
        single numbers, never a whole tensor. `rounding` has the bounds, `terms` what several operations say alike.
        """
        raise NotImplementedError


def unexplained(element: Element) -> Explanation:
    """The explanation of what has none by terms, or is not known here: its inputs at least have names."""
    known = bool(element.stage.kind)
    what = (
        "this operation is not told apart into terms"
        if known
        else "this recording does not say what kind of operation it is"
    )
    made = f"; it is made from {', '.join(element.stage.inputs)}" if element.stage.inputs else ""
    return element.explain(element.trace.formulas(element.stage.name)[0].partition(" = ")[2], None, notes=[what + made])


# Every operation there is, by the name of its class, which is what a recording calls it.
OPERATIONS: dict[str, type[Op]] = {}


def no_memory() -> None:
    """An `Out` that leaves allocation to torch."""
    return
