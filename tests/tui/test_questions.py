"""The thirteen questions of someone who is learning, answered by what is drawn: each in at most six keys from the first screen."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from driving import press, screen_of, settled
from encoder_tui.engine import Encoder, Session, load
from encoder_tui.engine.messages.translation import use
from encoder_tui.tui.app.app import EncoderApp

TEXT = "The animal didn't cross the street because it was too tired"
SMALL, LARGE = (80, 24), (120, 40)
MOST_KEYS = 6


@dataclass(frozen=True)
class Question:
    """A question, and how it is answered.

    Attributes:
        small, large: the keys, at 80x24 and at 120x40.
        says: what must be read on the screen, as patterns; in either language where they are alike.
        en, zh: what must be read in one of them.
        model, texts, options: what is opened.
    """

    small: str
    large: str
    says: tuple[str, ...] = ()
    en: tuple[str, ...] = ()
    zh: tuple[str, ...] = ()
    model: str | None = None
    texts: str | tuple[str, ...] = TEXT
    options: dict[str, Any] = field(default_factory=dict[str, Any])


PADDED = ("The cat sat", TEXT)
QUESTIONS = {
    "1 what id has animal": Question("2", "2", (r"animal|ani…", r"\b122 +2461\b")),
    "2 one-hot: how long, where is the one, why sparse": Question(
        "right 2 * x", "right 2 * x", (r"15×8000", r"vocabulary=2\] = 1\b"), ("1 at the token's id, 0 elsewhere",), ("其余",)
    ),
    "3 the product with one-hot rows is a row looked up": Question(
        "right right 9", "right right 9", (r"7,999",), ("looked up gives the same number",), ("查表",)
    ),
    "4 CBOW: which vectors are averaged, and which word they predict": Question(
        "pagedown enter", "pagedown enter", (r"-1 ", r"\+1 ", r"\d+\.\d%"), ("CBOW: the mean of the words beside it guesses",), ("CBOW",),
        model="cbow",
    ),
    "5 skip-gram: the same the other way round": Question(
        "pagedown enter", "pagedown enter", (r"▸ +-1 the", r"▸ +\+1 because"), ("Skip-gram: the vector of \"street\" guesses",),
        ("Skip-gram|跳字",), model="skipgram",
    ),
    "6 positions, learned": Question("right right right W Z", "right right right W Z", (r"embeddings\.position@E", r"\[256, 128\]")),
    "6 positions, of waves": Question(
        "right right right right W", "right right right right W", (r"embeddings\.position@table", r"512(, | × hidden )512", r" 0 +[+]\S"),
        ("sin and cos of tokens",), (r"tokens\.positions / 10000",), "preset:transformer-base",
    ),
    "6 every position at once": Question(
        "right right right right W Z", "right right right right W Z", (r"\b0 \S.*\b64 \S.*\b128 \S.*\b384 \S.*\b448 ",), model="preset:transformer-base"
    ),
    "7 the query of it": Question(
        "pagedown 2 G", "down 2", (r"attention\.query\b", r"\bit +[+-]\d+\.\d+ ")
    ),
    "7 the key of it": Question(
        "pagedown down 2 G", "down right 2", (r"attention\.key\b", r"\bit +[+-]\d+\.\d+ ")
    ),
    "7 the value of it": Question(
        "pagedown down down 2 G", "down right right 2", (r"attention\.value\b", r"\bit +[+-]\d+\.\d+ ")
    ),
    "7 where it looks most, in which head": Question(
        "7 G k k k k", "7 G k k k k", (r"\bit → ",), (r"tired 13\.6%.*most: \[CLS\] 19\.9% in head 2",), (r"tired 13\.6%.*\[CLS\] 19\.9%",)
    ),
    "8 why divide by the root": Question(
        "7 0", "7 0", ("√32",), (r"Not divided: 95\.0%",), (r"不除：95\.0%",)
    ),
    "9 a mask hides padding": Question(
        "7 0", "7 0", (), (r"hides 10 of 15 keys",), (r"15 .*10|10 .*15",), texts=PADDED
    ),
    "9 a causal mask": Question("7 0", "7 0", (), (r"hides 14 of 15 keys",), (r"15 .*14|14 .*15",), options={"causal": True}),
    "10 eight heads of 64 become 512": Question(
        "pagedown end up 9", "down down right 9", (r"8.+64 = 512",), model="preset:transformer-base"
    ),
    "11 the residual and the norm": Question(
        "n n n n 0", "n n n n 0", (), (r"normalised", r"mean -?0\.000 +dev 1\.000"), (r"1\.000",)
    ),
    "12 the network is four times as wide, and back": Question(
        "pagedown pagedown 0", "pagedown pagedown 0", (r"up 512 → activation 512 → ?down 128",), (r"4 times as wide, and back",), ("4 倍",)
    ),
    "12 what GELU lets through": Question(
        "pagedown pagedown right 0", "pagedown pagedown right 0", (), (r"of 512 numbers \d+ pass nearly whole", "are damped"), ("512 个数",)
    ),
    "13 how the output becomes a word": Question(
        "G enter", "G enter", (r"\[MASK\]", r"\d+\.\d%"), texts="The cat sat on the [MASK]."
    ),
}  # fmt: skip
EVERY = [
    pytest.param(name, language, size, marks=[pytest.mark.sweep] * ((language, size) != ("en", SMALL)))
    for name in QUESTIONS
    for language in ("en", "zh")
    for size in (SMALL, LARGE)
]


@pytest.fixture(scope="module")
def opened() -> dict[str, Encoder]:
    """Models, each loaded once."""
    return {}


@pytest.fixture(autouse=True)
def english_again() -> Iterator[None]:
    yield
    use("en")


@pytest.mark.parametrize(("name", "language", "size"), EVERY)
async def test_it_is_answered(name: str, language: str, size: tuple[int, int], opened: dict[str, Encoder]) -> None:
    question = QUESTIONS[name]
    keys = (question.small if size == SMALL else question.large).split()
    assert len(keys) <= MOST_KEYS
    called = f"{question.model}{question.options}"
    encoder = opened.get(called) or load(question.model, "cpu", **question.options)
    opened[called] = encoder
    use(language)
    session = Session(
        encoder.trace(question.texts if isinstance(question.texts, str) else list(question.texts)), encoder
    )
    app = EncoderApp(lambda progress: session, on_map=True)
    async with app.run_test(size=size) as pilot:
        await settled(pilot)
        await press(pilot, *keys)
        await settled(pilot)
        lines = screen_of(app)
        app.engine.close()
    pane = [
        line.rpartition("│")[2].strip() if "│" in line else line for line in lines
    ]  # sentences go over several lines
    read = re.sub(r" +", " ", ("" if language == "zh" else " ").join([*pane, *lines]))
    for pattern in (*question.says, *(question.zh if language == "zh" else question.en)):
        assert re.search(pattern, read), f"{pattern!r} is not on screen:\n" + "\n".join(lines)
