"""What is seen first: in which view a stage shows itself, and at which token the cursor begins."""

from __future__ import annotations

from dataclasses import replace

from ...engine.messages.errors import InputError
from ...engine.program.predicting import nearest_prediction, predicted_by
from .position import Position, World
from .view_state import ViewState


def in_its_view(state: ViewState, world: World) -> ViewState:
    """Predictions show themselves as words, unless heat was asked for there; other values have no words to show."""
    if state.view not in ("heat", "words") or state.stage not in world.program:
        return state
    predicts = not state.beside and bool(predicted_by(world.program, state.stage))
    if state.view == "words" and not predicts:
        return replace(state, view="heat")
    return replace(state, view="words") if predicts and not (state.plain or state.whole) else state


def in_words(state: ViewState, world: World) -> ViewState:
    """`view words`: at the nearest stage that predicts any.

    Raises:
        InputError: none does.
    """
    if state.stage in world.program and predicted_by(world.program, state.stage):
        return replace(state, view="words", beside="", plain=False)
    nearest = nearest_prediction(world.program, state.stage)
    if not nearest:
        raise InputError("no stage of this program predicts words or labels; a model with a head for them does")
    return replace(state, stage=nearest, view="words", beside="", plain=False)


def at_mask(state: ViewState, position: Position) -> ViewState:
    """At the first token that stands for a word to be guessed, where the text has one."""
    tokens = position.world.tokens
    strings = tokens.strings[state.text] if tokens.masking and state.text < len(tokens.strings) else ()
    return replace(state, row=strings.index(tokens.masking)) if tokens.masking in strings else state
