"""The gate for text: what steers a terminal or hides is written out, what belongs to a script or an emoji stays."""

from __future__ import annotations

import re
import sys
import unicodedata

import pytest
from encoder_tui.engine import InputError
from encoder_tui.engine.messages.errors import one_line
from encoder_tui.engine.messages.visible import STEERING, visible, visible_lines

# Unicode, section 23.7: two at the end of each plane, and 32 more.
NO_CHARACTER = re.compile(
    "[\ufdd0-\ufdef"
    + "".join(f"{chr(0x10000 * plane + 0xFFFE)}{chr(0x10000 * plane + 0xFFFF)}" for plane in range(17))
    + "]"
)


def test_every_character_that_steers_is_written_out_and_no_other():
    letters = [chr(number) for number in range(sys.maxunicode + 1)]
    written = [
        letter.encode("unicode_escape").decode()
        if unicodedata.category(letter) in STEERING or NO_CHARACTER.match(letter)
        else letter
        for letter in letters
    ]
    assert visible("b".join(letters)) == "b".join(written)


@pytest.mark.parametrize(
    ("given", "shown"),
    {
        "\x1b[31m\x07": r"\x1b[31m\x07",
        "\x9b2J": r"\x9b2J",
        "user\u202egpj": r"user\u202egpj",
        "one\ntwo\r\u2028\u2029": r"one\ntwo\r\u2028\u2029",
        "\udcff\ud800": r"\udcff\ud800",
        "pass\u200bword": r"pass\u200bword",
        "a\u200db c\u200cd": r"a\u200db c\u200cd",
        "\u200d": r"\u200d",
        "می\u200c": r"می\u200c",
        "👩\u200d": r"👩\u200d",
        "👩\u200da": r"👩\u200da",
        "\ufe0f": r"\ufe0f",
        "a\ufffe\U0010ffff\ufdd0\ufffd": r"a\ufffe\U0010ffff\ufdd0" + "\ufffd",
        "a\ufe0f\ufe01\ufe02": "a\ufe0f\\ufe01\\ufe02",
        "a\U000e0061\U000e0062": r"a\U000e0061\U000e0062",
        "🏴\U000e0061": r"🏴\U000e0061",
        "🏴" + "".join(chr(0xE0000 + ord(c)) for c in "ignoreall") + "\U000e007f": "🏴"
        + "".join(rf"\U000e00{ord(c):02x}" for c in "ignoreall")
        + r"\U000e007f",
    }.items(),
)
def test_what_hides_is_shown(given: str, shown: str):
    assert visible(given) == shown


@pytest.mark.parametrize(
    "text",
    [
        "می\u200cخواهم کتاب\u200cها را ببینم",  # Persian
        "क्\u200dष क\u094d\u200cष",  # Hindi, both ways of writing it apart
        "ක්\u200dරියා",  # Sinhala
        "ភាសា\u200bខ្មែរ และ\u200bภาษา\u200bไทย สวัสดี",  # Khmer, Thai
        "👩\u200d👩\u200d👧 👩🏽\u200d🚀 ❤\ufe0f\u200d🔥 🙂\u200d↔\ufe0f 1\ufe0f\u20e3 👍🏽 🇵🇹",
        "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",  # England's flag
        "שלום مرحبا 今天 한국어 école e\u0301 naïve ｶﾅ \u00a0\u3000 \ue0b0",
        r"C:\x1b \u202e",  # escapes that someone typed as such
    ],
)
def test_what_belongs_there_stays(text: str):
    assert visible(text) == text
    assert visible(visible(text)) == text


def test_the_lines_of_our_own_stay_lines():
    assert visible_lines("one\n  two\x1b\n\n") == "one\n  two\\x1b\n\n"
    assert visible_lines("می\u200cخواهم\n") == "می\u200cخواهم\n"


def test_an_error_is_one_line_whatever_it_quotes():
    assert str(InputError("no 'a\n\x1b[2J\u202eb'")) == r"no 'a\n\x1b[2J\u202eb'"
    assert one_line(ValueError("two\n  lines\x1b")) == r"two lines\x1b"
    assert one_line(ValueError()) == "ValueError"
