from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
from driving import lines_of, press, running, settled, until
from encoder_tui.engine.commands.session import Session
from encoder_tui.engine.program.value import Value
from encoder_tui.tui.reading.layer_grid import MOST_READ, read_layer
from encoder_tui.tui.state.view_state import ViewState
from encoder_tui.tui.views.layer_grid import LayerGrid
from encoder_tui.tui.views.layouts.grid import GUTTER, grid_of
from fakes import FakeTrace, fake_session
from hypothesis import given
from hypothesis import strategies as st
from inspector_app import InspectorApp, shown

WEIGHTS = "layers.0.attention.weights"
LAST = "layers.1.attention.weights"


def plain() -> Session:
    """Attention of every head to one token, the head's number, and of the last layer's to the token itself."""
    session = fake_session()
    trace: FakeTrace = session.trace  # type: ignore[assignment]
    to_one, to_itself = np.zeros((2, 4, 14, 14), dtype=np.float32), np.zeros((2, 4, 14, 14), dtype=np.float32)
    for head in range(4):
        to_one[:, head, :, head] = 1
    to_itself[:, :] = np.eye(14, dtype=np.float32)
    trace.put(WEIGHTS, to_one)
    trace.put(LAST, to_itself)
    return session


async def test_layers_are_rows_and_heads_are_columns() -> None:
    assert await shown(plain(), ViewState(LAST, view="grid", head=2), (50, 17), colours=False) == [
        " head      0         1         2         3",
        "   L0  █          █         █          █",
        "       █          █         █          █",
        "       █          █         █          █",
        "       █          █         █          █",
        "",
        "▸  L1  ██        ██       ┃██       ┃██",
        "         ███       ███    ┃  ███    ┃  ███",
        "            ██        ██  ┃     ██  ┃     ██",
        "              ██        ██┃       ██┃       ██",
        "                          ┃         ┃",
        "",
        "0 · ░ ▒ ▓ █ 1                       query ↓  key →",
        "layer 1 head 2 peaks at 1 in [0, 0]",
    ]


async def test_it_fills_layer_by_layer_and_what_is_missing_is_marked() -> None:
    app = InspectorApp(plain(), ViewState(WEIGHTS, view="grid"), held=True)
    async with app.run_test(size=(50, 17)) as pilot:
        await pilot.pause()
        del app.waiting[:-1]  # what was asked for before the first resize; the engine's thread drops it too
        assert app.lines()[-2].rstrip() == "reading layer 1 of 2…"
        app.answer()
        await pilot.pause()
        assert len(app.waiting) == 1
        assert app.lines()[-2].rstrip() == "reading layer 2 of 2…"
        assert app.lines()[-1].startswith("layer 0 head 0 peaks at 1 in")
        assert [line.split() for line in app.lines() if "L1" in line] == [["L1", "·", "·", "·", "·"]]
        app.answer()
        await pilot.pause()
        assert app.waiting == []
        assert app.lines()[-2].startswith("0 ")


async def test_nothing_more_is_read_once_another_view_or_text_is_shown() -> None:
    app = InspectorApp(plain(), ViewState(WEIGHTS, view="grid"), held=True)
    async with app.run_test(size=(50, 17)) as pilot:
        await pilot.pause()
        del app.waiting[:-1]
        app.show(replace(app.state, view="stats"))
        await pilot.pause()
        app.answer(0)  # layer 0 of the grid, which was begun
        await pilot.pause()
        assert [wanted.work.key for wanted in app.waiting] == ["inspector.stats"]
        app.answer(0)
        app.show(replace(app.state, view="grid"))  # goes on where it was
        await pilot.pause()
        assert app.lines()[-2].rstrip() == "reading layer 2 of 2…"
        app.show(replace(app.state, text=1))
        await pilot.pause()
        assert app.lines()[-2].rstrip() == "reading layer 1 of 2…"
        app.answer(0)  # of the text before: dropped
        await pilot.pause()
        assert app.lines()[-2].rstrip() == "reading layer 1 of 2…"


async def test_a_patch_reads_everything_again_and_leaves_the_old_picture_until_then() -> None:
    app = InspectorApp(plain(), ViewState(WEIGHTS, view="grid"))
    async with app.run_test(size=(50, 17)) as pilot:
        await pilot.pause()
        before, app.held = app.lines()[:-2], True
        app.session.trace.put(WEIGHTS, np.full((2, 4, 14, 14), 0.125, dtype=np.float32))  # type: ignore[attr-defined]
        app.session.generation += 1
        app.show(app.state)
        await pilot.pause()
        assert app.lines()[:-2] == before
        for _ in range(2):
            app.answer()
            await pilot.pause()
        assert app.lines()[-1].startswith("layer 0 head 0 peaks at 0.125 in")


async def test_motion_goes_from_layer_to_layer_and_stops_at_the_edges() -> None:
    app = InspectorApp(plain(), ViewState(WEIGHTS, view="grid", head=1))
    async with app.run_test(size=(50, 17)) as pilot:
        await pilot.pause()
        places: dict[str, tuple[int, int | None]] = {}
        for where in ("left", "right", "up", "down", "row-end", "bottom", "top", "page-down"):
            state = app.inspector.moved(where, app.state)
            places[where] = int(state.stage.split(".")[1]), state.head
        assert places == {
            "left": (0, 0), "right": (0, 2), "up": (0, 1), "down": (1, 1), "row-end": (0, 3), "bottom": (1, 1),
            "top": (0, 1), "page-down": (1, 1),
        }  # fmt: skip
        await pilot.click("LayerGrid", offset=(GUTTER + 12, 9))
        assert [(state.stage, state.head) for state in app.asked] == [(LAST, 1)]


async def test_stages_that_have_not_run_are_computed_and_enter_opens_one() -> None:
    async with running() as (app, pilot):
        await press(pilot, "8")  # the cursor is before the first stage: attention weights are what is meant
        grid = app.main.inspector.view
        assert isinstance(grid, LayerGrid)
        assert app.controller.state.stage == WEIGHTS
        assert app.controller.position
        assert app.controller.position.cursor == -1
        await press(pilot, "down", "right", "right")
        assert lines_of(grid)[-1].startswith("layer 1 head 2 peaks at ")
        await press(pilot, "enter")
        assert (app.controller.state.view, app.controller.state.stage, app.controller.state.head) == ("heat", LAST, 2)
        assert lines_of(app.main.inspector.view)[-1].startswith('[query=0 "[CLS]", key=0 "[CLS]"] = 0.')
        await press(pilot, "7")
        assert "%" in lines_of(app.main.inspector.view)[1]
        assert app.controller.position.cursor == -1


async def test_a_value_without_heads_says_what_has_them() -> None:
    lines = await shown(fake_session(), ViewState("layers.1.ffn.up", view="grid"), (84, 28))
    assert " ".join(lines[:3]).strip().endswith("the nearest stage that is so is layers.1.attention.weights.")


async def test_a_recording_may_hold_only_some_layers() -> None:
    session = plain()
    session.trace.without = frozenset({WEIGHTS})  # type: ignore[attr-defined]
    lines = await shown(session, ViewState(WEIGHTS, view="grid"), (50, 17))
    assert lines[-1] == "layer 0 head 0: this recording does not hold it"
    assert [line.split() for line in lines if "L0" in line] == [["▸", "L0", "┃", "┃"]]


class Long(Value):
    """Attention of a very long text; counts what is read."""

    axes, dtype = ("batch", "head", "query", "key"), "float32"

    def __init__(self, name: str, length: int) -> None:
        self.name, self.shape, self.read_numbers = name, (1, 4, length, length), 0

    def read(self, index: object = ()) -> np.ndarray:
        shape = self.window_shape(self.bind(index))  # type: ignore[arg-type]
        self.read_numbers += int(np.prod(shape))
        return np.ones(shape, dtype=np.float32)


def test_of_a_very_long_text_some_rows_are_read() -> None:
    session = plain()
    value = session.trace.values[WEIGHTS] = Long(WEIGHTS, 8192)  # type: ignore[attr-defined]
    row = read_layer(session, WEIGHTS, 0, 12, 16)
    assert value.read_numbers <= 2 * MOST_READ
    assert row.every == 64
    assert [picture.picture.shape for picture in row.pictures] == [(12, 16)] * 4
    assert {float(picture.picture.min()) for picture in row.pictures} == {1.0}


async def test_a_fault_of_one_layer_does_not_stop_the_others() -> None:
    from encoder_tui.engine.messages.errors import InputError

    class Broken(Long):
        def read(self, index: object = ()) -> np.ndarray:
            raise InputError("out of memory")

    session = plain()
    session.trace.values[WEIGHTS] = Broken(WEIGHTS, 14)  # type: ignore[attr-defined]
    lines = await shown(session, ViewState(WEIGHTS, view="grid"), (60, 17))
    assert lines[-1] == "layer 0 head 0: out of memory"
    assert any("L1" in line and "▀" in line for line in lines)


class Slow(Long):
    """Attention that takes until it is told to come."""

    def __init__(self, name: str, order: list[str]) -> None:
        super().__init__(name, 14)
        self.shape, self.order = (2, 4, 14, 14), order
        self.begun, self.told = threading.Event(), threading.Event()

    def read(self, index: object = ()) -> np.ndarray:
        self.order.append(self.name)
        self.begun.set()
        assert self.told.wait(30)
        return super().read(index)


async def test_keys_and_commands_do_not_wait_for_all_layers() -> None:
    session = fake_session("")
    order: list[str] = []
    slow = [Slow(name, order) for name in (WEIGHTS, LAST)]
    session.trace.values |= {value.name: value for value in slow}  # type: ignore[attr-defined]
    async with running(lambda progress: session) as (app, pilot):
        app.choose("view grid")
        await until(pilot, slow[0].begun.is_set, "the first layer")
        await pilot.press("right", "right")
        assert app.controller.state.head == 2  # at once: the engine is busy with the first layer
        app.choose("goto tokens.mask")
        slow[0].told.set()
        await until(pilot, lambda: app.controller.position and app.controller.position.cursor == 1, "the command")
        slow[1].told.set()
        await settled(pilot)
        assert order == [WEIGHTS, LAST]


@given(
    st.integers(1, 48), st.integers(1, 64), st.integers(1, 9000), st.integers(1, 9000), st.integers(12, 240),
    st.integers(3, 70), st.booleans(), st.booleans(),
)  # fmt: skip
def test_what_is_said_to_be_on_screen_is(
    layers: int, heads: int, rows: int, columns: int, width: int, height: int, colours: bool, signed: bool
) -> None:
    layout = grid_of(layers, heads, rows, columns, width, height, colours=colours, signed=signed)
    assert layout.layers * layout.height <= max(height, layout.height)
    assert GUTTER + layout.heads * (layout.width + 1) + 1 <= max(width, GUTTER + layout.width + 2)
    assert 1 <= layout.values_down <= rows
    assert 1 <= layout.values_across <= columns
    parts = 2 if colours else 1
    assert layout.values_down * layout.cell_height < layout.height * parts  # a part of a row is free below
    assert layout.values_across * layout.cell_width == layout.width


def test_all_heads_of_bert_base_fit_a_wide_terminal() -> None:
    unzoomed, zoomed = (grid_of(12, 12, 40, 40, *size, colours=True) for size in ((79, 25), (118, 29)))
    assert [(layout.layers, layout.heads) for layout in (unzoomed, zoomed)] == [(12, 12)] * 2
