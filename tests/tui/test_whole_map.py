from __future__ import annotations

import numpy as np
import pytest
from encoder_tui.engine.commands.session import Session
from encoder_tui.engine.messages.errors import InputError
from encoder_tui.tui.reading.seek import seek
from encoder_tui.tui.reading.whole import mean
from encoder_tui.tui.state.plane import Plane
from encoder_tui.tui.state.view_changes import with_whole
from encoder_tui.tui.state.view_state import ViewState
from encoder_tui.tui.views.layouts.whole import part_of, part_sizes, whole_of
from fakes import fake_session, value_session
from hypothesis import given
from hypothesis import strategies as st
from inspector_app import InspectorApp

NAME = "layers.0.ffn.up"


def session_of(rows: np.ndarray) -> Session:
    tokens = [["[CLS]", *(f"w{number}" for number in range(1, rows.shape[0]))]]
    return value_session(NAME, "batch token wide", rows[None].astype(np.float32), tokens)


async def lines_of(session: Session, state: ViewState, size: tuple[int, int], *, colours: bool = True) -> list[str]:
    app = InspectorApp(session, state, colours=colours)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        return [line.rstrip() for line in app.lines()]


async def test_all_of_a_wide_value_is_in_the_pane_with_the_numbers_around_the_cursor() -> None:
    rows = np.zeros((4, 300))
    rows[2, 123] = -7.5
    lines = await lines_of(session_of(rows), ViewState(NAME, row=2, column=123, whole="largest"), (60, 30))
    assert [line[:5] for line in lines[1:9]] == ["[CLS]", "", "   w1", "", "   w2", "", "   w3", ""]
    assert lines[0].startswith("      0")
    assert "▾123" in lines[0]
    lens = [line.split() for line in lines if "-7.500" in line]
    assert [cells for cells in lens if cells[0] == "w2"] == [["w2", *["0"] * 3, "-7.500", *["0"] * 3]]
    assert lines[-2].endswith("max |x| of 1×5-6")
    assert lines[-1] == '[token=2 "w2", wide=123] = -7.5'


async def test_means_are_said_to_be_means_and_have_colours_of_their_own() -> None:
    rows = np.tile([4.0, -2.0], (64, 100))
    lines = await lines_of(session_of(rows), ViewState(NAME, whole="mean"), (60, 20), colours=False)
    assert lines[-2].startswith("0 · ░ ▒ ▓ █ 1.43 ")  # four times 4 and three times -2: the largest of what cells show
    assert "mean of" in lines[-2]


async def test_what_fits_is_not_down_sampled() -> None:
    lines = await lines_of(session_of(np.eye(3, 5)), ViewState(NAME, whole="largest"), (60, 20), colours=False)
    assert lines[1:4] == ["[CLS] ███", "      ███", "   w1     ███"]
    assert lines[-2].endswith("each cell is one number")


async def test_one_hot_rows_are_read_in_parts() -> None:
    lines = await lines_of(fake_session(), ViewState("tokens.one_hot", row=6, whole="largest"), (90, 24))
    assert "|x| of 1 × " in lines[-2]


@given(st.integers(1, 600), st.integers(1, 40_000), st.integers(1, 130), st.integers(1, 60), st.booleans())
def test_a_whole_plane_never_leaves_its_place(rows: int, columns: int, width: int, height: int, halves: bool) -> None:
    layout = whole_of(rows, columns, 8, width, height, halves=halves, narrowest=1 if halves else 2)
    assert 1 <= layout.rows <= rows
    assert 1 <= layout.columns <= columns
    assert layout.body + (layout.lens + 1 if layout.lens else 0) <= height
    assert layout.gutter + layout.columns * layout.cell_width <= max(width, layout.gutter + 2)


@given(st.integers(1, 50), st.integers(1, 50), st.integers(1, 60), st.integers(1, 60))
def test_means_are_means_of_their_parts(rows: int, columns: int, height: int, width: int) -> None:
    numbers = np.arange(rows * columns, dtype=np.float32).reshape(rows, columns)
    pooled = mean(numbers, height, width, -1e38)
    assert pooled.shape == (min(rows, height), min(columns, width))
    assert pooled[0, 0] == numbers[: rows // pooled.shape[0], : columns // pooled.shape[1]].mean(dtype=np.float64)


def test_what_is_masked_has_no_say_in_a_mean() -> None:
    lowest = np.finfo(np.float32).min
    pooled = mean(np.array([[1.0, lowest, lowest, lowest]], dtype=np.float32), 1, 2, -1.6e38)
    assert pooled[0, 0] == 1.0
    assert pooled[0, 1] < -1.6e38


def test_parts_and_their_sizes() -> None:
    assert [part_of([0, 3, 7], place) for place in (0, 2, 3, 6)] == [0, 0, 1, 1]
    assert (part_sizes([0, 3, 7]), part_sizes([0, 2, 4])) == ("3-4", "2")


def test_one_key_goes_through_the_ways_to_see_a_whole_value() -> None:
    state = ViewState(NAME, view="numbers")
    seen: list[tuple[str, str]] = []
    for _ in range(4):
        state = with_whole(state, "")
        seen.append((state.view, state.whole))
    assert seen == [("heat", "largest"), ("heat", "mean"), ("heat", ""), ("heat", "largest")]


def place_of(what: str, cell: tuple[int, int]) -> tuple[int, int]:
    lowest = np.finfo(np.float32).min
    rows = np.array([[0.0, 3.0, 0.0], [np.nan, -9.0, np.inf], [0.0, lowest, 5.0]])
    session = session_of(rows)
    return seek(session, Plane(NAME, ("batch", "token", "wide"), (1, 3, 3), (0,)), cell, what)


def test_numbers_are_looked_for() -> None:
    assert place_of("largest", (0, 0)) == (2, 2)
    assert place_of("smallest", (0, 0)) == (1, 1)  # what is masked is no number
    assert place_of("next-nonzero", (0, 0)) == (0, 1)
    assert place_of("next-nonzero", (0, 1)) == (1, 0)
    assert place_of("next-nonzero", (2, 2)) == (0, 1)  # round the end
    assert place_of("next-nan", (1, 0)) == (1, 0)


def test_what_is_not_there_is_told_of() -> None:
    plane = Plane(NAME, ("batch", "token", "wide"), (1, 2, 3), (0,))
    for what, told in (("next-nonzero", "every number here is zero"), ("next-nan", "no number here is NaN")):
        with pytest.raises(InputError, match=told):
            seek(session_of(np.zeros((2, 3))), plane, (0, 0), what)


async def test_a_key_goes_to_the_one_of_a_one_hot_row() -> None:
    app = InspectorApp(fake_session(), ViewState("tokens.one_hot", row=3))
    async with app.run_test(size=(90, 24)) as pilot:
        await pilot.pause()
        assert app.inspector.moved("next-nonzero", app.state) == app.state  # it has to be looked for first
        await pilot.pause()
        ids = fake_session().trace["tokens.ids"].read((0,))
        assert (app.state.row, app.state.column) == (3, int(ids[3]))
