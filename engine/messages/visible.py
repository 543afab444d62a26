"""The one gate for text that reaches a terminal: what steers it, or cannot be seen, is written as an escape (`\\x1b`, `\\u202e`).

Names, texts, configs and the errors of libraries that quote them are other people's. Written raw, they could clear the
screen, turn the reading direction, or hide a difference between two tokens. Escaped are control characters (Cc, C1 among
them), format characters (Cf), halves of surrogate pairs (Cs), separators of lines and paragraphs (Zl, Zp), variation
selectors with nothing before them to vary, and what Unicode says is no character (U+FFFE), with which no SVG could be read.

Some characters without width belong to what stands around them, and stay where they do: the joiner of an emoji, the joiner and
non-joiner between letters of scripts that join or stack (Persian, Hindi), the space without width between words of scripts
written without spaces (Khmer, Thai), the tags of a flag. Anywhere else they are alone, and shown.
"""

from __future__ import annotations

import re
import unicodedata

STEERING = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
JOINER, NON_JOINER, SPACE_WITHOUT_WIDTH = "\u200d", "\u200c", "\u200b"
EMOJI_STYLE = "\ufe0f"
SKIN_TONES = ("\U0001f3fb", "\U0001f3ff")
ARROWS = "\u2194\u2195"  # what a shaking and a nodding head are joined with; to Unicode they are signs of mathematics

# Blocks of scripts whose letters change with their neighbours: Arabic to Arabic's extensions, India's and its neighbours'.
JOINED = (
    (0x0600, 0x0DFF), (0x0F00, 0x109F), (0x1780, 0x18AF), (0x1900, 0x1C7F), (0xA800, 0xA8FF), (0xA930, 0xAADF),
    (0xABC0, 0xABFF), (0xFB50, 0xFDFF), (0xFE70, 0xFEFC), (0x10A00, 0x10AFF), (0x10D00, 0x10FFF), (0x11000, 0x11FFF),
    (0x1E900, 0x1E95F),
)  # fmt: skip
# Blocks of scripts that are written without spaces between words: Thai, Lao, Tibetan, Burmese, Khmer, and the Tai ones.
UNSPACED = ((0x0E00, 0x109F), (0x1780, 0x17FF), (0x1950, 0x19DF), (0x1A20, 0x1AAF), (0xA9E0, 0xA9FF), (0xAA60, 0xAADF))

_SELECTORS = re.compile("[\u034f\u180b-\u180d\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_FLAG = re.compile("(?<=\U0001f3f4)[\U000e0030-\U000e0039\U000e0061-\U000e007a]{1,6}\U000e007f")


def visible(text: str) -> str:
    """A text in one line, with whatever steers a terminal or cannot be seen written out, line ends included."""
    if text.isprintable() and (text.isascii() or not _SELECTORS.search(text)):
        return text
    flags = {place for flag in _FLAG.finditer(text) for place in range(*flag.span())}
    return "".join(
        _escaped(letter) if _hides(text, place, letter) and place not in flags else letter
        for place, letter in enumerate(text)
    )


def visible_lines(text: str) -> str:
    """A text of ours of several lines: its line ends stay, all else as of `visible`."""
    return text if text.isprintable() and text.isascii() else "\n".join(map(visible, text.split("\n")))


def quoted(text: str) -> str:
    """A text of a person's between quotes, as `repr` writes it but for what `visible` leaves as it is (Persian, emoji)."""
    mark = '"' if "'" in text and '"' not in text else "'"
    return f"{mark}{visible(text)}{mark}"


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")


def _hides(text: str, place: int, letter: str) -> bool:
    """Whether a letter steers the terminal, or shows nothing where it stands."""
    before = text[place - 1] if place else ""
    after = text[place + 1 : place + 2]
    if _SELECTORS.match(letter):
        return not before or before.isspace() or not before.isprintable() or bool(_SELECTORS.match(before))
    if ord(letter) & 0xFFFE == 0xFFFE or 0xFDD0 <= ord(letter) <= 0xFDEF:  # no characters
        return True
    if unicodedata.category(letter) not in STEERING:
        return False
    if letter == JOINER and _pictured(before, text[place - 2 : place - 1]) and _picture(after):
        return False
    if letter in (JOINER, NON_JOINER):
        return not (_letter_of(before, JOINED) and _letter_of(after, JOINED))
    if letter == SPACE_WITHOUT_WIDTH:
        return not (_letter_of(before, UNSPACED) and _letter_of(after, UNSPACED))
    return True


def _letter_of(letter: str, blocks: tuple[tuple[int, int], ...]) -> bool:
    """Whether there is a letter, and one of these scripts; their marks (vowels, viramas) count."""
    if not letter or unicodedata.category(letter)[0] not in "LM":
        return False
    return any(first <= ord(letter) <= last for first, last in blocks)


def _picture(letter: str) -> bool:
    return bool(letter) and (unicodedata.category(letter) == "So" or letter in ARROWS)


def _pictured(letter: str, before: str) -> bool:
    """Whether an emoji ends here: itself, in emoji style, or with a skin tone."""
    dressed = letter == EMOJI_STYLE or SKIN_TONES[0] <= letter <= SKIN_TONES[1]
    return _picture(before if dressed else letter)
