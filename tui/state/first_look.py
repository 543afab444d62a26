"""What is seen first: in which view a stage shows itself, and at which token the cursor begins."""

from __future__ import annotations

from dataclasses import replace

from ...engine.messages.errors import InputError
from ...engine.program.predicting import nearest_prediction, predicted_by
from ...engine.program.word_window import word_window_of
from .position import Position, World
from .subject import window_at
from .view_state import ViewState
from .word_place import at_token, token_of


def looked_at(before: ViewState, state: ViewState, world: World) -> ViewState:
    """A state as it is shown after another one: in the view that its stage has, at the same word where words have windows."""
    program = world.program
    if (
        word_window_of(program) is not None
        and before.stage != state.stage
        and before.stage in program
        and not state.beside
    ):
        token = token_of(before, program[before.stage].axes)  # here it may be a row, there a column or a page
        if token is not None and state.stage in program and not state.beside:
            state = at_token(state, program[state.stage].axes, token)
    return in_its_view(state, world)


def in_its_view(state: ViewState, world: World) -> ViewState:
    """Predictions show themselves as words, and what is in a window round each word as that window, unless heat was asked for
    there; other values have no such picture to show."""
    program = world.program
    if state.stage not in program:
        return state
    if word_window_of(program) is not None and state.view in ("heat", "lines"):
        return _in_window(state, world)
    if state.view not in ("heat", "words"):
        return state
    predicts = not state.beside and bool(predicted_by(program, state.stage))
    if state.view == "words" and not predicts:
        return replace(state, view="heat")
    return replace(state, view="words") if predicts and not (state.plain or state.whole) else state


def _in_window(state: ViewState, world: World) -> ViewState:
    inside = not state.beside and window_at(world.program, state.stage) is not None
    if state.view == "lines":
        return state if inside else replace(state, view="heat")
    return replace(state, view="lines") if inside and not (state.plain or state.whole) else state


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
    """At the first token that stands for a word to be guessed, where the text has one; at the middle of a text whose words
    guess each other."""
    tokens, program = position.world.tokens, position.world.program
    if word_window_of(program) is not None and state.stage in program and state.text < len(tokens.strings):
        return at_token(state, program[state.stage].axes, int(tokens.mask[state.text].sum()) // 2)
    strings = tokens.strings[state.text] if tokens.masking and state.text < len(tokens.strings) else ()
    return replace(state, row=strings.index(tokens.masking)) if tokens.masking in strings else state
