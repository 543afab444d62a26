"""Many texts compared, one after the other: where each begins to differ, and at which lengths and paddings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...messages.errors import InputError, one_line
from ...messages.visible import quoted
from ...program.trace import Trace
from .align import align_traces
from .comparison import Difference
from .gaps import Allowance, TraceGrains, is_apart, rows_between, size_of_gap

SHOWN = 5
LENGTHS = (3, 5, 8, 16, 32, 64, 128, 256, 512)


@dataclass(frozen=True)
class TextGap:
    """What one text shows.

    Attributes:
        text: as it was typed.
        tokens: how many it has; padded: how many places of padding stand beside it.
        first: the first stage that is apart; "" where none is.
        gap: how far, as a share of the reference's largest magnitude; 0 where nothing is apart.
        end: how far the last stage of both is; infinite where its shape is another.
    """

    text: str
    tokens: int
    padded: int
    first: str
    gap: float
    end: float


@dataclass(frozen=True)
class OverTexts:
    """What many texts show.

    Attributes:
        title: the reference as it was typed.
        gaps: one for each text, in order.
        lengths: the longest text cut to several lengths, alone and beside a longer one.
    """

    title: str
    gaps: tuple[TextGap, ...]
    lengths: tuple[TextGap, ...] = ()

    @property
    def equal(self) -> bool:
        """Whether no text shows a difference, at no length."""
        return not any(gap.first for gap in (*self.gaps, *self.lengths))

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


def gap_of(ours: Trace, theirs: Trace, text: str, tolerance: float | None) -> TextGap:
    """Where one text begins to differ and how far apart it ends."""
    first, gap, end = "", 0.0, 0.0
    for row in rows_between(ours, TraceGrains(theirs), align_traces(ours, theirs), Allowance(tolerance)):
        if is_apart(row) and not first:
            first, gap = row.name, size_of_gap(row)
        if not isinstance(row, Difference) or row.dtype:  # of ids and positions the share that differs says nothing
            end = size_of_gap(row)
    mask = ours.original_inputs.tokens.mask[0]
    return TextGap(text, int(mask.sum()), int((mask == 0).sum()), first, gap, end)


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
    """Compare text by text, then the longest of them at several lengths and beside padding, as short inputs hide what depends on them.

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
    gaps: list[TextGap] = []
    for text in texts:
        _go_on(stopped, len(gaps), len(texts))
        run = ours([text], None)
        gaps.append(gap_of(run, theirs(run), text, tolerance))
    long = " ".join(texts)
    lengths: list[TextGap] = []
    for length in _lengths(max(gap.tokens for gap in gaps), longest):
        for batch in ([long], [texts[0], long]):
            _go_on(stopped, len(gaps), len(texts))
            try:
                run = ours(batch, length)
            except InputError:  # no room for a word between so many special tokens
                break
            if run.tokens.shape[1] < length:
                break
            lengths.append(gap_of(run, theirs(run), batch[0], tolerance))
    return OverTexts(title, tuple(gaps), tuple(lengths))


def _lengths(there: int, longest: int | None) -> Iterator[int]:
    """Up to twice the longest text, and no more than the model takes."""
    for length in LENGTHS:
        if length <= 2 * there and (longest is None or length <= longest):
            yield length


def _go_on(stopped: Callable[[], bool], done: int, count: int) -> None:
    if stopped():
        raise InputError(f"compare was interrupted after {done} of {count} texts")


def write_over_texts(result: OverTexts) -> str:
    """A line for the worst texts, where they begin, what lengths show, and the verdict."""
    apart = [gap for gap in result.gaps if gap.first]
    lines = [f"texts      {len(result.gaps)}, of {_span(result.gaps)} tokens"]
    lines += [f"first      {name}: {count} of {len(result.gaps)} texts" for name, count in result.firsts[:SHOWN]]
    worst = sorted(apart, key=lambda gap: (-gap.end, -gap.gap))[:SHOWN]
    lines += [f"{'worst' if not at else '':<11}{_said(gap)}" for at, gap in enumerate(worst)]
    if result.lengths:
        bad = [gap for gap in result.lengths if gap.first]
        sizes = ", ".join(str(length) for length in sorted({gap.tokens + gap.padded for gap in result.lengths}))
        lines.append(f"lengths    {sizes} tokens, alone and beside padding: " + (_bad_lengths(bad) or "none differs"))
    return "\n".join([*lines, verdict_over_texts(result)])


def verdict_over_texts(result: OverTexts) -> str:
    """What came of it, in a line."""
    apart = sum(bool(gap.first) for gap in result.gaps)
    worst = result.worst
    if worst is not None:
        return (
            f"different: {apart} of {len(result.gaps)} texts, the worst is {quoted(worst.text)}, from {worst.first} on"
        )
    bad = [gap for gap in result.lengths if gap.first]
    if bad:
        return f"different: none of {len(result.gaps)} texts as they are, but {_bad_lengths(bad)}"
    return f"equal within what rounding explains: {len(result.gaps)} texts"


def _bad_lengths(gaps: Iterable[TextGap]) -> str:
    said: list[str] = []
    for padded, word in ((False, "alone"), (True, "beside padding")):
        those = [gap for gap in gaps if bool(gap.padded) == padded]
        if those:
            shortest = min(those, key=lambda gap: gap.tokens + gap.padded)
            said.append(f"{word} from {shortest.tokens + shortest.padded} tokens on, at {shortest.first}")
    return ", and ".join(said)


def _said(gap: TextGap) -> str:
    return f"{gap.end:.3g} at the end, {gap.gap:.3g} at {gap.first}, {gap.tokens} tokens: {quoted(gap.text)}"


def _span(gaps: Sequence[TextGap]) -> str:
    few, many = min(gap.tokens for gap in gaps), max(gap.tokens for gap in gaps)
    return str(few) if few == many else f"{few} to {many}"
