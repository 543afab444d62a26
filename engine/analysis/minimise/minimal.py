"""The least that still shows a difference: what is left of the texts, and of theirs in our weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from ...program.trace import LiveTrace, Trace
from ..compare.align import align_traces
from ..compare.first_apart import first_apart
from ..compare.gaps import StageGap
from .batch import Batch, Trials
from .texts import LeastTexts, least_texts
from .weights import LeastWeights, least_weights, paired_weights

if TYPE_CHECKING:
    from ...traces.run import Run


@dataclass(frozen=True)
class Minimal:
    """What still shows a difference.

    Attributes:
        title: the reference as it was typed.
        first: where the difference begins; None where there is none.
        texts: what is left of the texts; None where there are none to be shortened, or nothing differs.
        weights: which weights of theirs close the gap in ours; None where they are not at hand.
        why_no_texts, why_no_weights: why there are none; "" where there are.
        again: the command line that shows it; "" where none is known.
        besides: how both are unlike where no stage that both have is apart: other layers, tokens without a partner; "" where they are not.
    """

    title: str
    first: StageGap | None
    texts: LeastTexts | None = None
    weights: LeastWeights | None = None
    why_no_texts: str = ""
    why_no_weights: str = ""
    again: str = ""
    besides: str = ""


def minimise(
    ours: Callable[[Batch], Trace],
    theirs: Callable[[Trace], Trace],
    batch: Batch,
    *,
    title: str = "",
    part: str = "",
    tolerance: float | None = None,
    again: Callable[[Batch], str] = lambda _: "",
    stopped: Callable[[], bool] = lambda: False,
) -> Minimal:
    """Find the fewest and shortest texts that still show the same difference, and then, with those, the fewest weights that make it.

    Args:
        ours: gives our trace of a batch.
        theirs: gives theirs of what went into one of ours.
        batch: what shows it.
        title: what theirs is, for people.
        part: where the difference is to begin, as of `stage_part`; "" for wherever it does in this batch.
        tolerance: as of `compare`.
        again: gives the command line that shows a batch.
        stopped: asked before each trial; True ends it.

    Raises:
        InputError: it was stopped, or this batch is nothing that the models take.
    """
    trials = Trials(ours, theirs, tolerance, stopped)
    first = trials.begin(batch, part)
    if first is None:
        mine = ours(batch)
        return Minimal(title, None, besides=_besides(mine, theirs(mine)))
    texts = least_texts(trials, batch)
    mine = ours(texts.batch)
    return _with_weights(mine, theirs(mine), texts.then, title, texts, again(texts.batch), tolerance, stopped)


def minimise_weights(
    ours: Trace, theirs: Trace, *, title: str, why_no_texts: str, tolerance: float | None, stopped: Callable[[], bool]
) -> Minimal:
    """The fewest weights alone, where what went in cannot be shortened; see `minimise`."""
    first = first_apart(ours, theirs, tolerance=tolerance)
    if first is None:
        return Minimal(title, None, besides=_besides(ours, theirs))
    return _with_weights(ours, theirs, first, title, None, "", tolerance, stopped, why_no_texts)


def _with_weights(
    ours: Trace, theirs: Trace, now: StageGap, title: str, texts: LeastTexts | None, again: str,
    tolerance: float | None, stopped: Callable[[], bool], why_no_texts: str = "",
) -> Minimal:  # fmt: skip
    """What is known of the texts, and the weights."""
    first = texts.first if texts is not None else now
    refusal, weights = "", None
    if not isinstance(ours, LiveTrace):
        refusal = "ours is a recording, and no weights can be put into it"
    elif not paired_weights(cast("Run", ours), theirs):
        refusal = "theirs has none at hand that ours has in one shape"
    else:
        weights = least_weights(cast("Run", ours), theirs, now, tolerance=tolerance, stopped=stopped)
    return Minimal(title, first, texts, weights, why_no_texts, refusal, again)


def _besides(ours: Trace, theirs: Trace) -> str:
    """How two traces are unlike of which no stage that both have is apart."""
    layers = ours.program.layers, theirs.program.layers
    said = [f"{layers[0]} layers against {layers[1]}"] * (layers[0] != layers[1])
    said += ["some tokens have no partner"] * (not align_traces(ours, theirs).complete)
    return ", and ".join(said)
