"""The last answer on the whole screen: wide tables scroll sideways."""

from __future__ import annotations

from typing import ClassVar

from rich.cells import cell_len
from textual import events
from textual.app import ComposeResult
from textual.screen import ModalScreen

from ...engine.translation import tr
from ..panes.console import is_prose, wrapped
from ..text import letters_of, plain
from ..widgets.lines import Lines, Spans


class ReplyLines(Lines[str], can_focus=True):
    """Lines: prose wrapped to the width, tables shown from a column on."""

    COMPONENT_CLASSES: ClassVar[set[str]] = set()

    def __init__(self, text: str, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._lines = [plain(line) if line.strip() else "" for line in text.expandtabs().splitlines()]
        self._widest = max((cell_len(line) for line in self._lines if not is_prose(line)), default=0)
        self.left = 0

    def on_resize(self) -> None:
        """What is scrolled out to the left may fit now."""
        self.shift(0)

    def shift(self, cells: int) -> None:
        """Scroll sideways, as far as there is anything."""
        self.left = max(0, min(self.left + cells, self._widest - self.width))
        self.put([piece for line in self._lines for piece in self._pieces(line)])

    def _pieces(self, line: str) -> list[str]:
        if is_prose(line):
            return [mark + text for _, mark, text in wrapped(("note", "", line), max(1, self.width))]
        return [from_cell(line, self.left)]

    def spans(self, face: str, width: int) -> Spans:
        """The line."""
        return [("", face)]


class ReplyScreen(ModalScreen[None]):
    """An answer to be read; any key that does not scroll closes it.

    Args:
        line: the command it answers.
        text: the answer.
    """

    def __init__(self, line: str, text: str) -> None:
        super().__init__()
        self._line = line
        self._lines = ReplyLines(text, id="reply")

    def compose(self) -> ComposeResult:
        yield self._lines

    def on_mount(self) -> None:
        self._lines.border_title = plain(self._line).replace("[", r"\[")
        self._lines.border_subtitle = tr("↑ ↓ ← → scroll · any other key closes")
        self._lines.focus()

    def on_key(self, event: events.Key) -> None:
        """Scroll, or leave."""
        event.stop()
        event.prevent_default()
        lines, page = self._lines, max(1, self._lines.scrollable_content_region.height - 1)
        far, side = len(lines.faces), max(1, lines.width // 3)
        steps = {"up": -1, "k": -1, "down": 1, "j": 1, "pageup": -page, "pagedown": page, "space": page}
        steps |= {"g": -far, "G": far}
        sideways = {"left": -side, "h": -side, "right": side, "l": side, "home": -(10**6), "end": 10**6}
        if event.key in steps:
            lines.scroll_relative(y=steps[event.key], animate=False)
        elif event.key in sideways:
            lines.shift(sideways[event.key])
        else:
            self.dismiss()


def from_cell(text: str, first: int) -> str:
    """The text from a cell on; a wide letter that is cut in two leaves a space."""
    if first <= 0:
        return text
    used, taken = 0, 0
    for letter in letters_of(text):
        if used >= first:
            break
        used += cell_len(letter)
        taken += len(letter)
    return " " * max(0, used - first) + text[taken:]
