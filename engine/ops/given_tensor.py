"""A tensor that somebody's module is called with, of whatever shape and dtype it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..program.explanation import Explanation, Term, Terms
from ..program.kinds import Card
from .as_seen import AsSeen
from .element import Element
from .tokens import Given


@dataclass(frozen=True, slots=True)
class GivenTensor(AsSeen, Given):
    """A value that is brought as it is.

    Attributes:
        size: its shape.
        dtype: what it is made of: `float32`, `bool`.
    """

    size: tuple[int, ...] = ()
    dtype: str = "float32"
    card: ClassVar[Card] = Card(given=True, elementwise=True, takes_no_memory=True, may_be_alike=True)

    def highest(self, tokens: int, rows: int) -> int | None:
        return None

    def write(self, *operands: str) -> str:
        return f"{self.what}, as the module is called with it"

    @staticmethod
    def explain(element: Element) -> Explanation:
        """What the module was called with: here every chain ends."""
        terms = Terms([element.stored], lambda _: Term(element.stored, (), "given"), 0)
        return element.explain(f"{element.stage.part} as the module was called with it", terms)
