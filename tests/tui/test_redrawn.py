"""A key draws again what it changes, and nothing else: textual composes, filters and sends whatever is said to need it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from driving import press, running, settled
from textual.geometry import Region
from textual.widget import Widget


class Redrawn:
    """Counts the lines that widgets say are to be drawn again, by the widget's class, and how often all is laid out anew."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.lines: Counter[str] = Counter()
        self.layouts = 0
        refresh = Widget.refresh

        def counted(widget: Widget, *regions: Region, **named: Any) -> Widget:
            if named.get("repaint", True):
                height = len({y for region in regions for y in region.line_range}) if regions else widget.size.height
                self.lines[type(widget).__name__] += height
            self.layouts += bool(named.get("layout"))
            return refresh(widget, *regions, **named)

        patch.setattr(Widget, "refresh", counted)


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
        assert redrawn.lines["NumberGrid"] == 2 * view.size.height  # as it comes, and once its numbers are there
        assert view.size == view.content_region.size
