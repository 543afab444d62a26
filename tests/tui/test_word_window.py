"""The window of CBOW and skip-gram: words at their places, which way they guess, and what the true word got."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from driving import lines_of
from encoder_tui.engine import load
from encoder_tui.engine.analysis.words_around import words_around
from encoder_tui.engine.commands.session import Session
from encoder_tui.engine.program.word_window import word_window_of
from encoder_tui.tui.drawing.text import cell_len
from encoder_tui.tui.reading.facts import look
from encoder_tui.tui.state import view_changes
from encoder_tui.tui.state.first_look import at_mask, looked_at
from encoder_tui.tui.state.view_state import ViewState
from encoder_tui.tui.views.layouts.word_window import window_picture
from inspector_app import InspectorApp

TEXT = "the quick brown foxglove jumped over the sleeping dog"
JUMPED = 4


@pytest.fixture(scope="module", params=["cbow", "skipgram"])
def session(request: pytest.FixtureRequest) -> Session:
    encoder = load(request.param, "cpu")
    return Session(encoder.run(TEXT), encoder)


def window_of(session: Session):
    window = word_window_of(session.trace.program)
    assert window is not None
    return window


def around(session: Session, token: int = JUMPED):
    return words_around(session.trace, window_of(session), 0, token)


def drawn(session: Session, width: int, height: int, token: int = JUMPED) -> list[str]:
    picture = window_picture(around(session, token), window_of(session), width, height)
    return ["".join(text for text, _ in line) for line in picture.lines]


def test_the_words_stand_at_their_places(session: Session):
    window, seen = window_of(session), around(session)
    assert [(there.place, there.word) for there in seen.places if there.token >= 0] == [
        (-4, "the"), (-3, "quick"), (-2, "brown"), (-1, "[UNK]"), (1, "over"), (2, "the"), (3, "sleeping"), (4, "dog"),
    ]  # fmt: skip
    assert [there.place for there in seen.places if there.token < 0] == [-5, 5]
    assert seen.places[4].typed == "foxglove"
    row = session.trace[window.shares].read((0, JUMPED)).astype(np.float64)
    guessed = [seen.word] if window.to_word else [there for there in seen.places if there.token >= 0]
    for there in guessed:
        number = int(session.trace.tokens.ids[0, there.token])
        assert (there.share, there.rank) == (row[number], 1 + (row > row[number]).sum())
    others = seen.places if window.to_word else [seen.word]
    assert not any(there.rank for there in others)


def test_the_picture_says_which_way(session: Session):
    lines = drawn(session, 100, 14)
    if window_of(session).to_word:
        assert lines[2].startswith("  -4 the       ──╮")
        assert "▸0 jumped      ├── mean of 8 vectors ─▸ " in lines[6]
        assert lines[11].split()[-2:] == ["jumped", "<0.1%"]
        assert "★" in lines[11]
        assert lines[12].startswith(
            'CBOW: the mean of the words beside it guesses "jumped", which gets <0.1%, place 1,687'
        )
    else:
        assert lines[6].startswith("▸jumped ──┤ ")
        assert lines[2].lstrip().startswith("╭─▸  -4 the ")
        assert lines[10].lstrip().startswith("╰─▸  +4 dog ")
        assert lines[12].startswith('Skip-gram: the vector of "jumped" guesses each word beside it')
    assert "-1 ?foxglove" in lines[5]
    assert "Not in the vocabulary" in " ".join(drawn(session, 100, 20))


@pytest.mark.parametrize("width", [40, 49, 80, 200])
@pytest.mark.parametrize("height", [5, 8, 11, 14, 40])
def test_it_fits_any_pane(session: Session, width: int, height: int):
    for token in (0, JUMPED, 8):
        lines = drawn(session, width, height, token)
        assert len(lines) <= height
        assert max(map(cell_len, lines)) <= width
        assert any("▸" in line for line in lines)
    if height >= 11:  # each place is there
        text = "\n".join(drawn(session, width, height))
        assert all(f"{place:+d} " in text for place in (*range(-5, 0), *range(1, 6)))


def test_a_word_alone_has_nothing_to_learn_from(session: Session):
    alone = Session(session.encoder.run("dog"), session.encoder)
    assert "No word stands beside" in "\n".join(drawn(alone, 100, 14, 0))


async def test_stages_of_the_window_show_it_first_at_the_same_word(session: Session):
    position = look(session, None)
    state = at_mask(ViewState("tokens.ids"), position)
    assert state.column == JUMPED
    for stage in (window_of(session).around, window_of(session).vector, "head.logits", "loss.word"):
        state = looked_at(state, view_changes.at_stage(state, stage), position.world)
        assert state.view == "lines"
        app = InspectorApp(session, state)
        async with app.run_test(size=(100, 20)) as pilot:
            await pilot.pause()
            text = "\n".join(lines_of(app.inspector.view))
            assert "jumped" in text
            assert "-4 the" in text
            app.show(app.inspector.moved("down", state))
            await pilot.pause()
            assert "-4 quick" in "\n".join(lines_of(app.inspector.view))
    gone = looked_at(state, view_changes.at_stage(state, "tokens.mask"), position.world)
    assert gone.view == "heat"
    plain = view_changes.with_view(replace(state, stage="head.logits"), "heat", position.world)
    assert looked_at(plain, plain, position.world).view == "heat"


def test_the_page_of_a_value_of_places_is_a_word():
    encoder = load("cbow", "cpu")
    session = Session(encoder.run(TEXT), encoder)
    position = look(session, None)
    state = looked_at(ViewState("tokens.ids", column=3), ViewState("embeddings.context", column=3), position.world)
    assert state.head == 3
    back = looked_at(state, replace(state, stage="embeddings.mean"), position.world)
    assert back.row == 3
