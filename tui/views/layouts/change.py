"""How the histograms of a place share the pane: heights of bars, of a curve, and how many lines of words. Pure arithmetic."""

from __future__ import annotations

from dataclasses import dataclass

TEXT, LEAST_TEXT, MOST_BINS = 32, 23, 120
BARS = (
    (6, 1),
    (5, 1),
    (4, 1),
    (3, 1),
    (2, 1),
    (2, 0),
    (1, 0),
)  # heights of bars, and of the line of mean and deviation
LEAST_CURVE, MOST_CURVE = 3, 9
AXIS = 2  # lines below the bars of an axis


@dataclass(frozen=True, slots=True)
class ChangeLayout:
    """Lines and cells of a picture of changes.

    Attributes:
        text, bins: cells of what is said of a row, and of its bars.
        bars: lines of bars of each row; spread: of its mean and deviation.
        curve: lines of the curve; 0 for none.
        notes: lines of words below.
        rows: how many rows fit.
        axes: whether the axes have their lines.
    """

    text: int
    bins: int
    bars: int
    spread: int
    curve: int
    notes: int
    rows: int
    axes: bool

    @property
    def row(self) -> int:
        """Lines of a row."""
        return self.bars + self.spread


def bins_for(width: int) -> int:
    """How many cells the bars have in a pane of that width, an even number: a bin may be two of them wide."""
    return max(2, min(MOST_BINS, width - _text_for(width) - 2) // 2 * 2)


def _text_for(width: int) -> int:
    return max(1, min(max(LEAST_TEXT, min(TEXT, width * 2 // 5)), width - 12))


def layout_for(width: int, height: int, rows: int, axes: int, notes: int, *, curve: bool) -> ChangeLayout:
    """The tallest bars that leave room for all words, or else the fewest words left out.

    Args:
        rows, axes: how many there are.
        notes: lines that the words take.
        curve: whether there is one.
    """
    text, bins = _text_for(width), bins_for(width)
    room = height - 1 - AXIS * axes  # a line says which place it is
    for bars, spread in BARS:
        curved = max(LEAST_CURVE, min(MOST_CURVE, 2 * bars)) if curve else 0
        left = room - rows * (bars + spread) - curved - notes
        if left >= 0:
            more = min(left, MOST_CURVE - curved) if curve else 0
            return ChangeLayout(text, bins, bars, spread, curved + more, notes, rows, True)
    for curved in (LEAST_CURVE, 0) if curve else (0,):
        left = room - rows - curved
        if left >= 0:
            return ChangeLayout(text, bins, 1, 0, curved, min(notes, left), rows, True)
    return ChangeLayout(text, bins, 1, 0, 0, 0, max(0, min(rows, height - 1)), False)
