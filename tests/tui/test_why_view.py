"""The view `why`: a number, the terms it is the sum of, and the walk along its operands back to the one-hot row."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from driving import lines_of, press, running, settled, until, write
from encoder_tui.engine import load
from encoder_tui.engine.commands.session import Session
from encoder_tui.engine.messages.errors import InputError
from encoder_tui.engine.messages.translation import use
from encoder_tui.engine.ops.base import OPERATIONS
from encoder_tui.engine.program.index import TOKEN_AXES
from encoder_tui.engine.program.kinds import UNKNOWN, Card
from encoder_tui.engine.program.program import Program
from encoder_tui.engine.program.stage import Stage
from encoder_tui.engine.program.value import ArrayValue
from encoder_tui.tui.state import operand_trail
from encoder_tui.tui.state.position import World
from encoder_tui.tui.state.view_state import ViewState
from fakes import FakeTrace, OneHot, fake_tokens
from hypothesis import given
from hypothesis import strategies as st
from inspector_app import InspectorApp

SCORES, QUERY, KEY = "layers.0.attention.scores", "layers.0.attention.query_heads", "layers.0.attention.key_heads"
PART = {SCORES: "batch head query key", QUERY: "batch head token head_dim", KEY: "batch head token head_dim"}


@dataclass(frozen=True)
class Op:
    """A recorded operation: its name and settings are all that an explanation needs."""

    called: str
    options: dict[str, Any] = field(default_factory=dict[str, Any])
    symbols: tuple[str, ...] = ()

    @property
    def card(self) -> Card:
        operation = OPERATIONS.get(self.called)
        return operation.card if operation is not None else UNKNOWN

    def write(self, *operands: str) -> str:
        return f"{self.called}({', '.join(operands)})"


class WeighedTrace(FakeTrace):
    """With weights that can be read."""

    numbers: dict[str, np.ndarray]

    def weight(self, name: str, index: Any = ()) -> Any:
        return self.numbers[name][index]

    @property
    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        return {name: weight.shape for name, weight in self.numbers.items()}


def session_of(stages: dict[str, tuple[Stage, Any]], weights: dict[str, np.ndarray] | None = None) -> Session:
    tokens = fake_tokens()
    values: dict[str, Any] = {}
    for name, (stage, value) in stages.items():
        values[name] = (
            value
            if isinstance(value, OneHot)
            else ArrayValue(name, stage.axes, value, None, dict.fromkeys(TOKEN_AXES, tokens.strings))
        )
    trace = WeighedTrace(Program([stage for stage, _ in stages.values()]), tokens, values)
    trace.numbers = weights or {}
    session = Session(trace)
    session.debugger.goto(len(stages) - 1)
    return session


def scores() -> Session:
    """Two texts, one head, four numbers a head: few enough to be added up by hand."""
    query = np.zeros((2, 1, 14, 4), dtype=np.float32)
    key = query.copy()
    query[0, 0, 2], key[0, 0, 5] = (2, -1, 0.5, 0), (1, 4, -1, 7)  # 2 - 4 - 0.5 + 0
    stages = {
        QUERY: (Stage(QUERY, Op("Made"), (), (), tuple(PART[QUERY].split())), query),
        KEY: (Stage(KEY, Op("Made"), (), (), tuple(PART[KEY].split())), key),
        SCORES: (
            Stage(SCORES, Op("Scores"), (QUERY, KEY), (), tuple(PART[SCORES].split())),
            query @ key.swapaxes(2, 3),
        ),
    }
    return session_of(stages)


def looked_up() -> Session:
    """A lookup from one-hot rows."""
    tokens = fake_tokens()
    table = np.arange(30_522 * 2, dtype=np.float32).reshape(-1, 2)
    hot = OneHot("tokens.one_hot", tokens.ids, 30_522, {"token": tokens.strings})
    stages = {
        "tokens.ids": (Stage("tokens.ids", Op("Given"), (), (), ("batch", "token")), tokens.ids),
        "tokens.one_hot": (Stage("tokens.one_hot", Op("OneHot"), ("tokens.ids",), (), hot.axes), hot),
        "embeddings.token": (
            Stage(
                "embeddings.token", Op("Lookup", symbols=("E",)), ("tokens.ids",), ("E",), ("batch", "token", "hidden")
            ),
            table[tokens.ids],
        ),
    }
    return session_of(stages, {"E": table})


AT = ViewState(SCORES, view="why", row=2, column=5)


async def seen(session: Session, state: ViewState, size: tuple[int, int]) -> list[str]:
    app = InspectorApp(session, state)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        return [line.rstrip() for line in app.lines()]


async def test_a_score_is_the_sum_of_products_largest_first() -> None:
    assert await seen(scores(), AT, (100, 16)) == [
        "layers.0.attention.scores[batch=0, head=0, query=2 'animal', key=5 't'] = -2.5",
        "scores[0, 0, 2, 5] = Σₖ query_heads[0, 0, 2, k] · key_heads[0, 0, 5, k]",
        "4 terms, the 2 largest make 90% of all magnitudes; sum -2.5, the stored number to the last digit",
        "▸1 -4.000  ████████  61.5%  query_heads[0, 0, 2 'animal', 1] = -1  · key_heads[0, 0, 5 't', 1] = 4",
        " 2 +2.000  ████      92.3%  query_heads[0, 0, 2 'animal', 0] = 2   · key_heads[0, 0, 5 't', 0] = 1",
        " 3 -0.5000 █        100.0%  query_heads[0, 0, 2 'animal', 2] = 0.5 · key_heads[0, 0, 5 't', 2] = -1",
        " 4  0               100.0%  query_heads[0, 0, 2 'animal', 3] = 0   · key_heads[0, 0, 5 't', 3] = 7",
        "",
        "query_heads  layers.0.attention.query_heads [batch, head, token, head_dim]",
        "key_heads    layers.0.attention.key_heads [batch, head, token, head_dim]",
        "",
        "enter → layers.0.attention.query_heads[0, 0, 2 'animal', 1] = -1",
        "↑↓ term  ←→ operand" + " " * 73 + "term 1/4",
    ]


async def test_what_is_the_same_in_all_terms_makes_way() -> None:
    lines = await seen(scores(), AT, (60, 14))
    assert [line for line in lines if line.startswith("▸")] == [
        "▸1 -4.000   61.5%  query_heads[1] = -1  · key_heads[1] = 4"
    ]
    assert "enter → query_heads[0, 0, 2 'animal', 1] = -1" in lines


@pytest.mark.parametrize("size", [(1, 1), (16, 2), (17, 4), (23, 5), (30, 9), (47, 11), (84, 28), (200, 60)])
async def test_every_size_and_every_term(size: tuple[int, int]) -> None:
    app = InspectorApp(scores(), AT)
    async with app.run_test(size=size) as pilot:
        for term in (0, 1, 3, 99):
            app.show(ViewState(SCORES, view="why", row=2, column=5, term=term, factor=5))
            await pilot.pause()
            assert {len(line) for line in app.lines()} == {size[0]}


# -- choosing and following --------------------------------------------------------------------------------------


async def test_arrows_choose_a_term_and_an_operand_and_the_foot_says_where_enter_goes() -> None:
    app = InspectorApp(scores(), AT)
    async with app.run_test(size=(100, 16)) as pilot:
        await pilot.pause()
        feet: list[tuple[int, int, str]] = []
        for where in ("down", "right", "right", "bottom", "left", "up"):
            app.show(app.inspector.moved(where, app.state))
            await pilot.pause()
            feet.append((app.state.term, app.state.factor, app.lines()[-2].rstrip()))
        assert feet == [
            (1, 0, f"enter → {QUERY}[0, 0, 2 'animal', 0] = 2"),
            (1, 1, f"enter → {KEY}[0, 0, 5 't', 0] = 1"),
            (1, 1, f"enter → {KEY}[0, 0, 5 't', 0] = 1"),
            (3, 1, f"enter → {KEY}[0, 0, 5 't', 3] = 7"),
            (3, 0, f"enter → {QUERY}[0, 0, 2 'animal', 3] = 0"),
            (2, 0, f"enter → {QUERY}[0, 0, 2 'animal', 2] = 0.5"),
        ]
        assert (app.state.row, app.state.column) == (2, 5)


async def test_enter_goes_to_the_operand_and_o_back() -> None:
    async with running(lambda progress: scores()) as (app, pilot):
        for line in ("move down", "move down", *["move right"] * 5):
            app.controller.run(line, "key")
        await press(pilot, "enter")
        assert app.controller.state.view == "why"
        await press(pilot, "right", "enter")
        state = app.controller.state
        assert (state.stage, state.row, state.column, state.view) == (KEY, 5, 1, "why")
        view = app.main.inspector.view
        place = f"{KEY}[batch=0, head=0, token=5 't', head_dim=1] = 4.0"
        await settled(pilot)
        await until(pilot, lambda: lines_of(view)[0] == place, place)
        assert "o back to scores[0, 0, 2 'animal', 5 't']" in lines_of(view)[-1]
        await press(pilot, "enter")  # what was given comes from nowhere
        assert app.controller.state == state
        assert app.main.console.text[-1].startswith("✗ key_heads[0, 0, 5 't', 1] is no sum of terms")
        await press(pilot, "o")
        state = app.controller.state
        assert (state.stage, state.row, state.column, state.factor, state.trail) == (SCORES, 2, 5, 1, ())
        await press(pilot, "o")
        assert any(line.startswith("✗ no operand was followed yet") for line in app.main.console.text[-3:])


async def test_operands_can_be_named_by_number_as_why_numbers_them() -> None:
    async with running(lambda progress: scores(), ["view why", "follow 4"]) as (app, pilot):
        await settled(pilot)
        assert app.controller.state.stage == KEY
        await press(pilot, "colon")
        await write(pilot, "follow back")
        assert app.controller.state.stage == SCORES
        await write(pilot, "follow 99")
        assert app.main.console.text[-1] == "✗ no operand 99 of scores[0, 0, 0 '[CLS]', 0 '[CLS]']; there are 1 to 8"
        await write(pilot, "follow forth")
        assert "is not the number of an operand" in app.main.console.text[-1] + app.main.console.text[-2]


async def test_the_walk_ends_at_the_one_hot_row_and_the_tokenizer() -> None:
    async with running(lambda progress: looked_up()) as (app, pilot):
        for line in ("look embeddings.token", "move down", "move down", "move right", "view why"):
            app.controller.run(line, "key")
        await settled(pilot)
        token, view = int(fake_tokens().ids[0, 2]), app.main.inspector.view
        place = f"embeddings.token[batch=0, token=2 'animal', hidden=1] = {token * 2 + 1:.1f}"
        await until(pilot, lambda: lines_of(view)[0] == place, place)
        assert f"row {token} of the table, for token 2 'animal'" in lines_of(view)
        await press(pilot, "enter")
        assert app.controller.state.stage == "tokens.one_hot"
        assert app.controller.state.column == token
        await press(pilot, "enter")
        assert app.controller.state.stage == "tokens.ids"
        assert (app.controller.state.row, app.controller.state.column) == (0, 2)
        await until(pilot, lambda: lines_of(view)[-2] == "given: the walk ends here", "the end of the walk")


async def test_another_cell_is_explained_from_its_first_term() -> None:
    async with running(lambda progress: scores(), ["view why"]) as (app, pilot):
        await press(pilot, "j", "j", "1")
        assert app.controller.state.term == 2
        await press(pilot, "j", "5")
        assert (app.controller.state.row, app.controller.state.term) == (1, 0)


async def test_enter_on_a_group_of_the_tree_opens_it() -> None:
    async with running() as (app, pilot):
        await press(pilot, "d", "d", "d", "d", "d", "d", "d", "u", "u", "u", "u")
        while not app.main.program.group:
            await press(pilot, "d")
        before = len(app.main.program.shown)
        await press(pilot, "enter")
        assert len(app.main.program.shown) != before
        assert app.controller.state.view == "heat"


async def test_a_weight_is_named_and_leads_nowhere() -> None:
    beta = np.array([0.5, 0.25], np.float32)
    x = np.zeros((2, 14, 2), dtype=np.float32)
    axes = ("batch", "token", "hidden")
    op = Op("LayerNorm", {"epsilon": 1.0}, ("γ", "β"))
    session = session_of(
        {
            "x": (Stage("x", Op("Given"), (), (), axes), x),
            "n": (Stage("n", op, ("x",), ("norm.weight", "norm.bias"), axes), x + beta),
        },
        {"norm.weight": np.ones(2, dtype=np.float32), "norm.bias": beta},
    )
    lines = await seen(session, ViewState("n", view="why"), (80, 20))
    assert "β[0] is a weight, norm.bias: nothing to follow" in lines
    assert [line for line in lines if line.startswith("▸")] == ["▸1 +0.5000 ████████ 100.0%  β[0] = 0.5"]


# -- plain functions ---------------------------------------------------------------------------------------------


def world() -> World:
    trace = scores().trace
    return World(trace.program, trace.inputs, trace.shapes, {})


@given(st.integers(0, 1), st.integers(0, 13), st.integers(0, 3))
def test_there_and_back(text: int, row: int, column: int) -> None:
    start = ViewState(SCORES, view="heat", text=1, head=3, row=4, column=5, term=2, factor=1, gain=2)
    there = operand_trail.followed(start, world(), "scores[...]", KEY, (text, 0, row, column))
    assert operand_trail.cell_of(there, world()) == (text, 0, row, column)
    assert (there.view, there.term, there.head, there.gain) == ("why", 0, 3, 2)  # one head is any head
    back = operand_trail.back(there)
    assert back == ViewState(SCORES, view="why", text=1, head=3, row=4, column=5, term=2, factor=1, gain=2)
    with pytest.raises(InputError, match="no operand was followed yet"):
        operand_trail.back(back)


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_in_less_room_the_terms_are_still_seen(language: str) -> None:
    """A pane that comes lays the same numbers out anew: what stands above the terms is cut again."""
    use(language)
    try:
        async with running(lambda progress: real(), ["goto layers.0.attention.query"], size=(80, 24)) as (app, pilot):
            await press(pilot, "5")
            assert any("▸  1 " in line for line in lines_of(app.main.inspector.view))
            await press(pilot, "x")
            assert any("▸  1 " in line for line in lines_of(app.main.inspector.view))
    finally:
        use("en")


def real() -> Session:
    encoder = load(None, "cpu")
    return Session(encoder.trace("The animal didn't cross the street"), encoder)
