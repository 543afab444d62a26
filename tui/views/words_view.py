"""The view `words`: what a head predicts for the token under the cursor, as words with bars, and the best word of every token."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import ClassVar

from ...engine.messages.translation import tr
from ..drawing.bars import across
from ..drawing.numbers import counted
from ..drawing.text import StyledText, cell_len, cut, fit, wrapped
from ..reading.words import Firsts, WordsPicture, read_words
from ..state.plane import Plane, fitted, origin_for, row_labels, within_plane, written_place
from ..state.subject import Subject
from ..state.view_state import ViewState
from .picture import PictureRequest, Shown, StyledPieces
from .value_view import ValueView
from .words_of_change import named_within, percent

LIST, LEAST_BESIDE = 34, 58  # cells of the list of tokens, and of a pane that has room for it
LONGEST_WORD, PERCENT = 16, 7


class WordsView(ValueView):
    """Tokens on the left with the best word of each; on the right the ten best of the one that is chosen."""

    name_of_view: ClassVar[str] = "words"
    smallest: ClassVar[tuple[int, int]] = (20, 3)

    def __init__(self, colours: bool | None = None) -> None:
        super().__init__(colours)
        self._firsts: Firsts = {}
        self._origin = 0
        self._lines: list[StyledText] = []

    @classmethod
    def applies(cls, subject: Subject) -> bool:
        return bool(subject.predicts)

    def refusal(self, subject: Subject) -> str:
        return "" if subject.predicts else tr("This stage predicts neither words nor labels.")

    def show(self, state: ViewState, subject: Subject | None) -> None:
        if subject != self.subject:
            self._firsts = {}  # the engine's thread may still fill the old one
        super().show(state, subject)

    def request(self, subject: Subject, plane: Plane) -> PictureRequest | None:
        row, height = within_plane(self.state, plane).row, max(1, self.size.height)
        self._origin = origin_for(self._origin, row, height, plane.rows)
        first, last = (self._origin, min(plane.rows, self._origin + height)) if self._beside(plane) else (row, row + 1)
        firsts = self._firsts
        return PictureRequest(
            (subject, plane, row, first, last),
            lambda session: read_words(session, plane, subject.predicts, row, first, last, firsts),
            1 << 13,
        )

    def arrived(self, shown: Shown) -> None:
        picture: WordsPicture = shown.frame
        width = LIST if self._beside(shown.plane) else 0
        right = self._predicted(shown, picture, self.size.width - width - (2 if width else 0))
        left = self._tokens(shown, picture, width) if width else []
        rule = ("│ ", self.ink("faint"))
        self._lines = [
            [
                *(left[y] if y < len(left) else [(" " * width, self.ink("note"))]),
                *([rule] if width else []),
                *(right[y] if y < len(right) else []),
            ]
            for y in range(self.size.height)
        ]

    def changed(self, shown: Shown, before: ViewState) -> None:
        """What is drawn depends on the row alone, and another row is another picture."""

    @property
    def page(self) -> tuple[int, int]:
        return max(1, self.size.height - 1), 1

    def paint(self, shown: Shown, y: int) -> StyledPieces:
        return self._lines[y] if y < len(self._lines) else []

    def place_at(self, x: int, y: int) -> ViewState | None:
        shown = self.shown
        if shown is None or not self._beside(shown.plane) or x >= LIST or self._origin + y >= shown.plane.rows:
            return None
        return replace(self.state, row=self._origin + y)

    # -- writing ---------------------------------------------------------------------------------------------

    def _beside(self, plane: Plane) -> bool:
        return plane.rows > 1 and self.size.width >= LEAST_BESIDE

    def _tokens(self, shown: Shown, picture: WordsPicture, width: int) -> list[StyledText]:
        """A line for each token: what stands there, and what is likeliest there."""
        here = within_plane(self.state, shown.plane).row
        labels = row_labels(shown.plane, shown.subject)
        digits = len(str(shown.plane.rows - 1))
        wide = min(10, max(map(cell_len, labels), default=1))
        lines: list[StyledText] = []
        for row in range(self._origin, min(shown.plane.rows, self._origin + self.size.height)):
            at = row - picture.first
            guess = picture.firsts[at] if 0 <= at < len(picture.firsts) else None
            ink = self.ink("label-here" if row == here else "label")
            none = guess is not None and math.isnan(guess.share)  # no word comes first there
            share = percent(guess.share) if guess is not None and not none else ""
            mark = f"{'▸' if row == here else ' '}{row:>{digits}} {fitted(labels[row], wide)}"
            room = width - cell_len(mark) - 4 - PERCENT
            word = fit("NaN" if none else guess.word if guess is not None else "…", room)
            lines.append(
                [
                    (mark, ink),
                    (" → ", self.ink("quiet")),
                    (word, self.ink("note")),
                    (f"{share:>{PERCENT}} ", self.ink("quiet")),
                ]
            )
        return lines

    def _predicted(self, shown: Shown, picture: WordsPicture, width: int) -> list[StyledText]:
        chosen, note, quiet = picture.chosen, self.ink("note"), self.ink("quiet")
        state = within_plane(self.state, shown.plane)
        place = (
            written_place(shown.plane, shown.subject, state.row, state.column)[0].rpartition(", ")[0].removeprefix("[")
        )
        best = chosen.best[0]
        place = place or tr("all of it")
        if math.isnan(best.share):  # those that are NaN come after all others: so all are
            why = tr("{place}: the probabilities are NaN, and no word comes first", place=place)
            return [[(line, self.ink("warning"))] for line in wrapped(why, width)]
        lines: list[StyledText] = [
            [(cut(f"{place} → {best.word} {percent(best.share)}", width), self.ink("label-here"))]
        ]
        wide = min(LONGEST_WORD, max(cell_len(guess.word) for guess in chosen.best))
        room = max(0, width - 4 - wide - PERCENT - 2)
        largest = best.share or 1.0
        for rank, guess in enumerate((guess for guess in chosen.best if not math.isnan(guess.share)), 1):
            bar = across(guess.share / largest, room)
            lines.append(
                [
                    (f"{rank:>2} ", quiet),
                    (fit(guess.word, wide), note),
                    (" ", note),
                    (bar, self.ink("label-here" if rank == 1 else "label")),
                    (f"{percent(guess.share):>{PERCENT}}", note),
                ]
            )
        others = chosen.count - len(chosen.best)
        if others and not math.isnan(chosen.rest):
            text = tr("all other {count} together {share}", count=counted(others), share=percent(chosen.rest))
            lines.append([(fit(text, width, "right") if cell_len(text) <= width else cut(text, width), quiet)])
        way = " → ".join(f"{named_within(name, shown.subject.stage)} {counted(size)}" for name, size in picture.way)
        left = self.size.height - len(lines) - 1
        if picture.way and left > 0:
            lines += [[], *([(line, quiet)] for line in wrapped(way, width)[:left])]
        return lines
