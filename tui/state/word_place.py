"""Which token of the text a state looks at, by the axes of the value: its row, its column, or the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ...engine.program.index import TOKEN_AXES
from .plane import paged
from .view_state import ViewState


def token_of(state: ViewState, axes: Sequence[str]) -> int | None:
    """The token of the text that is looked at; None where the value has no axis of tokens that one goes along."""
    if set(axes[-2:-1]).intersection(TOKEN_AXES):
        return state.row
    if set(axes[-1:]).intersection(TOKEN_AXES):
        return state.column
    return state.head if paged(axes) == "token" else None


def at_token(state: ViewState, axes: Sequence[str], token: int) -> ViewState:
    """The state at another token of the text: in its row, else in its column, else on its page."""
    if set(axes[-2:-1]).intersection(TOKEN_AXES):
        return replace(state, row=token)
    if set(axes[-1:]).intersection(TOKEN_AXES):
        return replace(state, column=token)
    return replace(state, head=token) if paged(axes) == "token" else state
