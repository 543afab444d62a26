"""From a number to what it is made of, and back: plain functions from one `ViewState` to the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ...engine.messages.errors import InputError
from ...engine.program.index import parse_index, split_index
from .plane import LOOKUP_AXES, plane_at, within_plane
from .position import World
from .view_state import Spot, ViewState


def cell_of(state: ViewState, world: World) -> tuple[int, ...]:
    """The full index of the element under the cell cursor."""
    stage = world.program[state.stage]
    plane = plane_at(stage.name, stage.axes, world.shapes[stage.name], state)
    cell = within_plane(state, plane)
    return plane.cell(cell.row, cell.column)


def at_element(state: ViewState, world: World, stage: str, index: Sequence[int | None]) -> ViewState:
    """Look at one element. Along an axis of size one, which stands for any index, or without a place, it stays where it was."""
    axes, shape = world.program[stage].axes, world.shapes[stage]
    fields = [LOOKUP_AXES.get(axis, "") for axis in axes]
    fields[-2:] = ["row", "column"][-len(axes) :] if axes else []
    wanted = {
        field: at
        for field, at, size in zip(fields, index, shape, strict=True)
        if field and at is not None and (size > 1 or field in ("row", "column"))
    }
    return replace(state, stage=stage, term=0, factor=0, **wanted)


def at_difference(state: ViewState, world: World, element: str) -> ViewState:
    """Look at one element, `STAGE[0, 3, 7]`, beside what it was compared with."""
    stage, index = split_index(element)
    places = [at if isinstance(at, int) else None for at in parse_index(index or "").positional]
    return replace(at_element(state, world, stage, places), beside="", view="diff")


def followed(state: ViewState, world: World, name: str, stage: str, index: Sequence[int]) -> ViewState:
    """Go to an operand, and remember what it is an operand of.

    Args:
        name: of the number that is left.
        stage, index: the operand.
    """
    spot = Spot(name, state.stage, state.text, state.head, state.row, state.column, state.term, state.factor)
    there = at_element(state, world, stage, index)
    return replace(there, view="why", trail=(*state.trail, spot))


def back(state: ViewState) -> ViewState:
    """Return to the number whose operand was followed last, as it was left.

    Raises:
        InputError: none was followed.
    """
    if not state.trail:
        raise InputError("no operand was followed yet; enter follows the one that is chosen in the view `why`")
    spot = state.trail[-1]
    return replace(
        state, view="why", stage=spot.stage, text=spot.text, head=spot.head, row=spot.row, column=spot.column,
        term=spot.term, factor=spot.factor, trail=state.trail[:-1],
    )  # fmt: skip


def anew(before: ViewState, after: ViewState) -> ViewState:
    """The first term is chosen where another number is looked at than before, unless someone followed an operand to it."""
    if before.trail == after.trail and _number(before) != _number(after):
        return replace(after, term=0, factor=0)
    return after


def _number(state: ViewState) -> tuple[str, int, int, int, int]:
    return state.stage, state.text, state.head, state.row, state.column
