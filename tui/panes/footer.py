"""The bottom line: the most useful keys, or help with the command that is being typed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from textual import events
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from ..drawing.text import cut


class Footer(Widget, can_focus=False):
    """One line of keys and what they do; a click presses the key."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"footer--key", "footer--label", "footer--hint"}
    ALLOW_SELECT: ClassVar[bool] = False

    class Pressed(Message):
        """A key was clicked; `line` is the name it is known by."""

        def __init__(self, name: str) -> None:
            super().__init__()
            self.key_name = name

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._keys: tuple[tuple[str, str], ...] = ()
        self._hint = ""
        self._ends: list[tuple[int, str]] = []

    def show(self, keys: Sequence[tuple[str, str]]) -> None:
        """Show these keys, the most useful first."""
        self._keys = tuple(keys)
        self.refresh()

    def hint(self, text: str) -> None:
        """Say something instead of the keys; "" brings them back."""
        if text != self._hint:
            self._hint = text
            self.refresh()

    def render_line(self, y: int) -> Strip:
        width, label = self.size.width, self.get_component_rich_style("footer--label")
        if self._hint:
            text = Segment(cut(f" {self._hint}", width), self.get_component_rich_style("footer--hint"))
            return Strip([text]).crop_extend(0, width, label)
        segments, used = [Segment(" ", label)], 1
        self._ends = []
        for key, what in choose(self._keys, width - 2):
            segments += [Segment(key, self.get_component_rich_style("footer--key")), Segment(f" {what}  ", label)]
            used += cell_len(key) + cell_len(what) + 3
            self._ends.append((used - 1, key))
        return Strip(segments).crop_extend(0, width, label)

    def on_click(self, event: events.Click) -> None:
        """Press the key under the mouse."""
        key = next((key for end, key in self._ends if event.x < end), "")
        if key and not self._hint:
            self.post_message(self.Pressed(key))


def choose(keys: Sequence[tuple[str, str]], width: int) -> list[tuple[str, str]]:
    """The keys that fit, in their order. The last two (help and the way out) always stay."""

    def length(key: tuple[str, str]) -> int:
        return cell_len(key[0]) + cell_len(key[1]) + 3

    kept = list(keys[-2:])
    room = width - sum(map(length, kept)) + 2
    front: list[tuple[str, str]] = []
    for key in keys[:-2]:
        if length(key) <= room:
            room -= length(key)
            front.append(key)
    return front + kept
