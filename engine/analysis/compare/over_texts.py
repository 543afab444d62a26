"""Many texts compared, one after the other: where each begins to differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...messages.errors import InputError, one_line
from ...program.trace import Trace
from .align import align_traces
from .comparison import Difference
from .gaps import Allowance, TraceGrains, is_apart, rows_between, size_of_gap


@dataclass(frozen=True)
class TextGap:
    """What one text shows.

    Attributes:
        text: as it was typed.
        tokens: how many it has; padded: how many places of padding stand beside it.
        first: the first stage that is apart; "" where none is.
        gap: how far, as a share of the reference's largest magnitude; 0 where nothing is apart.
        end: how far the last stage of both is; infinite where its shape is another.
        beside: the longer text of its batch, for which it is padded; "" where it goes through alone.
    """

    text: str
    tokens: int
    padded: int
    first: str
    gap: float
    end: float
    beside: str = ""


@dataclass(frozen=True)
class OverTexts:
    """What many texts show.

    Attributes:
        title: the reference as it was typed.
        gaps: one for each text, in order.
        lengths: all of them as one text, cut to several lengths.
        padded: a text of each length beside a longer one, with padding.
        unpadded: which were not put beside padding and why, a line each.
    """

    title: str
    gaps: tuple[TextGap, ...]
    lengths: tuple[TextGap, ...] = ()
    padded: tuple[TextGap, ...] = ()
    unpadded: tuple[str, ...] = ()

    @property
    def equal(self) -> bool:
        """Whether no text shows a difference, at no length and beside no padding."""
        return not any(gap.first for gap in (*self.gaps, *self.lengths, *self.padded))

    @property
    def worst(self) -> TextGap | None:
        """The text whose last stage is furthest apart, of those that differ."""
        return max((gap for gap in self.gaps if gap.first), key=lambda gap: (gap.end, gap.gap), default=None)

    @property
    def firsts(self) -> list[tuple[str, int]]:
        """Where texts begin to differ, and how many of them do there, most first."""
        return Counter(gap.first for gap in self.gaps if gap.first).most_common()


def texts_in(path: str) -> list[str]:
    """The texts of a file, a line each; empty lines are none.

    Raises:
        InputError: there is no such file, it is no UTF-8, or it has no text.
    """
    try:
        lines = Path(path).expanduser().read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise InputError(
            f"cannot read texts from {path!r}: {one_line(error)}; give a UTF-8 file with a text a line"
        ) from None
    texts = [line.strip() for line in lines if line.strip()]
    if not texts:
        raise InputError(f"{path!r} has no text in it; give a file with a text a line")
    return texts


def gap_of(ours: Trace, theirs: Trace, texts: Sequence[str], tolerance: float | None) -> TextGap:
    """Where a text begins to differ and how far apart it ends; of two, the first beside the second."""
    first, gap, end = "", 0.0, 0.0
    for row in rows_between(ours, TraceGrains(theirs), align_traces(ours, theirs), Allowance(tolerance)):
        if is_apart(row) and not first:
            first, gap = row.name, size_of_gap(row)
        if not isinstance(row, Difference) or row.dtype:  # of ids and positions the share that differs says nothing
            end = size_of_gap(row)
    mask = ours.original_inputs.tokens.mask[0]
    return TextGap(texts[0], int(mask.sum()), int((mask == 0).sum()), first, gap, end, "".join(texts[1:]))
