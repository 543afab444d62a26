"""Where parts side by side begin, and the scale where the legend has given way to rows."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest
from encoder_tui.engine.commands.session import Session
from encoder_tui.engine.program.kinds import Card
from encoder_tui.engine.program.program import Program
from encoder_tui.engine.program.stage import Stage
from encoder_tui.engine.program.value import ArrayValue
from encoder_tui.tui.state.view_state import ViewState
from fakes import STRINGS, Does, FakeTrace, fake_tokens
from inspector_app import InspectorApp

CONTEXT, CONCAT = "layers.0.attention.context", "layers.0.attention.concat"


class Joins(Does):
    """Puts heads side by side."""

    __slots__ = ()
    card: ClassVar[Card] = Card(joins="head")


def session() -> Session:
    """Three heads of ten numbers each, for two tokens, side by side."""
    context = np.linspace(-1, 1, 60, dtype=np.float32).reshape(1, 3, 2, 10)
    concat = np.ascontiguousarray(context.transpose(0, 2, 1, 3)).reshape(1, 2, 30)
    stages = [
        Stage(CONTEXT, Does("as it is"), (), (), ("batch", "head", "token", "head_dim")),
        Stage(CONCAT, Joins("heads of {0} side by side"), (CONTEXT,), (), ("batch", "token", "hidden")),
    ]
    values = {
        stage.name: ArrayValue(stage.name, stage.axes, array, None, {"token": (STRINGS[0][:2],)})
        for stage, array in zip(stages, (context, concat), strict=True)
    }
    made = Session(FakeTrace(Program(stages), fake_tokens(), values))
    made.debugger.goto(1)
    return made


@pytest.mark.parametrize(
    ("view", "column", "ruler"),
    [
        ("heat", 29, "┊head 0 ┊head 1 ┊head 2 ▾29"),
        ("heat", 10, "┊head 0   ▾head 1   ┊head 2"),
        ("numbers", 12, "8 9 ┊head 1 11 12"),
    ],
)
async def test_the_first_column_of_each_head_is_marked(view: str, column: int, ruler: str) -> None:
    app = InspectorApp(session(), ViewState(CONCAT, view=view, column=column))
    async with app.run_test(size=(50 if view == "heat" else 90, 12)) as pilot:
        await pilot.pause()
        shown = [app.inspector.view.render_line(y).text for y in range(2)]
        assert any(" ".join(ruler.split()) in " ".join(line.split()) for line in shown), shown


async def test_the_scale_stands_beside_the_number_where_the_legend_gave_way() -> None:
    app = InspectorApp(session(), ViewState(CONCAT))
    async with app.run_test(size=(60, 20)) as pilot:
        for height in range(20, 5, -1):
            await pilot.resize_terminal(60, height)
            await pilot.pause()
            view = app.inspector.view
            last = [view.render_line(y).text for y in range(view.size.height)][-2:]
            assert "".join(last).count("+1") == 1, (height, last)
