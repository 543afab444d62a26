"""Keys at random and by the kept files: nothing crashes, nothing hangs, and what is over the screen leaves once."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest
from driving import press, running, settled, until
from encoder_tui.engine import Session
from encoder_tui.engine.messages.translation import use
from encoder_tui.tui.app.app import EncoderApp
from encoder_tui.tui.screens.keys import KeysScreen
from encoder_tui.tui.screens.modal import PaletteScreen, opened
from fakes import fake_session
from textual import events
from textual.css.query import NoMatches

from tests.fuzz.gestures import BOUND, Gesture, draw, read, send
from tests.fuzz.in_process import leave, play
from tests.fuzz.keys import from_file, written

KEPT = sorted((Path(__file__).parent.parent / "fuzz" / "keys").glob("*.txt"))
RUNS, KEYS = 3, 100


@contextmanager
def speaking(language: str) -> Generator[None]:
    use(language)
    try:
        yield
    finally:
        use("en")


async def plays(gestures: list[Gesture]) -> EncoderApp:
    """Do all that on a fake encoder and leave; the app, which must have left well."""
    app = EncoderApp(lambda progress: fake_session(""))
    async with app.run_test(size=(120, 40)) as pilot:
        await play(pilot, gestures)
        left = await leave(pilot)
        app.engine.close()
    assert app.failure is None
    assert app.faults.folder is None, (app.faults.folder / "traceback.txt").read_text("utf-8")
    assert left
    return app


@pytest.mark.parametrize("seed", range(RUNS))
async def test_random_keys(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    chance = random.Random(seed)
    with speaking("zh" if seed % 2 else "en"):
        await plays(draw(chance, KEYS))


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.stem)
async def test_what_went_wrong_once(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    _, language, gestures = from_file(path)
    with speaking(language):
        await plays(gestures)


def test_gestures_are_read_as_they_are_written() -> None:
    drawn = draw(random.Random(1), 2000, calm=True)
    assert {gesture.kind for gesture in drawn} == {"send", "size", "wait", "stop"}
    assert [read(str(gesture)) for gesture in drawn] == drawn
    assert written("text", "zh", drawn[:2], "so").splitlines() == ["# so", "scene text zh", *map(str, drawn[:2])]
    assert {"s", "[", "\x1b[21~", ":", "?"} <= set(BOUND)  # bound keys as a terminal sends them
    assert "q" not in BOUND


@pytest.mark.parametrize("keys", [("question_mark", "x"), ("ctrl+p", "escape")], ids=["help", "palette"])
async def test_what_is_over_the_screen_leaves_before_the_next_key(keys: tuple[str, str]) -> None:
    async with running() as (app, pilot):
        for key in (*keys, "s", "s"):
            app.post_message(events.Key(key, None))
        await settled(pilot)
        assert app.screen is app.main
        assert app.controller.position is not None
        assert app.controller.position.cursor == 1


async def test_a_key_that_closes_help_does_no_more() -> None:
    app = await plays([send("?"), send("q"), send("q")])
    assert app.return_value == 0  # the second q left


async def test_a_screen_below_another_takes_nothing_away() -> None:
    async with running() as (app, pilot):
        await press(pilot, "question_mark")
        below = app.screen
        assert isinstance(below, KeysScreen)
        opened(app, PaletteScreen())
        await pilot.pause()
        below.dismiss()  # a click, say, that came late
        await pilot.pause()
        assert [type(screen) for screen in app.screen_stack] == [type(app.main), KeysScreen, PaletteScreen]
        await press(pilot, "escape")
        assert app.screen is below
        below.dismiss()
        below.dismiss()
        await pilot.pause()
        assert app.screen is app.main


def loading() -> tuple[threading.Event, Callable[[object], Session]]:
    """A model that takes as long as one likes, and what says that it is there."""
    loaded = threading.Event()

    def start(progress: object) -> Session:
        assert loaded.wait(30)
        return fake_session("")

    return loaded, start


async def test_a_key_that_looks_elsewhere_while_a_model_is_loaded_is_done_once_it_is_there() -> None:
    loaded, start = loading()
    app = EncoderApp(start, on_map=True)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: app.controller.keyboard, "the commands")
        for key in ("7", "x"):
            app.post_message(events.Key(key, None))
        await pilot.pause()
        assert app.controller.position is None
        loaded.set()
        await settled(pilot)
        assert (app.controller.state.view, app.controller.state.explained) == ("lines", True)
        app.engine.close()


@pytest.mark.parametrize("on_map", [True, False])
@pytest.mark.parametrize("times", [1, 2])
async def test_the_map_is_not_left_before_it_has_been_seen(times: int, on_map: bool) -> None:
    loaded, start = loading()
    app = EncoderApp(start, on_map=on_map)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: app.controller.keyboard, "the commands")
        for _ in range(times):
            app.post_message(events.Key("m", None))
        await pilot.pause()
        loaded.set()
        await settled(pilot)
        assert app.controller.state.view == "map"
        await press(pilot, "m")
        assert app.controller.state.view == "heat"
        app.engine.close()


async def test_a_key_while_the_app_closes_is_for_nobody() -> None:
    async with running() as (app, pilot):
        opened(app, PaletteScreen())
        await pilot.pause()
        app._screen_stack.remove(app.main)  # the screens are closed one after the other
        await app.on_event(events.Key("escape", None))
        app._screen_stack.insert(0, app.main)
        assert len(app.screen_stack) == 2


async def test_a_screen_is_opened_once() -> None:
    async with running(lines=["keys", "palette", "keys", "keys"]) as (app, pilot):
        await until(pilot, lambda: len(app.screen_stack) == 3, "both screens")
        await settled(pilot)
        assert [type(screen) for screen in app.screen_stack[1:]] == [KeysScreen, PaletteScreen]


async def test_what_is_asked_of_a_world_that_is_gone_is_not_looked_at() -> None:
    async with running() as (app, pilot):
        app.controller.look_at("layers.7.ffn.of.another.model")
        await settled(pilot)
        assert app.controller.state.stage == "tokens.ids"  # the one that comes first


@pytest.mark.parametrize("leaves", [True, False])
async def test_work_that_fails_is_no_fault_where_its_screen_has_left(leaves: bool) -> None:
    async def late() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise NoMatches("no list any more") from None

    palette = PaletteScreen()
    with nullcontext() if leaves else pytest.raises(NoMatches):
        async with running() as (app, pilot):
            opened(app, palette)
            await pilot.pause()
            worker = palette.run_worker(late())
            await pilot.pause()
            if leaves:
                palette.dismiss()
            else:
                worker.cancel()
            await until(pilot, lambda: worker.is_finished, "the end of the work")
            await settled(pilot)
    assert (app.failure is None) == leaves
