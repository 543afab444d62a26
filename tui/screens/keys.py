"""All keys and commands, from the command table."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len
from textual import events

from ...engine.commands.table import GROUPS
from ...engine.messages.translation import tr
from ..drawing.text import cut, fit, wrapped
from ..panes import program_tree as marks
from ..panes.lines import Lines, Spans
from .modal import LinesScreen

if TYPE_CHECKING:
    from ...engine.commands import Command, CommandTable

OURS = (
    ("ctrl+c esc", "", "stop what is running; esc also leaves zoom and the command line"),
    ("tab ↑ ↓", "", "on the command line: complete, recall"),
    ("ctrl+z", "", "suspend, back to the shell until fg"),
)
MARKS = (
    (marks.HERE, "the debugger's cursor: this stage ran last; in the list of forks, the fork one is in"),
    (marks.DONE, "done: before the cursor"),
    (marks.SEEN, "has run, and lies ahead of the cursor again"),
    (marks.AHEAD, "ahead: has not run"),
    (marks.PATCHED, "patched: its value was put there by hand"),
    (marks.STALE, "stale: something before it was changed since; computed again when it is reached or looked at"),
    (marks.STOP, "breakpoint"),
    (marks.STOP_IF, "breakpoint with a condition"),
    (marks.STOP_OFF, "breakpoint that is switched off"),
    (marks.WATCH, "watch, with what it is worth at the cursor"),
)
KEY_WIDTH, USAGE_WIDTH = 10, 26

KeyLine = tuple[str, str, str, str]


class KeyLines(Lines[KeyLine], can_focus=True):
    """A line is (kind, key, what is typed, text)."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"keys--group", "keys--key", "keys--usage", "keys--text"}

    def __init__(self, table: CommandTable, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._table = table

    def on_resize(self) -> None:
        """Wrap anew."""
        self.put(lines_of(self._table, self.width))

    def spans(self, face: KeyLine, width: int) -> Spans:
        """A group's name; or a key, what could be typed instead, what it does."""
        kind, key, usage, text = face
        if kind == "group":
            return [("keys--group", fit(text, width))]
        if kind == "mark":
            return [("keys--key", f" {fit(key, KEY_WIDTH)}"), ("keys--text", text)]
        room = max(0, width - KEY_WIDTH - 1)
        shown = f"{fit(usage, USAGE_WIDTH)} {text}" if text else cut(usage, room)
        split = USAGE_WIDTH + 1 if text else len(shown)
        return [("keys--key", f" {fit(key, KEY_WIDTH)}"), ("keys--usage", shown[:split]), ("keys--text", shown[split:])]


class KeysScreen(LinesScreen):
    """Every key, grouped; any key that does not scroll closes it."""

    def __init__(self, table: CommandTable) -> None:
        super().__init__(KeyLines(table, id="keys"))
        self._length = len(lines_of(table, 86))

    def on_mount(self) -> None:
        self.lines.border_title = tr("keys and commands")
        self.lines.border_subtitle = tr("↑ ↓ scroll · any other key closes")
        self.lines.styles.height = self._length + 2

    def shifted(self, key: str) -> bool:
        """To the beginning, to the end."""
        far = {"home": -self._length, "end": self._length}.get(key, 0)
        if far:
            self.lines.scroll_relative(y=far, animate=False)
        return bool(far)

    def on_click(self, event: events.Click) -> None:
        """A click beside it closes it."""
        if not self.lines.region.contains(event.screen_x, event.screen_y):
            self.dismiss()


def lines_of(table: CommandTable, width: int) -> list[KeyLine]:
    """The help, grouped, in lines of so many cells."""
    lines: list[KeyLine] = []
    for group, title in GROUPS.items():
        lines += [("group", "", "", tr(title))]
        entries = [entry for command in table if command.group == group for entry in entries_of(command)]
        for entry in entries + list(OURS) * (group == "screen"):
            lines += _wrapped(*entry, width)
        lines += [("text", "", "", "")]
    lines += [("group", "", "", tr("Marks"))]
    for mark, meaning in MARKS:
        texts = wrapped(tr(meaning), max(16, width - KEY_WIDTH - 2))
        lines += [("mark", mark * (at == 0), "", text) for at, text in enumerate(texts)]
    return lines


def entries_of(command: Command) -> list[tuple[str, str, str]]:
    """Keys, what is typed, what it does: one for each thing a command's keys do, or one where it has no keys."""
    by_line: dict[str, list[str]] = {}
    labels: dict[str, str] = {}
    for key in command.keys:
        by_line.setdefault(key.line, []).append(key.name)
        labels.setdefault(key.line, key.label)
    if len(by_line) < 2:
        return [(" ".join(next(iter(by_line.values()), ())), command.usage, command.help)]
    return [(" ".join(names), line.strip(), labels[line]) for line, names in by_line.items()]


def _wrapped(keys: str, usage: str, text: str, width: int) -> list[KeyLine]:
    """One entry; the text goes on below where it is long, and begins below where the usage is."""
    room = max(16, width - KEY_WIDTH - USAGE_WIDTH - 2)
    texts = wrapped(tr(text), room)
    lines: list[KeyLine] = []
    if cell_len(usage) > USAGE_WIDTH:
        lines.append(("text", keys, usage, ""))
        keys = usage = ""
    lines.append(("text", keys, usage, texts[0]))
    return lines + [("text", "", "", more) for more in texts[1:]]
