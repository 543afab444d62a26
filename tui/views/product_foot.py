"""Below a product: the term that is chosen, the sum of the element, and what else the operation has to say of it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from itertools import accumulate

from rich.style import Style

from ...engine.messages.translation import tr
from ..drawing.numbers import counted, short
from ..drawing.text import StyledText, cell_len, cut, first_lines, wrapped
from ..reading.product import ProductPicture
from ..reading.product_sum import ProductSum
from ..state.product_layout import in_lines

Inks = Mapping[str, Style]


def foot(picture: ProductPicture, status: StyledText, width: int, lines: int, inks: Inks) -> list[StyledText]:
    """Exactly so many lines, the last of them the element itself.

    Args:
        status: what it is called, and the number; behind it stands how well the terms add up, where there is room.
    """
    sum_, lines = picture.sum, lines - 1
    if not sum_.ranks:
        texts = first_lines([line for note in sum_.notes for line in wrapped(note, width)], lines, width, apart=True)
        return [*_filled([[(text, inks["note"])] for text in texts], lines), status]
    brief, ink = f"  {sum_.brief}", inks["quiet" if sum_.holds else "warning"]
    room = width - sum(cell_len(text) for text, _ in status)
    beside = cell_len(brief) <= room
    chosen = _chosen(picture, width, inks) if lines >= 4 and sum_.ranks > 1 else []
    extras = _extras(picture, width, inks, max(0, lines - len(chosen) - (2 if lines >= 3 else 1)))
    if not sum_.holds and not beside:  # that is the first thing to be known
        extras = [[(cut(sum_.brief, width), ink)], *extras][: max(1, len(extras))]
    last = [] if beside or lines < 4 or not sum_.holds else [(sum_.brief, "quiet")]
    written = _sum(sum_, last, width, lines - len(chosen) - len(extras), inks)
    return [*_filled([*chosen, *written, *extras], lines), [*status, (brief if beside else "", ink)]]


def _filled(written: list[StyledText], lines: int) -> list[StyledText]:
    return [*written[:lines], *([[]] * (lines - len(written)))]


def _chosen(picture: ProductPicture, width: int, inks: Inks) -> list[StyledText]:
    """The term that is lit in A and B."""
    sum_, summed = picture.sum, picture.summed
    shown = 0 <= sum_.place - summed.first < len(summed.labels)
    lead = f"{summed.axis} {summed.labels[sum_.place - summed.first]}: " if shown else ""
    which = tr("term {number} of {count} by size; PgDn the next", number=sum_.rank + 1, count=counted(sum_.ranks))
    short_form = f"{sum_.rank + 1}/{sum_.ranks}"
    which = next(
        (form for form in (which, short_form) if cell_len(form) + cell_len(lead + sum_.chosen) + 2 <= width), short_form
    )
    text = cut(lead + sum_.chosen, width - cell_len(which) - 2)
    return [[(text + "  ", inks["label-here"]), (which, inks["quiet"])]]


def _sum(sum_: ProductSum, last: list[tuple[str, str]], width: int, lines: int, inks: Inks) -> list[StyledText]:
    """As many of the largest terms as fit into so many lines, what the others come to, the bias, and the number."""
    parts, rows = list[tuple[str, str]](), list[list[int]]()
    ends = list(
        accumulate(min(len(piece), width) for piece in sum_.pieces)
    )  # no more can fit than have room side by side
    most = bisect_right(ends, max(0, lines) * width)
    for number in range(most, -1, -1):
        parts = [*_parts(sum_, number), *last]
        rows = in_lines([cell_len(text) for text, _ in parts], width)
        if len(rows) <= lines:
            break
    return [
        [piece for at in row for piece in ((parts[at][0], inks[parts[at][1]]), (" ", Style()))] for row in rows[:lines]
    ]


def _parts(sum_: ProductSum, number: int) -> list[tuple[str, str]]:
    """The pieces of the sum with so many of its terms, each with its ink."""
    parts: list[tuple[str, str]] = []
    for at in range(number):
        ink = "label-here" if sum_.piece_ranks[at] == sum_.rank else "note"
        parts.append((("+ " if at else "= ") + sum_.pieces[at], ink))
    left = sum_.count - number
    if left:
        rest = short(sum_.rests[number], 3)
        text = tr("({count} smaller: {rest})" if number else "({count} terms: {rest})", count=counted(left), rest=rest)
        parts.append((("+ " if number else "= ") + text, "label"))
    if sum_.zeros:
        parts.append(("+ " + tr("({count} times 0)", count=counted(sum_.zeros)), "label"))
    if sum_.bias:
        parts.append((f"+ {sum_.bias}", "label-here" if sum_.bias_rank == sum_.rank else "note"))
    return [*parts, (f"= {sum_.total}", "note")]


def _extras(picture: ProductPicture, width: int, inks: Inks, most: int) -> list[StyledText]:
    """What each head gives; what the number is divided by next; the operation's own notes: at most so many lines."""
    sum_ = picture.sum
    parts = _by_part(picture, width, inks)[:most] if sum_.parts else []
    texts = [line for text in (sum_.after, *sum_.notes) if text for line in wrapped(text, width)]
    return [*parts, *([(line, inks["note"])] for line in first_lines(texts, most - len(parts), width, apart=True))]


def _by_part(picture: ProductPicture, width: int, inks: Inks) -> list[StyledText]:
    """`4 heads × 32 = 128   0: -0.31   1: 0.2 …`, the one that the chosen term is in lit."""
    parts, size = picture.sum.parts, picture.joined
    here = picture.summed.here // size if picture.summed.here >= 0 else -1
    lead = tr("{count} heads × {size} = {all}", count=len(parts), size=size, all=len(parts) * size)
    pieces = [
        (lead, "label"),
        *((f"│ {text}", "label-here" if at == here else "note") for at, text in enumerate(parts)),
    ]
    rows = in_lines([cell_len(text) for text, _ in pieces], width)
    return [[piece for at in row for piece in ((pieces[at][0], inks[pieces[at][1]]), (" ", Style()))] for row in rows]
