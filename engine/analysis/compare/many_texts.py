"""What goes through two models of many texts: each alone, all of them cut to several lengths, and one of each length beside padding."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ...messages.errors import InputError
from ...program.trace import Trace
from .over_texts import OverTexts, TextGap, gap_of

LENGTHS = (3, 5, 8, 16, 32, 64, 128, 256, 512)


def compare_texts(
    texts: Sequence[str],
    ours: Callable[[Sequence[str], int | None], Trace],
    theirs: Callable[[Trace], Trace],
    *,
    title: str = "",
    tolerance: float | None = None,
    longest: int | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> OverTexts:
    """Compare text by text, then at several lengths and beside padding, as texts alone and short ones hide what depends on them.

    Args:
        texts: what is compared.
        ours: texts and the length they are cut to -> our trace.
        theirs: our trace -> the reference's of the same.
        title: what theirs is, for people.
        tolerance: as of `compare`.
        longest: how many tokens the model takes; None for any number.
        stopped: asked before each text; True ends it.

    Raises:
        InputError: it was stopped, or a text cannot be read.
    """
    tries = _Tries(texts, ours, theirs, tolerance, longest, stopped)
    gaps = tuple(tries.gap([text], None) for text in texts)
    lengths = tuple(tries.lengths(gaps))
    padded = tuple(tries.padded(gaps))
    return OverTexts(title, gaps, lengths, padded, tuple(tries.unpadded))


class _Tries:
    """What is tried; `unpadded` is what could not be put beside padding."""

    def __init__(
        self, texts: Sequence[str], ours: Callable[[Sequence[str], int | None], Trace], theirs: Callable[[Trace], Trace],
        tolerance: float | None, longest: int | None, stopped: Callable[[], bool],
    ) -> None:  # fmt: skip
        self.texts, self.ours, self.theirs = texts, ours, theirs
        self.tolerance, self.longest, self.stopped = tolerance, longest, stopped
        self.alone = 0  # texts that went through alone
        self.unpadded: list[str] = []

    def gap(self, batch: Sequence[str], length: int | None) -> TextGap:
        """Of one batch of texts.

        Raises:
            InputError: it was stopped, or it is nothing that the models take.
        """
        self._go_on()
        run = self.ours(batch, length)
        gap = gap_of(run, self.theirs(run), batch, self.tolerance)
        self.alone += length is None
        return gap

    def lengths(self, gaps: Sequence[TextGap]) -> Iterator[TextGap]:
        """All texts as one, cut to lengths of up to twice the longest of them."""
        for length in self._lengths(gaps):
            self._go_on()
            try:
                long = self._long(length)
                run = self.ours([long], length)
            except InputError:  # no room for a word between so many special tokens
                continue
            if run.tokens.shape[1] == length:
                yield gap_of(run, self.theirs(run), [long], self.tolerance)

    def padded(self, gaps: Sequence[TextGap]) -> Iterator[TextGap]:
        """The first text of each length, padded to the next of `LENGTHS`, and the shortest of them to all."""
        first: dict[int, str] = {}
        for gap in gaps:
            first.setdefault(gap.tokens, gap.text)
        shortest = min(first)
        for tokens, text in sorted(first.items()):
            above = [length for length in self._lengths(gaps) if length > tokens]
            next_one = above[0] if above else 2 * tokens
            if self.longest is not None:
                next_one = min(next_one, self.longest)
            if next_one <= tokens:
                self.unpadded.append(f"{tokens} tokens: the model takes no more")
                continue
            for width in above if above and tokens == shortest else (next_one,):
                gap = self._beside_padding(text, tokens, width)
                if gap is not None:
                    yield gap

    def _beside_padding(self, text: str, tokens: int, width: int) -> TextGap | None:
        """A text beside a longer one that fills its places; None, and a line of it, where no padding comes of that."""
        self._go_on()
        try:
            batch = (text, self._long(width))
            run = self.ours(batch, width)
        except InputError as error:
            self.unpadded.append(f"{tokens} tokens: {error}")
            return None
        if (run.original_inputs.tokens.mask[0] != 0).all():
            self.unpadded.append(f"{tokens} tokens: beside a longer text nothing is padded")
            return None
        return gap_of(run, self.theirs(run), batch, self.tolerance)

    def _long(self, width: int) -> str:
        """The texts one after the other, over again until they fill so many places."""
        times = 1
        while True:
            long = " ".join(tuple(self.texts) * times)
            if times >= width or self.ours([long], width).tokens.shape[1] >= width:  # a text is a token at least
                return long
            times *= 2

    def _lengths(self, gaps: Sequence[TextGap]) -> Iterator[int]:
        """Up to twice the longest text, and no more than the model takes."""
        there = max(gap.tokens for gap in gaps)
        for length in LENGTHS:
            if length <= 2 * there and (self.longest is None or length <= self.longest):
                yield length

    def _go_on(self) -> None:
        if self.stopped():
            raise InputError(f"compare was interrupted after {self.alone} of {len(self.texts)} texts")
