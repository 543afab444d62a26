"""The command that finds the least that still shows a difference."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..messages.errors import InputError
from ..program.trace import Trace
from .again import command_line
from .anew import ANEW, USAGE_ANEW, computed_anew, expect_anew, text_encoder
from .comparing import CompareLine, read_compare_line
from .foreign_references import ComputedAnew
from .references import cut_of
from .session import Session
from .table import Command, Reply

if TYPE_CHECKING:
    from ..analysis.minimise import Batch, Minimal

MINIMISE = f"minimise [{USAGE_ANEW} [texts FILE] [tolerance T]]"


def minimised(session: Session, line: str) -> Minimal:
    """The least that still shows how a reference differs from this run.

    Args:
        line: the reference, as after `compare`; "" for what was compared last.

    Raises:
        InputError: the line cannot be read, nothing else can go through the reference, or there is nothing here to try others with.
    """
    from ..analysis.minimise import minimise, minimise_weights

    wanted = _wanted(session, line)
    expect_anew(session, wanted.words, "what is tried anew is")
    if session.encoder is None:
        raise InputError(
            "a recording has no model to try other texts and weights with; open the model itself to minimise"
        )
    refusal = _no_text(session.trace) if not wanted.texts else ""
    other, title = computed_anew(session, wanted.words), " ".join(wanted.words)
    if refusal:
        return minimise_weights(
            session.trace, other(session.trace), title=title, why_no_texts=refusal, tolerance=wanted.tolerance, stopped=session.stopped
        )  # fmt: skip
    encoder = text_encoder(session)

    def ours(batch: Batch) -> Trace:
        return encoder.trace(encoder.read(list(batch.texts), batch.pair, batch.length))

    limit = ("tolerance", f"{wanted.tolerance:g}") if wanted.tolerance is not None else ()
    return minimise(
        ours, other, _batch(session, wanted, ours, other), title=title, tolerance=wanted.tolerance, stopped=session.stopped,
        again=lambda batch: command_line(session, batch, (*wanted.words, *limit)),
    )  # fmt: skip


def _wanted(session: Session, line: str) -> CompareLine:
    if not line:
        session.expect_reference()
        return read_compare_line(session.compared_line)
    wanted = read_compare_line(line)
    if wanted.everything or wanted.diagnosed:
        raise InputError(
            f"`{'diagnose' if wanted.diagnosed else 'all'}` is for `compare`; leave it out, or write it there: `{MINIMISE}`"
        )
    return wanted


def _no_text(trace: Trace) -> str:
    """Why what went in is nothing that can be typed shorter; "" where it can be."""
    tokens = trace.original_tokens
    if trace.original_inputs.others:
        return f"{' and '.join(trace.original_inputs.others)} went in beside the text"
    if tokens.from_ids:
        return "ids went in, and no text"
    if tokens.arrays:
        return f"{', '.join(sorted(tokens.arrays))} went in"
    return ""


def _batch(session: Session, wanted: CompareLine, ours: Callable[[Batch], Trace], other: ComputedAnew) -> Batch:
    """What went in here; of a file of texts the fewest tokens that differ where the worst text does."""
    from ..analysis.compare.many_texts import compare_texts
    from ..analysis.compare.over_texts import texts_in
    from ..analysis.minimise import Batch

    if not wanted.texts:
        tokens = session.trace.original_tokens
        return Batch(tuple(tokens.texts), tokens.pair, cut_of(session.trace))
    texts = texts_in(wanted.texts)
    result = compare_texts(
        texts, lambda batch, length: ours(Batch(tuple(batch), None, length)), other, title=" ".join(wanted.words),
        tolerance=wanted.tolerance, longest=session.trace.longest, stopped=session.stopped,
    )  # fmt: skip
    if result.worst is not None:
        alike = [gap for gap in result.gaps if gap.first == result.worst.first]
        return Batch((min(alike, key=lambda gap: gap.tokens).text,))
    bad = [gap for gap in (*result.lengths, *result.padded) if gap.first]
    if not bad:
        return Batch(tuple(texts[:1]))
    least = min(bad, key=lambda gap: gap.tokens + gap.padded)
    beside = (least.beside,) if least.beside else ()
    return Batch((least.text, *beside), None, least.tokens + least.padded)


def _minimise(session: Session, rest: str) -> Reply:
    from ..analysis.minimise import verdict_of_minimal, write_minimal
    from ..pages.minimal_facts import minimal_facts

    minimal = minimised(session, rest)
    return Reply(write_minimal(minimal), verdict=verdict_of_minimal(minimal), facts=lambda: [minimal_facts(minimal)])


COMMANDS = (
    Command(
        "minimise", MINIMISE,
        "Find the least that still shows a difference: the fewest texts, the shortest of them, the fewest weights of theirs that close it in ours.",
        _minimise, "values", (), (), tuple(ANEW),
    ),
)  # fmt: skip
