"""A value of which a recording kept a corner, or statistics alone: on the screen, said, and never taken for the whole."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from driving import press, running, screen_of, write
from encoder_tui.engine.commands.session import Session
from encoder_tui.engine.program.program import Program
from encoder_tui.engine.program.stats import gather
from encoder_tui.engine.traces.in_memory import MemoryRecording, Moment
from encoder_tui.engine.traces.recorded_values import LeftOut
from fakes import fake_session

WHY = "over the budget of 8 bytes; record(..., budget=BYTES) with more keeps it"


def left_out(corner: tuple[slice, ...] | None) -> Session:
    """A recording of one attention, all of whose weights but a corner were given up."""
    trace = fake_session("").trace
    name = next(stage.name for stage in trace.program if stage.part == "weights")
    whole = trace.value(name).numpy()
    kinds = {each: (tuple(trace.shapes[each]), trace.value(each).dtype) for each in trace}
    numbers: dict[str, Any] = {each: trace.value(each).numpy() for each in trace if each != name and trace.has(each)}
    rest = LeftOut(WHY, gather([whole], [whole]), whole[corner] if corner else None)
    program = Program(trace.program.stages, trace.program.aliases, trace.weight_shapes)
    return Session(
        MemoryRecording(Moment(program, trace.inputs, dict(trace.about), kinds, numbers, left_out={name: rest}))
    )


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_a_corner_is_shown_as_one(size: tuple[int, int]) -> None:
    session = left_out((slice(None), slice(1), slice(3), slice(2)))
    name = next(iter(session.trace.addresses("*@kept")))
    shape = session.trace.value(name.partition("@")[0]).shape
    async with running(lambda progress: session, size=size) as (app, pilot):
        await press(pilot, "colon")
        await write(pilot, f"look {name.partition('@')[0]}")
        await press(pilot, "escape")
        screen = "\n".join(screen_of(app))
        assert name in screen
        assert f"kept are the first [{shape[0]}, 1, 3, 2] of [" in screen
        for keys in (("]", "]"), ("j",) * 9, ("l",) * 9, ("G",), ("4",), ("7",), ("2",), ("x",)):
            await press(pilot, *keys)
            assert "✗" not in "\n".join(screen_of(app)), keys


async def test_of_statistics_alone_what_they_are_is_said() -> None:
    session = left_out(None)
    name = next(stage.name for stage in session.trace.program if stage.part == "weights")
    figures = session.trace.value(name).stats()
    async with running(lambda progress: session, size=(120, 40)) as (app, pilot):
        await press(pilot, "colon")
        await write(pilot, f"look {name}")
        await press(pilot, "escape")
        screen = " ".join(" ".join(screen_of(app)).split())
        assert "Not kept: over the budget of 8 bytes;" in screen
        assert f"max {figures.max:.4g}" in screen
        assert not np.isnan(figures.max)
