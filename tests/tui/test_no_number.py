"""Where nothing is a number, no view says that there is one."""

from __future__ import annotations

import numpy as np
import pytest
from driving import lines_of, press, running
from encoder_tui.engine import load
from encoder_tui.engine.commands.session import Session
from encoder_tui.tui.drawing.colours import scale_of
from encoder_tui.tui.reading.links import strongest_in
from encoder_tui.tui.state.view_state import ViewState
from fakes import FakeTrace, fake_session, value_session
from inspector_app import shown

WEIGHTS = "layers.0.attention.weights"
WORDS = ["[CLS]", "東京", "cat"]


def spoilt() -> Session:
    """Two heads of three tokens: the first is NaN everywhere, the second in its last row."""
    head = np.full((3, 3), np.nan, dtype=np.float32)
    other = np.array([[1, 0, 0], [0, 0.5, 0.5], [np.nan] * 3], dtype=np.float32)
    return value_session(WEIGHTS, "batch head query key", np.array([[head, other]]), [WORDS])


async def test_a_heat_map_of_nan_has_no_ends() -> None:
    lines = await shown(spoilt(), ViewState(WEIGHTS, view="heat"), (60, 12))
    assert lines[-2].startswith("no number to colour  N 9 NaN")
    assert lines[-1] == '[query=0 "[CLS]", key=0 "[CLS]"] = nan'


@pytest.mark.parametrize(
    ("head", "said"), [(0, "head 0: no number to colour"), (1, 'head 1 peaks at 1 in [0 "[CLS]", 0 "[CLS]"]')]
)
async def test_a_head_of_nan_has_no_peak_and_cells_are_not_counted_as_numbers(head: int, said: str) -> None:
    lines = await shown(spoilt(), ViewState(WEIGHTS, view="heads", head=head), (44, 12))
    assert lines[-1] == said
    assert lines[-2].partition("1  ")[2].startswith("N NaN")


async def test_the_grid_of_heads_says_so_as_well() -> None:
    session = fake_session()
    trace = session.trace
    assert isinstance(trace, FakeTrace)
    trace.put(WEIGHTS, np.full((2, 4, 14, 14), np.nan, dtype=np.float32))
    lines = await shown(session, ViewState(WEIGHTS, view="grid"), (60, 17))
    assert lines[-1] == "layer 0 head 0: no number to colour"


@pytest.mark.parametrize(
    ("head", "row", "said"),
    [
        (0, 0, "[CLS] → no number to colour    most: [CLS] 100% in head 1"),
        (0, 2, "cat → no number to colour"),
        (1, 1, "東京 → 東京 50.0%  cat 50.0%    most: 東京 50.0% in head 1"),
    ],
)
async def test_nothing_has_most_of_a_row_of_nan(head: int, row: int, said: str) -> None:
    lines = await shown(spoilt(), ViewState(WEIGHTS, view="lines", head=head, row=row), (58, 14))
    assert " ".join(lines[-3].split()) == " ".join(said.split())
    assert not [line for line in lines if "nan%" in line]


async def test_of_a_row_of_nan_no_weight_is_the_largest_and_no_word_comes_first() -> None:
    def start(progress: object) -> Session:
        encoder = load(None, "cpu")
        return Session(encoder.trace("The cat sat on the mat."), encoder)

    lines = ["patch layers.1.attention.scores[0] = nan", "look layers.1.attention.weights"]
    async with running(start, lines, size=(120, 40)) as (app, pilot):
        await press(pilot, "0")
        shown_lines = lines_of(app.main.inspector.view)
        assert any("9 NaN" in line for line in shown_lines)
        assert not [line for line in shown_lines if line.startswith("Divided by")]
        await press(pilot, "p")
        words = lines_of(app.main.inspector.view)
        assert words[0].split("│")[0].split() == ["▸0", "[CLS]", "→", "NaN"]
        said = " ".join(line.split("│")[1].strip() for line in words[:3]).rstrip()
        assert said == 'token=0 "[CLS]": the probabilities are NaN, and no word comes first'


async def test_where_nothing_was_compared_the_legend_of_differences_says_so() -> None:
    def start(progress: object) -> Session:
        encoder = load(None, "cpu")
        return Session(encoder.trace("The cat sat on the mat."), encoder)

    lines = [
        "patch layers.1.attention.scores[0] = nan",
        "compare text 'The dog sat'",
        "look layers.1.attention.weights",
    ]
    async with running(start, lines, size=(120, 40)) as (app, pilot):
        await press(pilot, "6")
        assert any(line.startswith("no number to colour  N ") for line in lines_of(app.main.inspector.view))


def test_a_scale_knows_that_it_has_seen_no_number() -> None:
    nothing, zeros = np.full(3, np.nan, dtype=np.float32), np.zeros(3, dtype=np.float32)
    assert scale_of(nothing, "float32").empty
    assert not scale_of(zeros, "float32").empty
    assert not scale_of(np.zeros(0, dtype=np.float32), "float32").empty
    assert strongest_in(np.stack([nothing[None], zeros[None] + 1])) == ((1, 0, 1.0),)
