"""A comparison over many texts as data for JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .facts import JsonObject, json_number

if TYPE_CHECKING:
    from ..analysis.compare.over_texts import OverTexts, TextGap


def over_texts_facts(result: OverTexts) -> JsonObject:
    """Every text, every length and every padded batch with where it begins to differ."""
    from ..analysis.compare.over_texts_text import verdict_over_texts

    return {
        "kind": "comparison_over_texts", "reference": result.title, "equal": result.equal, "verdict": verdict_over_texts(result),
        "texts": [_gap_facts(gap) for gap in result.gaps], "lengths": [_gap_facts(gap) for gap in result.lengths],
        "padded": [_gap_facts(gap) for gap in result.padded], "unpadded": list(result.unpadded),
    }  # fmt: skip


def _gap_facts(gap: TextGap) -> JsonObject:
    return {
        "text": gap.text, "tokens": gap.tokens, "padding": gap.padded, "first": gap.first or None, "gap": json_number(gap.gap),
        "end": json_number(gap.end),
    }  # fmt: skip
