"""Frames come when there is something to be drawn, one for each key, and none is waited for."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from driving import press, running
from encoder_tui.tui.app.app import EncoderApp
from encoder_tui.tui.drawing.inked import InkedWidget
from encoder_tui.tui.drawing.linewise import LinewiseWidget
from encoder_tui.tui.screens.main import MainScreen
from encoder_tui.tui.views.value_view import ValueView
from rich.cells import cell_len
from rich.segment import Segment
from textual.geometry import Region, Size
from textual.strip import Strip

TURNS = 50  # of the event loop, which does not wait


class Frames:
    """What is drawn, and how often all is laid out."""

    def __init__(self, patch: pytest.MonkeyPatch, app: EncoderApp) -> None:
        self.drawn = self.layouts = 0
        display, layout = cast(Any, app)._display, cast(Any, MainScreen)._refresh_layout

        def displayed(screen: MainScreen, update: object) -> None:
            self.drawn += update is not None
            display(screen, update)

        def laid(screen: MainScreen, *arguments: object, **named: object) -> None:
            self.layouts += 1
            layout(screen, *arguments, **named)

        patch.setattr(app, "_display", displayed)
        patch.setattr(MainScreen, "_refresh_layout", laid)


async def test_a_frame_does_not_wait_for_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running() as (app, _):
        frames = Frames(monkeypatch, app)
        for count in range(1, 6):
            app.main.title_line.refresh()
            for _ in range(TURNS):
                await asyncio.sleep(0)
            assert frames.drawn == count


async def test_a_frame_waits_a_little_for_what_is_being_read(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running() as (app, _):
        frames, timer = Frames(monkeypatch, app), app.main.frames
        timer.expect("numbers")
        timer.expect("text")
        app.main.title_line.refresh()
        timer.came("numbers")
        await asyncio.sleep(0)
        assert frames.drawn == 0
        timer.came("text")
        for _ in range(TURNS):
            await asyncio.sleep(0)
        assert frames.drawn == 1
        timer.expect("what never comes")
        app.main.title_line.refresh()
        while frames.drawn < 2:
            await asyncio.sleep(0.001)


@pytest.mark.parametrize(
    ("key", "size", "frames_most"),
    [
        ("1", (120, 40), 1),
        ("left_curly_bracket", (120, 40), 1),  # another layer, whose tree is longer or shorter
        ("right_curly_bracket", (100, 30), 1),
        ("x", (120, 40), 2),  # its text comes later
        ("x", (100, 30), 2),
        ("m", (100, 30), 2),
    ],
)
async def test_a_key_that_lays_the_screen_out_does_it_once_and_draws_it_once(
    monkeypatch: pytest.MonkeyPatch, key: str, size: tuple[int, int], frames_most: int
) -> None:
    async with running(lines=["goto output", "look layers.1.attention.weights"], size=size) as (app, pilot):
        await press(pilot, "2", "1", *[key] * 2, "2")  # its numbers have been read
        frames = Frames(monkeypatch, app)
        await press(pilot, key)
        assert frames.layouts <= 1
        assert frames.drawn <= frames_most
        tree = app.main.program
        assert tree.show_vertical_scrollbar == (len(tree.faces) > tree.container_size.height)


async def test_a_scroll_bar_comes_and_goes_with_the_pane_below(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(lines=["goto output", "look layers.1.attention.weights"]) as (app, pilot):
        tree = app.main.program
        await pilot.resize_terminal(120, 40 + len(tree.faces) - tree.container_size.height)  # just high enough
        await press(pilot, "x", "x")
        frames = Frames(monkeypatch, app)
        for shown in (True, False, True):
            await press(pilot, "x")
            assert tree.show_vertical_scrollbar is tree.vertical_scrollbar.display is shown
        assert frames.layouts == 3


class Sent:
    """What stands on a terminal that was sent every frame: of each cell its character and how that looks."""

    def __init__(self, patch: pytest.MonkeyPatch, app: EncoderApp) -> None:
        self.app = app
        self.lines: list[list[Cell]] = self.anew()
        display = cast(Any, app)._display

        def displayed(screen: MainScreen, update: Any) -> None:
            for x, y, strip in update.drawn if update is not None else ():
                cells = cells_of(strip)
                self.lines[y][x : x + len(cells)] = cells
            display(screen, update)

        patch.setattr(app, "_display", displayed)

    def anew(self) -> list[list[Cell]]:
        """The whole screen drawn by Textual's own compositor, from widgets that have kept nothing."""
        main = self.app.main
        for widget in main.query("*").results(InkedWidget):
            widget._forget_lines()
            widget._styles_cache.clear()
            if isinstance(widget, ValueView):
                widget._strips.clear()
        return [cells_of(strip) for strip in main._compositor.render_strips()]


Cell = tuple[str, object]


def cells_of(strip: Strip) -> list[Cell]:
    """Of each cell its character and how that looks; the second cell of a wide character has none."""
    cells: list[Cell] = []
    for text, style, _ in strip:
        look = style and (style.color, style.bgcolor, style._attributes & style._set_attributes)
        for character in text:
            cells += [(character, look), ("", look)][: cell_len(character)]
    return cells


# views, panes that come and go, motions, other stages; what comes back to a view comes with a header of another height
WALK = (
    "1 8 7 3 4 Z 9 1 2 m l m 5 x l 0 j x d d m 1 Z j l Z z 6 z m x 8 j 7 x pagedown d 4 u colon escape s S b m b p "
    "1 u d u right_square_bracket left_square_bracket l j 9 d 9 j k u 2 d u"  # and back to what was seen
)


@pytest.mark.parametrize("size", [(80, 24), (100, 30), (120, 40), (200, 60)])
async def test_what_was_sent_to_the_terminal_is_what_is_shown(
    monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    async with running(lines=["goto output", "look layers.0.attention.weights"], size=size) as (app, pilot):
        sent = Sent(monkeypatch, app)
        for number, key in enumerate(WALK.split()):
            await press(pilot, key)
            drawn = [list(line) for line in sent.lines]
            assert drawn == sent.anew(), (number, key)


async def test_lines_are_drawn_as_textual_draws_them(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(lines=["goto output", "look layers.0.attention.weights"], size=(100, 30)) as (app, pilot):
        for key in ("1", "x", "7", "m", "4", "colon"):
            await press(pilot, key)
            places = app.main._compositor.visible_widgets
            for widget in filter(lambda each: isinstance(each, InkedWidget), places):
                all_of_it = Region(0, 0, *places[widget][0].size)
                own = [cells_of(strip) for strip in widget.render_lines(all_of_it)]
                widget._styles_cache.clear()
                textual = widget._styles_cache.render_widget(widget, all_of_it)
                assert own == [cells_of(strip) for strip in textual], (key, widget)


async def test_each_cell_is_the_front_most_widgets(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running() as (app, pilot):
        for key in ("1", "x", "m", "colon"):
            await press(pilot, key)
            compositor = cast(Any, app.main._compositor)
            for y, line in enumerate(compositor.owners):
                assert [owned.start for owned in line] == [0, *(owned.end for owned in line[:-1])]
                assert line[-1].end == app.size.width
                for owned in line:
                    for x in (owned.start, owned.end - 1):
                        widget, region = compositor.get_widget_at(x, y)
                        assert (owned.widget, owned.left, owned.top) == (widget, region.x, region.y)


class Sized(LinewiseWidget):
    """Each line says how many there are."""

    def __init__(self) -> None:
        super().__init__()
        self.now = Size(4, 3)

    @property
    def size(self) -> Size:
        return self.now

    def draw_line(self, y: int) -> Strip:
        return Strip([Segment(f"{y}/{self.now.height} ")])


def test_what_was_painted_for_another_size_is_not_drawn() -> None:
    """A layout may come between painting and the frame: a header that grew from three lines to five had its tabs twice."""
    widget: Any = Sized()
    widget.redraw()
    widget._exchange_repaint_regions()
    assert [widget.render_line(y).text for y in range(3)] == ["0/3 ", "1/3 ", "2/3 "]
    widget._seen_lines.clear()
    widget.redraw()
    widget._exchange_repaint_regions()
    widget.now = Size(4, 5)
    assert [widget.render_line(y).text for y in range(5)] == ["0/5 ", "1/5 ", "2/5 ", "3/5 ", "4/5 "]
