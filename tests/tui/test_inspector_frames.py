from __future__ import annotations

import math

import numpy as np
import pytest
from encoder_tui.tui.drawing.colours import MASKED, codes_of, scale_of
from encoder_tui.tui.reading.facts import look
from encoder_tui.tui.reading.figures import read_figures
from encoder_tui.tui.reading.heads import pool, read_heads
from encoder_tui.tui.reading.heat import read_heat
from encoder_tui.tui.reading.window import Bounds, all_of, bounds_around, read_window, reads_whole
from encoder_tui.tui.state.plane import Plane, plane_of
from encoder_tui.tui.state.subject import subject_of
from encoder_tui.tui.state.view_state import ViewState
from fakes import OneHot, fake_session, value_session
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

WEIGHTS = "layers.0.attention.weights"
SMALL = st.floats(-100, 100, width=32)


@pytest.mark.parametrize(
    ("stage", "state"),
    [(WEIGHTS, ViewState(text=1, head=2)), ("mask.additive", ViewState(head=3)), ("tokens.ids", ViewState()),
     ("layers.0.ffn.norm", ViewState(text=1))],
)  # fmt: skip
def test_a_window_is_that_part_of_the_value(stage: str, state: ViewState) -> None:
    session = fake_session()
    plane = plane_of(subject_of(look(session, None), stage), state)
    whole = session.trace.value(stage).numpy()[plane.fixed]
    window = read_window(session, plane, Bounds(1, plane.rows, 3, 9))
    assert (window.numbers == whole[1:, 3:9]).all()
    assert window.at(1, 3) == whole[1, 3]
    assert window.at(0, 3) is window.at(1, 9) is window.at(1, 2) is None


@given(
    st.integers(1, 500),
    st.integers(1, 3000),
    st.integers(0, 499),
    st.integers(0, 2999),
    st.integers(1, 60),
    st.integers(1, 90),
)
def test_what_is_read_holds_what_is_seen(rows: int, columns: int, row: int, column: int, tall: int, wide: int) -> None:
    plane = Plane("x", ("query", "key"), (rows, columns))
    row, column = min(row, rows - 1), min(column, columns - 1)
    last_row, last_column = min(rows, row + tall), min(columns, column + wide)
    bounds = bounds_around(plane, row, last_row, column, last_column)
    assert bounds.hold(row, last_row, column, last_column)
    assert all_of(plane).hold(bounds.row, bounds.last_row, bounds.column, bounds.last_column)


def test_a_vocabulary_is_never_read_whole() -> None:
    session = fake_session()
    plane = plane_of(subject_of(look(session, None), "tokens.one_hot"), ViewState())
    assert not reads_whole(plane)
    value = session.trace.value("tokens.one_hot")
    assert isinstance(value, OneHot)
    identity = int(session.trace.tokens.ids[0, 5])
    heat = read_heat(session, plane, bounds_around(plane, 0, 14, identity - 10, identity + 60), 0, "float32")
    assert heat.window.at(5, identity) == 1.0
    assert not heat.scale.whole
    assert value.largest < 14 * 1000


def test_heat_keeps_numbers_and_codes_side_by_side() -> None:
    session = fake_session()
    plane = plane_of(subject_of(look(session, None), WEIGHTS), ViewState(head=1))
    heat = read_heat(session, plane, all_of(plane), 1, "float32")
    numbers = session.trace.value(WEIGHTS).read((0, 1))
    scale = scale_of(numbers, "float32").with_gain(1)
    assert heat.scale == scale
    assert (heat.codes == codes_of(numbers, scale, "float32")).all()
    assert heat.scale.whole


@given(
    arrays(np.float32, array_shapes(min_dims=2, max_dims=2, max_side=12), elements=SMALL),
    st.integers(1, 12),
    st.integers(1, 12),
)
def test_pooling_keeps_the_largest_magnitudes(numbers: np.ndarray, height: int, width: int) -> None:
    pooled = pool(numbers, height, width)
    assert pooled.shape == (min(height, numbers.shape[0]), min(width, numbers.shape[1]))
    assert np.abs(pooled).max() == np.abs(numbers).max()
    assert np.isin(pooled, numbers).all()


def test_pooling_shows_nan_and_hides_the_mask_behind_numbers() -> None:
    lowest = np.finfo(np.float32).min
    numbers = np.array(
        [[1, -2, np.nan, 0], [0, 1, 3, 0], [lowest, lowest, lowest, 2], [lowest, lowest, 1, -3]], dtype=np.float32
    )
    pooled = pool(numbers, 2, 2, -1e38)
    assert pooled[0].tolist()[0] == -2
    assert np.isnan(pooled[0, 1])
    assert pooled[1].tolist() == [lowest, -3]
    assert codes_of(pooled, scale_of(pooled, "float32"), "float32")[1, 0] == MASKED


def test_every_head_is_read_and_its_peak_found() -> None:
    session = fake_session()
    stage = "layers.0.attention.scores"
    subject = subject_of(look(session, None), stage)
    planes = [plane_of(subject, ViewState(head=head)) for head in range(4)]
    pictures = read_heads(session, planes, 5, 7, "float32")
    for head, picture in enumerate(pictures):
        numbers = session.trace.value(stage).read((0, head))
        assert (picture.picture == pool(numbers, 5, 7)).all()
        assert abs(picture.peak) == np.abs(numbers).max()
        assert numbers[picture.row, picture.column] == picture.peak


def test_heads_read_in_blocks_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    session = fake_session()
    planes = [plane_of(subject_of(look(session, None), WEIGHTS), ViewState(head=2))]
    whole = read_heads(session, planes, 5, 7, "float32")[0]
    monkeypatch.setattr("encoder_tui.tui.reading.heads.BLOCK", 30)
    blocks = read_heads(session, planes, 5, 7, "float32")[0]
    assert (whole.picture == blocks.picture).all()
    assert (whole.peak, whole.row, whole.column) == (blocks.peak, blocks.row, blocks.column)


def test_figures_of_the_whole_and_of_the_plane() -> None:
    session = fake_session()
    subject = subject_of(look(session, None), WEIGHTS)
    figures = read_figures(session, subject, plane_of(subject, ViewState(text=1, head=2)))
    numbers = session.trace.value(WEIGHTS).numpy()
    assert figures.whole.count == 2 * 4 * 14 * 14
    assert figures.plane is not None
    assert figures.plane.zeros == (numbers[1, 2] == 0).sum()
    assert figures.bytes == numbers.nbytes


def test_entropy_is_of_real_queries_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    session = fake_session()
    subject = subject_of(look(session, None), WEIGHTS)
    monkeypatch.setattr("encoder_tui.tui.reading.figures.BLOCK", 30)
    figures = read_figures(session, subject, plane_of(subject, ViewState(text=1)))
    weights = session.trace.value(WEIGHTS).numpy()[1, :, :8].astype(np.float64)
    expected = [
        -np.sum(head * np.log(head, where=head > 0, out=np.zeros_like(head)), axis=1).mean() for head in weights
    ]
    assert figures.queries == 8
    assert figures.entropies == pytest.approx(expected)
    assert max(figures.entropies) < math.log(8)


def test_only_probabilities_have_entropies() -> None:
    session = fake_session()
    subject = subject_of(look(session, None), "layers.0.attention.scores")
    assert read_figures(session, subject, plane_of(subject, ViewState())).entropies == ()


def test_a_single_number_and_a_vector_have_planes_too() -> None:
    for axes, array in (("", np.float32(3.5)), ("hidden", np.arange(5, dtype=np.float32))):
        session = value_session("x", axes, np.asarray(array))
        plane = plane_of(subject_of(look(session, None), "x"), ViewState())
        assert read_window(session, plane, all_of(plane)).at(0, plane.columns - 1) == np.asarray(array).reshape(-1)[-1]
