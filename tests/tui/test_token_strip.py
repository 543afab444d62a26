"""Tokens in lines."""

from __future__ import annotations

import pytest
from driving import lines_of, press, running, settled
from encoder_tui.tui.panes.token_strip import StripTokens, lay
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len


def written(words: list[str], width: int) -> list[str]:
    return ["".join(token.gap + token.text for token in line) for line in lay(words, width)]


def test_pieces_stand_together() -> None:
    assert written(["[CLS]", "un", "##afford", "##able", "cat", "[SEP]"], 40) == ["[CLS] un##afford##able cat [SEP]"]


def test_pieces_of_vocabularies_that_mark_where_words_begin() -> None:
    assert written(["<s>", "▁un", "afford", "able", "▁cat", "</s>"], 40) == ["<s> un·afford·able cat </s>"]


def test_wide_characters_are_measured_in_cells() -> None:
    (line,) = lay(["東", "京", "🎉", "x"], 40)
    assert [(token.start, token.end) for token in line] == [(0, 2), (3, 5), (6, 8), (9, 10)]


def test_lines_break_between_tokens() -> None:
    assert written(["one", "two", "three", "four"], 10) == ["one two", "three", "four"]


token = st.text(st.sampled_from("abc#▁東🎉[] \u200d\n"), min_size=0, max_size=12)


@given(st.lists(token, max_size=60), st.integers(6, 60))
def test_every_token_is_there_once_in_its_place(words: list[str], width: int) -> None:
    lines = lay(words, width)
    assert [found.index for line in lines for found in line] == list(range(len(words)))
    for line in lines:
        at = 0
        for found in line:
            at += cell_len(found.gap)
            assert found.start == at
            at = found.end
        assert at <= width


async def test_a_long_text_follows_the_cell_that_is_looked_at() -> None:
    async with running(lines=["goto layers.0.attention.scores"], size=(60, 18)) as (app, pilot):
        await settled(pilot)
        strip = app.main.tokens
        assert lines_of(strip) == [" text 0 of 2  [CLS] the animal didn ' t cross the street :…"]
        await press(pilot, "end")
        assert lines_of(strip) == [" text 0 of 2 …it was tired [SEP]"]
        await press(pilot, "home")
        assert lines_of(strip)[0].endswith("the street :…")


def test_a_prompt_stands_before_a_bar() -> None:
    words = ["[CLS]", "query", ":", "a", "dog", "[SEP]"]
    (line,) = lay(words, 60, prompt_end=3)
    assert "".join(token.gap + token.text for token in line) == "[CLS] query : │ a dog [SEP]"
    assert [token.index for token in line] == list(range(6))
    assert [token.start for token in line][3:] == [16, 18, 22]
    (plain,) = lay(words, 60)
    assert "│" not in "".join(token.gap for token in plain)


def test_what_was_cut_is_said_where_it_was() -> None:
    (right,) = lay(["[CLS]", "cat"], 60, cut_words="152 tokens cut")
    assert "".join(token.gap + token.text for token in right) == "[CLS] cat … 152 tokens cut"
    (left,) = lay(["[CLS]", "cat"], 60, cut_words="152 tokens cut", cut_left=True)
    assert "".join(token.gap + token.text for token in left) == "152 tokens cut … [CLS] cat"
    assert left[1].start == 17
    assert written(["one", "two"], 9) == ["one two"]
    assert len(lay(["one", "two"], 12, cut_words="5 tokens cut")) == 2


TEXT = "[CLS] the cat sat on the mat and the dog ran in the park because it was too tired [SEP]"
WORDS = tuple(TEXT.split())


@pytest.mark.parametrize(
    ("left", "at_first", "at_the_end"),
    [
        (
            False,
            " [CLS] the cat sat on the mat and the dog ran…    72 tokens cut",
            "…in the park because it was too tired [SEP]       72 tokens cut",
        ),
        (
            True,
            " 72 tokens cut  [CLS] the cat sat on the mat and the dog ran…",
            " 72 tokens cut …in the park because it was too tired [SEP]",
        ),
    ],
    ids=["end", "beginning"],
)  # fmt: skip
async def test_a_cut_is_said_wherever_in_the_text_one_is(left: bool, at_first: str, at_the_end: str) -> None:
    async with running(size=(64, 24)) as (app, pilot):
        strip = app.main.tokens
        strip.show(StripTokens(WORDS, 0, cut=72, cut_left=left))
        await pilot.pause()
        assert lines_of(strip) == [at_first]
        strip.show(StripTokens(WORDS, len(WORDS) - 2, cut=72, cut_left=left))
        await pilot.pause()
        assert lines_of(strip) == [at_the_end]
        strip.show(StripTokens(WORDS[:5], 0, cut=72, cut_left=left))  # all of it can be seen
        await pilot.pause()
        assert lines_of(strip) == [
            " 72 tokens cut … [CLS] the cat sat on" if left else " [CLS] the cat sat on … 72 tokens cut"
        ]
        strip.show(StripTokens(WORDS, 0))
        await pilot.pause()
        assert not any("cut" in line for line in lines_of(strip))
