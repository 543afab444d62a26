"""The statistics view: figures of the whole value and of the plane that is shown, and how the numbers are spread."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar

from rich.style import Style

from ...engine.messages.translation import tr
from ..drawing.bars import across, columns
from ..drawing.numbers import counted, short
from ..drawing.text import StyledText, cell_len, fit, wrapped
from ..reading.figures import Figures, read_figures
from ..state.plane import Plane
from ..state.subject import Subject
from ..state.view_state import ViewState
from .picture import PictureRequest, Shown, StyledPieces
from .value_view import ValueView

if TYPE_CHECKING:
    from ...engine.program.stats import Stats

NAME, FIGURE, OF_PLANE = 9, 11, 14
HISTOGRAM_HEIGHT = 5
HEAD_WIDTH = 26


class Statistics(ValueView):
    """Figures and a histogram."""

    name_of_view: ClassVar[str] = "stats"
    smallest: ClassVar[tuple[int, int]] = (16, 2)

    def __init__(self, colours: bool | None = None) -> None:
        super().__init__(colours)
        self._lines: list[StyledText] = []
        self._top = 0

    def request(self, subject: Subject, plane: Plane) -> PictureRequest | None:
        return PictureRequest((subject, plane), lambda session: read_figures(session, subject, plane))

    def arrived(self, shown: Shown) -> None:
        self._lines = self._write(shown)
        self._put_top(self._top)

    def changed(self, shown: Shown, before: ViewState) -> None:
        """Nothing here depends on the cell cursor."""

    def moved(self, where: str, state: ViewState, subject: Subject) -> ViewState:
        """Motion scrolls; the cell cursor stays where it is."""
        page = max(1, self.size.height - 2)
        steps = {"up": -1, "down": 1, "page-up": -page, "page-down": page, "top": -(10**6), "bottom": 10**6}
        self._put_top(self._top + steps.get(where, 0))
        self.redraw()
        return state

    def _wheel(self, event: object, rows: int) -> None:
        self._put_top(self._top + rows)
        self.redraw()

    def _put_top(self, top: int) -> None:
        self._top = max(0, min(top, len(self._lines) - self._room))

    @property
    def _room(self) -> int:
        height = self.size.height
        return height if len(self._lines) <= height else max(1, height - 1)

    def paint(self, shown: Shown, y: int) -> StyledPieces:
        if y < self._room:
            return self._lines[self._top + y] if self._top + y < len(self._lines) else []
        last = min(len(self._lines), self._top + self._room)
        more = tr("▼ more below") if last < len(self._lines) else tr("▲ more above")
        return [
            (
                more + "   " + tr("lines {span} of {count}", span=f"{self._top + 1}-{last}", count=len(self._lines)),
                self.ink("quiet"),
            )
        ]

    # -- writing ---------------------------------------------------------------------------------------------

    def _write(self, shown: Shown) -> list[StyledText]:
        figures: Figures = shown.frame
        table, width = self._table(shown, figures), self.size.width
        charts = self._charts(shown, figures)
        left = NAME + FIGURE + (OF_PLANE if figures.plane else 0)
        wide = max((sum(cell_len(text) for text, _ in line) for line in charts), default=0)
        lines = _beside(table, charts, left + 2) if left + 2 + wide <= width else [*table, [], *charts]
        return [*lines, *self._entropies(shown, figures)]

    def _table(self, shown: Shown, figures: Figures) -> list[StyledText]:
        name, note, quiet = self.ink("quiet"), self.ink("note"), self.ink("label")
        stats = [figures.whole, *([figures.plane] if figures.plane else [])]
        titles = [tr("whole"), _plane_name(shown.plane)] if figures.plane else [tr("whole")]
        sizes = (FIGURE, OF_PLANE)
        lines: list[StyledText] = [
            [
                (fit("", NAME), name),
                *[
                    (fit(title, size, "right"), self.ink("label-here"))
                    for title, size in zip(titles, sizes, strict=False)
                ],
            ]
        ]
        for label, write in _FIGURES:
            line: StyledText = [(fit(tr(label), NAME), name)]
            for one, size in zip(stats, sizes, strict=False):
                text = write(one)
                alarm = label in ("NaN", "infinite") and text != "0"
                line.append((fit(text, size, "right"), self.ink("warning") if alarm else note))
            lines.append(line)
        lines.append([(fit(tr("dtype"), NAME), name), (fit(shown.subject.dtype, FIGURE, "right"), quiet)])
        lines.append([(fit(tr("memory"), NAME), name), (fit(_bytes(figures.bytes), FIGURE, "right"), quiet)])
        shape = f"[{', '.join(map(str, shown.plane.shape))}]"
        return [*lines, [(fit(tr("shape"), NAME), name), (f" {shape}", quiet)]]

    def _charts(self, shown: Shown, figures: Figures) -> list[StyledText]:
        lines = self._chart(tr("whole"), figures.whole)
        if figures.plane:
            lines += [[], *self._chart(_plane_name(shown.plane), figures.plane)]
        return lines

    def _chart(self, title: str, stats: Stats) -> list[StyledText]:
        """A histogram with its title, its highest count on the left and its ends and zero below."""
        note, quiet = self.ink("note"), self.ink("quiet")
        if not stats.histogram or not stats.finite:
            return [[(tr("{title}: nothing finite to draw", title=title), quiet)]]
        counts = _narrowed(stats.histogram, self.size.width - 8)
        most = counted(max(counts)) if max(counts) < 100_000 else short(max(counts), 2)
        rows = columns(counts, HISTOGRAM_HEIGHT)
        lines: list[StyledText] = [[(" " * 7 + tr("{title}, {count} bins", title=title, count=len(counts)), quiet)]]
        for number, row in enumerate(rows):
            scale = most.rjust(6) if number == 0 else "0".rjust(6) if number == len(rows) - 1 else " " * 6
            lines.append([(f"{scale}│", quiet), (row, note)])
        lines.append([(" " * 6 + "└" + _axis(stats, len(counts)), quiet)])
        lines.append([(" " * 7 + _ends(stats, len(counts)), self.ink("label"))])
        return lines

    def _entropies(self, shown: Shown, figures: Figures) -> list[StyledText]:
        if not figures.entropies:
            return []
        most = math.log(shown.plane.columns) if shown.plane.columns > 1 else 1.0
        keys = shown.plane.columns
        title = tr(
            "entropy of each head in nats, mean of {queries} queries; ln {keys} = {most} is even",
            queries=figures.queries,
            keys=keys,
            most=short(most, 3),
        )
        lines: list[StyledText] = [[], *[[(part, self.ink("quiet"))] for part in wrapped(title, self.size.width)]]
        beside = max(1, self.size.width // HEAD_WIDTH)
        head_here = shown.plane.fixed[-1]
        down = -(-len(figures.entropies) // beside)
        for first in range(down):
            line: StyledText = []
            for head in range(first, len(figures.entropies), down):
                entropy = figures.entropies[head]
                ink = self.ink("label-here" if head == head_here else "note")
                line += [(f"{head:>3} {entropy:6.3f} ", ink), (across(entropy / most, 12), ink), ("   ", ink)]
            lines.append(line)
        return lines


def _plane_name(plane: Plane) -> str:
    names = {"batch": "text"}
    return " ".join(
        f"{tr(names.get(axis, axis))} {index}" for axis, index in zip(plane.axes, plane.fixed, strict=False)
    )


def _share(part: int, whole: int) -> str:
    if not part or not whole:
        return str(part)
    share = 100 * part / whole
    percent = f" {share:.0f}%" if share >= 1 else " <1%"
    return _count(part, FIGURE - len(percent)) + percent


def _count(number: int, width: int = FIGURE) -> str:
    text = counted(number)
    return text if len(text) <= width else short(float(number), 3)


_FIGURES: tuple[tuple[str, Callable[[Stats], str]], ...] = (
    ("count", lambda stats: _count(stats.count)),
    ("NaN", lambda stats: _count(stats.nan)),
    ("infinite", lambda stats: _count(stats.inf)),
    ("zeros", lambda stats: _share(stats.zeros, stats.count)),
    ("min", lambda stats: short(stats.min, 5)),
    ("max", lambda stats: short(stats.max, 5)),
    ("absmax", lambda stats: short(stats.absmax, 5)),
    ("mean", lambda stats: short(stats.mean, 5)),
    ("std", lambda stats: short(stats.std, 5)),
    ("norm", lambda stats: short(stats.norm, 5)),
)


def _bytes(count: int) -> str:
    size, unit = float(count), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if size < 1024:
            break
        size, unit = size / 1024, larger
    return f"{size:.4g} {unit}"


def _narrowed(counts: Sequence[int], width: int) -> Sequence[int]:
    """Neighbouring bins added up until they fit."""
    while len(counts) > max(4, width):
        counts = [sum(counts[place : place + 2]) for place in range(0, len(counts), 2)]
    return counts


def _zero(stats: Stats, width: int) -> int | None:
    if not stats.min < 0 < stats.max:
        return None
    return min(width - 1, int(width * (-stats.min / 2) / (stats.max / 2 - stats.min / 2)))


def _axis(stats: Stats, width: int) -> str:
    zero = _zero(stats, width)
    return "─" * width if zero is None else "─" * zero + "┴" + "─" * (width - zero - 1)


def _ends(stats: Stats, width: int) -> str:
    """Least, zero and greatest below the axis, the zero only where it does not run into them."""
    low, high = short(stats.min, 3), short(stats.max, 3)
    line = list(low + " " * max(1, width - len(low) - len(high)) + high)
    zero = _zero(stats, width)
    if zero is not None and len(low) < zero - 1 and zero + 2 < width - len(high):
        line[zero] = "0"
    return "".join(line)


def _beside(left: list[StyledText], right: list[StyledText], at: int) -> list[StyledText]:
    lines: list[StyledText] = []
    for number in range(max(len(left), len(right))):
        line = list(left[number]) if number < len(left) else []
        used = sum(cell_len(text) for text, _ in line)
        after = right[number] if number < len(right) else []
        lines.append([*line, (" " * max(1, at - used), Style()), *after] if after else line)
    return lines
