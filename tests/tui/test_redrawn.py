"""A key draws again what it changes, and nothing else: textual composes, filters and sends whatever is said to need it."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any, cast

import pytest
from driving import press, running, screen_of, settled
from encoder_tui.engine.commands.screen import VIEWS
from encoder_tui.tui.app import app as app_module
from encoder_tui.tui.app.app import EncoderApp
from encoder_tui.tui.screens.main import MARKED
from encoder_tui.tui.state.position import Position
from encoder_tui.tui.state.subject import Subject
from encoder_tui.tui.state.view_state import ViewState
from fakes import fake_session
from textual.css.stylesheet import Stylesheet
from textual.dom import DOMNode
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget


def strips_of(app: EncoderApp) -> list[Strip]:
    """The screen with its colours."""
    return cast(Any, app.screen)._compositor.render_strips()


class Redrawn:
    """Counts the lines that widgets say are to be drawn again, by the widget's class, and how often all is laid out anew."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.lines: Counter[str] = Counter()
        self.layouts = 0
        refresh, set_dirty = Widget.refresh, cast(Any, Widget)._set_dirty

        def counted(widget: Widget, *regions: Region) -> None:
            height = len({y for region in regions for y in region.line_range}) if regions else widget.size.height
            if height:
                self.lines[type(widget).__name__] += height
            set_dirty(widget, *regions)

        def laid(widget: Widget, *regions: Region, **named: Any) -> Widget:
            self.layouts += bool(named.get("layout"))
            return refresh(widget, *regions, **named)

        patch.setattr(Widget, "_set_dirty", counted)
        patch.setattr(Widget, "refresh", laid)


@pytest.mark.parametrize(
    ("keys", "most"),
    [
        ("l", {"HeatMap": 6, "TokenStrip": 1}),  # the ruler, the cursor's line, the number below; its token's line
        ("j", {"HeatMap": 6, "TokenStrip": 1}),
        ("h", {"HeatMap": 6}),  # on the border: nothing moves
    ],
)
async def test_moving_the_cell_draws_its_lines(
    monkeypatch: pytest.MonkeyPatch, keys: str, most: dict[str, int]
) -> None:
    async with running(lines=["goto output", "look layers.0.attention.weights"]) as (_, pilot):
        await settled(pilot)
        redrawn = Redrawn(monkeypatch)
        await press(pilot, keys)
        assert redrawn.layouts == 0
        assert redrawn.lines <= Counter(most), redrawn.lines


async def test_another_key_of_the_same_lines_draws_its_line_and_that_of_the_one_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running(lines=["goto output", "look layers.0.attention.weights", "view lines"]) as (app, pilot):
        await press(pilot, "l")
        redrawn, view = Redrawn(monkeypatch), app.main.inspector.view
        await press(pilot, "l")
        assert redrawn.lines == Counter({"LinkView": 3, "TokenStrip": 1})  # with the number below
        drawn = screen_of(app)
        assert sum("◂" in line for line in drawn) == 1
        view.refresh()
        await settled(pilot)
        assert screen_of(app) == drawn
        await press(pilot, "j")
        assert redrawn.lines["LinkView"] > view.size.height


@pytest.mark.few(4)
@pytest.mark.parametrize("view", VIEWS)
async def test_lines_that_are_not_drawn_anew_are_as_they_would_be(view: str) -> None:
    stage = "head.mlm.probabilities" if view == "words" else "layers.0.attention.weights"
    async with running(lines=["goto output", f"look {stage}", f"view {view}"], size=(100, 30)) as (app, pilot):
        for key in ("j", "pagedown", "plus", "right_square_bracket", "k", "d", "x"):
            await press(pilot, key)
            drawn = strips_of(app)
            for widget in app.main.query("*").results(Widget):
                widget.refresh()
            await settled(pilot)
            assert strips_of(app) == drawn, key


async def test_why_there_is_no_picture_is_drawn_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(lines=["goto output", "look layers.0.attention.weights", "view product"]) as (app, pilot):
        await press(pilot, "l")
        redrawn = Redrawn(monkeypatch)
        await press(pilot, "j")
        assert redrawn.lines == Counter({"TokenStrip": 1})
        await press(pilot, "u", "d")
        assert "no product" in " ".join(screen_of(app)), screen_of(app)


async def test_a_view_that_was_seen_before_is_laid_out_and_drawn_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(lines=["goto output", "look layers.0.attention.weights"], size=(120, 30)) as (app, pilot):
        await settled(pilot)
        await press(pilot, "2", "1")
        height, redrawn = app.main.inspector.view.size.height, Redrawn(monkeypatch)
        await press(pilot, "2")
        assert redrawn.layouts == 2  # one view goes, one comes
        assert redrawn.lines["NumberGrid"] < 2 * height
        assert redrawn.lines.keys() == {
            "NumberGrid",
            "HeatMap",
            "InspectorHeader",
            "Footer",
        }  # not the tree's scroll bar


async def test_a_view_knows_its_size_before_it_has_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(lines=["goto output", "look layers.0.attention.weights", "map"]) as (app, pilot):
        await settled(pilot)
        await press(pilot, "1")
        redrawn = Redrawn(monkeypatch)
        await press(pilot, "2")
        view = app.main.inspector.view
        assert redrawn.lines["NumberGrid"] < 2 * view.size.height
        assert view.size == view.content_region.size


@pytest.mark.few(4)
@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("late", [False, True])
async def test_a_frame_before_the_layout_that_makes_a_view_lower(view: str, late: bool) -> None:
    stage = "head.mlm.probabilities" if view == "words" else "layers.0.attention.weights"
    async with running(lines=["goto output", f"look {stage}", f"view {view}"], size=(100, 30)) as (app, _):
        shown = app.main.inspector.view
        shown._be_late(late)
        place = shown.size.region
        shown.expect(Size(place.width, place.height - 4))
        shown.refresh()
        assert len(shown.render_lines(place)) == place.height


def test_classes_are_those_of_the_panes_they_are_about() -> None:
    styles = (Path(app_module.__file__).parent / str(EncoderApp.CSS_PATH)).read_text()
    about: dict[str, set[str]] = {name: set() for name in MARKED}
    for pane, classes in re.findall(r"#([\w-]+)((?:\.-\w+)+)", styles):
        for name in classes.split(".")[1:]:
            about[name].add(pane)
    assert about == {name: set(panes) for name, panes in MARKED.items()}
    assert re.findall(r"MainScreen\.(-\w+)", styles) == ["-small", "-small"]


@pytest.mark.parametrize("keys", ["m", "x", "z", "mm", "xx", "zz"])
async def test_a_key_that_lays_the_screen_out_looks_up_no_style(monkeypatch: pytest.MonkeyPatch, keys: str) -> None:
    async with running() as (_, pilot):
        await press(pilot, "1", "x", "x")
        looked_up: list[str] = []
        apply = cast("Any", Stylesheet).apply

        def counted(sheet: Stylesheet, node: DOMNode, **named: Any) -> None:
            looked_up.append(type(node).__name__)
            apply(sheet, node, **named)

        monkeypatch.setattr(Stylesheet, "apply", counted)
        await press(pilot, *keys)
        assert not looked_up


async def test_to_be_late_looks_up_no_style(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(lines=["goto output", "look layers.0.attention.weights"]) as (app, pilot):
        view = app.main.inspector.view

        def apply(sheet: Stylesheet, node: DOMNode, **named: Any) -> None:
            pytest.fail(f"the style of {node} was looked up")

        monkeypatch.setattr(Stylesheet, "apply", apply)
        for late in (True, False):
            view._be_late(late)
            await pilot.pause()
            assert (view.late, view.styles.opacity) == (late, 0.55 if late else 1.0)


@pytest.mark.parametrize("view", ["heat", "stats", "lines"])
@pytest.mark.parametrize("theme", ["dark", "light"])
async def test_what_has_faded_looks_as_it_does_to_textual(view: str, theme: str) -> None:
    lines = ["goto output", "look layers.0.attention.weights", f"view {view}", f"theme {theme}"]
    async with running(lines=lines) as (app, pilot):
        shown = app.main.inspector.view
        plain = shown.render_lines(shown.size.region)
        shown._be_late(True)
        await settled(pilot)
        drawn, size = shown.render_lines(shown.size.region), shown.size.region
        assert drawn == Widget.render_lines(shown, size)
        assert drawn != plain
        shown._be_late(False)
        await settled(pilot)
        assert shown.render_lines(size) == plain


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_the_room_a_value_will_have_is_known_before_the_panes_around_it_come_or_go(
    monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    async with running(size=size) as (app, pilot):
        rooms: list[Size] = []
        inspector, show = app.main.inspector, app.main.inspector.show

        def noted(state: ViewState, subject: Subject | None, position: Position | None, room: Size) -> None:
            rooms.append(room)
            show(state, subject, position, room)

        monkeypatch.setattr(inspector, "show", noted)
        for key in ("m", "m", "x", "z", "x", "colon", "escape", "b", "s", "z", "z", "m", "T", "x", "m"):
            await press(pilot, key)
            assert key in ("colon", "escape") or rooms[-1] == inspector.size, key
            assert not inspector.view.display or inspector.view.size == inspector.view.content_region.size, key


async def test_what_was_imported_for_the_model_is_not_looked_through_for_garbage(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loaded: list[bool] = []
    monkeypatch.setattr("gc.freeze", lambda: loaded.append(bool(known)))
    known: list[str] = []

    def start(progress: Any) -> Any:
        known.append("a model")
        return fake_session("")

    async with running(start):
        assert loaded == [False, True]  # before the first frame is there to be looked at, and once a model stands
