"""How the picture of lines lies on the screen: two columns of tokens, lines between them. Pure arithmetic."""

from __future__ import annotations

from dataclasses import dataclass

TALLEST_PITCH = 3
WIDEST_CANVAS = 64
LEAST_CANVAS = 8
MOST, LEGEND, STATUS = "most", "legend", "status"
MARKER = 2  # beside a label: the mark of what is chosen, and a space


@dataclass(frozen=True, slots=True)
class LinkLayout:
    """Where everything is.

    Attributes:
        left, right: columns of the labels of queries and of keys.
        canvas: columns between them.
        number: columns of a key's number, with a space before it; bar: of the bar behind that, with one as well.
        header: rows above; foot: what stands in the rows below, of `MOST`, `LEGEND` and `STATUS`.
        pitch: rows from one token to the next.
        shown: how many tokens there is room for; body: rows that they take.
    """

    left: int
    right: int
    canvas: int
    number: int
    bar: int
    header: int
    foot: tuple[str, ...]
    pitch: int
    shown: int
    body: int

    @property
    def canvas_start(self) -> int:
        """The first column between the labels."""
        return self.left + MARKER

    def line_of(self, token: int) -> int:
        """The line of the picture that a token stands on, counted from the first that is on screen."""
        return token * self.pitch + (self.pitch - 1) // 2

    def middle(self, token: int) -> float:
        """How far down the middle of that line is, in dots of which four make a line; for tokens off screen as well."""
        return self.line_of(token) * 4 + 1.5


def links_of(tokens: int, left: int, right: int, number: int, width: int, height: int) -> LinkLayout:
    """Fit the picture into a part of the screen.

    Args:
        tokens: how many queries or keys, whichever are more.
        left, right: cells of their widest labels.
        number: characters of the longest number beside a key.
        width, height: of the screen.
    """
    most = max(4, width // 5)
    left, right = min(left, most), min(right, most)
    room = width - left - right - 2 * MARKER - number - 1
    bar = 9 if room >= 45 else 5 if room >= 28 else 0
    canvas = min(WIDEST_CANVAS, room - bar)
    if canvas < LEAST_CANVAS:  # lines before numbers
        canvas, number, bar = max(0, min(WIDEST_CANVAS, room + number + 1)), 0, 0
    header, foot = _around(tokens, height, numbers=number > 0)
    body = max(1, height - header - len(foot))
    pitch = max(1, min(TALLEST_PITCH, body // max(1, tokens)))
    shown = max(1, min(tokens, body // pitch))
    return LinkLayout(left, right, canvas, number + 1 if number else 0, bar, header, foot, pitch, shown, shown * pitch)


def rows_for(tokens: int) -> int:
    """How many rows show all tokens, with nothing around them that could be missed."""
    return tokens + len((MOST, STATUS))


def _around(tokens: int, height: int, *, numbers: bool) -> tuple[int, tuple[str, ...]]:
    """Rows above and below the tokens. What says how lines are drawn, then what the columns are, makes way for the last tokens.

    Args:
        numbers: whether each key has its number beside it, without which the legend is needed.
    """
    foot = (MOST, LEGEND, STATUS) if height >= 9 else (LEGEND, STATUS)
    header = 1 if height - len(foot) >= 6 else 0
    if numbers and height >= 9 and height - header - len(foot) < tokens:
        for less in (1, 0):
            if tokens <= height - rows_for(less):
                return less, (MOST, STATUS)
    return header, foot


def origin_near(origin: int, cursor: int, shown: int, total: int) -> int:
    """The first token to show so that the cursor is on screen with some around it, moving as little as can be."""
    margin = min(shown // 4, max(0, (shown - 1) // 2))
    origin = min(origin, cursor - margin) if cursor < origin + margin else max(origin, cursor + margin - shown + 1)
    return max(0, min(origin, total - shown))
