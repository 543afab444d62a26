"""The pictures of the map: they come one by one, old ones are marked, and what cannot be had is said."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest
from driving import lines_of, press, running, screen_of, settled, until
from encoder_tui.engine import Session
from encoder_tui.engine.messages.errors import InputError
from encoder_tui.tui.reading.thumbnail import Thumbnail
from encoder_tui.tui.state.view_state import ViewState
from encoder_tui.tui.views import map_view
from encoder_tui.tui.views.map_view import MapView
from encoder_tui.tui.views.picture import Shown, StyledPieces
from fakes import fake_session
from inspector_app import InspectorApp
from textual.pilot import Pilot


def boxes(view: MapView) -> list[str]:
    return [box.stage for row in view._rows for box in row.boxes]


@pytest.fixture
def session() -> Session:
    return fake_session()


async def test_escape_stops_its_looks_and_the_next_key_goes_on(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, opened = threading.Event(), threading.Event()
    read = map_view.read_thumbnail

    def slowly(session: Session, stage: str, *rest: int) -> Thumbnail:
        if stage == "embeddings.token":
            begun.set()
            assert opened.wait(30)
            if session.stopped():
                raise InputError("stopped on the way")
        return read(session, stage, *rest)

    monkeypatch.setattr(map_view, "read_thumbnail", slowly)
    async with running(lambda progress: session, size=(120, 40)) as (app, pilot):
        await pilot.press("m")
        await until(pilot, begun.is_set, "the third picture")
        view = app.main.inspector.view
        assert isinstance(view, MapView)
        view._is_late()
        await pilot.press("escape")
        opened.set()
        await settled(pilot)
        assert app.controller.state.zoomed
        assert list(view._pictures) == ["tokens.ids", "tokens.one_hot"]
        assert any("╭… token" in line for line in screen_of(app))
        await press(pilot, "right")
        assert sorted(view._pictures) == sorted(boxes(view))


async def test_a_fault_in_one_picture_is_told_and_the_others_come(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = map_view.read_thumbnail

    def failing(session: Session, stage: str, *rest: int) -> Thumbnail:
        return read(session, stage, *rest) if stage != "embeddings.token" else 1 // 0  # type: ignore[return-value]

    monkeypatch.setattr(map_view, "read_thumbnail", failing)
    async with running(lambda progress: session, ["look embeddings.token"], size=(120, 40)) as (app, pilot):
        await press(pilot, "m")
        view = app.main.inspector.view
        assert isinstance(view, MapView)
        assert sorted(view._pictures) == sorted(boxes(view))
        assert "a fault of ours: ZeroDivisionError" in lines_of(view)[-1]


def map_app(session: Session, **options: Any) -> tuple[InspectorApp, MapView]:
    app = InspectorApp(session, ViewState("tokens.ids", view="map"), colours=False, **options)
    view = app.inspector._views["map"]
    assert isinstance(view, MapView)
    return app, view


async def all_answered(app: InspectorApp, pilot: Pilot[None]) -> list[str]:
    """Let every picture come; the stages they are of, in their order. Newer work takes the place of older, as on the engine's thread."""
    stages: list[str] = []
    while app.waiting:
        del app.waiting[:-1]
        stages.append(app.inspector.view._due[0])  # type: ignore[attr-defined]
        app.answer()
        await pilot.pause()
    return stages


def fail(app: InspectorApp, why: str) -> None:
    """Have the picture that is awaited not come."""
    wanted = app.waiting[-1]
    app.waiting.clear()
    wanted.sender.failed(wanted.work, why)


async def test_pictures_come_one_by_one_and_only_those_that_are_not_there_yet() -> None:
    app, view = map_app(fake_session(), held=True)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        every = await all_answered(app, pilot)
        assert every == boxes(view)
        app.show(replace(app.state, stage=every[3]))
        await pilot.pause()
        assert not app.waiting


async def test_pictures_of_a_head_and_a_size_that_one_comes_back_to_are_there() -> None:
    app, view = map_app(fake_session(), held=True)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        await all_answered(app, pilot)
        first = dict(view._pictures)
        app.show(replace(app.state, head=1))
        await pilot.pause()
        assert await all_answered(app, pilot) == boxes(view)
        app.show(replace(app.state, head=0))
        await pilot.resize_terminal(118, 38)
        await all_answered(app, pilot)
        await pilot.resize_terminal(120, 40)
        await pilot.pause()
        assert not app.waiting
        assert view._pictures == first


async def test_what_was_seen_of_another_layer_before_a_change_is_seen_anew() -> None:
    session = fake_session()
    app, view = map_app(session)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        app.show(replace(app.state, stage="layers.1.attention.weights"))
        await pilot.pause()
        of_layer_0 = {stage for stage in view._pictures if stage.startswith("layers.0.attention")}
        assert of_layer_0
        session.changed()
        app.show(app.state)
        await pilot.pause()
        app.show(replace(app.state, stage="layers.0.attention.weights"))
        assert of_layer_0 <= set(view._due)
        await pilot.pause()
        assert not view._due


async def test_a_picture_of_before_is_marked_until_the_new_one_comes() -> None:
    session = fake_session()
    app, view = map_app(session, held=True)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        await all_answered(app, pilot)
        before = app.lines()
        session.changed()
        app.show(app.state)
        await pilot.pause()
        assert app.lines() == before  # a mark that goes at once would only flicker
        view._is_late()
        assert sum(line.count("…") for line in app.lines()) - sum(line.count("…") for line in before) >= len(view._due)
        await all_answered(app, pilot)
        assert app.lines() == before


async def test_stopped_it_asks_for_no_more_until_a_key() -> None:
    app, view = map_app(fake_session(), held=True)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        view._is_late()
        app.inspector.stop()
        fail(app, "stopped on the way")
        await pilot.pause()
        assert not app.waiting
        assert not view._pictures
        assert sum(line.count("…") for line in app.lines()) >= len(view._due)
        app.show(app.state)
        await pilot.pause()
        assert await all_answered(app, pilot) == boxes(view)
        assert not any("✗" in line for line in app.lines())


async def test_a_picture_that_cannot_be_had_is_said_and_the_others_come() -> None:
    app, view = map_app(fake_session(), held=True)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        fail(app, "a fault of ours")
        await pilot.pause()
        assert await all_answered(app, pilot) == boxes(view)[1:]
        assert app.lines()[-1].rstrip() == "✗ a fault of ours"
        assert any("✗" in line for line in app.lines()[:-1])


async def test_a_move_paints_two_boxes_and_the_foot_and_nothing_else() -> None:
    app, view = map_app(fake_session())
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        app.lines()
        painted: set[int] = set()
        paint = view.paint

        def counted(shown: Shown, y: int) -> StyledPieces:
            painted.add(y)
            return paint(shown, y)

        view.paint = counted  # type: ignore[method-assign]
        app.show(replace(app.state, stage=view._rows[1].boxes[0].stage))
        await pilot.pause()
        moved = app.lines()
        assert view._layout is not None
        tops = [view._layout.at(row, 0).y for row in (0, 1)]
        assert painted == {top + y for top in tops for y in range(view._layout.height)} | {38, 39}
        view._strips.clear()
        assert app.lines() == moved  # what was not painted again is as it would be painted
