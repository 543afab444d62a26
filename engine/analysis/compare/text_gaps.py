"""How far apart a stage is, text by text: a batch is no further apart than the worst of its texts alone."""

from __future__ import annotations

from dataclasses import dataclass, field

from ...program.arrays import Array
from .measure import Gap


@dataclass(slots=True)
class TextGaps:
    """A gap for each text of a batch; text 0 where a value is the same for all.

    Attributes:
        brief: only largest differences and what is unlike are wanted.
        texts: the gap of each text that was gone through.
    """

    brief: bool = False
    texts: dict[int, Gap] = field(default_factory=dict[int, Gap])

    def add(
        self, text: int, ours: Array, theirs: Array, tag: object = None, hidden: tuple[Array, Array] | None = None
    ) -> None:
        """Go through a block of one text; see `Gap.add`."""
        if text not in self.texts:
            self.texts[text] = Gap(self.brief)
        self.texts[text].add(ours, theirs, tag, hidden)

    def worst(self, *, ids: bool = False) -> Gap:
        """The gap of the text that is furthest apart beside its own largest value, or of ids by the share that differs."""
        return max(self.texts.values(), key=lambda gap: gap.share if ids else gap.relative, default=Gap(self.brief))

    def total(self, what: str) -> int:
        """A count over all texts: `count`, `numbers`, `differing`, `nan`, `inf`, `covered`, `plus`, `minus`, `lost`."""
        return sum(getattr(gap, what) for gap in self.texts.values())

    @property
    def unlike(self) -> int:
        """Places of all texts where one side alone holds a number."""
        return sum(gap.unlike for gap in self.texts.values())

    @property
    def hides(self) -> tuple[float, float] | None:
        """Two numbers that hide the same key on both sides and differ; None where there are none."""
        return next((gap.hides for gap in self.texts.values() if gap.hides), None)

    @property
    def largest(self) -> float:
        """The largest difference in any text."""
        return max((gap.largest for gap in self.texts.values()), default=0.0)

    @property
    def absmax(self) -> float:
        """The reference's largest magnitude in any text."""
        return max((gap.absmax for gap in self.texts.values()), default=0.0)

    @property
    def squares(self) -> tuple[float, float, float]:
        """The sums of squares over all texts; see `Gap.squares`."""
        every = [gap.squares for gap in self.texts.values()]
        return sum(each[0] for each in every), sum(each[1] for each in every), sum(each[2] for each in every)

    @property
    def mean(self) -> float:
        """The mean absolute difference over all texts."""
        numbers = sum(gap.numbers for gap in self.texts.values())
        return sum(gap.total for gap in self.texts.values()) / numbers if numbers else 0.0

    def share_of(self, sizes: TextGaps) -> float:
        """The largest difference beside the largest magnitude of the same text in other gaps; infinite for what is unlike."""
        shares = [0.0]
        for text, gap in self.texts.items():
            size = sizes.texts[text].absmax if text in sizes.texts else 0.0
            whole = float("inf")
            shares.append(whole if gap.unlike else gap.largest / size if size else whole if gap.largest else 0.0)
        return max(shares)
