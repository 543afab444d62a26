"""The whole table of a formula of positions: a row for each position there is, as a learned table has."""

from __future__ import annotations

from .stage import Stage

UNLIMITED_ROWS = 512  # of a model that takes any number of tokens


def table_rows(stage: Stage, longest: int | None, tokens: int) -> tuple[int, bool]:
    """How many positions are looked at, and whether they are all that the model has.

    Args:
        stage: one whose card says `by_position`.
        longest: how many tokens the model takes; None for any number.
        tokens: how many there are: no table has fewer rows.
    """
    known = int(stage.options.get("places") or 0) or longest
    return (known, True) if known is not None else (max(UNLIMITED_ROWS, tokens), False)


def table_axes(stage: Stage) -> tuple[str, str]:
    """Those of a learned table: positions down, the numbers of each across."""
    return "position", stage.axes[-1]
