"""Composing a screen of panes: each cell is one widget's, and whose is worked out once a layout, not once a frame.

Textual cuts every line of a frame wherever any widget begins or ends, has every widget draw that is near what changed, and
makes a new strip of each part, also of those that nobody will see. Here a line goes from its widget to the terminal as it is.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from rich.segment import Segment
from textual._compositor import Compositor, CompositorUpdate, ReflowResult
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult


class Owned(NamedTuple):
    """Cells of a line that one widget draws.

    Attributes:
        start, end: the columns of the screen.
        widget: what is seen there.
        left, top: where on the screen the widget begins, though it may be hidden there.
    """

    start: int
    end: int
    widget: Widget
    left: int
    top: int


class Drawn(NamedTuple):
    """What is sent to the terminal for a part of a line, and where it stands."""

    x: int
    y: int
    strip: Strip


class FrameUpdate(CompositorUpdate):
    """What is to be sent for a frame.

    Args:
        drawn: its parts.
    """

    def __init__(self, drawn: list[Drawn]) -> None:
        self.drawn = drawn

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Called by rich for a picture of the screen: the parts from left to right, line after line."""
        before = 0
        for _, y, strip in self.drawn:
            if y != before:
                yield Segment.line()
            before = y
            yield from strip

    def render_segments(self, console: Console) -> str:
        """Called by Textual: the characters that the terminal is sent."""
        return "".join([f"\x1b[{y + 1};{x + 1}H{strip.render(console)}" for x, y, strip in self.drawn])


class OwnerCompositor(Compositor):
    """Textual's compositor, which knows of each line whose its cells are."""

    def __init__(self) -> None:
        super().__init__()
        self._laid: object = None  # of what layout the owners are
        self._owners: list[tuple[Owned, ...]] = []

    @property
    def owners(self) -> list[tuple[Owned, ...]]:
        """Of each line of the screen, from left to right, whose its cells are."""
        if self._laid is not self.visible_widgets:
            self._laid = self.visible_widgets
            self._owners = owners_of(self.visible_widgets, *self.size)
        return self._owners

    def update_widgets(self, widgets: set[Widget]) -> None:
        """Called by Textual before a frame and a layout: note what widgets say is outdated.

        Where one of them has no place yet, Textual would lay out the whole screen to look for it, before a layout that gives it
        one lays it out again: nothing is asked of those.
        """
        super().update_widgets(widgets & self.visible_widgets.keys())

    def reflow(self, parent: Widget, size: Size) -> ReflowResult:
        """Called by Textual for a layout, which knows the place of everything: it need not be laid out again to be looked up.

        What is elsewhere than it was drawn is found by the screen; Textual also takes for changed what stands in another order.
        """
        outdated = self._dirty_regions.copy()
        changes = super().reflow(parent, size)
        self._full_map_invalidated, self._dirty_regions = False, outdated
        return changes

    def render_partial_update(self) -> Any:
        """Called by Textual to draw what is outdated."""
        regions, self._dirty_regions = self._dirty_regions, set()
        if not regions:
            return None
        return FrameUpdate(self._drawn(list(self._regions_to_spans(regions))))

    def render_full_update(self, simplify: bool = False) -> Any:
        """Called by Textual to draw all there is; `simplify` for a picture of the screen, which is not a frame."""
        if simplify:
            return super().render_full_update(simplify)
        self._dirty_regions.clear()
        return FrameUpdate(self._drawn([(y, 0, self.size.width) for y in range(self.size.height)]))

    def _drawn(self, spans: list[tuple[int, int, int]]) -> list[Drawn]:
        """What stands in spans of lines, each a line, its first column and the one after its last."""
        lines, shown = self.owners, list[tuple[int, Owned, int, int]]()
        rows: dict[Widget, tuple[int, int]] = {}  # the first and the last of the screen that a widget draws
        for y, first, last in spans:
            for owned in lines[y] if 0 <= y < len(lines) else ():
                start, end = max(owned.start, first), min(owned.end, last)
                if start < end:
                    shown.append((y, owned, start, end))
                    rows[owned.widget] = rows.get(owned.widget, (y,))[0], y
        places = self.visible_widgets
        strips: dict[Widget, list[Strip]] = {}
        for widget, (top, bottom) in rows.items():
            region = places[widget][0]
            strips[widget] = widget.render_lines(Region(0, top - region.y, region.width, bottom + 1 - top))
        drawn: list[Drawn] = []
        for y, owned, start, end in shown:
            strip = strips[owned.widget][y - rows[owned.widget][0]]
            if end - start != strip.cell_length:
                strip = strip.crop(start - owned.left, end - owned.left)
            drawn.append(Drawn(start, y, strip))
        return drawn


def owners_of(places: dict[Widget, tuple[Region, Region]], width: int, height: int) -> list[tuple[Owned, ...]]:
    """Of each line of a screen whose its cells are.

    Args:
        places: of each widget, from the one in front to the one behind, its region and what can be seen of that at most.
        width, height: of the screen.
    """
    seen = [(clip.intersection(region), region, widget) for widget, (region, clip) in places.items()]
    edges = {0, height, *(y for shown, _, _ in seen for y in (shown.y, shown.bottom) if 0 < y < height)}
    lines: list[tuple[Owned, ...]] = []
    for top, bottom in pairwise(sorted(edges)):  # between two edges all lines are alike
        free, line = [(0, width)], list[Owned]()
        for shown, region, widget in seen:
            if shown.y <= top < shown.bottom and shown.width:
                free = _taken(free, Owned(shown.x, shown.right, widget, region.x, region.y), line)
                if not free:
                    break
        lines += [tuple(sorted(line, key=lambda owned: owned.start))] * (bottom - top)
    return lines


def _taken(free: list[tuple[int, int]], all_of_it: Owned, line: list[Owned]) -> list[tuple[int, int]]:
    """What is still free of a line once a widget has taken what is its own; that is added to `line`."""
    rest: list[tuple[int, int]] = []
    for first, last in free:
        start, end = max(first, all_of_it.start), min(last, all_of_it.end)
        if start >= end:
            rest.append((first, last))
            continue
        line.append(all_of_it._replace(start=start, end=end))
        rest += [(a, b) for a, b in ((first, start), (end, last)) if a < b]
    return rest
