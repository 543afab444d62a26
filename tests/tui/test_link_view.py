from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from driving import lines_of, press, running
from encoder_tui.engine import load
from encoder_tui.engine.commands.session import Session
from encoder_tui.engine.messages.translation import use
from encoder_tui.engine.program.index import TOKEN_AXES
from encoder_tui.engine.program.inputs import Inputs
from encoder_tui.engine.program.per_text import Index
from encoder_tui.engine.program.value import Value
from encoder_tui.tui.drawing.braille import BLANK, Canvas, Stroke
from encoder_tui.tui.state.view_state import ViewState
from encoder_tui.tui.views.layouts.link import links_of, origin_near, rows_for
from encoder_tui.tui.views.link_view import SMALL, LinkView
from fakes import fake_session, value_session
from hypothesis import given
from hypothesis import strategies as st
from inspector_app import InspectorApp, shown

WEIGHTS = "layers.0.attention.weights"
SCORES = "layers.0.attention.scores"
WORDS = ["[CLS]", "東京", "🎉", "cat"]
LOWEST = np.finfo(np.float32).min


def small() -> Session:
    """Two heads of four tokens, two of them wide."""
    head = [[0.05, 0.9, 0.03, 0.02], [0.5, 0.25, 0.25, 0], [0.0001, 0, 0, 0.9999], [0.25] * 4]
    other = [[1, 0, 0, 0]] * 4
    return value_session(WEIGHTS, "batch head query key", np.array([[head, other]], dtype=np.float32), [WORDS])


async def test_lines_go_from_the_query_to_its_keys_and_are_thick_where_the_weight_is_large() -> None:
    assert await shown(small(), ViewState(WEIGHTS, view="lines", column=1), (50, 11), colours=False) == [
        " query                          key",
        "▸[CLS] ⣶⣶⣶⣶⣶⣶⣶⣦⣤⣤⣤⣤⣀⣄⣀⣄⡀⠄ ⠄ ⠄ ⠄ [CLS]    5.0% ▎",
        "  東京        ⠈⠉⠉⠉⠙⠛⠟⢛⠛⠻⠿⠿⠿⠿⠿⠿⢷ 東京 ◂  90.0% ███▋",
        "    🎉                   ⠁⠐ ⠐   🎉       3.0% ▏",
        "   cat                          cat      2.0% ▏",
        "",
        "⣶⣶ ≥50%  ⠶⠶ ≥20%  ⠤⠤ ≥6%  ⠄⠄ ≥2%",
        '[query=0 "[CLS]", key=1 "東京"] = 0.9',
    ]


async def test_a_short_text_has_room_between_its_tokens() -> None:
    lines = await shown(small(), ViewState(WEIGHTS, view="lines", row=1, column=1), (40, 20), colours=False)
    assert lines[2:9] == [
        " [CLS]              ⣀⣠⣤⣴⣶⣶ [CLS]★  50.0%",
        "               ⢀⣠⣴⣶⠿⠛⠋⠉⠁",
        "         ⢀⣀⣠⣤⣶⠿⠟⠋⠁",
        "▸ 東京 ⡾⢿⣿⣿⣿⠿⠶⠶⠶⠶⠶⠶⠶⠶⠶⠶⠶⠶⠶ 東京 ◂  25.0%",
        "          ⠈⠉⠛⠳⠶⣤⣀",
        "                ⠉⠛⠶⢦⣤⣀⡀",
        "    🎉               ⠉⠙⠛⠳⠶ 🎉      25.0%",
    ]
    assert lines[-3] == "東京 → [CLS] 50.0%  東京 25.0%  🎉 25.0%"


async def test_the_mean_of_all_heads_says_in_which_one_a_query_looks_most() -> None:
    lines = await shown(small(), ViewState(WEIGHTS, view="lines", row=1, mean=True), (70, 14))
    assert lines[-3] == "東京 → [CLS] 75.0%  東京 12.5%  🎉 12.5%    most: [CLS] 100% in head 1"
    assert lines[-1] == '[query=1 "東京", key=0 "[CLS]"] = 0.75'
    app = InspectorApp(small(), ViewState(WEIGHTS, view="lines", row=1, mean=True))
    async with app.run_test(size=(70, 14)) as pilot:
        await pilot.pause()
        assert app.header()[-1].rstrip().endswith("mean")
        assert app.inspector.copy_text() == ""  # it is no element of the value


async def test_what_is_weak_does_not_shine() -> None:
    even = np.full((1, 1, 20, 20), 0.05, dtype=np.float32)
    session = value_session(WEIGHTS, "batch head query key", even, [[f"w{number}" for number in range(20)]])
    lines = await shown(session, ViewState(WEIGHTS, view="lines"), (60, 28), colours=False)
    assert "⣿" not in "".join(lines[:-2])
    assert "⣶" not in "".join(lines[:-2])


async def test_other_queries_are_faint_and_only_where_there_are_colours() -> None:
    state = ViewState(WEIGHTS, view="lines", row=2, column=1)
    with_colours = await shown(small(), state, (50, 11))
    assert with_colours[1] == " [CLS] ⠄⠄⠄⠄⠄⠄⠄⢄⢀⢀⢀⢀⢀⢀⢀⢀ ⠄⠄⠄⠄⠄⠄⠄ [CLS]   <0.1%"
    without = await shown(small(), state, (50, 11), colours=False)
    assert without[1] == " [CLS]" + " " * 26 + "[CLS]   <0.1%"
    assert [line.split()[-2:] for line in without[2:5]] == [["◂", "0%"], ["🎉", "0%"], ["100%", "████"]]


async def test_too_little_room_leaves_the_lines_and_drops_the_numbers() -> None:
    assert await shown(small(), ViewState(WEIGHTS, view="lines", column=1), (24, 9), colours=False) == [
        "▸[CL… ⣶⣶⣶⣶⣤⣤⣀⣄ ⠄ ⠄ [CL…",
        " 東京     ⠉⠙⠛⠛⠿⠿⠿⢷ 東京◂",
        "   🎉         ⠁⠐   🎉",
        "  cat              cat",
        "⣶⣶ ≥50%  ⠶⠶ ≥20%  ⠤⠤ ≥6%",
        "[0, 1] = 0.9",
    ]


async def test_up_and_down_choose_the_query_left_and_right_the_key() -> None:
    app = InspectorApp(small(), ViewState(WEIGHTS, view="lines"), held=True)
    async with app.run_test(size=(60, 14)) as pilot:
        await pilot.pause()
        app.answer()
        app.show(app.inspector.moved("down", app.state))
        app.show(app.inspector.moved("right", app.state))
        await pilot.pause()
        assert app.waiting == []  # a small plane is read once
        assert app.lines()[-1].startswith('[query=1 "東京", key=1 "東京"] = 0.25')
        assert app.inspector.copy_text() == f"{WEIGHTS}[0, 0, 1, 1] = 0.25"
        app.show(replace(app.state, head=1))
        await pilot.pause()
        app.answer()
        assert [line.split()[-2] for line in app.lines()[1:] if "%" in line][:1] == ["100%"]


async def test_scores_have_signs_and_what_is_no_number_is_said() -> None:
    rows = [[2, -1, LOWEST, np.nan]] * 4
    session = value_session(SCORES, "batch head query key", np.array([[rows]], dtype=np.float32), [WORDS])
    lines = await shown(session, ViewState(SCORES, view="lines"), (60, 11), colours=False)
    written = [line.rstrip("█▌ ").split()[-1] for line in lines[1:5]]
    assert written == ["+2", "-1", "masked", "nan"]
    assert "⠿" in lines[2]
    assert lines[3].split() == ["🎉", "🎉", "masked"]  # no line goes there


async def test_other_values_name_the_stage_that_is_meant() -> None:
    lines = await shown(fake_session(), ViewState("layers.1.ffn.up", view="lines"), (84, 28))
    assert " ".join(lines[:3]).strip().endswith("the nearest stage that has them is layers.1.attention.weights.")


class Counted(Value):
    """Attention of a long text to itself and the token after; counts what is read of it."""

    name, axes, dtype = WEIGHTS, ("batch", "head", "query", "key"), "float32"

    def __init__(self, length: int) -> None:
        self.shape, self.most = (1, 1, length, length), 0
        strings = (tuple(f"t{place}" for place in range(length)),)
        self.tokens = dict.fromkeys(TOKEN_AXES, strings)

    def read(self, index: Index | str = ()) -> np.ndarray:
        bound: Any = self.bind(index)
        rows, columns = (np.arange(self.shape[2])[part] for part in bound[2:])
        self.most = max(self.most, rows.size * columns.size)
        apart = columns[None, :] - rows[:, None]
        return np.where(apart == 0, 0.25, np.where(apart == 500, 0.75, 0)).astype(np.float32)


async def test_of_a_long_text_one_row_and_the_screen_are_read() -> None:
    session, value = small(), Counted(2000)
    session.trace.values[WEIGHTS] = value  # type: ignore[attr-defined]
    session.trace.inputs = Inputs(replace(session.trace.tokens, strings=value.tokens["key"]))
    app = InspectorApp(session, ViewState(WEIGHTS, view="lines", row=1000, column=1500))
    async with app.run_test(size=(84, 28)) as pilot:
        await pilot.pause()
        assert value.shape[2] ** 2 > SMALL
        assert value.most <= 256 * 256
        lines = app.lines()
        assert any(line.startswith("▸t1000 ") and " 25.0%" in line for line in lines)
        assert "▲ 0% ▼ 75.0%" in lines[-2]
        assert lines[-1].startswith('[query=1000 "t1000", key=1500 "t1500"] = 0.75')
        app.show(app.inspector.moved("right", app.state))  # the keys follow the chosen key
        await pilot.pause()
        assert any("t1501" in line and "◂" in line for line in app.lines())
        app.show(app.inspector.moved("down", app.state))  # and go along with the query
        await pilot.pause()
        assert any(line.startswith("▸t1001 ") and " 25.0%" in line for line in app.lines())


@given(st.integers(1, 600), st.integers(1, 40), st.integers(1, 40), st.integers(20, 200), st.integers(2, 60))
def test_everything_fits_its_width_and_height(tokens: int, left: int, right: int, width: int, height: int) -> None:
    layout = links_of(tokens, left, right, 6, width, height)
    assert layout.left + layout.right + 4 + layout.canvas + layout.number + layout.bar <= width
    assert layout.header + layout.body + len(layout.foot) <= max(1 + len(layout.foot), height)
    assert 1 <= layout.shown <= tokens


@given(st.integers(1, 60), st.integers(40, 120), st.integers(9, 60))
def test_nothing_is_off_screen_where_it_could_be_on_it(tokens: int, width: int, height: int) -> None:
    layout = links_of(tokens, 8, 8, 6, width, height)
    assert (layout.shown == tokens) == (rows_for(tokens) <= height)
    assert "most" in layout.foot
    assert layout.foot[-1] == "status"


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_all_tokens_of_the_first_sentence_are_on_the_least_screen(language: str) -> None:
    """The lines that say how lines are drawn and what the shapes are make way, in the inspector's header as well."""
    use(language)
    try:
        encoder = load(device="cpu")
        session = Session(encoder.run("The animal didn't cross the street because it was too tired"), encoder)
        async with running(lambda progress: session, size=(80, 24)) as (app, pilot):
            await press(pilot, "7")
            lines, header = lines_of(app.main.inspector.view), lines_of(app.main.inspector.query_one("InspectorHeader"))
            words = [line.split()[1 if line.startswith("▸") else 0] for line in lines[:-2]]
            assert " ".join(words) == "[CLS] the animal didn ' t cross the street because it was too tired [SEP]"
            assert lines[-2].startswith("[CLS] → ' 28.9%")
            assert lines[-1] == "query [CLS] → key [CLS] = 0.00017091756"
            assert header[1].startswith("weights = softmax(masked)")
            assert "▸7" in header[2]
            await press(pilot, "1")
            assert len(lines_of(app.main.inspector.query_one("InspectorHeader"))) == 4
    finally:
        use("en")


@given(st.integers(0, 500), st.integers(0, 499), st.integers(1, 60), st.integers(1, 500))
def test_the_chosen_token_is_on_screen(origin: int, cursor: int, shown: int, total: int) -> None:
    cursor, shown = min(cursor, total - 1), min(shown, total)
    first = origin_near(origin, cursor, shown, total)
    assert 0 <= first <= cursor < first + shown <= total


@pytest.mark.parametrize(("start", "end"), [(-400.0, 3.0), (2.0, 9000.0), (-50.0, -60.0)])
def test_a_line_may_leave_the_canvas(start: float, end: float) -> None:
    canvas = Canvas(9, 3)
    canvas.draw([Stroke(start, end, 7, thick=3)])
    assert all(sum(len(text) for text, _ in canvas.runs(line)) == 9 for line in range(3))


def test_a_cell_has_the_colour_of_the_last_line() -> None:
    canvas = Canvas(4, 2)
    canvas.draw([Stroke(1.5, 1.5, 1), Stroke(1.5, 1.5, 2, thick=2)])
    assert canvas.runs(0) == [("⠶⠶⠶⠶", 2)]
    assert canvas.runs(1) == [("    ", BLANK)]


def test_the_view_is_in_the_registry() -> None:
    from encoder_tui.engine.commands.screen import VIEWS
    from encoder_tui.tui.panes.inspector import WIDGETS

    assert [WIDGETS[name] for name in VIEWS].index(LinkView) == 6  # its key is its place, from 1
    assert set(WIDGETS) == {*VIEWS, "map"}  # which has a key of its own: it is of all stages
