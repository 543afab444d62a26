"""The explanation on the screen: exact text in both languages, following the cursor, at home in every size."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from driving import lines_of, running, screen_of, settled, until, write
from driving import press as press_only
from encoder_tui.engine.commands.session import Session
from encoder_tui.engine.program.program import Program
from encoder_tui.engine.program.stage import Stage
from encoder_tui.engine.program.value import ArrayValue
from encoder_tui.tui.app.app import EncoderApp
from fakes import STRINGS, Does, FakeTrace, fake_tokens
from rich.cells import cell_len
from textual.pilot import Pilot

SQUARE = ("batch", "head", "query", "key")


def kind(name: str, pattern: str) -> Does:
    """An operation that is called like a real one."""
    return type(name, (Does,), {"__slots__": ()})(pattern)


def start(_: Callable[..., None]) -> Session:
    """Masked scores and their softmax over two tokens, with numbers that can be checked by hand."""
    tokens = fake_tokens()
    masked = np.zeros((1, 1, 2, 2), dtype=np.float32)
    masked[0, 0, 1] = 1, 0
    weights = (np.exp(masked) / np.exp(masked).sum(-1, keepdims=True)).astype(np.float32)
    where = "layers.0.attention."
    stages = [
        Stage(f"{where}masked", kind("Stored", "as it is"), (), (), SQUARE),
        Stage(f"{where}weights", kind("Softmax", "softmax({0}) over key"), (f"{where}masked",), (), SQUARE),
    ]
    rows = (STRINGS[0][:2],)
    values = {
        stage.name: ArrayValue(stage.name, SQUARE, array, None, {"query": rows, "key": rows})
        for stage, array in zip(stages, (masked, weights), strict=True)
    }
    return Session(FakeTrace(Program(stages), tokens, values))


WEIGHTS = {
    "en": [
        "─ explanation · Attention weights ──────────────────────────────────────────────────────────────────────────────────────",
        " Softmax of each row: e to the power of every score, divided by the row's sum, so that a row sums to 1.",
        " They are the shares with which each token takes from the others: what pictures of attention show.",
        " number   weights[0, 0, 1 'the', 0 '[CLS]'] = 0.7311 = exp(1 − 1) / 1.368",
        "",
        "",
    ],
    "zh": [
        "─ 讲解 · 注意力权重 ────────────────────────────────────────────────────────────────────────────────────────────────────",
        " 对每一行做 softmax：取指数再除以该行之和，使每行之和为 1。",
        " 权重表示每个词元从其他词元各取多少，注意力图画的就是它。",
        " 数值  weights[0, 0, 1 'the', 0 '[CLS]'] = 0.7311 = exp(1 − 1) / 1.368",
        "",
        "",
    ],
}


SHAPES = {
    "en": " shapes   [1, 1, 2, 2] = softmax([1, 1, 2, 2]) over key",
    "zh": " 形状  [1, 1, 2, 2] = softmax([1, 1, 2, 2])，沿 key 轴",
}  # where the header above has no line for them


async def press(pilot: Pilot[Any], *keys: str) -> None:
    """Press keys, and let the explanation, where it is open, come to what is looked at."""
    await press_only(pilot, *keys)
    app = pilot.app
    assert isinstance(app, EncoderApp)
    state, pane = app.controller.state, app.main.explanation
    if state.explained:
        await until(pilot, lambda: pane.page and pane.page.stage == state.stage, "an explanation")
        await settled(pilot)


@pytest.fixture(params=["en", "zh"])
def language(request: pytest.FixtureRequest) -> str:
    if request.param == "zh":
        request.getfixturevalue("chinese")
    return request.param


async def test_exact_text_in_both_languages(language: str) -> None:
    async with running(start, ["step 2"]) as (app, pilot):
        await press(pilot, "x", "j")
        shown = lines_of(app.main.explanation)
        assert cell_len(shown[0].partition("┴")[0]) == app.main.program.outer_size.width
        assert [shown[0].replace("┴", "─"), *shown[1:]] == WEIGHTS[language]


async def test_80_by_24_in_both_languages(language: str) -> None:
    async with running(start, ["step 2"], size=(80, 24)) as (app, pilot):
        await press(pilot, "x", "j")
        shown = lines_of(app.main.explanation)
        wanted = [WEIGHTS[language][0][: 80 - 120], *WEIGHTS[language][1:3], SHAPES[language], *WEIGHTS[language][3:]]
        if language == "en":  # the longer texts take two lines each
            wanted[1:3] = [
                " Softmax of each row: e to the power of every score, divided by the row's sum,",
                " so that a row sums to 1.",
                " They are the shares with which each token takes from the others: what pictures",
                " of attention show.",
            ]
        assert [shown[0].replace("┴", "─"), *shown[1:]] == [*wanted, ""][:8]
        screen = screen_of(app)
        assert screen[15].startswith("─ explanation · Attention weights" if language == "en" else "─ 讲解 · 注意力权重")
        assert screen[23].startswith(" s ")
        assert not app.main.console.region


async def test_it_follows_the_cursor_and_the_cell_and_closes() -> None:
    async with running(start, ["step"]) as (app, pilot):
        assert not app.main.explanation.region
        await press(pilot, "x")
        assert lines_of(app.main.explanation, 1)[0].startswith("─ explanation · Masked scores ──")
        await press(pilot, "s")
        assert lines_of(app.main.explanation, 1)[0].startswith("─ explanation · Attention weights ──")
        assert (
            lines_of(app.main.explanation)[3] == " number   weights[0, 0, 0 '[CLS]', 0 '[CLS]'] = 0.5 = exp(0 − 0) / 2"
        )
        await press(pilot, "j", "l")
        assert lines_of(app.main.explanation)[3].startswith(" number   weights[0, 0, 1 'the', 1 'the'] = 0.2689 = ")
        await press(pilot, "S")
        assert lines_of(app.main.explanation, 1)[0].startswith("─ explanation · Masked scores ──")
        await press(pilot, "x")
        assert not app.main.explanation.region


async def test_what_no_header_says_is_said() -> None:
    async with running(start, ["step 2"]) as (app, pilot):
        await press(pilot, "x", "m")
        shown = lines_of(app.main.explanation)
        assert SHAPES["en"] in shown
        assert not [line for line in shown if line.startswith(" formula")]
        assert lines_of(app.main.inspector.view)[-1].startswith(
            "layers.0.attention.weights   weights = softmax(masked) over key"
        )
        await press(pilot, "m")
        assert not [line for line in lines_of(app.main.explanation) if line.startswith((" formula", " shapes"))]


async def test_what_has_not_run_has_its_number() -> None:
    async with running(start, ["step"]) as (app, pilot):
        await press(pilot, "x", "d")
        shown = lines_of(app.main.explanation)
        assert shown[0].startswith("─ explanation · Attention weights ──")
        assert shown[3] == " number   weights[0, 0, 0 '[CLS]', 0 '[CLS]'] = 0.5 = exp(0 − 0) / 2"
        await press(pilot, "t")
        assert lines_of(app.main.explanation)[3].startswith(" number   weights[")


async def test_a_patched_number_is_worked_out_anew() -> None:
    async with running(start, ["step 2"]) as (app, pilot):
        await press(pilot, "x")
        trace = app.engine._session.trace  # type: ignore[union-attr]
        trace.put("layers.0.attention.masked", np.array([[[[2.0, 0.0], [1, 0]]]], dtype=np.float32))  # type: ignore[attr-defined]
        app.engine._session.changed()  # type: ignore[union-attr]
        await press(pilot, "colon")
        await write(pilot, "goto layers.0.attention.weights")
        assert lines_of(app.main.explanation)[4].endswith("exp(2 − 2) / 1.135")


async def test_typing_in_a_narrow_terminal_brings_the_console_back() -> None:
    async with running(start, ["step 2"], size=(80, 24)) as (app, pilot):
        await press(pilot, "x", "colon")
        assert app.main.console.region.height >= 8
        assert not app.main.explanation.region
        await write(pilot, "stats")
        await press(pilot, "escape")
        assert app.main.explanation.region.height == 8
        await press(pilot, "slash")
        assert app.main.console.region.height == 4
        await write(pilot, "no such stage")
        assert screen_of(app)[-1].startswith(" ✗ no stage's name contains 'no such stage'")


async def test_it_stays_with_the_value_that_has_the_screen() -> None:
    async with running(start, ["step 2"]) as (app, pilot):
        await press(pilot, "x", "z", "j")
        assert lines_of(app.main.explanation) == WEIGHTS["en"]
        assert not app.main.program.region


@pytest.mark.parametrize("size", [(60, 18), (80, 24), (120, 40)])
async def test_every_line_is_as_wide_as_the_terminal(size: tuple[int, int], chinese: None) -> None:
    async with running(lines=["goto layers.1.ffn.norm"], size=size) as (app, pilot):
        for key in ("x", "1", "2", "3", "4", "5", "6", "7", "8", "question_mark", "escape"):
            await press(pilot, key)
            strips: list[Any] = app.screen._compositor.render_strips()
            assert {strip.cell_length for strip in strips} == {size[0]}, key


async def test_the_language_is_changed_while_it_runs() -> None:
    async with running(start, ["step 2"]) as (app, pilot):
        await press(pilot, "x", "j", "colon")
        try:
            await write(pilot, "set lang zh")
            await press(pilot, "escape")
            shown = lines_of(app.main.explanation)
            assert [shown[0].replace("┴", "─"), *shown[1:]] == WEIGHTS["zh"]
            screen = "\n".join(screen_of(app))
            for label in ("─ 程序 2/2 ──", "─ 控制台 ──", "▸1 热图", "2 数值", "s 单步", "q 退出"):
                assert label in screen
            await press(pilot, "colon")
        finally:
            await write(pilot, "set lang en")
        await press(pilot, "escape")
        screen = "\n".join(screen_of(app))
        for label in ("─ program 2/2 ──", "─ console ──", "▸1 heat", "4 stats", "s step", "q quit"):
            assert label in screen
        await settled(pilot)
