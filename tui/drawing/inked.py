"""Styles that are looked up once a theme."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

from rich.style import Style
from textual._segment_tools import line_pad
from textual.color import Color
from textual.filter import LineFilter
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from .faded import faded
from .laid_once import LaidOnce
from .strips import Line


class Setting(NamedTuple):
    """What is around the content of a widget that has nothing at its sides but room.

    Attributes:
        size: of the widget.
        lines: which of its lines are content.
        left, right: columns of room beside them.
        ground: the style of that; background: its colour; behind: that of what it lies on.
        opacity: how much is left of it all.
    """

    size: Size
    lines: range
    left: int
    right: int
    ground: Style
    background: Color
    behind: Color
    opacity: float


class InkedWidget(LaidOnce, Widget):
    """A widget that keeps the styles it draws with, and the lines it has drawn, until they change.

    Textual works out a widget's own style anew each time it is asked for, and forgets those of its components whenever a line
    of it is to be drawn again. For each line that it draws it looks up the widget's place, its borders, colours and opacity.
    """

    INKS: ClassVar[str] = ""  # what the names of its component classes begin with

    def __init__(self, *children: Widget, **named: Any) -> None:
        super().__init__(*children, **named)
        self._inks: dict[str, Style] = {}
        self._ground: Style | None = None
        self._around: Setting | None = None
        self._sent_lines: dict[int, Strip] = {}  # lines as they are sent to the terminal

    def ink(self, names: str = "") -> Style:
        """The style of component classes, parted by spaces; without any, the widget's own."""
        if names not in self._inks:
            classes = [f"{self.INKS}{name}" for name in names.split()]
            self._inks[names] = self.get_component_rich_style(*classes) if classes else self.rich_style
        return self._inks[names]

    @property
    def ground(self) -> Style:
        """The style of cells that nothing else colours: both colours, for a terminal's own may be as light as the theme's ground."""
        if self._ground is None:
            self._ground = Style(color=self.rich_style.color, bgcolor=self.background_colors[1].rich_color)
        return self._ground

    # -- lines ---------------------------------------------------------------------------------------------------

    def render_lines(self, crop: Region) -> list[Strip]:
        """Called by Textual in each frame: some lines, border and all."""
        drawn, missing = self._sent_lines, [y for y in crop.line_range if y not in self._sent_lines]
        if missing:
            if self._around is None or self._around.size != self.outer_size:
                self._around = self._looked_up()
                drawn.clear()
                missing = list(crop.line_range)
            filters = self.get_line_filters()
            for y in missing:
                drawn[y] = self._line_to_send(y, self._around, filters)
        lines = [drawn[y] for y in crop.line_range]
        if crop.column_span == (0, self.outer_size.width):
            return lines
        return [line.crop(*crop.column_span) for line in lines]

    def _looked_up(self) -> Setting:
        styles, size = self.styles, self.outer_size
        base, background = self.background_colors
        top, right, bottom, left = styles.gutter
        (_, _), (on_right, _), (_, _), (on_left, _) = styles.border
        effects = styles.tint.a or styles.text_opacity != 1.0 or styles.has_rule("hatch")
        plain = not (on_left or on_right or effects or any(kind for kind, _ in styles.outline))
        return Setting(
            size,
            range(top, size.height - bottom) if plain else range(0),
            left,
            right,
            Style(bgcolor=(base + background).rich_color),
            background,
            base,
            self.opacity,
        )

    def _line_to_send(self, y: int, setting: Setting, filters: Sequence[LineFilter]) -> Strip:
        """A line as it is sent to the terminal. What is no plain content, such as a border with a title, is Textual's."""
        if y not in setting.lines:
            return super().render_lines(Region(0, y, setting.size.width, 1))[0]
        width = setting.size.width - setting.left - setting.right
        strip = self.render_line(y - setting.lines.start)
        if strip.cell_length != width:
            strip = strip.adjust_cell_length(width, setting.ground)
        if setting.left or setting.right:
            strip = Line(line_pad(strip, setting.left, setting.right, setting.ground), setting.size.width)
        if setting.opacity != 1.0:
            strip = faded(strip, setting.behind, setting.opacity)
        for each in filters:
            filtered = each.apply(strip._segments, setting.background)  # pyright: ignore[reportPrivateUsage] # a copy is made of what it is asked for
            if filtered is not strip._segments:  # pyright: ignore[reportPrivateUsage]
                strip = Line(filtered, setting.size.width)
        return strip

    def _set_dirty(self, *regions: Region) -> None:
        """Called by Textual when some lines, or all, are to be drawn anew."""
        super()._set_dirty(*regions)
        if not regions:
            self._forget_lines()
        elif self._sent_lines:
            top = self._around.lines.start if self._around is not None and self._around.lines else self.gutter.top
            for region in regions:
                for y in region.line_range:
                    self._sent_lines.pop(y + top, None)

    def _forget_lines(self) -> None:
        self._around = None
        self._sent_lines.clear()

    def notify_style_update(self) -> None:
        """Called by Textual when styles change."""
        super().notify_style_update()
        self._forget_lines()
        self._inks.clear()
        self._ground = None
