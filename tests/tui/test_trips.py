"""A look costs one trip to the engine's thread: what is known of a stage is on the screen already, its numbers are fetched."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from driving import press, running, settled
from encoder_tui.tui.app.app import EncoderApp
from encoder_tui.tui.reading.work import Receiver, Work
from textual.pilot import Pilot


class Counted:
    """Stands before the engine's thread, and keeps what is asked of it."""

    def __init__(self, app: EncoderApp) -> None:
        self.keys: list[str] = []
        self._want, app.engine.want = app.engine.want, self.want  # type: ignore[method-assign]

    def want(self, sender: Receiver, work: Work) -> None:
        self.keys.append(work.key)
        self._want(sender, work)


@pytest_asyncio.fixture
async def at_the_end() -> AsyncIterator[tuple[EncoderApp, Pilot[int], Counted]]:
    async with running(lines=["goto output", "look layers.0.attention.scores"]) as (app, pilot):
        await settled(pilot)
        yield app, pilot, Counted(app)


@pytest.mark.parametrize(
    ("key", "wanted"),
    [
        ("d", ["inspector.heat"]),  # the next stage
        ("right_curly_bracket", ["inspector.heat"]),  # the next layer
        ("right_square_bracket", ["inspector.heat"]),  # the next head
        ("2", ["inspector.numbers"]),
        ("4", ["inspector.stats"]),
        ("5", ["inspector.why"]),
        ("H", ["inspector.heat"]),  # back to the cursor
        ("l", []),  # the number beside is in the window that was fetched
    ],
)
async def test_one_trip_a_look(at_the_end: tuple[EncoderApp, Pilot[int], Counted], key: str, wanted: list[str]) -> None:
    app, pilot, counted = at_the_end
    before = app.main.inspector.view.shown
    await press(pilot, key)
    assert counted.keys == wanted
    view = app.main.inspector.view
    assert not view.waiting
    assert view.shown is not None
    assert (view.shown is before) == (not wanted)


async def test_the_picture_comes_before_the_text_about_it(at_the_end: tuple[EncoderApp, Pilot[int], Counted]) -> None:
    _, pilot, counted = at_the_end
    await press(pilot, "x", "d")
    assert counted.keys == ["explanation", "inspector.heat", "explanation"]


async def test_a_motion_is_a_line_and_one_trip() -> None:
    async with running(lines=["goto layers.0.attention.scores"]) as (app, pilot):
        await settled(pilot)
        counted = Counted(app)
        await press(pilot, "s")
        assert counted.keys == ["inspector.heat"]
        assert app.main.inspector.view.shown is not None
        assert app.main.inspector.view.shown.subject.stage == "layers.0.attention.scaled"
