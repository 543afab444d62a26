"""The least that shows a difference, as plain text."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from ...messages.visible import quoted, visible
from ...program.stage import write_shape
from ..compare.comparison import OtherShape
from ..compare.gaps import StageGap
from ..compare.text import unlike_places
from .minimal import Minimal
from .texts import PADDING, LeastTexts
from .weights import LeastWeights, NeededWeight

LABEL = 11
FEW = 6


def write_minimal(minimal: Minimal) -> str:
    """A line for the difference, each text that is left, each weight, and the command that shows it; the last says what came of it all."""
    if minimal.first is None:
        return verdict_of_minimal(minimal)
    rows = [("difference", f"{_gap(minimal.first)}, against {visible(minimal.title)}")]
    rows += (
        list(_texts(minimal.texts))
        if minimal.texts is not None
        else [("texts", f"as they are: {minimal.why_no_texts}")]
    )
    rows += (
        list(_weights(minimal.weights))
        if minimal.weights is not None
        else [("weights", f"not tried: {minimal.why_no_weights}")]
    )
    rows += [("again", visible(minimal.again))] * bool(minimal.again) + [("tried", _tried(minimal))]
    return "\n".join([*(f"{label:<{LABEL}}{text}" for label, text in rows), verdict_of_minimal(minimal)])


def verdict_of_minimal(minimal: Minimal) -> str:
    """What came of it, in a line."""
    if minimal.first is None:
        said = "nothing to minimise: no stage is further apart than it may be"
        return f"{said}, but what differs is no stage that both have: {minimal.besides}" if minimal.besides else said
    texts, weights = minimal.texts, minimal.weights
    if texts is not None:
        few = " beside ".join(quoted(text) for text in texts.batch.texts)
        few += f" with the pair {quoted(texts.batch.pair)}" if texts.batch.pair is not None else ""
        said = f"smallest: {few} still differ{'s' * (len(texts.batch.texts) == 1)} at {texts.then.name}"
    else:
        said = f"smallest: what went in differs at {minimal.first.name}"
    if weights is None:
        return said
    if not weights.needed:
        return f"{said}; the weights are not it"
    return f"{said}, by {' and '.join(_piece(weight) for weight in weights.needed[:FEW])}" + _more(weights.needed)


def _gap(gap: StageGap) -> str:
    return f"{gap.name}, {_how_far(gap)}"


def _how_far(gap: StageGap) -> str:
    """A share of the largest value; where that is infinite, what is otherwise: the shape, NaN, infinities, a reference of zeros."""
    if isinstance(gap, OtherShape):
        return f"of another shape: {write_shape(gap.ours)} against {write_shape(gap.theirs)}"
    if math.isfinite(gap.relative):
        return f"{gap.relative:.3g} of the largest value"
    return unlike_places(gap) or f"by up to {gap.largest:.3g}, where theirs is 0 everywhere"


def _texts(texts: LeastTexts) -> Iterator[tuple[str, str]]:
    before, batch = texts.before, texts.batch
    yield (
        "texts",
        f"{len(batch.texts)} of {len(before.texts)} {'is' if len(batch.texts) == 1 else 'are'} enough: {_gap(texts.then)}",
    )
    label = "shortest" if texts.minimal else "shorter"
    for text, tokens, padded in zip(batch.texts, texts.tokens, texts.padded, strict=True):
        beside = f", {padded} places of padding" if padded else ""
        yield label, f"{quoted(text)} ({tokens} tokens{beside})"
        label = ""
    if batch.pair is not None:
        yield "pair", quoted(batch.pair)
    elif before.pair is not None:
        yield "pair", "none is needed"
    if batch.length is not None:
        yield "cut to", f"{batch.length} tokens, without which it does not show"
    if texts.needs == PADDING:
        yield "needs", "padding: no text shows it alone, nor beside one of its own length"
    elif texts.needs:
        yield "needs", f"{len(batch.texts)} texts in the batch: fewer do not show it, and padding is not what it needs"
    if not texts.minimal:
        yield "", f"no more were tried after {texts.passages} batches, so that it may be shorter still"


def _weights(weights: LeastWeights) -> Iterator[tuple[str, str]]:
    of = f"{weights.paired} tensors that both have"
    if not weights.differing:
        yield "weights", f"not they: the {of} are the same"
    elif not weights.needed:
        yield (
            "weights",
            f"not they alone: of {of}, {_differ(weights.differing)}, and with all of theirs in ours {weights.then} is still apart",
        )
    else:
        after = "no stage is apart any more" if not weights.then else f"{weights.then} is apart, for another reason"
        count = len(weights.needed)
        yield (
            "weights",
            f"of {of}, {_differ(weights.differing)}, and {count} of theirs in ours {'is' if count == 1 else 'are'} enough: {after}",
        )
        for weight in weights.needed:
            yield "", _piece(weight, whole=True)
        if not weights.minimal:
            yield "", f"no more were tried after {weights.passages} edits, so that it may be fewer still"


def _piece(weight: NeededWeight, *, whole: bool = False) -> str:
    """`row 777 of encoder.layer.1.intermediate.dense.weight`, and of how many."""
    if not weight.line:
        return f"{weight.name}, as good as all of it" if whole else weight.name
    words = weight.words or ("",) * len(weight.places)
    said = [
        f"{place}{f' ({quoted(word)})' if word else ''}"
        for place, word in zip(weight.places[:FEW], words, strict=False)
    ]
    more = f" and {len(weight.places) - FEW} more" if len(weight.places) > FEW else ""
    lines = f"{weight.line}{'s' * (len(weight.places) > 1)} {', '.join(said)}{more}"
    if not whole:
        return f"{lines} of {weight.name}"
    sure = "" if weight.minimal else "; no more were tried, so that it may be fewer still"
    return f"{weight.name}: of its {weight.count} {weight.line}s, {lines}{sure}"


def _differ(count: int) -> str:
    return f"{count} differ{'s' * (count == 1)}"


def _counted(count: int, word: str, words: str) -> str:
    return f"{count:,} {word if count == 1 else words}"


def _more(weights: Sequence[NeededWeight]) -> str:
    return f" and {len(weights) - FEW} more" if len(weights) > FEW else ""


def _tried(minimal: Minimal) -> str:
    said: list[str] = []
    if minimal.texts is not None:
        said.append(f"{_counted(minimal.texts.passages, 'batch', 'batches')} of texts through both")
    if minimal.weights is not None:
        said.append(f"{_counted(minimal.weights.passages, 'edit', 'edits')} of weights through ours")
    return ", ".join(said) or "what went in, once"
