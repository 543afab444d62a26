"""What Textual alone takes for a key: one widget as large as the screen, of which each key draws every line.

`screen.py` runs it in a pty as the yardstick of its own figures.
"""

from __future__ import annotations

from rich.segment import Segment
from textual import events
from textual.app import App, ComposeResult
from textual.strip import Strip
from textual.widget import Widget

LETTERS = "bare"


class Bare(Widget, can_focus=True):
    """Lines of one letter, which is another after each key."""

    pressed = 0

    def render_line(self, y: int) -> Strip:
        return Strip([Segment(LETTERS[self.pressed % len(LETTERS)] * self.size.width)], self.size.width)

    def on_key(self, event: events.Key) -> None:
        event.stop()
        self.pressed += 1
        self.refresh()


class BareApp(App[None]):
    """Nothing but that."""

    ENABLE_COMMAND_PALETTE = False

    def compose(self) -> ComposeResult:
        yield Bare()

    def on_mount(self) -> None:
        self.query_one(Bare).focus()


if __name__ == "__main__":
    BareApp().run()
