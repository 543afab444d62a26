"""The line where commands are typed: history with up, down and Ctrl-R, completion with Tab."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input

from ..state.completion import Completion


class CommandLine(Input):
    """An input of one line that remembers what was typed.

    Args:
        complete: what Tab makes of a line.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "older", show=False),
        Binding("down", "newer", show=False),
        Binding("ctrl+r", "seek", show=False),
        Binding("tab", "complete", show=False),
        Binding("escape", "leave", show=False),
        Binding("ctrl+c", "stop", show=False),
        Binding("pageup", "scroll(-1)", show=False),
        Binding("pagedown", "scroll(1)", show=False),
    ]

    class Left(Message):
        """Escape was pressed."""

    class Stopped(Message):
        """Ctrl-C was pressed on an empty line."""

    class Offered(Message):
        """Tab found several ways to go on."""

        def __init__(self, choices: tuple[str, ...]) -> None:
            super().__init__()
            self.choices = choices

    class Scrolled(Message):
        """The lines above are to be scrolled, by pages."""

        def __init__(self, pages: int) -> None:
            super().__init__()
            self.pages = pages

    def __init__(self, complete: Callable[[str], Completion], *, id: str | None = None) -> None:
        super().__init__(id=id, compact=True, select_on_focus=False)
        self._complete = complete
        self._past: list[str] = []
        self._at = 0
        self._unfinished = ""
        self._sought: tuple[str, str] | None = None  # what Ctrl-R looks for, and the line it came to

    def recollect(self, lines: Sequence[str]) -> None:
        """Begin with lines that were typed in earlier sessions."""
        self._past[:0] = lines
        self._at = len(self._past)

    def remember(self, line: str) -> None:
        """Add a line to the history; the same one twice in a row is kept once."""
        if line.strip() and self._past[-1:] != [line]:
            self._past.append(line)
        self._at = len(self._past)

    def begin(self, text: str) -> None:
        """Put the beginning of a command there."""
        self.value = text
        self.cursor_position = len(text)

    async def _on_key(self, event: events.Key) -> None:
        """Do what a key is bound to at once: on its way up to the screen the next one typed would overtake it."""
        for binding in self._bindings.key_to_bindings.get(event.key, []):
            event.stop()
            event.prevent_default()
            await self.run_action(binding.action)

    def action_older(self) -> None:
        self._recall(self._at - 1)

    def action_newer(self) -> None:
        self._recall(self._at + 1)

    def action_seek(self) -> None:
        """The latest line before this one that has in it what was typed before Ctrl-R was first pressed."""
        again = self._sought is not None and self._sought[1] == self.value
        text = self._sought[0] if again and self._sought is not None else self.value
        at = next(
            (at for at in reversed(range(self._at)) if text in self._past[at] and self._past[at] != self.value), None
        )
        if at is not None:
            self._recall(at)
            self._sought = text, self.value

    def _recall(self, at: int) -> None:
        if not 0 <= at <= len(self._past):
            return
        if self._at == len(self._past):
            self._unfinished = self.value
        self._at = at
        self.begin(self._past[at] if at < len(self._past) else self._unfinished)

    def action_complete(self) -> None:
        before, after = self.value[: self.cursor_position], self.value[self.cursor_position :]
        completion = self._complete(before)
        self.value = completion.line + after
        self.cursor_position = len(completion.line)
        self.call_later(self.post_message, self.Offered(completion.choices))  # after the change it makes is told

    def action_leave(self) -> None:
        self.value = ""
        self._at = len(self._past)
        self.post_message(self.Left())

    def action_stop(self) -> None:
        if self.value:
            self.value = ""
            self._at = len(self._past)
        else:
            self.post_message(self.Stopped())

    def action_scroll(self, pages: int) -> None:
        self.post_message(self.Scrolled(pages))
