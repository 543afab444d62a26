"""The view `lines` of CBOW and skip-gram: the words beside a word at their places, and which of them guesses which."""

from __future__ import annotations

from typing import ClassVar

from ..reading.words_around import read_words_around
from ..state.plane import Plane
from ..state.subject import Subject
from ..state.view_state import ViewState
from ..state.word_place import at_token, token_of
from .layouts.word_window import WindowPicture, window_picture
from .picture import PictureRequest, Shown, StyledPieces
from .value_view import ValueView

INKS = {"here": "label-here", "accent": "label-here"}  # what the layout calls them, where that is another name
FORWARD, BACK = ("down", "right"), ("up", "left")


class WordWindowView(ValueView):
    """One word of the text and those around it; every motion goes to another word."""

    name_of_view: ClassVar[str] = "window"
    smallest: ClassVar[tuple[int, int]] = (40, 5)

    def __init__(self, colours: bool | None = None) -> None:
        super().__init__(colours)
        self._picture = WindowPicture((), ())

    @classmethod
    def applies(cls, subject: Subject) -> bool:
        return subject.window is not None

    def request(self, subject: Subject, plane: Plane) -> PictureRequest | None:
        window = subject.window
        if window is None:
            return None
        text, token = self._text(plane), self._token(subject)
        return PictureRequest(
            (subject.generation, text, token),
            lambda session: read_words_around(session, window, text, token),
            1 << 12,
            sees=False,
        )

    def arrived(self, shown: Shown) -> None:
        assert shown.subject.window is not None
        self._picture = window_picture(shown.frame, shown.subject.window, self.size.width, self.size.height)

    def paint(self, shown: Shown, y: int) -> StyledPieces:
        lines = self._picture.lines
        return [(text, self.ink(INKS.get(ink, ink))) for text, ink in lines[y]] if y < len(lines) else []

    def moved(self, where: str, state: ViewState, subject: Subject) -> ViewState:
        last, now = subject.size("token") - 1, token_of(state, subject.axes) or 0
        steps = {"page-down": 10, "page-up": -10, "top": -last, "row-start": -last, "bottom": last, "row-end": last}
        by = 1 if where in FORWARD else -1 if where in BACK else steps.get(where, 0)
        return at_token(state, subject.axes, max(0, min(last, min(now, last) + by)))

    def place_at(self, x: int, y: int) -> ViewState | None:
        tokens = self._picture.tokens
        if self.shown is None or y >= len(tokens) or tokens[y] < 0:
            return None
        return at_token(self.state, self.shown.subject.axes, tokens[y])

    def _token(self, subject: Subject) -> int:
        return max(0, min(token_of(self.state, subject.axes) or 0, subject.size("token") - 1))

    def _text(self, plane: Plane) -> int:
        return plane.text(max(0, min(self.state.row, plane.rows - 1)))
