"""A report as JSON: stable fields, one schema, numbers that JSON has not as words."""

from __future__ import annotations

import json
from typing import Any

from ..facts import JsonObject, comparison_facts, diagnosis_facts, nested
from .picture import DifferencePicture
from .report import ComparedPair, DifferenceReport

FORMAT = "encoder-tui report"
VERSION = 1  # fields are added within one; none goes or means something else


def write_json(report: DifferenceReport) -> str:
    """The whole file; `report.schema.json` is its schema."""
    facts = {
        "format": FORMAT, "version": VERSION, "equal": report.equal, "versions": dict(report.versions),
        "command": report.command or None, "comparisons": [_pair(pair) for pair in report.pairs],
    }  # fmt: skip
    return json.dumps(facts, indent=1, allow_nan=False) + "\n"


def _pair(pair: ComparedPair) -> JsonObject:
    return {
        **comparison_facts(pair.comparison, pair.ours, pair.asides), "texts": list(pair.texts),
        "picture": _picture(pair.picture) if pair.picture is not None else None,
        "diagnosis": diagnosis_facts(pair.diagnosis) if pair.diagnosis is not None else None,
        "not_diagnosed": pair.refusal or None,
    }  # fmt: skip


def _picture(picture: DifferencePicture) -> dict[str, Any]:
    return {
        "stage": picture.stage, "dtype": picture.dtype, "fixed": picture.fixed, "axes": list(picture.axes), "rows": list(picture.rows),
        "columns": list(picture.columns), "place": list(picture.place), "ours": nested(picture.ours),
        "theirs": nested(picture.theirs), "difference": nested(picture.difference),
    }  # fmt: skip
