"""The tokens of the text that is shown, in as many lines as there is room for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip

from ...engine.messages.translation import tr
from ...engine.program.token_names import CARRIED_ON, WORD_STARTS
from ..drawing.inked import InkedWidget
from ..drawing.text import ELLIPSIS, cut, plain

_SPECIAL = re.compile(r"\[[A-Z0-9_]+\]|<[/|]?[\w|]+>")
BAR = " │ "  # between a prompt and the text it was put before


@dataclass(frozen=True, slots=True)
class StripTokens:
    """What the strip shows.

    Attributes:
        words: the tokens as they are called on screen; unknown: those that the vocabulary lacks, which begin with a mark.
        row, column: the tokens of the cell that is looked at, None where an axis has no tokens.
        text, texts: number of the text, and how many there are.
        prompt_end: the token after the last one of a prompt that was put before the text; 0 where none was.
        cut: how many tokens were left out; cut_left: whether at the beginning.
    """

    words: tuple[str, ...] = ()
    row: int | None = None
    column: int | None = None
    text: int = 0
    texts: int = 1
    prompt_end: int = 0
    cut: int = 0
    cut_left: bool = False
    unknown: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Placed:
    """A token on its line: what is before it, how it is written, where it stands; the word on what was cut has no token's index."""

    index: int
    gap: str
    text: str
    special: bool
    piece: bool
    start: int

    @property
    def end(self) -> int:
        """The cell after its last."""
        return self.start + cell_len(self.text)


class TokenStrip(InkedWidget, can_focus=False):
    """Tokens in reading order; the row's token reversed, the column's underlined."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "tokens--special", "tokens--row", "tokens--column", "tokens--both", "tokens--text",
    }  # fmt: skip
    ALLOW_SELECT: ClassVar[bool] = False
    MOST_LINES = 3

    class Picked(Message):
        """A token was clicked."""

        def __init__(self, index: int) -> None:
            super().__init__()
            self.index = index

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._tokens = StripTokens()
        self._lines: list[list[Placed]] = []
        self._laid: tuple[object, ...] = ()
        self._beside = ""
        self._top = 0
        self._line = 0

    def show(self, tokens: StripTokens) -> None:
        """Show a text's tokens."""
        before, self._tokens = self._tokens, tokens
        if tokens == before:
            return
        # the one that moved is the one to keep in sight
        focus = tokens.column if tokens.column != before.column and tokens.column is not None else tokens.row
        if focus is not None:
            self._line = focus
        if replace(tokens, row=None, column=None) != replace(before, row=None, column=None):
            self._top = 0
            self.refresh(layout=True)
        elif (top := self._scrolled()) != self._top:
            self.refresh()
        else:
            marks = {before.row, tokens.row} if before.row != tokens.row else set[int | None]()
            marks |= {before.column, tokens.column} if before.column != tokens.column else set()
            lines = {self._line_of(token) - top for token in marks if token is not None}
            regions = [Region(0, line, self.size.width, 1) for line in lines if 0 <= line < self.size.height]
            if regions:  # without one it would be all of it
                self.refresh(*regions)

    @property
    def _label(self) -> str:
        said = tr("text {number} of {count}", number=self._tokens.text, count=self._tokens.texts)
        return f" {said} " if self._tokens.texts > 1 else ""

    def _lay(self, width: int, height: int) -> list[list[Placed]]:
        """The lines. Where not all of them can be seen, what was cut is said beside them, on the side where it was."""
        shown = self._tokens
        key = (shown.words, shown.prompt_end, shown.cut, shown.cut_left, self._label, width, height)
        if key != self._laid:
            self._laid, self._beside = key, ""
            room = width - cell_len(self._label) - 1
            self._lines = lay(shown.words, max(4, room), shown.prompt_end, self._cut, cut_left=shown.cut_left)
            if self._cut and len(self._lines) > height:
                margin = "" if self._label else " "
                self._beside = f"{margin}{self._cut} " if shown.cut_left else f"  {self._cut}"
                self._lines = lay(shown.words, max(4, room - cell_len(self._beside)), shown.prompt_end)
        return self._lines

    @property
    def _before(self) -> str:
        return self._label + (self._beside if self._tokens.cut_left else "")

    @property
    def _cut(self) -> str:
        return tr("{count} tokens cut", count=self._tokens.cut) if self._tokens.cut else ""

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """As many lines as the tokens need and the screen can spare."""
        most = 1 if viewport.height < 30 else 2 if viewport.height < 45 else self.MOST_LINES
        return max(1, min(most, len(self._lay(width, most))))

    def _line_of(self, token: int) -> int:
        return next((at for at, line in enumerate(self._lines) if line and line[-1].index >= token), 0)

    def _scrolled(self) -> int:
        """The first line on screen: where it is, unless the token to be kept in sight would be out of it."""
        height = self.size.height
        self._lay(self.size.width, height)
        here = self._line_of(self._line)
        return max(min(self._top, here), here - height + 1, 0)

    def render_line(self, y: int) -> Strip:
        width, height = self.size.width, self.size.height
        self._top = self._scrolled()
        lines, at = self._lines, y + self._top
        base, before = self.ink(), self._before
        segments = [Segment(before if y == 0 else " " * cell_len(before), self.ink("tokens--text"))]
        if at < len(lines):
            segments.append(Segment(ELLIPSIS if at > 0 and y == 0 else " ", base))
            for token in lines[at]:
                segments.append(Segment(token.gap, base))
                segments.extend(self._segments(token))
            if at < len(lines) - 1 and y == height - 1:
                segments.append(Segment(ELLIPSIS, base))
        strip = Strip(segments)
        if self._beside and not self._tokens.cut_left and y == height - 1:
            said = Segment(self._beside, self.ink("tokens--text"))
            room = max(0, width - cell_len(self._beside))
            return Strip([*strip.crop_extend(0, room, base), said]).crop_extend(0, width, base)
        return strip.crop_extend(0, width, base)

    def _segments(self, token: Placed) -> list[Segment]:
        tokens, special = self._tokens, self.ink("tokens--special")
        is_row, is_column = token.index == tokens.row, token.index == tokens.column
        if is_row or is_column:
            name = "tokens--both" if is_row and is_column else "tokens--row" if is_row else "tokens--column"
            return [Segment(token.text, self.ink(name))]
        if not 0 <= token.index < len(tokens.words):
            return [Segment(token.text, self.ink("tokens--text"))]
        if token.special:
            return [Segment(token.text, special)]
        join = len(token.text) - len(token.text.lstrip("#·")) if token.piece else int(token.index in tokens.unknown)
        return [Segment(token.text[:join], special), Segment(token.text[join:], self.ink())]

    def on_click(self, event: events.Click) -> None:
        """Go to a token."""
        at, cell = event.y + self._top, event.x - cell_len(self._before) - 1
        for token in self._lines[at] if at < len(self._lines) else ():
            if token.start <= cell < token.end and 0 <= token.index < len(self._tokens.words):
                self.post_message(self.Picked(token.index))


def lay(
    words: Sequence[str], width: int, prompt_end: int = 0, cut_words: str = "", *, cut_left: bool = False
) -> list[list[Placed]]:
    """Break tokens into lines. Pieces of one word stand together; what begins a word stands after a space.

    Args:
        prompt_end: before this token stands a bar, behind the prompt; 0 for none.
        cut_words: what to say where tokens were cut; cut_left: whether that is at the beginning.
    """
    marked = any(word.startswith(WORD_STARTS) for word in words)
    lines: list[list[Placed]] = [[]]
    end = 0
    if cut_words and cut_left:
        text = cut(f"{cut_words} {ELLIPSIS}", width)
        lines[0].append(Placed(-1, "", text, True, False, 0))
        end = cell_len(text)
    for index, word in enumerate(words):
        special = bool(_SPECIAL.fullmatch(word))
        piece = word.startswith(CARRIED_ON) or (marked and not word.startswith(WORD_STARTS) and not special)
        text = cut(plain(word[1:] if marked and word.startswith(WORD_STARTS) and len(word) > 1 else word), width)
        if marked and piece:
            text = cut("·" + text, width)
        gap = BAR if index == prompt_end > 0 else "" if piece or not lines[-1] else " "
        if lines[-1] and end + len(gap) + cell_len(text) > width - 1:  # a cell is kept for an ellipsis
            lines.append([])
            end, gap = 0, ""
        lines[-1].append(Placed(index, gap, text, special, piece, end + len(gap)))
        end = lines[-1][-1].end
    if cut_words and not cut_left:
        text = cut(f"{ELLIPSIS} {cut_words}", width)
        if lines[-1] and end + 1 + cell_len(text) > width - 1:
            lines.append([])
        gap = " " if lines[-1] else ""
        lines[-1].append(Placed(len(words), gap, text, True, False, end + 1 if gap else 0))
    return lines
