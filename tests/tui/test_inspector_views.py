from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from encoder_tui.engine.commands.screen import VIEWS
from encoder_tui.engine.commands.session import Session
from encoder_tui.engine.messages.errors import InputError
from encoder_tui.tui.state.view_state import ViewState
from fakes import fake_session, value_session
from inspector_app import InspectorApp, shown
from rich.cells import cell_len

MASKED = "layers.0.attention.masked"
WEIGHTS = "layers.0.attention.weights"
SCORES = "layers.0.attention.scores"
LOWEST = np.finfo(np.float32).min


def small() -> Session:
    """Three queries and keys, one of them a CJK token, with everything in it that is no number."""
    rows = [[0.5, -1.25, LOWEST], [np.nan, 0, LOWEST], [np.inf, -np.inf, 1]]
    return value_session(
        MASKED, "batch head query key", np.array([[rows]], dtype=np.float32), [["[CLS]", "東京", "cat"]]
    )


async def test_heat_map_with_large_cells() -> None:
    assert await shown(small(), ViewState(MASKED, row=0, column=1), (40, 14)) == [
        "         [CLS]    東京      cat",
        "▸[CLS]    +.500 ▌ -1.250▐╱╱╱╱╱╱╱╱╱",
        "                ▌       ▐╱╱╱╱╱╱╱╱╱",
        "  東京    NaN          0 ╱╱╱╱╱╱╱╱╱",
        "          NaN            ╱╱╱╱╱╱╱╱╱",
        "   cat    +∞       -∞      +1.000",
        "          +∞       -∞",
        "",
        "",
        "-1.25 ▌▌▌▌▌▌▌▌0▌▌▌▌▌▌▌ +1.25  N 1  ∞ 2",
        '[query=0 "[CLS]", key=1 "東京"] = -1.25',
    ]


async def test_a_row_of_tall_cells_is_called_beside_its_numbers() -> None:
    lines = await shown(small(), ViewState(MASKED, row=0, column=1), (40, 24))
    assert [line.split()[:2] for line in lines if line[1:7].strip(" ")][:4] == [
        ["▸[CLS]", "+.500"],
        ["東京", "NaN"],
        ["cat", "+∞"],
        ["-1.25", "▌▌▌▌▌▌▌▌0▌▌▌▌▌▌▌"],
    ]


async def test_heat_map_without_colours() -> None:
    assert await shown(small(), ViewState(MASKED, row=0, column=1), (50, 10), colours=False) == [
        "         [CLS]    東京      cat",
        "▸[CLS]    +.500░  -1.250█╱╱╱╱╱╱╱╱╱",
        "  東京    NaN          0 ╱╱╱╱╱╱╱╱╱",
        "   cat    +∞       -∞      +1.000▓",
        "",
        "-1.25 -█ -▓ -▒ -░ -· 0 +· +░ +▒ +▓ +█ +1.25  N 1",
        '[query=0 "[CLS]", key=1 "東京"] = -1.25',
    ]


async def test_number_grid() -> None:
    assert await shown(small(), ViewState(MASKED, view="numbers", row=2, column=1), (50, 8)) == [
        "       [CLS]        東京         cat",
        " [CLS]  +0.5000      -1.250       -3.403e+38",
        "  東京 nan            0           -3.403e+38",
        "▸  cat  +∞           -∞           +1.000",
        '[query=2 "cat", key=1 "東京"] = -∞',
    ]


async def test_heads() -> None:
    plane = np.array([[1, 0], [0, -2]], dtype=np.float32)
    session = value_session(SCORES, "batch head query key", np.array([[plane, plane * 2, plane * 3]]), [["a", "b"]])
    assert await shown(session, ViewState(SCORES, view="heads", head=1), (40, 10), colours=False) == [
        "  0      ┏ 1 ━━━━━┓ 2",
        " +··     ┃+░░     ┃+▒▒",
        "     -░░ ┃    -▓▓ ┃    -██",
        "         ┗━━━━━━━━┛",
        "",
        "-6 -█ -▓ -▒ -░ -· 0 +· +░ +▒ +▓ +█ +6",
        'head 1 peaks at -4 in [1 "b", 1 "b"]',
    ]


async def test_heads_of_a_value_without_heads_names_the_nearest_that_has() -> None:
    lines = await shown(fake_session(), ViewState("layers.1.ffn.up", view="heads"), (84, 28))
    assert lines[:2] == [
        "This value has no head axis; the nearest stage that has one is",
        "layers.1.attention.context.",
    ]


async def test_statistics() -> None:
    lines = await shown(small(), ViewState(MASKED, view="stats"), (50, 45))
    assert [line.split() for line in lines[:6]] == [
        ["whole"], ["count", "9"], ["NaN", "1"], ["infinite", "2"], ["zeros", "1", "11%"], ["min", "-3.4028e38"],
    ]  # fmt: skip
    assert lines[10].split() == ["norm", "4.8123e38"]
    assert [line for line in lines if "dtype" in line or "memory" in line or "shape" in line] == [
        "dtype        float32", "memory          36 B", "shape     [1, 1, 3, 3]",
    ]  # fmt: skip


async def test_histogram_has_labelled_ends() -> None:
    session = value_session("x", "batch hidden", np.array([[-1, -1, -1, 0, 3]], dtype=np.float32))
    lines = await shown(session, ViewState("x", view="stats"), (50, 35))
    start = next(number for number, line in enumerate(lines) if "40 bins" in line)
    assert lines[start + 1] == "     3│█"
    assert lines[start + 5] == "     0│█         █                            █"
    assert lines[start + 6] == "      └──────────┴─────────────────────────────"
    assert lines[start + 7] == "       -1        0                            3"


async def test_entropies_are_those_of_every_head() -> None:
    lines = await shown(fake_session(), ViewState(WEIGHTS, view="stats", head=1), (84, 40))
    at = next(number for number, line in enumerate(lines) if "entropy" in line)
    assert lines[at] == "entropy of each head in nats, mean of 14 queries; ln 14 = 2.64 is even"
    assert [line.split()[::1][0] for line in lines[at + 1 : at + 3]] == ["0", "1"]


async def test_a_sentence_fits_a_small_screen_by_halves() -> None:
    lines = await shown(fake_session(), ViewState(WEIGHTS, row=6, column=2), (50, 14))
    assert lines[:4] == [
        "               [CLS] didn    the     was [SEP]",
        "query ↓  key →     ▾animal cross : it  tired",
        "  [CLS]    the " + "▀" * 28,
        " animal   didn " + "▀" * 28,
    ]
    assert lines[5] == "▀ cross    the " + "▀" * 28
    assert lines[-1] == '[query=6 "cross", key=2 "animal"] = 0.044571992'


async def test_header_says_what_it_is() -> None:
    app = InspectorApp(fake_session(), ViewState(WEIGHTS, view="numbers", text=1, head=3))
    async with app.run_test(size=(84, 28)) as pilot:
        await pilot.pause()
        assert [line.rstrip() for line in app.header()] == [
            "layers.0.attention.weights" + " " * 54 + "done",
            "batch 2 × head 4 × query 14 × key 14  float32",
            "weights = softmax(masked) over key",
            "[2, 4, 14, 14] = softmax([2, 4, 14, 14]) over key",
            " 1 heat▸2 numbers 3 heads 4 stats 5 why 6 diff 7 lines 8 grid 9 0 change   t1/2 h3/4",
        ]
        await pilot.resize_terminal(50, 14)
        await pilot.pause()
        assert [line.rstrip() for line in app.header()] == [
            "layers.0.attention.weights  [2, 4, 14, 14] float32",
            "weights = softmax(masked) over key",
            " 1 heat▸2 numbers 3 heads 4 5 6 7 8 9 0  t1/2 h3/4",
        ]


async def test_tabs_of_views_that_do_not_apply_lose_their_names_first() -> None:
    app = InspectorApp(fake_session(), ViewState("tokens.ids", view="heat"))
    async with app.run_test(size=(48, 28)) as pilot:
        await pilot.pause()
        assert app.header()[-1].rstrip() == "▸1 heat 2 numbers 3 4 stats 5 why 6 7 8 9 0"


@pytest.mark.few(16)
@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("size", [(1, 1), (3, 2), (10, 3), (17, 4), (23, 9), (50, 14), (84, 28), (200, 60)])
async def test_no_size_is_too_small_or_too_large(view: str, size: tuple[int, int]) -> None:
    session = fake_session()
    app = InspectorApp(session, ViewState(WEIGHTS, view=view))
    async with app.run_test(size=size) as pilot:
        for stage in (WEIGHTS, "layers.0.ffn.norm", "tokens.ids", "tokens.one_hot", "mask.additive"):
            app.show(ViewState(stage, view=view, text=1, head=3, row=13, column=7))
            await pilot.pause()
            assert all(cell_len(line) == size[0] for line in app.lines())


@pytest.mark.parametrize("view", [*VIEWS, "map"])
async def test_no_text_is_left_to_the_terminals_own_colours(view: str) -> None:
    app = InspectorApp(fake_session(), ViewState(WEIGHTS, view=view))
    async with app.run_test(size=(100, 40)) as pilot:
        await pilot.pause()
        shown = app.inspector.view
        lines = [shown.render_line(y) for y in range(shown.size.height)]
        styles = [segment.style for line in lines for segment in line if segment.text.strip()]
        assert styles
        assert all(style and style.color and style.bgcolor for style in styles)


async def test_too_small_says_so() -> None:
    assert await shown(fake_session(), ViewState(WEIGHTS), (10, 3)) == ["too small", "", ""]


async def test_what_has_no_picture_in_any_room_is_not_told_to_be_too_small() -> None:
    state = ViewState("layers.0.ffn.norm", view="product")
    assert " ".join(await shown(fake_session(), state, (60, 6))).split(":")[1].strip().startswith("no product of two")
    assert (await shown(fake_session(), state, (30, 2)))[-1].endswith("…")  # nor cut in silence


@pytest.mark.few(8)
@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (1, 1)])
async def test_empty_axes_do_no_harm(view: str, shape: tuple[int, int]) -> None:
    session = value_session("x", "token hidden", np.zeros(shape, dtype=np.float32))
    lines = await shown(session, ViewState("x", view=view), (60, 20))
    assert any(lines)


async def test_what_has_not_run_is_computed_for_whoever_looks() -> None:
    session = fake_session("layers.0.attention.query")
    app = InspectorApp(session, ViewState(WEIGHTS))
    async with app.run_test(size=(84, 28)) as pilot:
        await pilot.pause()
        assert app.lines()[-1].startswith('[query=0 "[CLS]", key=0 "[CLS]"] = 0.')
        assert app.header()[0].rstrip().endswith("ahead")
        assert app.inspector.copy_text().startswith(f"{WEIGHTS}[0, 0, 0, 0] = 0.")
        assert session.debugger.stage is not None
        assert session.debugger.stage.name == "layers.0.attention.query"  # looking moves nothing


def test_a_look_that_nobody_waits_for_ends_between_layers() -> None:
    session = fake_session("tokens.ids")
    session.cancel.cancel()
    with pytest.raises(InputError, match=r"^stopped on the way to layers.1.ffn.norm, before embeddings"):
        session.see("layers.1.ffn.norm")
    session.see("embeddings.token")  # nothing lies between that another layer could be computed from


async def test_what_whole_numbers_are_called_by_ends_where_they_end() -> None:
    ids = np.array([[101, 30521, 7]], dtype=np.int64)
    session = value_session("tokens.positions", "batch token", ids, [["[CLS]", "東京", "a"]])
    assert (await shown(session, ViewState("tokens.positions", view="numbers"), (50, 8)))[:2] == [
        "        [CLS]   東京      a",
        "▸text 0   101  30521      7",
    ]


async def test_a_recording_may_lack_numbers() -> None:
    session = fake_session()
    session.trace.without = frozenset({WEIGHTS})  # type: ignore[attr-defined]
    assert (await shown(session, ViewState(WEIGHTS), (84, 28)))[
        0
    ] == "No numbers here: a recording without this stage, or a model of shapes alone."


async def test_copying_gives_every_digit_and_the_whole_index() -> None:
    session = fake_session()
    for view in ("heat", "numbers"):
        app = InspectorApp(session, ViewState(WEIGHTS, view=view, text=0, head=3, row=2, column=5))
        async with app.run_test(size=(84, 28)) as pilot:
            await pilot.pause()
            number = str(session.trace.value(WEIGHTS).read((0, 3, 2, 5)))
            assert app.inspector.copy_text() == f"{WEIGHTS}[0, 3, 2, 5] = {number}"


async def test_motion_moves_the_cell_and_a_page_is_what_is_seen() -> None:
    session = value_session("x", "token hidden", np.zeros((300, 400), dtype=np.float32))
    app = InspectorApp(session, ViewState("x", view="numbers"))
    async with app.run_test(size=(60, 20)) as pilot:
        await pilot.pause()
        rows = app.inspector.view.size.height - 2
        state = app.inspector.moved("page-down", app.state)
        assert state.row == rows
        app.show(app.inspector.moved("row-end", state))
        await pilot.pause()
        assert app.lines()[-1].startswith(f"[token={rows}, hidden=399] = 0.0")
        assert app.lines()[-1].rstrip().endswith("/400")


async def test_motion_among_heads_goes_by_the_grid() -> None:
    session = fake_session()
    app = InspectorApp(session, ViewState(WEIGHTS, view="heads", head=1))
    async with app.run_test(size=(84, 28)) as pilot:
        await pilot.pause()
        heads = {
            where: app.inspector.moved(where, app.state).head
            for where in ("left", "right", "up", "down", "top", "bottom")
        }
        assert heads == {"left": 0, "right": 2, "up": 1, "down": 3, "top": 0, "bottom": 3}


async def test_motion_in_statistics_scrolls_and_leaves_the_cell() -> None:
    app = InspectorApp(fake_session(), ViewState(WEIGHTS, view="stats", row=3))
    async with app.run_test(size=(50, 14)) as pilot:
        await pilot.pause()
        before = app.lines()
        assert app.inspector.moved("down", app.state) is app.state
        assert app.lines()[:8] == before[1:9]
        app.inspector.moved("bottom", app.state)
        assert "more above" in app.lines()[-1]


async def test_the_old_picture_stays_until_the_new_one_comes() -> None:
    app = InspectorApp(fake_session(), ViewState(WEIGHTS, row=1, column=1), held=True)
    async with app.run_test(size=(84, 28)) as pilot:
        await pilot.pause()
        assert not any(line.strip() for line in app.lines())
        app.answer()
        old = app.lines()
        app.show(replace(app.state, stage=SCORES))
        await pilot.pause()
        assert app.lines() == old
        app.inspector.view._is_late()
        assert app.inspector.view.late
        assert app.lines()[-1].rstrip().endswith("reading…")
        app.answer()
        assert not app.inspector.view.late
        assert app.lines()[-1].rstrip().endswith(str(app.session.trace.value(SCORES).read((0, 0, 1, 1))))


@pytest.mark.parametrize("view", ["heat", "lines"])
async def test_behind_a_command_that_takes_long_it_is_said_at_once_that_numbers_are_read(view: str) -> None:
    app = InspectorApp(fake_session("output"), ViewState(WEIGHTS, view=view, row=1, column=1), held=True)
    async with app.run_test(size=(84, 28)) as pilot:
        await pilot.pause()
        app.answer()
        app.show(replace(app.state, head=1))
        await pilot.pause()
        assert "reading…" not in app.lines()[-1]
        app.waiting[-1].sender.must_wait()
        assert app.lines()[-1].rstrip().endswith("reading…")
        assert app.inspector.view.styles.opacity == 1.0  # the numbers may come before it would have faded
        app.inspector.view._is_late()
        assert app.inspector.view.styles.opacity < 1.0
        app.answer(-1)
        assert app.inspector.view.styles.opacity == 1.0
        assert not app.inspector.view.late
        assert "reading…" not in app.lines()[-1]


async def test_a_late_answer_to_an_old_question_is_not_shown() -> None:
    app = InspectorApp(fake_session(), ViewState(WEIGHTS), held=True)
    async with app.run_test(size=(84, 28)) as pilot:
        await pilot.pause()
        app.show(replace(app.state, stage=SCORES))
        await pilot.pause()
        app.answer(0)  # the weights, which nobody waits for any more
        assert not any(line.strip() for line in app.lines())
        app.answer(0)
        assert str(app.session.trace.value(SCORES).read((0, 0, 0, 0))) in app.lines()[-1]


async def test_an_answer_from_before_the_text_changed_is_dropped() -> None:
    app = InspectorApp(fake_session(), ViewState(WEIGHTS), held=True)
    async with app.run_test(size=(84, 28)) as pilot:
        await pilot.pause()
        app.session.generation += 1
        app.answer()
        assert not any(line.strip() for line in app.lines())
        app.show(app.state)
        await pilot.pause()
        app.answer()
        assert app.lines()[-1].startswith("[query=0")


async def test_what_has_been_seen_is_not_read_again() -> None:
    app = InspectorApp(fake_session(), ViewState(WEIGHTS), held=True)
    async with app.run_test(size=(84, 28)) as pilot:
        await pilot.pause()
        app.answer()
        app.show(replace(app.state, head=1))
        await pilot.pause()
        app.answer()
        app.show(replace(app.state, head=0))
        app.show(app.inspector.moved("down", app.state))
        await pilot.pause()
        assert app.waiting == []
        assert str(app.session.trace.value(WEIGHTS).read((0, 0, 1, 0))) in app.lines()[-1]


async def test_a_patched_value_is_read_anew() -> None:
    app = InspectorApp(fake_session(), ViewState(WEIGHTS))
    async with app.run_test(size=(84, 28)) as pilot:
        await pilot.pause()
        app.session.trace.put(WEIGHTS, np.full((2, 4, 14, 14), 0.125, dtype=np.float32))  # type: ignore[attr-defined]
        app.session.trace.by_hand = frozenset({WEIGHTS})  # type: ignore[attr-defined]
        app.session.generation += 1
        app.show(app.state)
        await pilot.pause()
        assert app.lines()[-1].rstrip().endswith("= 0.125")
        assert app.header()[0].rstrip().endswith("patched")


async def test_windows_follow_the_cursor_over_a_vocabulary() -> None:
    session = fake_session()
    identity = int(session.trace.tokens.ids[0, 4])
    for view in ("heat", "numbers"):
        app = InspectorApp(session, ViewState("tokens.one_hot", view=view, row=4, column=10))
        async with app.run_test(size=(84, 28)) as pilot:
            await pilot.pause()
            for column in (identity, identity - 1, 30_521):
                app.show(replace(app.state, column=column))
                await pilot.pause()
                assert app.lines()[-1].startswith(f'[token=4 "\'", vocabulary={column}] = {float(column == identity)}')


async def test_scale_changes_the_colours_and_says_so() -> None:
    app = InspectorApp(fake_session(), ViewState(SCORES))
    async with app.run_test(size=(84, 28)) as pilot:
        await pilot.pause()
        plain = app.lines()[-2].rstrip()
        app.show(app.inspector.scaled("up", app.state))
        await pilot.pause()
        assert plain.startswith("-")
        assert app.lines()[-2].startswith("≤-")
        assert "×2^1" in app.lines()[-2]


async def test_a_click_asks_for_the_cell_under_it() -> None:
    app = InspectorApp(fake_session(), ViewState(WEIGHTS))
    async with app.run_test(size=(84, 28)) as pilot:
        await pilot.pause()
        await pilot.click("HeatMap", offset=(8 + 5 * 6 + 2, 2 + 3))
        assert [(state.row, state.column) for state in app.asked] == [(3, 6)]
        await pilot.click("InspectorHeader", offset=(8, 4))
        assert app.state.view == "numbers"


async def test_nothing_is_painted_before_anything_is_loaded() -> None:
    app = InspectorApp(fake_session(), ViewState())
    async with app.run_test(size=(84, 28)) as pilot:
        await pilot.pause()
        assert not any(line.strip() for line in (*app.lines(), *app.header()))


async def test_narrow_columns_have_the_tokens_that_there_is_room_for_and_the_cursors_among_them() -> None:
    state = ViewState(WEIGHTS, row=6, column=8)
    assert (await shown(fake_session(), state, (40, 12)))[0] == "        [CLS] didn      ▾street tired"
    without = await shown(fake_session(), state, (60, 12), colours=False)
    assert without[0] == "        [CLS] animal   t  cross ▾street  was   [SEP]"


async def test_large_numbers_stand_in_narrow_cells() -> None:
    rows = np.array([[[[100.0, -123.4, 0.25], [-12345.0, 2e6, 7.0]]]], dtype=np.float32)
    lines = await shown(value_session(MASKED, "batch head query key", rows, [["a", "b"]]), ViewState(MASKED), (17, 14))
    assert lines[1:3] == ["▸a +100-123  +0", " b -12k+2e6  +7"]
