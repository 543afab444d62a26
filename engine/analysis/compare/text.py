"""A comparison as plain text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ...messages.visible import visible
from ...program.dtypes import FLOATS
from ...program.index import texts_of, token_in
from ...program.writing import cells
from .comparison import Comparison, Difference
from .rounding import PER_LAYER

# What matters most stands first: a narrow console cuts the rest.
HEADER = ("", "stage", "largest", "relative", "added", "inherited", "ulps", "mean", "at")
FIGURES = ("cosine", "relative L2", "SNR")  # figures that others give, after those of ours
SHOWN = 3
OF_BERT = -10_000.0  # what the first BERT hid keys by
NEAR = 0.01  # apart by scores that a mask is put on, and by how bfloat16 rounds


def write_comparison(comparison: Comparison, *, everything: bool = False) -> str:
    """An aligned table and, in its last line, the verdict.

    Args:
        everything: every stage, not only the first beyond tolerance with its neighbours, those that add most error, and
            one stage a layer.
    """
    lines = [*_heading(comparison)]
    if everything:
        lines += ["", *_table(comparison, comparison.rows, figures=True)]
    else:
        lines += _short(comparison)
    shapes = [str(shape) for shape in comparison.unlike_shapes]
    for title, names in (
        ("only in ours", comparison.only_ours), ("only in theirs", comparison.only_theirs),
        ("not recorded", comparison.not_recorded), ("of another shape", shapes),
    ):  # fmt: skip
        if names:
            lines.append(f"{title}: {_few(names, len(names) if everything else 6)}")
    unknown = {row.unknown for row in comparison.rows if row.unknown}
    if unknown:
        lines.append(f"added error is not known where it is -: {_few(sorted(unknown), 2, '; ')}")
    lines += [*_at_the_end(comparison), *_aside(comparison), *_referee(comparison)]
    return "\n".join([*lines, verdict(comparison)])


def verdict(comparison: Comparison) -> str:
    """What came of it, in a line."""
    count = len(comparison.rows)
    if comparison.equal:
        if not any(row.differing for row in comparison.rows):
            return f"equal: all {count} stages to the last bit{_but(comparison)}"
        worst = max(comparison.rows, key=lambda row: row.relative if row.dtype else 0.0)
        within = "tolerance" if comparison.given is not None else f"what {_coarsest(comparison)} explains"
        return f"equal within {within}: all {count} stages; furthest apart is {worst.name}, {worst.relative:.2g} of its largest value{_but(comparison)}"
    return f"different: {'; '.join(_reasons(comparison))}"


def _but(comparison: Comparison) -> str:
    """Where there were no numbers that could be equal."""
    lost = [row for row in comparison.rows if row.lost]
    both = f", but for NaN on both sides from {lost[0].name} on, which says nothing" if lost else ""
    return both + "".join(f", but for {each}" for each in _lost_padding(comparison))


def _reasons(comparison: Comparison) -> list[str]:
    """What is different, an overflow first, then where it begins."""
    reasons: list[str] = []
    first, over, shape = comparison.first, comparison.overflow, comparison.shape_first
    if over is not None:
        reasons.append(f"{over.overflow} overflows at {over.name}: {_infinite(over)} of {over.count:,} numbers")
    if comparison.layers[0] != comparison.layers[1]:
        reasons.append(f"{comparison.layers[0]} layers against {comparison.layers[1]}")
    if shape is not None:
        counts = f": {shape.counts}" if shape.counts else ""
        reasons.append(f"the first that differs is {shape.name}, by its shape{counts}")
    if comparison.other_shapes:
        reasons.append(f"{len(comparison.other_shapes)} stages have another shape")
    if first is not None:
        beyond = sum(row.beyond for row in comparison.rows)
        after = f"the first is {first.name}" if shape is None else f"of those of one shape the first is {first.name}"
        reasons.append(f"{beyond} of {len(comparison.rows)} stages are beyond tolerance, {after}{_whose(first)}")
        passing = comparison.passing
        alike = not comparison.other_shapes and comparison.layers[0] == comparison.layers[1]
        would = (
            f"`tolerance {passing:.2g}` would pass" if alike and passing < float("inf") else "no tolerance would pass"
        )
        reasons.append(would)
    reasons += [f"before it, {each}" for each in _lost_padding(comparison) if first is not None]
    if not comparison.alignment.complete:
        reasons.append("some tokens or texts have no partner")
    return reasons


def _lost_padding(comparison: Comparison) -> list[str]:
    """`NaN in theirs first at layers.0.attention.weights, in rows of padding: every key of them is hidden by -inf`."""
    row = comparison.lost_padding
    if row is None:
        return []
    why = f": {row.padded_why.partition(';')[0]}" if row.padded_why else ""
    return [f"NaN in {'ours' if row.padded_nan[0] else 'theirs'} first at {row.name}, in rows of padding{why}"]


def _coarsest(comparison: Comparison) -> str:
    """The dtype that rounds most of all that any stage went through."""
    return max({row.dtype for row in comparison.rows if row.dtype}, key=lambda name: FLOATS[name].epsilon)


def _whose(row: Difference) -> str:
    if row.added is None or row.inherited is None:
        return ""
    if not row.inherited:
        return " (its own: nothing is inherited)"
    if row.added_relative <= row.tolerance:
        return " (all of it inherited)" if not row.added else " (most of it inherited)"
    return ""


def _heading(comparison: Comparison) -> list[str]:
    tolerance = comparison.given
    if tolerance is not None:
        said = f"{tolerance:g} of the reference's largest value, as given"
    elif comparison.exact:
        said = "0: same device, dtype and shapes, so nothing may differ"
    else:
        dtypes = sorted({row.dtype for row in comparison.rows if row.dtype})
        said = ", ".join(f"{PER_LAYER[dtype]} epsilons of {dtype}" for dtype in dtypes)
        said += " for each layer passed, of the reference's largest value"
        said += ": what rounding may add, as theirs was computed by other code" if comparison.foreign else ""
    typed = comparison.title if comparison.title != comparison.theirs.get("model") else ""  # which would say it twice
    return [
        f"ours       {_about(comparison.ours)}",
        f"theirs     {_about(comparison.theirs)}" + (f"  ({visible(typed)})" if typed else ""),
        f"tolerance  {said}",
        *comparison.alignment.notes(),
    ]


def _about(facts: Mapping[str, str]) -> str:
    return visible(" ".join(facts.get(name, "") for name in ("model", "dtype", "device")).strip())


def _short(comparison: Comparison) -> list[str]:
    rows, first = comparison.rows, comparison.first
    lines: list[str] = []
    if first is not None:
        at = rows.index(first)
        lines += ["", "first beyond tolerance", *_table(comparison, rows[max(0, at - 1) : at + 2], first, figures=True)]
        lines += [f"   {note}" for note in (unlike_places(first), *first.notes) if note]
    worst = comparison.worst_added[:SHOWN]
    if worst and first is not None and worst != [first]:
        lines += ["", "most error added", *_table(comparison, worst, first)]
        lines += [f"   {row.name}: {note}" for row in worst if row is not first for note in row.notes]
    if any(row.differing for row in rows):
        lines += ["", "furthest apart in each layer", *_table(comparison, _rooms(rows), first), ""]
    return lines


def _rooms(rows: Sequence[Difference]) -> list[Difference]:
    rooms: dict[str, Difference] = {}
    for row in rows:
        words = row.name.split(".")
        room = ".".join(words[:2]) if words[0] == "layers" else words[0]
        furthest = rooms.get(room)
        if furthest is None or _weight(row) > _weight(furthest):
            rooms[room] = row
    return list(rooms.values())


def _weight(row: Difference) -> float:
    """How far apart a stage is, for choosing among others; ids that may differ have no say."""
    return row.relative if row.dtype or row.beyond else -1.0


def unlike_places(row: Difference) -> str:
    """`of 48 numbers, on one side only: 12 NaN, 3 infinite, of them 3 -inf`; "" where both sides have numbers everywhere."""
    said = [f"{row.nan:,} NaN"] * bool(row.nan) + [f"{_infinite(row)}{_by_overflow(row)}"] * bool(row.inf)
    said += [f"{row.hidden:,} hidden by the mask"] * bool(row.hidden)
    return f"of {row.count:,} numbers, on one side only: {', '.join(said)}" if said else ""


def _infinite(row: Difference) -> str:
    """`466 infinite, of them 249 +inf and 217 -inf`."""
    signs = [f"{count:,} {sign}" for count, sign in ((row.plus, "+inf"), (row.minus, "-inf")) if count]
    return f"{row.inf:,} infinite, of them {' and '.join(signs)}"


def _by_overflow(row: Difference) -> str:
    return f" by overflow ({row.overflow} ends at {-FLOATS[row.overflow].lowest:.6g})" if row.overflow else ""


def _at_the_end(comparison: Comparison) -> list[str]:
    """The same figures of what leaves the encoder: the embedding of the texts, or the last layer's output."""
    ends = [row for row in comparison.rows if row.dtype and row.name.startswith("head.sentence")]
    ends = ends or [row for row in comparison.rows if row.dtype and not row.name.startswith("head.")]
    if not ends or not any(row.differing for row in comparison.rows):
        return []
    end = ends[-1]
    if end.says_nothing:
        return [f"at the end  {end.name}: none of {end.count:,} numbers could be compared"]
    said = ", ".join(f"{name} {figure}" for name, figure in zip(FIGURES, _figures(end), strict=True))
    of = f", of the {end.compared:,} of {end.count:,} numbers that could be compared" if end.unlike or end.lost else ""
    return [f"at the end  {end.name}: {said}{of}"]


def _figures(row: Difference) -> tuple[str, str, str]:
    """Cosine, relative L2 and SNR as one reads them elsewhere; a cosine near 1 by what is left to it."""
    if row.says_nothing:
        return "-", "-", "-"
    cosine = "1" if not row.turned else f"1 - {row.turned:.2g}" if row.turned < 1e-5 else f"{1 - row.turned:.6g}"
    return cosine, _number(row.relative_length), f"{row.decibels:.1f} dB" if row.differing else "-"


def _aside(comparison: Comparison) -> list[str]:
    """What is no part of the verdict and is not to go unsaid: padding that differs, and NaN on both sides."""
    lines: list[str] = []
    padding = [row for row in comparison.rows if row.padding]
    if padding:
        worst = max(padding, key=lambda row: row.padding if row.dtype else 0.0)
        most = f"by up to {worst.padding:.3g} at {worst.name}" if worst.dtype else f"{worst.name} among them"
        lines.append(
            f"padding: {len(padding)} stages differ where there is only padding, {most}; no part of the verdict"
        )
    lost_rows = comparison.lost_padding
    if lost_rows is not None:
        side, count = (
            ("ours", lost_rows.padded_nan[0]) if lost_rows.padded_nan[0] else ("theirs", lost_rows.padded_nan[1])
        )
        why = f": {lost_rows.padded_why}" if lost_rows.padded_why else ", which a product may carry to every token"
        lines.append(f"padding: NaN in {side} alone first at {lost_rows.name}, {count:,} numbers{why}")
    lines += _hidden_by(comparison) + _not_compared(comparison)
    lost = [row for row in comparison.rows if row.lost]
    if lost:
        lines.append(
            f"NaN on both sides, which says nothing: {len(lost)} stages, the first is {lost[0].name} ({lost[0].lost:,} numbers)"
        )
    return lines


def _not_compared(comparison: Comparison) -> list[str]:
    """Of how many numbers figures speak, where one side alone holds numbers: of the others nothing is known."""
    rows = [row for row in comparison.rows if row.nan or row.inf]
    some, none = [row for row in rows if row.compared], [row for row in rows if not row.compared]
    said = [f"{row.compared:,} of {row.count:,} at {row.name}" for row in (*some[:1], *none[:1])]
    if not rows:
        return []
    more = f"; at {len(none)} of them not one, and - stands for what nothing is known of" if none else ""
    return [
        f"compared   where one side alone holds numbers, in {len(rows)} stages, only what both hold: {', '.join(said)}{more}"
    ]


def _hidden_by(comparison: Comparison) -> list[str]:
    """By which numbers the two hide keys, where those differ: at the mask, or at the first scores that it is put on."""
    if comparison.ours.get("dtype") != comparison.theirs.get("dtype"):
        return []  # each hides by the lowest number of its dtype
    pairs = {
        row.name: row.hides for row in comparison.rows if row.hides and abs(row.hides[0] / row.hides[1] - 1) > NEAR
    }
    name = next((name for name in pairs if name.startswith("mask.")), next(iter(pairs), ""))
    if not name:
        return []
    ours, theirs = pairs[name]
    twice = [
        f"; {number:.6g} is {OF_BERT:g} twice" for number in (ours, theirs) if abs(number / OF_BERT / 2 - 1) < NEAR
    ]
    return [f"{name} hides keys by {ours:.6g} in ours and by {theirs:.6g} in theirs: both hide them{''.join(twice)}"]


def _referee(comparison: Comparison) -> list[str]:
    """How much of the difference is rounding, where one side has more digits than the other."""
    judged = [row for row in comparison.rows if row.rounding and row.added is not None]
    if not judged or comparison.ours.get("dtype") == comparison.theirs.get("dtype"):
        return []
    unexplained = comparison.unexplained
    coarse = judged[0].dtype
    if not unexplained:
        worst = max(judged, key=lambda row: row.added_relative / (row.rounding or 1.0))
        share = worst.added_relative / (worst.rounding or 1.0)
        return [
            f"rounding: {coarse} explains all of it; the most a stage adds is {share:.2g} of what rounding may, at {worst.name}"
        ]
    said = [f"{row.name} ({row.added_relative / (row.rounding or 1.0):.3g} times)" for row in unexplained]
    return [
        f"rounding: {coarse} does not explain what {len(unexplained)} stage{'s' * (len(unexplained) != 1)} add{'s' * (len(unexplained) == 1)}: {_few(said, SHOWN)}"
    ]


def _table(
    comparison: Comparison, rows: Iterable[Difference], marked: Difference | None = None, *, figures: bool = False
) -> list[str]:
    marked = marked or comparison.first
    table: list[tuple[str, ...]] = [(*HEADER[:-1], *FIGURES * figures, HEADER[-1])]
    for row in rows:
        *line, place = _line(comparison, row, row is marked)
        known = (_figures(row) if row.dtype else ("",) * len(FIGURES)) if figures else ()
        table.append((*line, *known, place))
    widths = [max(cells(line[at]) for line in table) for at in range(len(table[0]))]
    written: list[str] = []
    for line in table:
        left = [line[at] + " " * (widths[at] - cells(line[at])) for at in (0, 1)]
        right = [" " * (widths[at] - cells(line[at])) + line[at] for at in range(2, len(widths) - 1)]
        written.append("  ".join([*left, *right, line[-1]]).rstrip())
    return written


def _line(comparison: Comparison, row: Difference, marked: bool) -> tuple[str, ...]:
    mark = "=>" if marked else " !" if row.beyond else ""
    if not row.dtype:
        differ = f"{row.differing:,} differ" if row.differing else "0"
        return (mark, row.name, differ, "", "", "", "", "", _place(comparison, row))
    return (
        mark, row.name, _number(row.largest), _number(row.relative), _number(row.added), _number(row.inherited),
        _number(row.ulps), _number(row.mean), _place(comparison, row),
    )  # fmt: skip


def _number(number: float | None) -> str:
    return "-" if number is None or number != number else "0" if not number else f"{number:.3g}"


def _place(comparison: Comparison, row: Difference) -> str:
    """`[0, 3, 17]` with the words of its tokens, and what stands there where that is no plain number."""
    if row.place is None:
        return ""
    along = comparison.alignment.strings_along(row.axes, row.sequences)
    text = row.place[0] if row.place and row.place[0] < texts_of(along) else 0
    named = [token_in(along, axis, at, (text,)) for axis, at in zip(row.axes, row.place, strict=True)]
    words = [repr(word) for word in named if word]
    both = f": {row.ours:.6g} / {row.theirs:.6g}"
    return f"[{', '.join(map(str, row.place))}] {' '.join(words)}".rstrip() + both


def _few(names: Sequence[str], most: int, between: str = ", ") -> str:
    return between.join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
