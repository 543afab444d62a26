from __future__ import annotations

import pytest
from encoder_tui.engine.commands.screen import MOVES, STEPS
from encoder_tui.engine.program.index import TOKEN_AXES
from encoder_tui.tui.reading.facts import look
from encoder_tui.tui.state.plane import (
    Plane,
    column_label,
    moved,
    origin_for,
    plane_of,
    row_labels,
    scaled,
    within_plane,
    written_place,
)
from encoder_tui.tui.state.subject import Subject, subject_of
from encoder_tui.tui.state.view_state import ViewState
from fakes import STRINGS, fake_session
from hypothesis import given
from hypothesis import strategies as st

SQUARE = ("batch", "head", "query", "key")


def subject(shape: tuple[int, ...], axes: tuple[str, ...]) -> Subject:
    return Subject("x", shape, axes, tokens=tuple((axis, STRINGS) for axis in axes if axis in TOKEN_AXES))


@pytest.mark.parametrize(
    ("shape", "axes", "fixed", "rows", "columns"),
    [
        ((2, 4, 14, 14), SQUARE, (1, 3), 14, 14),
        ((2, 1, 14, 14), SQUARE, (1, 0), 14, 14),
        ((1, 4, 1, 14), SQUARE, (0, 3), 1, 14),
        ((2, 14, 32), ("batch", "token", "hidden"), (1,), 14, 32),
        ((4, 14, 14), ("head", "query", "key"), (3,), 14, 14),
        ((2, 14), ("batch", "token"), (), 2, 14),
        ((7,), ("hidden",), (), 1, 7),
        ((), (), (), 1, 1),
        ((5, 2, 4, 3, 6), ("other", *SQUARE), (0, 1, 3), 3, 6),
    ],
)
def test_the_last_two_axes_are_the_picture(
    shape: tuple[int, ...], axes: tuple[str, ...], fixed: tuple[int, ...], rows: int, columns: int
) -> None:
    plane = plane_of(subject(shape, axes), ViewState(text=1, head=3))
    assert (plane.fixed, plane.rows, plane.columns) == (fixed, rows, columns)
    window = plane.window(slice(0, 1), slice(2, 3))
    cell = plane.cell(0, 2)
    assert len(window) == len(cell) == len(shape)
    assert cell[len(shape) - 1 :] == ((2,) if shape else ())


def test_a_head_beyond_the_last_is_the_last() -> None:
    assert plane_of(subject((2, 4, 3, 3), SQUARE), ViewState(text=9, head=9)).fixed == (1, 3)


@given(
    st.sampled_from(MOVES),
    st.integers(0, 40),
    st.integers(0, 40),
    st.integers(-5, 50),
    st.integers(-5, 50),
    st.integers(0, 9),
)
def test_motion_stays_in_the_plane(where: str, rows: int, columns: int, row: int, column: int, page: int) -> None:
    plane = Plane("x", ("query", "key"), (rows, columns))
    state = moved(where, ViewState(row=row, column=column), plane, (page, page))
    assert 0 <= state.row < max(1, rows)
    assert 0 <= state.column < max(1, columns)


def test_motion_goes_where_it_says() -> None:
    plane = Plane("x", ("query", "key"), (10, 20))
    start = ViewState(row=4, column=7)
    places = {
        where: (moved(where, start, plane, (3, 5)).row, moved(where, start, plane, (3, 5)).column) for where in STEPS
    }
    assert places == {
        "left": (4, 6), "right": (4, 8), "up": (3, 7), "down": (5, 7), "page-up": (1, 7), "page-down": (7, 7),
        "row-start": (4, 0), "row-end": (4, 19), "top": (0, 7), "bottom": (9, 7),
    }  # fmt: skip


@given(st.integers(-5, 300), st.integers(0, 199), st.integers(1, 60), st.integers(1, 200))
def test_the_cursor_is_always_on_screen(origin: int, cursor: int, shown: int, total: int) -> None:
    cursor = min(cursor, total - 1)
    first = origin_for(origin, cursor, shown, total)
    assert first <= cursor < first + shown
    assert 0 <= first <= max(0, total - shown)
    if origin == max(0, min(origin, total - shown)) and origin <= cursor < origin + shown:
        assert first == origin  # nothing scrolls as long as nothing has to


def test_scale_has_limits_and_a_way_back() -> None:
    assert scaled("up", ViewState(gain=1)).gain == 2
    assert scaled("down", ViewState(gain=-32)).gain == -32
    assert scaled("reset", ViewState(gain=5)).gain == 0


def test_tokens_label_token_axes_and_numbers_the_others() -> None:
    weights = subject((2, 4, 14, 14), SQUARE)
    plane = plane_of(weights, ViewState(text=1))
    assert row_labels(plane, weights)[:3] == ("[CLS]", "東", "京")
    assert written_place(plane, weights, 1, 4) == ('[query=1 "東", key=4 "🎉"]', '[1 "東", 4 "🎉"]', "[1, 4]")
    hidden = subject((2, 14, 32), ("batch", "token", "hidden"))
    assert column_label(plane_of(hidden, ViewState()), hidden, 0, 17) == "17"


def test_labels_of_a_row_that_is_a_text_are_that_texts() -> None:
    ids = subject((2, 14), ("batch", "token"))
    plane = plane_of(ids, ViewState())
    assert row_labels(plane, ids) == ("text 0", "text 1")
    assert [column_label(plane, ids, row, 1) for row in (0, 1)] == ["the", "東"]


def test_one_row_that_stands_for_all_is_no_token() -> None:
    mask = subject((2, 1, 1, 14), SQUARE)
    plane = plane_of(mask, ViewState())
    assert row_labels(plane, mask) == ("any",)
    assert written_place(plane, mask, 0, 2)[0] == '[query=any, key=2 "animal"]'


def test_clipping_leaves_a_good_state_as_it_is() -> None:
    state = ViewState(row=1, column=1)
    assert within_plane(state, Plane("x", ("query", "key"), (3, 3))) is state


def test_a_subject_says_where_its_stage_lies() -> None:
    session = fake_session("layers.0.attention.scores")
    places = {
        name: subject_of(look(session, None), f"layers.0.attention.{name}").place
        for name in ("query", "scores", "weights")
    }
    assert places == {"query": "done", "scores": "here", "weights": "ahead"}
    ahead = subject_of(look(session, None), "layers.0.attention.weights")
    assert ahead.readable
    session.debugger.goto(session.trace.program.index("output"))
    session.debugger.goto(session.trace.program.index("layers.0.attention.scores"))
    behind = subject_of(look(session, None), "layers.0.attention.weights")
    assert (behind.place, behind.readable) == ("ahead", True)
    assert behind.formula == "weights = softmax(masked) over key"
    assert behind.formula_of_shapes == "[2, 4, 14, 14] = softmax([2, 4, 14, 14]) over key"


def test_the_nearest_stage_with_heads_is_in_the_same_layer() -> None:
    session = fake_session()
    assert subject_of(look(session, None), "layers.1.ffn.norm").nearest_with_heads == "layers.1.attention.context"
    assert (
        subject_of(look(session, None), "layers.1.attention.query").nearest_with_heads
        == "layers.1.attention.query_heads"
    )


def test_an_axis_of_labels_shows_their_names() -> None:
    names = ("O", "B-PER", "I-PER")
    labels = Subject(
        "head.labels.logits",
        (1, 2, 3),
        ("batch", "token", "label"),
        tokens=(("token", (("the", "cat"),)),),
        labels=names,
    )
    plane = plane_of(labels, ViewState())
    assert [column_label(plane, labels, 0, column) for column in range(3)] == list(names)
    assert row_labels(plane, labels) == ("the", "cat")
    assert written_place(plane, labels, 1, 2)[0] == '[token=1 "cat", label=2 "I-PER"]'
