"""What is unlikely in a weight, as a finding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..checks.findings import Finding
from .stored import StoredWeight


def unlikely(weight: StoredWeight, kind: str, said: str, odds: str, remedy: str = "", more: int = 0) -> Finding:
    """A finding of a weight.

    Args:
        said: what is unlikely.
        odds: how many of its like are as far out.
        remedy: what to look at.
        more: weights that it is so in besides.
    """
    return Finding(
        kind, weight.stage.name, None, None, weight.name, said, remedy or f"print {weight.address}", more,
        address=weight.address, odds=odds,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Like:
    """What a weight is held against: what one of them is called, and several."""

    one: str
    many: str

    def odds(self, alike: int, others: int) -> str:
        """How many of the others are as far out: `of 5 other matrices none is so`."""
        count = "none is" if not alike else "1 is" if alike == 1 else f"{alike:,} are"
        return f"of {others:,} other {self.one if others == 1 else self.many} {count} so"


NORMS = Like("layer norm", "layer norms")
MATRICES = Like("matrix", "matrices")
WEIGHTS = Like("weight", "weights")
LAYERS = Like("layer", "layers")


def of_role(weight: StoredWeight) -> Like:
    """Those that do the same in other layers."""
    return Like(f"weight {weight.role}", f"weights {weight.role}")


def span(places: Sequence[int], what: str) -> str:
    """`row 7`, `rows 3 to 5`, `rows 1, 4, 9 and 12 more`."""
    ordered = sorted(places)
    if len(ordered) == 1:
        return f"{what} {ordered[0]:,}"
    if ordered[-1] - ordered[0] == len(ordered) - 1:
        return f"{what}s {ordered[0]:,} to {ordered[-1]:,}"
    rest = len(ordered) - 3
    said = ", ".join(f"{place:,}" for place in ordered[:3])
    return f"{what}s {said} and {rest:,} more" if rest > 0 else f"{what}s {said}"


def in_heads(weight: StoredWeight, places: Sequence[int], of_rows: bool) -> str:
    """` (head 3)` where rows or columns are those of whole heads; "" otherwise."""
    axis = weight.figures.rows.size if of_rows else weight.figures.columns.size
    if not weight.heads or of_rows != weight.rows_are_heads or axis % weight.heads:
        return ""
    size = axis // weight.heads
    heads = sorted({place // size for place in places})
    return f" ({span(heads, 'head')})" if len(places) == len(heads) * size else ""
