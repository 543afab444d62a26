"""Which line of an explanation stands where: lines of words between tables of terms. Pure arithmetic."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ...drawing.text import cell_len, first_lines, wrapped

if TYPE_CHECKING:
    from ....engine.analysis.why import Operand, Row
    from ...reading.why import Why

SHARE, BAR = 7, 9
WIDE = 60  # below this width values are written as short as can be
STAGE = "stage"


@dataclass(frozen=True, slots=True)
class Block:
    """Lines of words (`kind` is a style), or, where `count` is given, so many terms from `first` on."""

    kind: str = "note"
    lines: tuple[str, ...] = ()
    first: int = 0
    count: int = 0

    @property
    def height(self) -> int:
        """How many lines it takes."""
        return self.count or len(self.lines)


class Page:
    """All lines of an explanation below its first three.

    Args:
        why: what is explained.
        width: cells of a line.
        room: lines that are seen at once: where there are more, those that are blank make way.
    """

    def __init__(self, why: Why, width: int, room: int = 0) -> None:
        self.blocks = _blocks(why, width)
        over = sum(block.height for block in self.blocks) - room
        if room and over > 0:
            self.blocks = _closer(self.blocks, over)
        first = self.blocks[0].lines if self.blocks else ()
        if first and room > 1 and sum(block.height for block in self.blocks) > room:
            said = tuple(first_lines([*first], room - 1, width))  # it is seen with the first term
            self.blocks[0] = replace(self.blocks[0], lines=said)
        self.tops: list[int] = []
        self.height = 0
        for block in self.blocks:
            self.tops.append(self.height)
            self.height += block.height

    def at(self, y: int) -> tuple[Block, int] | None:
        """The block of a line, and which of its lines it is."""
        if not 0 <= y < self.height:
            return None
        block = bisect_right(self.tops, y) - 1
        return self.blocks[block], y - self.tops[block]

    def line_of(self, term: int) -> int:
        """The line on which a term stands."""
        for top, block in zip(self.tops, self.blocks, strict=True):
            if block.first <= term < block.first + block.count:
                return top + term - block.first
        return 0

    def term_at(self, y: int) -> int | None:
        """The term that stands on a line."""
        line = self.at(y)
        return line[0].first + line[1] if line and line[0].count else None

    def top_for(self, top: int, term: int, terms: int, room: int) -> int:
        """The first line to show so that the chosen term is seen; with the first and last term the ends are, too."""
        line = self.line_of(term)
        if term == 0 and line < room:
            top = 0
        elif term == terms - 1 and self.height - line <= room:
            top = self.height - room
        above = 1 if term and self.term_at(line - 1) is None else 0  # the title of a part goes with its first term
        return max(0, min(max(min(top, line - above), line - room + 1), self.height - room))


def _closer(blocks: list[Block], over: int) -> list[Block]:
    """The same with so many lines less, as far as they are blank: the last go first."""
    kept: list[Block] = []
    for block in reversed(blocks):
        lines = list(block.lines)
        while over > 0 and "" in lines:
            lines.remove("")
            over -= 1
        kept.insert(0, replace(block, lines=tuple(lines)))
    return kept


def _blocks(why: Why, width: int) -> list[Block]:
    blocks: list[Block] = []
    before = [line for text in (why.facts, *why.notes) if text for line in _filled(text, width)]
    if before:
        blocks.append(Block("note", (*before, "")))
    for part in why.parts:
        if part.title:
            about = part.title if cell_len(part.title) + cell_len(part.about) + 2 > width else ""
            lines = (
                (*_filled(part.title, width), *wrapped(part.about, width))
                if about
                else (f"{part.title}: {part.about}",)
            )
            blocks.append(Block("label-here", ("", *lines)))
        blocks.append(Block("term", (), part.first, part.count))
    if why.names:
        wide = max(cell_len(short) for short, _ in why.names)
        blocks.append(Block("quiet", ("", *(f"{short.ljust(wide)}  {name}" for short, name in why.names))))
    return [block for block in blocks if block.height]


def _filled(text: str, width: int) -> list[str]:
    """Facts stand apart by three spaces, which a break between words would lose."""
    lines = [""]
    for part in text.split("   "):
        joined = f"{lines[-1]}   {part}" if lines[-1] else part
        if cell_len(joined) <= width:
            lines[-1] = joined
        else:
            lines += wrapped(part, width)
    return [line for line in lines if line]


@dataclass(frozen=True, slots=True)
class Columns:
    """How the terms of one sum are written.

    Attributes:
        rank, value: cells of the rank and of the term's value; aligned: whether values stand point under point.
        bar, share: cells of the bar and of the share; 0 for none.
        factors: how wide the operands of each place are; form: how they are written, see `operand_text`.
        how: whether there is room for how the operands make the term.
        varying: for each place of an operand, which of its indices are not the same in all terms.
    """

    rank: int
    value: int
    aligned: bool
    bar: int
    share: int
    form: int
    factors: tuple[int, ...]
    how: bool
    varying: tuple[frozenset[int], ...]


def columns_of(why: Why, part: int, width: int) -> Columns:
    """The fullest way to write the operands of a sum's terms that fits."""
    rows = [row for of, row in why.rows if of == part]
    shares, aligned = why.parts[part].largest > 0, width >= WIDE
    rank = len(str(max(sum_.count for sum_ in why.parts))) + 2
    value = why.parts[part].format.width
    if not aligned:
        value = max((len(brief(row.term.value)) for row in rows), default=1)
    how = max((cell_len(row.term.how) for row in rows), default=0)
    varying = _varying(rows)
    columns = Columns(rank, value, aligned, 0, 0, 0, (), False, varying)
    for form, bar, share in (
        (0, BAR, SHARE),
        (1, BAR, SHARE),
        (2, BAR, SHARE),
        (2, 0, SHARE),
        (3, BAR, SHARE),
        (3, 0, SHARE),
        (3, 0, 0),
    ):
        sizes = _sizes(rows, form, varying)
        taken = rank + value + (bar + share) * shares + 2 + sum(sizes) + 3 * max(0, len(sizes) - 1)
        columns = Columns(
            rank, value, aligned, bar * shares, share * shares, form, sizes, taken + how + 2 <= width, varying
        )
        if taken <= width:
            break
    return columns


def brief(value: float) -> str:
    """A term's value where there is little room."""
    return f"{value:+.3g}"


def _sizes(rows: list[Row], form: int, varying: tuple[frozenset[int], ...]) -> tuple[int, ...]:
    """Cells of the widest operand of each place."""
    sizes = [0] * len(varying)
    for row in rows:
        for at, operand in enumerate(row.term.factors):
            sizes[at] = max(sizes[at], cell_len(operand_text(operand, form, varying[at])))
    return tuple(sizes)


def operand_text(operand: Operand, form: int, varying: frozenset[int]) -> str:
    """An operand as `form` says.

    Args:
        form: 0 with all its indices and its value, 1 only with those that differ from term to term, 2 with fewer digits,
            3 without its value.
        varying: which of its indices differ.
    """
    name, bracket, inside = operand.place.partition("[")
    parts = inside.removesuffix("]").split(", ")
    place = operand.place
    if form and bracket and len(parts) == len(operand.index):
        kept = [part for at, part in enumerate(parts) if at in varying]
        name = name.rpartition(".")[2]
        place = f"{name}[{', '.join(kept)}]" if kept else name
    return place if form == 3 else f"{place} = {operand.value:.{(6, 5, 4)[form]}g}"


def _varying(rows: list[Row]) -> tuple[frozenset[int], ...]:
    """For each place of an operand the axes whose index differs from term to term."""
    most = max((len(row.term.factors) for row in rows), default=0)
    varying: list[frozenset[int]] = []
    for at in range(most):
        operands = [row.term.factors[at] for row in rows if at < len(row.term.factors)]
        indices: dict[tuple[str, int], list[tuple[int, ...]]] = {}
        for operand in operands:
            indices.setdefault((operand.name, len(operand.index)), []).append(operand.index)
        axes = {axis for same in indices.values() for axis in range(len(same[0])) if len({i[axis] for i in same}) > 1}
        varying.append(frozenset(axes))
    return tuple(varying)
