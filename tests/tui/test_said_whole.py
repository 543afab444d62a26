"""What there is no room for ends in an ellipsis, or in a shorter form: nothing is left out in silence."""

from __future__ import annotations

from driving import lines_of, press, running, settled
from encoder_tui.engine import Session, load
from encoder_tui.tui.drawing.text import cell_len, first_lines, wrapped
from encoder_tui.tui.reading.change import Band
from encoder_tui.tui.state.view_state import ViewState
from encoder_tui.tui.views.words_of_change import figure_lines
from hypothesis import given
from hypothesis import strategies as st
from inspector_app import shown

TEXT = "The animal didn't cross the street because it was too tired"
WEIGHTS = "layers.1.attention.weights"


@given(st.text("ab 東", max_size=60), st.integers(1, 20), st.integers(0, 6))
def test_of_more_lines_than_there_is_room_for_the_last_says_so(text: str, width: int, count: int) -> None:
    lines = wrapped(text, max(2, width))
    kept = first_lines(lines, count, max(2, width))
    assert len(kept) == min(count, len(lines))
    assert kept == lines if len(lines) <= count else not kept or kept[-1].endswith("…")
    assert all(cell_len(line) <= max(2, width) for line in kept if line.endswith("…"))


async def test_what_a_change_means_is_not_cut_off_after_a_comma(sentence: Session) -> None:
    lines = await shown(sentence, ViewState(WEIGHTS, view="change"), (46, 14))
    assert lines[-2:] == [
        "Divided by √32: largest weight 89.6% ([CLS]),",
        "entropy 0.53 nats. Not divided: >99.9% ([CLS]…",
    ]


def test_mean_and_deviation_lose_a_digit_before_they_go() -> None:
    band = Band("", "weights", 65, 0, 0, 0, 0, (65,), 0, 0.01538, 0.0379, 0.0, 0.267)
    assert figure_lines(band, 15, 1) == ["0.0154 ± 0.0379"]
    assert figure_lines(band, 13, 1) == ["0.015 ± 0.038"]
    assert figure_lines(band, 12, 1) == [""]


async def test_what_comes_after_a_product_is_whole_or_ends_in_an_ellipsis(sentence: Session) -> None:
    lines = await shown(sentence, ViewState("layers.1.attention.scores", view="product"), (47, 12))
    after = next(line for line in lines if line.startswith("then scaled"))
    assert after.endswith(("…", "."))


async def test_blank_lines_make_way_for_what_is_said(sentence: Session) -> None:
    low = await shown(sentence, ViewState(WEIGHTS, view="why"), (47, 17))
    assert not [line for line in low[5:-2] if not line]
    assert low[-4:-2] == ["row sum Σₖ exp(masked[0, 0, 0, k] − max) =", "1.11574"]
    tall = await shown(sentence, ViewState(WEIGHTS, view="why"), (90, 60))
    assert "" in tall


async def test_the_first_thing_said_of_a_number_is_seen_with_its_first_term() -> None:
    def start(progress: object) -> Session:
        encoder = load(None, "cpu")
        return Session(encoder.trace(TEXT), encoder)

    lines = ["patch layers.1.attention.scores[0, 0, 3, 5] = nan", "look layers.1.attention.weights"]
    async with running(start, lines, size=(80, 24)) as (app, pilot):
        await settled(pilot)
        await press(pilot, "j", "j", "j", "5")
        shown_lines = lines_of(app.main.inspector.view)
        assert any(line.startswith("a NaN anywhere in the row") for line in shown_lines), shown_lines


async def test_what_ids_are_called_by_is_read_whole(sentence: Session) -> None:
    state = ViewState("tokens.ids", view="numbers")
    assert (await shown(sentence, state, (48, 8)))[:2] == [
        "         [CLS]     the  animal    didn       '",
        "▸text 0      2     122    2461    1027      11",
    ]


async def test_a_grid_of_which_neither_all_layers_nor_all_heads_are_seen_says_both() -> None:
    encoder = load("preset:bert-base", "cpu")
    session = Session(encoder.trace("a cat"), encoder)
    lines = await shown(session, ViewState(WEIGHTS, view="grid"), (47, 11))
    assert "h0-" in lines[-2]
    assert "/12" in lines[-2]
