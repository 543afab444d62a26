"""The view `change`: the numbers of one token before and after a stage, over one axis."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from encoder_tui.engine.commands.session import Session
from encoder_tui.engine.ops.activations import Activation
from encoder_tui.engine.ops.attention import AddMask, Scale, Softmax
from encoder_tui.engine.program.program import Program
from encoder_tui.tui.drawing.braille import BLANK, Canvas
from encoder_tui.tui.drawing.text import cell_len
from encoder_tui.tui.state.view_state import ViewState
from encoder_tui.tui.views.layouts.change import bins_for, layout_for
from fakes import fake_trace
from hypothesis import given
from hypothesis import strategies as st
from inspector_app import InspectorApp

UP, RELU = "layers.0.ffn.up", "layers.0.ffn.activation"
RESIDUAL, WEIGHTS = "layers.0.attention.residual", "layers.0.attention.weights"


def session_of(ops: dict[str, Any] | None = None, put: dict[str, np.ndarray] | None = None) -> Session:
    """The fake encoder with values of our own, and with operations that are known for what they are."""
    trace = fake_trace()
    for name, array in (put or {}).items():
        trace.put(name, array)
    stages = [replace(stage, op=(ops or {}).get(stage.name, stage.op)) for stage in trace.program]
    trace.program = Program(stages, trace.program.aliases)
    return Session(trace)


async def seen(session: Session, state: ViewState, size: tuple[int, int]) -> list[str]:
    app = InspectorApp(session, state)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        return "\n".join(line.rstrip() for line in app.lines()).rstrip().split("\n")


def with_row(name: str, numbers: np.ndarray) -> np.ndarray:
    array = np.array(fake_trace().values[name].read())
    array[0, 2] = numbers
    return array


STEPS = np.linspace(-2, 2, 64, dtype=np.float32)
RECTIFIED = {UP: with_row(UP, STEPS), RELU: with_row(RELU, np.maximum(STEPS, 0))}
ATTENTION = {
    "layers.0.attention.scaled": Scale(8), "layers.0.attention.masked": AddMask(), WEIGHTS: Softmax(),
}  # fmt: skip


async def test_what_goes_in_stands_above_what_comes_out() -> None:
    assert await seen(session_of(put=RECTIFIED), ViewState(RELU, view="change", row=2), (60, 12)) == [
        'token=2 "animal"                                  ↑↓ another',
        "  up                   4│██████▄▄████▄▄██████▄▄████▄▄██████",
        "  mean 0.00  dev 1.17   │██████████████████████████████████",
        "  -2 … 2  (64)          │───────━━━━━━━━━━╋━━━━━━━━━───────",
        "→ activation          34│                ██",
        "  mean 0.508  dev 0.656 │                ██▂▂▁▁▂▂▂▂▁▁▂▂▂▂▂▂",
        "  0 … 2  (64)           │                 ━━━━╋━━━━━───────",
        "─ all  ━ mean ± dev     └─────────────────┴────────────────",
        "                         -2               0               2",
    ]


async def test_an_activation_shows_its_curve_and_what_it_lets_through() -> None:
    session = session_of({RELU: Activation("relu")}, RECTIFIED)
    assert await seen(session, ViewState(RELU, view="change", row=2), (84, 28)) == [
        'token=2 "animal"                                                          ↑↓ another',
        "  up                           3│████  ██  ██  ██  ██  ██  ██  ██  ██  ██  ██  ████",
        "  mean 0.00  dev 1.17           │████▅▅██▅▅██▅▅██▅▅██▅▅██▅▅██▅▅██▅▅██▅▅██▅▅██▅▅████",
        "  -2 … 2  (64)                  │██████████████████████████████████████████████████",
        "                                │██████████████████████████████████████████████████",
        "                                │──────────━━━━━━━━━━━━━━━╋━━━━━━━━━━━━━━──────────",
        "  relu(x) = max(0, x)           │                                              ⢀⣠⠆⠛",
        "  each number a point:          │                                           ⢀⡄⠆⠋",
        "  x across, y up                │                                        ⡀⡄⠞⠉",
        "                                │                                     ⡀⡴⠚⠁",
        "                                │                                  ⣠⠴⠚⠁",
        "                                │                              ⢀⣠⠴⠃⠁",
        "                                │                           ⢀⣠⠆⠋",
        "                                │⣀⣀⡀⣀⣀⣀⡀⣀⣀⣀⡀⣀⣀⡀⡀⣀⣀⡀⡀⣀⣀⡀⡀⣀⣀⡄⠞⠉",
        "→ activation                  33│                        ██",
        "  mean 0.508  dev 0.656         │                        ██",
        "  0 … 2  (64)                   │                        ██",
        "                                │                        ██▃▃▂▂▃▃▂▂▃▃▂▂▃▃▂▂▃▃▂▂▃▃▃▃",
        "                                │                         ━━━━━━╋━━━━━━━━──────────",
        "─ all  ━ mean ± deviation       └─────────────────────────┴────────────────────────",
        "                                 -2                       0                       2",
        "relu: of 64 numbers 32 pass nearly whole (|y| ≥ 0.9|x|), 0 are damped, 32 are",
        "stopped (|y| ≤ 0.1|x|) (32 of them exactly 0); of all magnitude 50.0% is left.",
    ]


async def test_a_sum_and_its_summands() -> None:
    assert await seen(session_of(), ViewState(RESIDUAL, view="change", row=2), (60, 12)) == [
        'token=2 "animal"                                  ↑↓ another',
        "  output              11│                ██▄▄▄▄",
        "  mean 0.152  dev 0.350 │            ▁▁▄▄██████▁▁",
        "+ embeddings.norm      7│            ▁▁██▃▃    ▃▃",
        "  mean 0.000  dev 1.000 │▂▂    ▅▅  ▂▂██████  ▂▂██▅▅▇▇▂▂",
        "= residual             6│              ██▅▅",
        "  mean 0.15  dev 1.07   │▃▃    ▃▃▃▃▅▅▅▅████▃▃██▅▅████▃▃  ▃▃",
        "                        └─────────────────┴────────────────",
        "                         -2.67            0            2.52",
    ]


async def test_what_a_mask_hides_is_counted_apart_and_the_scale_is_taken_away() -> None:
    state = ViewState(WEIGHTS, view="change", text=1, row=1)
    assert await seen(session_of(ATTENTION), state, (84, 28)) == [
        'query=1 "東"                                                              ↑↓ another',
        "  scores                       2│        ██                                      ██",
        "  mean -1.32  dev 3.31          │██      ████          ██  ██████████  ████      ██",
        "  -7.41 … 3.68  (14)            │────────────━━━━━━━━━━━━━━━╋━━━━━━━━━━━━━━━───────",
        "→ scaled                       3│                        ██    ▃▃██▃▃  ▃▃",
        "  mean -0.47  dev 1.17          │                    ▅▅  ██  ▅▅██████  ██",
        "  -2.62 … 1.3  (14)             │                     ─────━━━━━╋━━━━━───",
        "→ masked                       2│                        ██            ██",
        "  mean -0.46  dev 1.40          │                    ██  ██    ██████  ██",
        "  -2.62 … 1.3 (8 seen, 6 hidden)│                     ───━━━━━━━╋━━━━━━──",
        "─ all  ━ mean ± deviation       └─────────────────────────────────┴────────────────",
        "                                 -7.41                            0            3.68",
        "→ weights                      8│██",
        "  mean 0.071  dev 0.112         │██▂▂    ▂▂    ▂▂      ▂▂                  ▂▂    ▂▂",
        "  0 … 0.343  (14)               │━━━━━━━━━━╋━━━━━━━━━━━━━━━━───────────────────────",
        "                                └──────────────────────────────────────────────────",
        "                                 0                                            0.343",
        "The mask hides 6 of 14 keys: they get 0% of the weight, and without the mask 30.5%.",
        "Divided by √8: largest weight 34.3% (cafe), entropy 1.58 nats. Not divided: 54.2%",
        "(cafe), 0.97 nats.",
    ]


async def test_a_stage_without_a_before_says_so() -> None:
    lines = await seen(session_of(), ViewState("embeddings.token", view="change"), (60, 12))
    assert lines[:2] == [
        "Nothing that goes into this stage is a row of numbers like",
        "those that come out: there is no before and after.",
    ]


async def test_up_and_down_choose_the_token() -> None:
    app = InspectorApp(session_of(put=RECTIFIED), ViewState(RELU, view="change", row=1))
    async with app.run_test(size=(60, 12)) as pilot:
        app.show(app.inspector.moved("down", app.state))
        await pilot.pause()
        assert app.lines()[0].startswith('token=2 "animal"')


@pytest.mark.parametrize("size", [(1, 1), (26, 3), (30, 7), (47, 11), (84, 28), (200, 60)])
async def test_every_size(size: tuple[int, int]) -> None:
    app = InspectorApp(session_of({**ATTENTION, RELU: Activation("gelu")}), ViewState(RELU, view="change", row=2))
    async with app.run_test(size=size) as pilot:
        for stage in (RELU, WEIGHTS, RESIDUAL, "mask.additive", "tokens.one_hot"):
            app.show(ViewState(stage, view="change", row=99))
            await pilot.pause()
            assert {cell_len(line) for line in app.lines()} == {size[0]}


@given(
    st.integers(1, 220), st.integers(3, 70), st.integers(1, 6), st.integers(1, 2), st.integers(0, 9), st.booleans()
)  # fmt: skip
def test_every_line_has_its_place(width: int, height: int, rows: int, axes: int, notes: int, curve: bool) -> None:
    layout = layout_for(width, height, rows, axes, notes, curve=curve)
    used = 1 + layout.rows * layout.row + layout.curve + layout.notes + 2 * axes * layout.axes
    assert used <= height
    assert layout.rows >= 1
    assert layout.bars >= 1
    assert layout.bins == bins_for(width)
    assert layout.bins % 2 == 0
    assert width < 26 or layout.text + 1 + layout.bins <= width
    if layout.bars > 1:  # nobody's words make way for taller bars
        assert (layout.rows, layout.notes, layout.axes) == (rows, notes, True)


def test_dots_of_a_curve() -> None:
    canvas = Canvas(2, 1)
    canvas.dots(np.array([0.0, 3.0, 9.0, np.nan]), np.array([0, 1, 2, 3]), 1)
    assert canvas.runs(0) == [("⢁", 1), (" ", BLANK)]
