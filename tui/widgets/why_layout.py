"""Which line of an explanation stands where: lines of words between tables of terms. Pure arithmetic."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..text import cell_len, wrapped

if TYPE_CHECKING:
    from ...engine.why import Operand, Row
    from ..frames.why import Why

RANK, SHARE, BAR = 5, 7, 9
WIDE = 66  # from this width on there is a bar for every term
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
    """

    def __init__(self, why: Why, width: int) -> None:
        self.blocks = _blocks(why, width)
        self.tops: list[int] = []
        self.height = 0
        for block in self.blocks:
            self.tops.append(self.height)
            self.height += block.height

    def at(self, y: int) -> tuple[Block, int] | None:
        """The block of a line, and which of its lines it is."""
        if not 0 <= y < self.height:
            return None
        found = bisect_right(self.tops, y) - 1
        return self.blocks[found], y - self.tops[found]

    def line_of(self, term: int) -> int:
        """The line on which a term stands."""
        for top, block in zip(self.tops, self.blocks, strict=True):
            if block.first <= term < block.first + block.count:
                return top + term - block.first
        return 0

    def term_at(self, y: int) -> int | None:
        """The term that stands on a line."""
        found = self.at(y)
        return found[0].first + found[1] if found and found[0].count else None

    def top_for(self, top: int, term: int, terms: int, room: int) -> int:
        """The first line to show so that the chosen term is seen; with the first and last term the ends are, too."""
        line = self.line_of(term)
        if term == 0 and line < room:
            top = 0
        elif term == terms - 1 and self.height - line <= room:
            top = self.height - room
        above = 1 if term and self.term_at(line - 1) is None else 0  # the title of a part goes with its first term
        return max(0, min(max(min(top, line - above), line - room + 1), self.height - room))


def _blocks(why: Why, width: int) -> list[Block]:
    blocks = []
    before = [line for text in (why.facts, *why.notes) if text for line in _filled(text, width)]
    if before:
        blocks.append(Block("note", (*before, "")))
    for part in why.parts:
        if part.title:
            about = part.title if cell_len(part.title) + cell_len(part.about) + 2 > width else ""
            lines = (*_filled(part.title, width), part.about) if about else (f"{part.title}: {part.about}",)
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
        bar: cells of the bar; 0 for none. share: whether there are shares.
        factors: how wide the operands of each place are; form: how they are written, see `operand_text`.
        varying: for each place of an operand, which of its indices are not the same in all terms.
    """

    bar: int
    share: bool
    form: int
    factors: tuple[int, ...]
    varying: tuple[frozenset[int] | None, ...]


def columns_of(why: Why, part: int, width: int) -> Columns:
    """The fullest way to write the operands of a sum's terms that fits."""
    rows = [row for of, row in why.rows if of == part]
    share, bar = why.parts[part].largest > 0, BAR if width >= WIDE and why.parts[part].largest > 0 else 0
    varying = _varying(rows)
    room = width - RANK - why.parts[part].format.width - SHARE * share - bar - 1
    columns = Columns(bar, share, 0, (), varying)
    for form in range(3):
        sizes: list[int] = []
        for row in rows:
            for at, operand in enumerate(row.term.factors):
                size = cell_len(operand_text(operand, form, varying[at]))
                if at < len(sizes):
                    sizes[at] = max(sizes[at], size)
                else:
                    sizes.append(size)
        columns = Columns(bar, share, form, tuple(sizes), varying)
        if sum(sizes) + 3 * max(0, len(sizes) - 1) <= room:
            break
    return columns


def operand_text(operand: Operand, form: int, varying: frozenset[int] | None) -> str:
    """An operand: with all its indices and its value (0), with those that differ from term to term (1), shorter still (2)."""
    name, bracket, inside = operand.place.partition("[")
    parts = inside.removesuffix("]").split(", ")
    place = operand.place
    if form and bracket and len(parts) == len(operand.index) and varying is not None:
        kept = [part for at, part in enumerate(parts) if at in varying]
        name = name.rpartition(".")[2]
        place = f"{name}[{', '.join(kept)}]" if kept else name
    if place == "given":
        return place
    return f"{place} = {operand.value:.{(6, 4, 3)[form]}g}"


def _varying(rows: list[Row]) -> tuple[frozenset[int] | None, ...]:
    """For each place of an operand the axes whose index differs; None where the terms have nothing in common there."""
    most = max((len(row.term.factors) for row in rows), default=0)
    found: list[frozenset[int] | None] = []
    for at in range(most):
        operands = [row.term.factors[at] for row in rows if at < len(row.term.factors)]
        indices: dict[tuple[str, int], list[tuple[int, ...]]] = {}
        for operand in operands:
            indices.setdefault((operand.name, len(operand.index)), []).append(operand.index)
        axes = {axis for same in indices.values() for axis in range(len(same[0])) if len({i[axis] for i in same}) > 1}
        found.append(frozenset(axes))
    return tuple(found)
