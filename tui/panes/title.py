"""The top line: what is debugged, and what is going on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from textual.strip import Strip

from ...engine.messages.translation import tr, trn
from ..drawing.inked import InkedWidget
from ..drawing.text import cut
from ..state.position import Position

SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
BAR = 12
GAP = 4  # columns that part the facts from the status, one after the status included


@dataclass(frozen=True, slots=True)
class Status:
    """What is going on.

    Attributes:
        text: in a few words.
        kind: `calm`, `busy` or `stopped`; it has a colour, the words say it as well.
        share: how much of it is done, where that is known.
    """

    text: str = ""
    kind: str = "calm"
    share: float | None = None


class Title(InkedWidget, can_focus=False):
    """One line: facts on the left, status on the right."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "title--name", "title--facts", "title--calm", "title--busy", "title--stopped",
    }  # fmt: skip
    ALLOW_SELECT: ClassVar[bool] = False

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._facts: tuple[str, ...] = ()
        self._status = Status()
        self._turn = 0

    def describe(self, position: Position) -> None:
        """Say what is debugged."""
        facts = facts_of(position)
        if facts != self._facts:
            self._facts = facts
            self.refresh()

    def say(self, status: Status) -> None:
        """Say what is going on."""
        if status != self._status:
            self._status = status
            self.refresh()

    def turn(self) -> None:
        """Move the spinner on, while something is going on."""
        if self._status.kind == "busy":
            self._turn += 1
            self.refresh()

    def render_line(self, y: int) -> Strip:
        width, status = self.size.width, self._status
        right = status.text
        if status.kind == "busy":
            bar = f" {bar_of(status.share)}" if status.share is not None else ""
            right = f"{SPINNER[self._turn % len(SPINNER)]} {status.text}{bar}"
        right = cut(right, max(0, width - 4))
        name = " encoder-tui"
        room = width - cell_len(right) - GAP
        left = fitting(self._facts, room - cell_len(name) - 2) if room > cell_len(name) + 8 else ""
        parts = [
            ("title--name", cut(name, room)),
            ("title--facts", f"  {left}" if left else ""),
        ]
        used = sum(cell_len(text) for _, text in parts)
        parts += [("title--facts", " " * max(1, width - used - cell_len(right) - 1)), (f"title--{status.kind}", right)]
        segments = [Segment(text, self.ink(name)) for name, text in parts]
        return Strip(segments).crop_extend(0, width, self.ink("title--facts"))


def facts_of(position: Position) -> tuple[str, ...]:
    """Model, family, how it attends if that is unusual, device and dtype, size of the batch."""
    world = position.world
    about = dict(world.about)
    texts = world.tokens.shape[0]
    longest = [tokens for _, tokens in world.inputs.sizes.values()]  # of each sequence
    counted = " + ".join([*map(str, longest[:-1]), trn(longest[-1], "{count} token", "{count} tokens")])
    computes = " ".join(about[fact] for fact in ("device", "dtype") if about.get(fact))
    pictured = "image.pixels" in world.program
    given = trn(texts, "{count} image", "{count} images") if pictured else trn(texts, "{count} text", "{count} texts")
    batch = f"{given} × {counted}"
    seen = tr(about.get("attention", ""))
    left = "" if world.live else tr("recording")
    facts = [about.get("model", ""), about.get("family", ""), seen, computes, batch, left]
    return tuple(dict.fromkeys(fact for fact in facts if fact))  # the model cbow is of the family cbow: said once


def fitting(facts: tuple[str, ...], width: int) -> str:
    """As many facts as fit: the last give way first, and the first is cut."""
    for count in range(len(facts), 1, -1):
        text = " · ".join(facts[:count])
        if cell_len(text) <= width:
            return text
    return cut(facts[0], width) if facts else ""


def bar_of(share: float) -> str:
    """`━━━━────────`."""
    full = round(max(0.0, min(1.0, share)) * BAR)
    return "━" * full + "─" * (BAR - full)
