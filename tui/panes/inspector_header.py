"""The lines above the view: name, shape, formula, formula of shapes, the tabs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar

from textual import events
from textual.strip import Strip

from ...engine.commands.screen import VIEW_KEYS
from ...engine.messages.translation import language, tr
from ..drawing.linewise import LinewiseWidget
from ..drawing.strips import strip_of
from ..drawing.text import StyledText, cell_len, cut, fit
from ..state.plane import paged, plane_of
from ..state.subject import Subject
from ..state.view_state import ViewState
from ..views.value_view import ValueView

Applies = Callable[[str, Subject], bool]
TALL, MIDDLE, LOW = 22, 18, 8  # heights of the inspector from which the header has five, four, three lines


class InspectorHeader(LinewiseWidget):
    """What is shown, in one to five lines.

    Args:
        views: names of the views, in the order of their keys.
        applies: whether a view has a picture of a subject; the tabs of those that have none are dim.
    """

    INKS: ClassVar[str] = "header--"
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "header--name", "header--quiet", "header--formula", "header--tab", "header--tab-here", "header--tab-idle", "header--mark",
    }  # fmt: skip
    DEFAULT_CSS: ClassVar[str] = """
    InspectorHeader {
        width: 1fr; height: 5;
        & .header--name { color: $foreground; text-style: bold; }
        & .header--quiet { color: $foreground 55%; }
        & .header--formula { color: $foreground 85%; }
        & .header--tab { color: $foreground 60%; }
        & .header--tab-idle { color: $foreground 25%; }
        & .header--tab-here { color: $accent; text-style: bold; }
        & .header--mark { color: $warning; text-style: bold; }
    }
    """

    def __init__(self, views: tuple[str, ...], applies: Applies = lambda view, subject: True) -> None:
        super().__init__()
        self._views, self._applies = views, applies
        self._state = ViewState()
        self._subject: Subject | None = None
        self._written: tuple[object, ...] = ()
        self._drawn: list[StyledText] = []

    def show(self, state: ViewState, subject: Subject | None) -> None:
        """Another state, another subject."""
        if (subject, _seen(state)) != (self._subject, _seen(self._state)):
            self.redraw()
        self._state, self._subject = state, subject

    def fit_into(self, height: int, wanted: int = 0, least: int = 0) -> int:
        """Take as many lines as an inspector of that height can spare, and say how many those are.

        Args:
            wanted: how many rows the view needs to show all there is: the lines that say a thing again make way for them.
            least: how many rows the view needs to show anything: all but the name makes way for them.
        """
        lines = 5 if height >= TALL else 4 if height >= MIDDLE else 3 if height >= LOW else 1 if height >= 4 else 0
        if lines > 3 and 3 <= height - wanted < lines:
            lines = height - wanted
        if height - lines < least < height:
            lines = min(lines, height - least if height - least >= 3 else 1)
        self.styles.height = lines
        self.display = lines > 0
        return lines

    # -- painting --------------------------------------------------------------------------------------------

    def draw_line(self, y: int) -> Strip:
        """One line, exactly as wide as the widget."""
        width, height = self.size
        written = self._subject, self._state, width, height, language()
        if written != self._written:  # all lines at once
            self._written, self._drawn = written, self._lines(width, height) if self._subject is not None else []
        words = self._drawn[y] if y < len(self._drawn) else []
        return strip_of(words, self.ground, max(0, width))

    def _lines(self, width: int, height: int) -> list[StyledText]:
        subject = self._subject
        assert subject is not None
        formula: StyledText = [(cut(subject.formula, width), self.ink("formula"))]
        shapes: StyledText = [(cut(subject.formula_of_shapes, width), self.ink("quiet"))]
        tabs = self._tabs(width)
        if height >= 5:
            return [self._title(width), self._axes(width), formula, shapes, tabs]
        if height == 4:
            return [self._title_and_axes(width), formula, shapes, tabs]
        if height == 3:
            return [self._title_and_axes(width), formula, tabs]
        return [self._title(width)]

    def _title(self, width: int) -> StyledText:
        subject = self._subject
        assert subject is not None
        words = _written(subject)
        name = cut(subject.stage, width)
        spare = width - cell_len(name) - cell_len(words)
        mark = self.ink("mark" if subject.patched else "quiet")
        return [(name, self.ink("name")), *([(" " * spare + words, mark)] if spare >= 2 else [])]

    def _axes(self, width: int) -> StyledText:
        subject = self._subject
        assert subject is not None
        return [(cut(f"{_shape(subject)}  {subject.dtype}", width), self.ink("quiet"))]

    def _title_and_axes(self, width: int) -> StyledText:
        """Name, then shape as fully as there is room for, then what is to be known of it."""
        subject = self._subject
        assert subject is not None
        name, status = cut(subject.stage, width), _written(subject) if subject.patched else ""
        room = width - cell_len(name) - cell_len(status) - 2 * bool(status) - 2
        sizes = f"[{', '.join(map(str, subject.shape))}]"
        long, middle, short = f"{_shape(subject)}  {subject.dtype}", f"{sizes} {subject.dtype}", sizes
        text = next((text for text in (long, middle, short) if cell_len(text) <= room), "")
        words: StyledText = [(name, self.ink("name")), (f"  {text}", self.ink("quiet"))]
        return [*words, (f"  {status}", self.ink("mark"))] if status else words

    def _tabs(self, width: int) -> StyledText:
        subject = self._subject
        assert subject is not None
        words: StyledText = []
        for view, (text, is_here) in zip(self._offered, self._tab_texts(width), strict=True):
            ink = "tab-here" if is_here else "tab" if self._applies(view, subject) else "tab-idle"
            words.append((text, self.ink(ink)))
        used = sum(cell_len(text) for text, _ in words)
        for chosen in self._chosen():
            if used + cell_len(chosen) + 2 <= width:
                return [*words, (fit(chosen, width - used, "right"), self.ink("formula"))]
        return words

    @property
    def _offered(self) -> list[str]:
        """The views that have a tab here: words where any are predicted, source where the code is one's own, all others everywhere."""
        subject = self._subject
        here = {
            "words": subject is not None and bool(subject.predicts),
            "source": self._state.view == "source" or (subject is not None and subject.is_own_code),
        }
        return [name for name in self._views if here.get(name, True)]

    def _tab_texts(self, width: int) -> list[tuple[str, bool]]:
        here = self._state.view
        space = " " * (width >= 90)
        tabs = [
            (f"{'▸' if name == here else ' '}{VIEW_KEYS[name]} {tr(name)}{space}", name == here)
            for name in self._offered
        ]
        # which head one looks at must be seen: names of views make way, those of views without a picture here first
        room = width - cell_len(self._chosen()[-1]) - 2
        for at in sorted((at for at, tab in enumerate(tabs) if not tab[1]), key=self._worth):
            if sum(cell_len(text) for text, _ in tabs) <= room:
                break
            tabs[at] = (tabs[at][0][:2], False)
        return tabs

    def _worth(self, at: int) -> tuple[bool, bool, int]:
        """How long a tab keeps its name: longest that of a view with a picture here, of a key that is no digit, the first."""
        assert self._subject is not None
        view = self._offered[at]
        return self._applies(view, self._subject), not VIEW_KEYS[view].isdigit(), -at

    def _chosen(self) -> list[str]:
        """Which text and head are looked at, at length and shortly."""
        subject = self._subject
        assert subject is not None
        plane = plane_of(subject, self._state)
        long: list[str] = []
        short: list[str] = []
        mean = self._state.mean and self._state.view == "lines" and "head" in plane.axes
        for axis, size, index in zip(plane.axes, plane.shape, plane.fixed, strict=False):
            name, keys = {"batch": ("text", "< >"), paged(plane.axes): (axis, "[ ]")}.get(axis, (axis, ""))
            name = tr(name)
            if axis == "head" and size > 1 and mean:
                said = tr("mean of {count} heads", count=size)
                long.append(said)
                short.append(said)
            elif size > 1:
                long.append(
                    tr("{name} {index} of {size} {keys}", name=name, index=index, size=size, keys=keys).rstrip()
                )
                short.append(f"{name} {index}/{size}")
            elif axis == "head":  # one head that stands for all of them
                long.append(tr("any head"))
                short.append(tr("any head"))
        shortest = " ".join(
            [*(text[0] + text.rpartition(" ")[2] for text in short if "/" in text), *[tr("mean")] * mean]
        )
        return ["   ".join(long), "  ".join(short), " ".join(text.replace(" ", "") for text in short), shortest]

    def notify_style_update(self) -> None:
        """Forget styles of the old theme."""
        super().notify_style_update()
        self._written = ()

    def on_click(self, event: events.Click) -> None:
        """A click on a tab asks for its view."""
        if event.y != self.size.height - 1:
            return
        at = 0
        for (text, _), name in zip(self._tab_texts(self.size.width), self._offered, strict=True):
            if at <= event.x < at + cell_len(text):
                plain = self._state.plain or (
                    name == "heat" and bool(self._subject and (self._subject.predicts or self._subject.window))
                )
                self.post_message(ValueView.Asked(replace(self._state, view=name, plain=plain)))
            at += cell_len(text)


def _seen(state: ViewState) -> tuple[str, int, int, bool]:
    """What of a state the header shows."""
    return state.view, state.text, state.head, state.mean


def _shape(subject: Subject) -> str:
    return " × ".join(f"{axis} {size}" for axis, size in zip(subject.axes, subject.shape, strict=True)) or "scalar"


def _written(subject: Subject) -> str:
    words = {
        "done": tr("done"),
        "ahead": tr("ahead"),
        "weight": tr("weight"),
        "table": tr("table"),
        "corner": tr("a corner"),
    }
    place = words.get(subject.place) or f"● {tr('here')}"
    return f"{place} · {tr('patched')}" if subject.patched else place
