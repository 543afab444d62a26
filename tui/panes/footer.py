"""The bottom line: the most useful keys, or help with the command that is being typed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from textual import events
from textual.message import Message
from textual.strip import Strip

from ..drawing.inked import InkedWidget
from ..drawing.text import cut
from ..state.footer_keys import KeyHint


class Footer(InkedWidget, can_focus=False):
    """One line of keys and what they do; a click presses the key."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"footer--key", "footer--label", "footer--hint"}
    ALLOW_SELECT: ClassVar[bool] = False

    class Pressed(Message):
        """A key was clicked; `line` is the command line it runs."""

        def __init__(self, line: str) -> None:
            super().__init__()
            self.line = line

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._keys: tuple[KeyHint, ...] = ()
        self._hint = ""
        self._ends: list[tuple[int, str]] = []

    def show(self, keys: Sequence[KeyHint]) -> None:
        """Show these keys, the most useful first; the last two stay however narrow it is."""
        if tuple(keys) != self._keys:
            self._keys = tuple(keys)
            self.refresh()

    def hint(self, text: str) -> None:
        """Say something instead of the keys; "" brings them back."""
        if text != self._hint:
            self._hint = text
            self.refresh()

    def render_line(self, y: int) -> Strip:
        width, label = self.size.width, self.ink("footer--label")
        if self._hint:
            text = Segment(cut(f" {self._hint}", width), self.ink("footer--hint"))
            return Strip([text]).crop_extend(0, width, label)
        bold = self.ink("footer--key")
        segments, used = [Segment(" ", label)], 1
        self._ends = []
        for hint in choose(self._keys, width - 2):
            for name, line in hint.keys:
                segments += [Segment(name, bold), Segment(" ", label)]
                used += cell_len(name) + 1
                self._ends.append((used, line))
            segments.append(Segment(f"{hint.label}  ", label))
            used += cell_len(hint.label) + 2
            self._ends[-1] = used, hint.keys[-1][1]  # its words are the last key's as well
        return Strip(segments).crop_extend(0, width, label)

    def on_click(self, event: events.Click) -> None:
        """Press the key under the mouse."""
        line = next((line for end, line in self._ends if event.x < end), "")
        if line and not self._hint:
            self.post_message(self.Pressed(line))


def choose(hints: Sequence[KeyHint], width: int) -> list[KeyHint]:
    """The keys that fit, in their order. The last two (help and the way out) always stay."""

    def length(hint: KeyHint) -> int:
        return sum(cell_len(name) + 1 for name, _ in hint.keys) + cell_len(hint.label) + 2

    kept = list(hints[-2:])
    room = width - sum(map(length, kept)) + 2
    front: list[KeyHint] = []
    for hint in hints[:-2]:
        if length(hint) <= room:
            room -= length(hint)
            front.append(hint)
    return front + kept
