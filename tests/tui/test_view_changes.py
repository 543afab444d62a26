"""Looking elsewhere: from one state of the view to the next."""

from __future__ import annotations

import pytest
from encoder_tui.engine.messages.errors import InputError
from encoder_tui.tui.reading.facts import look
from encoder_tui.tui.state import view_changes
from encoder_tui.tui.state.position import Position, World
from encoder_tui.tui.state.view_state import ViewState
from fakes import HEADS, fake_session
from hypothesis import given
from hypothesis import strategies as st


def position(reached: str = "") -> Position:
    return look(fake_session(reached), None)


def world() -> World:
    return position().world


AT_SCORES = ViewState("layers.0.attention.scores", view="heads", head=1, row=3, column=4)


def test_the_copy_of_where_the_debugger_stands() -> None:
    session = fake_session("layers.0.ffn.up")
    session.debugger.add("layers.*.attention.weights")
    first = look(session, None)
    assert first.stage == "layers.0.ffn.up"
    assert first.furthest == first.cursor == session.trace.program.index("layers.0.ffn.up")
    assert [str(point) for point in first.breakpoints] == ["layers.*.attention.weights"]
    session.debugger.reverse_cont()
    second = look(session, first)
    assert second.world is first.world
    assert (second.stage, second.furthest) == ("layers.0.attention.weights", first.cursor)
    assert first.breakpoints[0].hits == 0
    assert second.breakpoints[0].hits == 1


def test_before_the_first_stage_the_first_is_looked_at() -> None:
    assert view_changes.at_cursor(AT_SCORES, position()).stage == "tokens.ids"


def test_following_the_cursor_keeps_view_head_and_cell() -> None:
    state = view_changes.at_cursor(AT_SCORES, position("layers.0.attention.scaled"))
    assert state == ViewState("layers.0.attention.scaled", view="heads", head=1, row=3, column=4)


@pytest.mark.parametrize(("argument", "head"), [("next", 2), ("previous", 0), ("3", 3), ("0", 0)])
def test_heads(argument: str, head: int) -> None:
    assert view_changes.with_head(AT_SCORES, argument, world()).head == head


@given(st.lists(st.sampled_from(["next", "previous"]), max_size=12))
def test_heads_go_round(steps: list[str]) -> None:
    state, here = AT_SCORES, world()
    for step in steps:
        state = view_changes.with_head(state, step, here)
    assert state.head == (1 + steps.count("next") - steps.count("previous")) % HEADS


def test_heads_that_are_not_there() -> None:
    with pytest.raises(InputError, match="no head 4; there are 4, 0 to 3"):
        view_changes.with_head(AT_SCORES, "4", world())
    with pytest.raises(InputError, match=r"layers\.0\.ffn\.up is not divided into heads"):
        view_changes.with_head(ViewState("layers.0.ffn.up"), "next", world())


def test_texts() -> None:
    assert view_changes.with_text(AT_SCORES, "next", world()).text == 1
    assert view_changes.with_text(AT_SCORES, "previous", world()).text == 1
    with pytest.raises(InputError, match="no text 2; there are 2, 0 to 1"):
        view_changes.with_text(AT_SCORES, "2", world())


def test_layers() -> None:
    assert view_changes.with_layer(AT_SCORES, "next", world()).stage == "layers.1.attention.scores"
    assert view_changes.with_layer(AT_SCORES, "1", world()).stage == "layers.1.attention.scores"
    with pytest.raises(InputError, match="no layer -1; there are 2, 0 to 1"):
        view_changes.with_layer(AT_SCORES, "previous", world())
    with pytest.raises(InputError, match=r"embeddings\.norm is in no layer"):
        view_changes.with_layer(ViewState("embeddings.norm"), "next", world())


def test_finding_goes_round_and_says_which_it_is() -> None:
    here, state = world(), ViewState("layers.0.ffn.up", sought="NORM")
    state, at, count = view_changes.next_found(state, here, 0)
    assert (state.stage, at, count) == ("embeddings.norm", 1, 5)
    names: list[tuple[str, int]] = []
    for _ in range(6):
        state, at, count = view_changes.next_found(state, here, 1)
        names.append((state.stage, at))
    assert names == [
        ("layers.0.attention.norm", 2),
        ("layers.0.ffn.norm", 3),
        ("layers.1.attention.norm", 4),
        ("layers.1.ffn.norm", 5),
        ("embeddings.norm", 1),
        ("layers.0.attention.norm", 2),
    ]
    state, at, _ = view_changes.next_found(state, here, -1)
    assert (state.stage, at) == ("embeddings.norm", 1)
    assert view_changes.next_found(state, here, -1)[0].stage == "layers.1.ffn.norm"


def test_finding_from_elsewhere_goes_to_the_nearest_in_that_direction() -> None:
    here, state = world(), ViewState("layers.0.ffn.up", sought="attention.norm")
    assert view_changes.next_found(state, here, 1)[0].stage == "layers.1.attention.norm"
    assert view_changes.next_found(state, here, -1)[0].stage == "layers.0.attention.norm"


def test_finding_by_anothers_name() -> None:
    assert view_changes.stages_named("blocks.1.attn.hook_pattern", world()) == ["layers.1.attention.weights"]


def test_finding_nothing() -> None:
    with pytest.raises(InputError, match="no stage's name contains 'zebra'"):
        view_changes.next_found(ViewState("tokens.ids", sought="zebra"), world(), 0)
    with pytest.raises(InputError, match="nothing has been looked for"):
        view_changes.next_found(ViewState("tokens.ids"), world(), 1)
