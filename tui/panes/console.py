"""What commands said, and the line where the next is typed."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import ClassVar

from rich.cells import cell_len
from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.geometry import Size
from textual.message import Message
from textual.widgets import Input, Static

from ..drawing.laid_once import LaidOnce
from ..drawing.text import cut, letters_of, plain
from ..state.completion import Completion
from .command_line import CommandLine
from .lines import Lines, Spans
from .rule import Heading

MOST_LINES = 5000
TABLE = 4  # from so many gaps on, a line is one of a table
_GAP = re.compile(r"\S {2,}(?=\S)")
MARKS = {"command": "> ", "error": "✗ ", "stop": "● ", "text": "", "note": "", "told": "! ", "well": "✓ "}

Said = tuple[str, str, str]


class Scrollback(Lines[Said]):
    """Lines that were said, wrapped to the width; a line is (kind, mark, text).

    Attributes:
        room: its size once it is on the screen, for as long as it is not.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "said--command", "said--error", "said--stop", "said--text", "said--note", "said--told", "said--well",
    }  # fmt: skip

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._said: list[Said] = []
        self._newest: list[Said] = []
        self._width = 0
        self.room = Size(0, 0)

    @property
    def seen(self) -> Size:
        """How much of what is said can be seen at once."""
        return self.scrollable_content_region.size or self.room

    @property
    def width(self) -> int:
        """Cells there are for a line."""
        return self.seen.width

    def say(self, *parts: tuple[str, str]) -> None:
        """Add a line, or several, and show where they begin. A part is a kind and a text."""
        new = [
            (kind, MARKS[kind] if at == 0 else " " * len(MARKS[kind]), line)
            for kind, text in parts
            for at, line in enumerate(_lines(text))
        ]
        answers_command = bool(self._said) and self._said[-1][0] == "command"
        self._newest = self._said[-1:] * answers_command + new
        self._said.extend(new)
        if len(self._said) > MOST_LINES:
            del self._said[: len(self._said) - MOST_LINES]
            self._wrap()
        elif self._width != self.width:
            self._wrap()
        else:
            self.put(self.faces + [face for said in new for face in said_lines(said, self._width)])
        self._show_newest()

    def on_resize(self, event: events.Resize) -> None:
        """Wrap anew."""
        if self.width != self._width:
            self._wrap()
        self._show_newest()

    def _show_newest(self) -> None:
        """Scroll to the end, but not past the beginning of what was said last."""
        line = len(self.faces) - sum(len(said_lines(said, max(1, self._width))) for said in self._newest)
        end = len(self.faces) - self.scrollable_content_region.height
        self.scroll_to(y=max(0, min(line, end)), animate=False, immediate=True, force=True)

    def _wrap(self) -> None:
        self._width = self.width
        self.put([face for said in self._said for face in said_lines(said, max(1, self._width))])

    def spans(self, face: Said, width: int) -> Spans:
        """Mark and text."""
        kind, mark, text = face
        return [(f"said--{kind}", mark + text)]


class Console(LaidOnce, Vertical):
    """Scrollback and command line.

    Args:
        complete: what Tab makes of a line.

    Attributes:
        last: the last answer, after the command it answers; None before there is one.
    """

    class Typed(Message):
        """A command line was entered."""

        def __init__(self, line: str) -> None:
            super().__init__()
            self.line = line

    class Hint(Message):
        """Something to say about the line that is being typed; `choices` are ways to go on."""

        def __init__(self, line: str, choices: tuple[str, ...] = ()) -> None:
            super().__init__()
            self.line, self.choices = line, choices

    class Opened(Message):
        """Someone is going to type several commands."""

    class Left(Message):
        """Nobody types any more."""

    def __init__(self, complete: Callable[[str], Completion], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._once = False
        self._asked = ""
        self.last: tuple[str, str] | None = None
        self.heading = Heading()
        self._scrollback = Scrollback(id="said")
        self.line = CommandLine(complete, id="line")

    def compose(self) -> ComposeResult:
        yield self.heading
        yield self._scrollback
        with Horizontal(id="ask"):
            yield Static(":", id="prompt")
            yield self.line

    def say(self, kind: str, text: str, verdict: str = "") -> None:
        """Add to what was said.

        Args:
            kind: command, error, stop, text, note, told or well.
            verdict: the last line of a text, which is to stand first where not all of it can be seen.
        """
        if kind == "command":
            self._asked = text
        elif kind == "text":
            self.last = self._asked, text
            if verdict and self.is_cut:
                self._scrollback.say(("stop", verdict), (kind, text.removesuffix(verdict).rstrip()))
                return
        self._scrollback.say((kind, text))

    def tell(self, title: str, said: Sequence[tuple[str, str]]) -> bool:
        """Say several things at once, from the first on, and keep all but the last to be read on the whole screen.

        Returns:
            Whether there is more to those that are kept than can be seen.
        """
        self._scrollback.say(*said)
        kept = said[:-1]
        if kept:
            self.last = title, "\n\n".join(text for _, text in kept)
        return sum(self._rows(kind, text) for kind, text in kept) > self._scrollback.seen.height

    def expect(self, room: Size) -> None:
        """Know how much of what is said will be seen once the console opens."""
        self._scrollback.room = room

    @property
    def is_cut(self) -> bool:
        """Whether there is more to the last answer than can be seen at once."""
        if self.last is None:
            return False
        text, size = self.last[1], self._scrollback.seen
        wide = any(is_table(line) and cell_len(line) > size.width for line in text.splitlines())
        return wide or self._rows("text", text) > size.height

    def _rows(self, kind: str, text: str) -> int:
        """How many lines of the screen a text takes."""
        width = max(1, self._scrollback.width)
        return sum(len(said_lines((kind, MARKS[kind], line), width)) for line in _lines(text))

    def open(self) -> None:
        """Have commands typed, one after the other, until someone leaves."""
        self._once = False
        self.screen.set_focus(self.line)  # at once: `focus` would come after keys that wait already
        self.post_message(self.Opened())
        self.post_message(self.Hint(self.line.value))

    def begin(self, text: str) -> None:
        """Have one command completed, and then leave."""
        self._once = True
        self.line.begin(text)
        self.screen.set_focus(self.line)

    def leave(self) -> None:
        """Stop typing."""
        self.post_message(self.Left())

    @property
    def text(self) -> list[str]:
        """The lines that were said, as they stand on the screen."""
        return [mark + text for _, mark, text in self._scrollback.faces]

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        line = event.value.strip()
        self.line.value = ""
        if line:
            self.line.remember(line)
            self.post_message(self.Typed(line))
        if self._once or not line:
            self.leave()

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(self.Hint(event.value))

    @on(CommandLine.Offered)
    def _offered(self, event: CommandLine.Offered) -> None:
        event.stop()
        self.post_message(self.Hint(self.line.value, event.choices))

    @on(CommandLine.Scrolled)
    def _scrolled(self, event: CommandLine.Scrolled) -> None:
        event.stop()
        rows = max(1, self._scrollback.scrollable_content_region.height - 1) * event.pages
        self._scrollback.scroll_relative(y=rows, animate=False)

    @on(CommandLine.Left)
    def _escaped(self, event: CommandLine.Left) -> None:
        event.stop()
        self.leave()

    def on_click(self) -> None:
        """Type."""
        if not self.line.has_focus:
            self.open()


def is_table(line: str) -> bool:
    """Whether a line is one of a wide table: it has many columns."""
    return len(_GAP.findall(line)) >= TABLE


def is_prose(line: str) -> bool:
    """Whether a line has no columns, but for a name before it."""
    return len(_GAP.findall(line)) < 2


def _lines(text: str) -> list[str]:
    """Lines without anything that would move the terminal's cursor."""
    return [plain(line) if line.strip() else "" for line in text.expandtabs().splitlines()] or [""]


def said_lines(said: Said, width: int) -> list[Said]:
    """One line as the lines it takes: broken at a space where one is near the end, else anywhere.

    What follows stands under the text of a list or below. A line of a wide table is cut: `reply` shows all of it.
    """
    kind, mark, text = said
    columns = [lines.end() for lines in _GAP.finditer(text)]
    if kind == "text" and is_table(text):
        return [(kind, mark, cut(text, width - cell_len(mark)))]
    table = columns[:1] if len(columns) > 2 else columns[::-1]
    hang = len(mark) + next((at for at in table if at <= width // 2), 2 * bool(columns))
    lines: list[Said] = []
    while cell_len(mark) + cell_len(text) > width and text:
        room, taken, used = max(1, width - cell_len(mark)), 0, 0
        for letter in letters_of(text):
            used += cell_len(letter)
            if used > room:
                break
            taken += len(letter)
        taken = max(taken, 1)
        space = text.rfind(" ", 0, taken + 1)
        at = space + 1 if space > taken // 2 else taken
        lines.append((kind, mark, text[:at].rstrip()))
        text, mark = text[at:], " " * min(hang, width - 1)
    return [*lines, (kind, mark, text)] if text or not lines else lines
