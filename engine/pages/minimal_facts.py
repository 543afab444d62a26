"""The least that shows a difference, as data for JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .facts import JsonObject, json_number

if TYPE_CHECKING:
    from ..analysis.compare.gaps import StageGap
    from ..analysis.minimise import Minimal
    from ..analysis.minimise.texts import LeastTexts
    from ..analysis.minimise.weights import LeastWeights


def minimal_facts(minimal: Minimal) -> JsonObject:
    """The texts that are left, and the weights of theirs that close the gap."""
    from ..analysis.minimise import verdict_of_minimal

    return {
        "kind": "minimal", "reference": minimal.title, "verdict": verdict_of_minimal(minimal), "first": _gap_facts(minimal.first),
        "texts": _texts_facts(minimal.texts), "why_no_texts": minimal.why_no_texts or None,
        "weights": _weights_facts(minimal.weights), "why_no_weights": minimal.why_no_weights or None, "again": minimal.again or None,
    }  # fmt: skip


def _gap_facts(gap: StageGap | None) -> JsonObject | None:
    from ..analysis.compare.gaps import size_of_gap

    return {"stage": gap.name, "gap": json_number(size_of_gap(gap))} if gap is not None else None


def _texts_facts(texts: LeastTexts | None) -> JsonObject | None:
    if texts is None:
        return None
    return {
        "texts": list(texts.batch.texts), "pair": texts.batch.pair, "cut_to": texts.batch.length, "tokens": list(texts.tokens),
        "padding": list(texts.padded), "of": len(texts.before.texts), "first": _gap_facts(texts.then), "needs": texts.needs or None,
        "tried": texts.passages, "minimal": texts.minimal,
    }  # fmt: skip


def _weights_facts(weights: LeastWeights | None) -> JsonObject | None:
    if weights is None:
        return None
    return {
        "of": weights.paired, "differing": weights.differing, "next": weights.then or None, "tried": weights.passages,
        "minimal": weights.minimal,
        "needed": [
            {"weight": each.name, "cut_into": each.line or None, "places": list(each.places), "of": each.count, "words": list(each.words),
             "minimal": each.minimal}
            for each in weights.needed
        ],
    }  # fmt: skip
