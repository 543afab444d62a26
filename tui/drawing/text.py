"""Text measured in terminal cells: a CJK character takes two, an emoji two, a joining mark none."""

from __future__ import annotations

from functools import lru_cache

from rich.cells import cell_len as cell_len
from rich.style import Style

from ...engine.messages.visible import visible

StyledText = list[tuple[str, Style]]  # pieces of a line, each with its style

ELLIPSIS = "…"
_JOINER = "\u200d"
_CLOSING, _OPENING = frozenset("，。、；：？！）》】”’…%,.;:)]"), frozenset("（《【“‘([")


@lru_cache(maxsize=65_536)
def plain(text: str) -> str:
    """Text that is safe in one line of a terminal, where something is to be seen: blanks alone, and nothing at all, are `·`."""
    shown = visible(text)
    if shown.isascii():
        return shown.replace(" ", "·") if shown.isspace() else shown or "·"
    return shown if cell_len(shown) and not shown.isspace() else "·"


@lru_cache(maxsize=16)
def widest(texts: tuple[str, ...]) -> int:
    """Cells of the widest of many texts."""
    return max(map(cell_len, texts), default=0)


def cut(text: str, width: int) -> str:
    """As much of the text as fits, with an ellipsis where something was cut."""
    if width <= 0:
        return ""
    if cell_len(text) <= width:
        return text
    return _first_cells(text, width - 1) + ELLIPSIS


def fit(text: str, width: int, align: str = "left") -> str:
    """The text in exactly `width` cells, cut or padded.

    Args:
        align: left, right or center.
    """
    used = cell_len(text)
    shown, used = (text, used) if used <= width else (cut(text, width), width)
    if used == width and used == cell_len(shown):
        return shown
    spare = max(0, width - cell_len(shown))
    before = {"right": spare, "center": spare // 2}.get(align, 0)
    return " " * before + shown + " " * (spare - before)


def chunks(text: str, width: int) -> list[str]:
    """The text in lines of at most `width` cells, broken between characters; a wide one may stand out of one cell."""
    lines = [""]
    for letter in letters_of(text):
        if lines[-1] and cell_len(lines[-1]) + cell_len(letter) > width:
            lines.append("")
        lines[-1] += letter
    return lines


def stacked(lines: list[str], width: int, height: int) -> list[str]:
    """Exactly `height` lines, the given ones at the bottom; an ellipsis where some were cut."""
    if len(lines) > height:
        # an ellipsis would take too much of a narrow line
        last = cut("".join(lines[height - 1 :]), width) if height and width > 4 else lines[max(0, height - 1)]
        lines = [*lines[: max(0, height - 1)], last][:height]
    return [*[""] * (height - len(lines)), *lines]


def letters_of(text: str) -> tuple[str, ...]:
    """What a reader takes for single characters: an emoji with its joiners is one, a letter with its accents too."""
    letters: list[str] = []
    for character in text:
        joined = letters and (letters[-1].endswith(_JOINER) or character == _JOINER or not cell_len(character))
        if joined or (letters and "\U0001f3fb" <= character <= "\U0001f3ff"):  # a skin tone
            letters[-1] += character
        else:
            letters.append(character)
    return tuple(letters)


def _first_cells(text: str, width: int) -> str:
    taken: list[str] = []
    used = 0
    for letter in letters_of(text):
        used += cell_len(letter)
        if used > width:
            break
        taken.append(letter)
    return "".join(taken)


def wrapped(text: str, width: int) -> list[str]:
    """The text in lines of at most `width` cells, broken between words, and between characters of two cells.

    No line begins with a mark that closes something, nor ends with one that opens it.
    """
    lines = [""]
    for word in text.split():
        gap = " " if lines[-1] else ""
        for piece in _pieces(word):
            if cell_len(lines[-1]) + len(gap) + cell_len(piece) <= width or not lines[-1]:
                lines[-1] += gap + piece
            else:
                lines.append(piece)
            gap = ""
    return lines


def first_lines(lines: list[str], count: int, width: int, *, apart: bool = False) -> list[str]:
    """So many of the lines of a text; where there are more, the last of them ends in an ellipsis: nothing is left out in silence.

    Args:
        apart: whether they are texts of their own, of which the next is not begun where it cannot be ended.
    """
    if len(lines) <= count or count <= 0:
        return lines[: max(0, count)]
    rest = [lines[count - 1], ELLIPSIS] if apart else lines[count - 1 :]
    return [*lines[: count - 1], cut(" ".join(rest), width)]


@lru_cache(maxsize=4096)
def _pieces(word: str) -> tuple[str, ...]:
    """A word where it may be broken: Chinese is written without spaces."""
    if word.isascii():
        return (word,)
    pieces: list[str] = []
    for letter in letters_of(word):
        before = pieces[-1] if pieces else ""
        apart = before and (cell_len(letter) > 1 or cell_len(before[-1]) > 1)
        if apart and letter not in _CLOSING and before[-1] not in _OPENING:
            pieces.append(letter)
        else:
            pieces[-1:] = [before + letter]
    return tuple(pieces)
