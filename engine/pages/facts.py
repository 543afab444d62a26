"""What commands print as plain objects for JSON: each has a `kind`, and numbers that JSON has not are strings.

Within a version of the format fields are added, and none goes or means something else; `report.schema.json` says what each is.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ..messages.errors import InputError
from ..program.json_values import is_list
from ..program.source_lines import is_own_code
from ..program.stage import Shape

if TYPE_CHECKING:
    from ..analysis.checks.findings import Checked
    from ..analysis.compare.comparison import Comparison, Difference
    from ..analysis.diagnose import Cause, Diagnosis
    from ..debugger.cursor import Stop
    from ..program.per_text import Index
    from ..program.trace import Trace
    from ..program.value import Value

JsonObject = dict[str, Any]
MOST_NUMBERS_PRINTED = 1_000_000
OF_ROW = (
    "position", "computed", "count", "compared", "differing", "largest", "mean", "absmax", "relative", "tolerance", "beyond", "ulps",
    "nan", "inf", "hidden", "lost", "added", "inherited", "padding",
)  # fmt: skip
# What others call what is measured of numbers -> what it is called here.
OF_NUMBERS = {"relative_l2": "relative_length", "cosine_distance": "turned", "snr_db": "decibels"}
OF_STATS = ("count", "nan", "inf", "zeros", "min", "max", "mean", "std", "absmax", "norm")


def json_number(number: Any) -> Any:
    """A number as JSON has it; what is none there is `"NaN"`, `"Infinity"`, `"-Infinity"`."""
    own = cast(Any, number.item() if isinstance(number, np.generic) else number)
    if not isinstance(own, float) or math.isfinite(own):
        return cast(Any, own)
    return "NaN" if math.isnan(own) else "Infinity" if own > 0 else "-Infinity"


def nested(numbers: Any) -> Any:
    """An array as lists within lists; a number alone as it is."""
    array = np.asarray(numbers)
    listed = array.tolist()
    if array.dtype.kind != "f" or bool(np.isfinite(array).all()):
        return listed
    return _plain_within(listed)


def _plain_within(listed: Any) -> Any:
    return [_plain_within(each) for each in listed] if is_list(listed) else json_number(listed)


def json_line(facts: JsonObject) -> str:
    """An object in a line, in ASCII: what would steer a terminal is an escape."""
    return json.dumps(facts, allow_nan=False)


def text_facts(text: str) -> JsonObject:
    """What has no fields of its own: the lines as they are printed."""
    return {"kind": "text", "text": text}


def stop_facts(stop: Stop, shapes: Mapping[str, Shape]) -> JsonObject:
    """Where the cursor came to rest, and why."""
    stage = stop.stage
    return {
        "kind": "stop", "reason": stop.reason, "stage": stage.name if stage is not None else None, "position": stop.position,
        "shape": list(shapes[stage.name]) if stage is not None else [], "axes": list(stage.axes) if stage is not None else [],
        "breakpoint": stop.breakpoint.number if stop.breakpoint is not None else None, "held": stop.held, "place": list(stop.place),
    }  # fmt: skip


def value_facts(value: Value, index: Index) -> JsonObject:
    """A window of a value, all its numbers.

    Raises:
        InputError: they are too many for a line.
    """
    shape = value.window_shape(index)
    if math.prod(shape) > MOST_NUMBERS_PRINTED:
        raise InputError(
            f"{value.name} has {math.prod(shape):,} numbers there, and --json prints up to {MOST_NUMBERS_PRINTED:,}; name a window of it, "
            "or `export` it"
        )
    numbers = value.read(index)
    facts = {"kind": "value", **_window(value, index), "numbers": nested(numbers)}
    if value.holds_ids:
        words = [value.word(int(number)) for number in np.asarray(numbers).reshape(-1)]
        facts["words"] = np.array(words, dtype=object).reshape(shape).tolist() if shape else words[0]
    return facts


def stats_facts(value: Value, index: Index) -> JsonObject:
    """Statistics of a window of a value."""
    stats = value.stats(index)
    figures = {name: json_number(getattr(stats, name)) for name in OF_STATS}
    return {"kind": "stats", **_window(value, index), **figures, "histogram": list(stats.histogram)}


def _window(value: Value, index: Index) -> JsonObject:
    """Which numbers: of each axis a place, a range, or of each text a place."""
    parts: JsonObject = {}
    for axis, part, size in zip(value.axes, index, value.shape, strict=True):
        if isinstance(part, slice):
            places = range(*part.indices(size))
            parts[axis] = {"start": places.start, "stop": places.stop, "step": places.step}
        else:
            parts[axis] = part if isinstance(part, int) else str(part)
    return {"stage": value.name, "shape": list(value.window_shape(index)), "dtype": value.dtype, "window": parts}


def check_facts(name: str, checked: Checked) -> JsonObject:
    """What a check came to."""
    from ..analysis.checks import write_checked

    return {
        "kind": "check", "check": name, "fault": bool(checked.faults), "verdict": write_checked(checked).splitlines()[-1],
        "findings": [
            {
                "finding": each.kind, "stage": each.stage, "more": each.more, "text": each.text, "texts": each.texts,
                "place": list(each.place) if each.place is not None else None, "where": each.where, "said": each.said,
                "remedy": each.remedy, "risk": each.risk,
            }
            for each in checked.findings
        ],
        "checked": list(checked.looked),
    }  # fmt: skip


def comparison_facts(comparison: Comparison, ours: Trace, asides: Sequence[str] = ()) -> JsonObject:
    """A comparison with every stage.

    Args:
        ours: what was compared, for the lines of somebody's code that its stages come from.
        asides: what else is to be said of the two, a line each.
    """
    from ..analysis.compare.text import verdict

    first = comparison.shape_first or comparison.first
    return {
        "kind": "comparison", "reference": comparison.title, "equal": comparison.equal, "verdict": verdict(comparison),
        "first": first.name if first is not None else None, "exact": comparison.exact, "tolerance": json_number(comparison.given),
        "passing": json_number(comparison.passing), "ours": dict(comparison.ours), "theirs": dict(comparison.theirs),
        "layers": list(comparison.layers), "notes": [*asides, *comparison.alignment.notes()],
        "only_ours": list(comparison.only_ours), "only_theirs": list(comparison.only_theirs),
        "not_recorded": list(comparison.not_recorded),
        "other_shapes": [
            {"stage": each.name, "ours": list(each.ours), "theirs": list(each.theirs)} for each in comparison.unlike_shapes
        ],
        "stages": [_row_facts(row, ours) for row in comparison.rows],
    }  # fmt: skip


def _row_facts(row: Difference, ours: Trace) -> JsonObject:
    stage, at = ours.program[row.name], row.place
    return {
        "stage": row.name, "axes": list(row.axes), "dtype": row.dtype or None,
        **{name: json_number(getattr(row, name)) for name in OF_ROW},
        **{name: json_number(getattr(row, own)) if row.dtype else None for name, own in OF_NUMBERS.items()},
        "place": list(at) if at is not None else None,
        "ours": json_number(row.ours) if at is not None else None, "theirs": json_number(row.theirs) if at is not None else None,
        "padded_nan": list(row.padded_nan), "padded_why": row.padded_why or None,
        "overflow": row.overflow or None, "source": stage.source if is_own_code(stage) else None,
        "notes": list(row.notes),
    }  # fmt: skip


def diagnosis_facts(diagnosis: Diagnosis) -> JsonObject:
    """Causes, and what is left without one."""
    from ..analysis.diagnose import verdict_of

    return {
        "kind": "diagnosis", "verdict": verdict_of(diagnosis), "causes": [_cause_facts(each) for each in diagnosis.causes],
        "left": diagnosis.left.name if diagnosis.left is not None else None, "tried": list(diagnosis.tried),
    }  # fmt: skip


def _cause_facts(cause: Cause) -> JsonObject:
    return {
        "cause": cause.kind, "said": cause.cause, "in_ours": cause.ours or None, "in_theirs": cause.theirs or None,
        "first": cause.first, "stages": list(cause.stages), "before": json_number(cause.before), "after": json_number(cause.after),
        "next": cause.then or None, "line": cause.line or None,
    }  # fmt: skip
