"""The last answer on the whole screen: wide tables scroll sideways."""

from __future__ import annotations

from typing import ClassVar

from rich.cells import cell_len

from ...engine.messages.translation import tr
from ..drawing.text import letters_of, plain
from ..panes.console import is_prose, said_lines
from ..panes.lines import Lines, Spans
from .modal import LinesScreen


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
            return [mark + text for _, mark, text in said_lines(("note", "", line), max(1, self.width))]
        return [from_cell(line, self.left)]

    def spans(self, face: str, width: int) -> Spans:
        """The line."""
        return [("", face)]


class ReplyScreen(LinesScreen):
    """An answer to be read; any key that does not scroll closes it.

    Args:
        line: the command it answers.
        text: the answer.
    """

    def __init__(self, line: str, text: str) -> None:
        self._reply = ReplyLines(text, id="reply")
        super().__init__(self._reply)
        self._line = line

    def on_mount(self) -> None:
        self.lines.border_title = plain(self._line).replace("[", r"\[")
        self.lines.border_subtitle = tr("↑ ↓ ← → scroll · any other key closes")

    def shifted(self, key: str) -> bool:
        """Sideways."""
        side = max(1, self._reply.width // 3)
        steps = {"left": -side, "h": -side, "right": side, "l": side, "home": -(10**6), "end": 10**6}
        if key in steps:
            self._reply.shift(steps[key])
        return key in steps


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
