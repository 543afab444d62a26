"""The fewest texts of a batch, and the shortest of them, that still show a difference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from ..compare.gaps import StageGap, size_of_gap
from .batch import Batch, Trials
from .ddmin import ddmin
from .spans import TextSpan, joined_text, spans_of_tokens, spans_of_words

PADDING, COMPANY = "padding", "another text"


@dataclass(frozen=True)
class LeastTexts:
    """The least that goes in.

    Attributes:
        before, batch: what went in, and what is left of it.
        tokens: how many there are in each text that is left, special ones and the pair included; padded: how many places of padding beside them.
        first, then: where both begin to differ, at the same part of the program.
        needs: why there are several texts: `padding`, `another text`; "" where there is one, or it was not tried.
        passages: how many batches were tried.
        minimal: whether without any one token or word of what is left, or any one text, the difference goes; False where so many had been
            tried that no more were.
    """

    before: Batch
    batch: Batch
    tokens: tuple[int, ...]
    padded: tuple[int, ...]
    first: StageGap
    then: StageGap
    needs: str
    passages: int
    minimal: bool

    @property
    def gap(self) -> float:
        """How far what is left is apart there, as a share of the reference's largest magnitude."""
        return size_of_gap(self.then)


def least_texts(trials: Trials, batch: Batch) -> LeastTexts:
    """Leave out texts, then words and tokens of those that are left, until no one of them can be left out.

    Args:
        trials: which have begun with this batch, and it differs.

    Raises:
        InputError: it was stopped.
    """
    before, first = batch, trials.first(batch)
    batch = _fewest(trials, batch)
    if batch.pair is not None and trials.shows(replace(batch, pair=None)):
        batch = replace(batch, pair=None)
    while True:
        shorter, slots = batch, (*range(len(batch.texts)), *[None] * (batch.pair is not None))
        for slot in slots:
            shorter = _shortest(trials, shorter, slot)
        shorter = _fewest(trials, shorter)
        if shorter == batch:
            break
        batch = shorter
    if batch.length is not None and trials.shows(replace(batch, length=None)):
        batch = replace(batch, length=None)
    mask = trials.tokens(batch).mask  # (batch, token)
    padded = tuple(int(count) for count in (mask == 0).sum(axis=1))
    needs = _needs(trials, batch, padded)
    return LeastTexts(
        before, batch, tuple(int(count) for count in mask.sum(axis=1)), padded, first, trials.first(batch), needs, trials.passages,
        not trials.exhausted,
    )  # fmt: skip


def _fewest(trials: Trials, batch: Batch) -> Batch:
    """One text where one alone shows it, the shortest of those; else as few as ddmin leaves."""
    if len(batch.texts) == 1:
        return batch
    for text in sorted(set(batch.texts), key=lambda text: (len(text), text)):
        if trials.shows(replace(batch, texts=(text,))):
            return replace(batch, texts=(text,))
    return replace(batch, texts=ddmin(batch.texts, lambda texts: trials.shows(replace(batch, texts=texts))))


def _shortest(trials: Trials, batch: Batch, slot: int | None) -> Batch:
    """One of its texts, or the pair, without what it does not need: words first, so that what is left is words where it can be."""
    for spans_of in (_words, _tokens):
        spans = spans_of(trials, batch, slot)
        left = ddmin(spans, partial(_shows_cut, trials, batch, slot))
        if len(left) < len(spans):
            batch = _cut(batch, slot, left)
    return batch


def _words(_: Trials, batch: Batch, slot: int | None) -> list[TextSpan]:
    return spans_of_words(batch.text(slot))


def _tokens(trials: Trials, batch: Batch, slot: int | None) -> list[TextSpan]:
    return spans_of_tokens(trials.tokens(batch), slot or 0, second=slot is None)


def _cut(batch: Batch, slot: int | None, spans: Sequence[TextSpan]) -> Batch:
    return batch.with_text(slot, joined_text(batch.text(slot), spans))


def _shows_cut(trials: Trials, batch: Batch, slot: int | None, spans: Sequence[TextSpan]) -> bool:
    return trials.shows(_cut(batch, slot, spans))


def _needs(trials: Trials, batch: Batch, padded: Sequence[int]) -> str:
    """Why none of several texts shows it alone: as many of one length, which need no padding, are tried."""
    if len(batch.texts) == 1 or trials.exhausted:
        return ""
    alike = [replace(batch, texts=(text,) * len(batch.texts)) for text in batch.texts]
    return COMPANY if not any(padded) or any(trials.shows(each) for each in alike) else PADDING
