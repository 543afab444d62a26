from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from driving import lines_of, press, running, screen_of, settled, until
from encoder_tui.engine import Session, load
from encoder_tui.engine.messages.errors import InputError
from encoder_tui.tui.reading.facts import look
from encoder_tui.tui.state import view_changes
from encoder_tui.tui.state.plane import fitted, plane_of, row_labels
from encoder_tui.tui.state.position import World
from encoder_tui.tui.state.subject import subject_of
from encoder_tui.tui.state.view_state import ViewState
from fakes import fake_trace

SENTENCE = "The animal was tired"


def session() -> Session:
    encoder = load(device="cpu")
    return Session(encoder.run(SENTENCE), encoder)


def world() -> World:
    trace = fake_trace()
    return World(trace.program, trace.inputs, trace.shapes, trace.about, live=True)


async def test_the_key_shows_the_weights_one_after_the_other_and_the_value_again() -> None:
    async with running(lambda progress: session(), ["goto embeddings.norm"], size=(120, 40)) as (app, pilot):
        header = app.main.inspector.query_one("InspectorHeader")
        seen: list[str] = []
        for _ in range(3):
            await press(pilot, "W")
            seen.append(lines_of(header)[0].split()[0])
        assert seen == ["embeddings.norm@γ", "embeddings.norm@β", "embeddings.norm"]


async def test_a_position_table_is_seen_whole_and_in_every_view(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with running(lambda progress: session(), ["goto embeddings.position"], size=(120, 40)) as (app, pilot):
        await press(pilot, "W", "down", "down", "right")
        table = app.engine._session.trace.weight("embeddings.position_embeddings.weight")  # type: ignore[union-attr]
        header = lines_of(app.main.inspector.query_one("InspectorHeader"))
        assert header[0].split() == ["embeddings.position@E", "weight"]
        assert header[1] == "position 256 × hidden 128  float32"
        assert header[3] == "E = embeddings.position_embeddings.weight  [256, 128]"
        view = app.main.inspector.view
        assert lines_of(view)[-1] == f"[position=2, hidden=1] = {table[2, 1]!s}"
        assert [line.split()[0] for line in lines_of(view)[1:4]] == ["0", "1", "▸"]
        await press(pilot, "G", "2")
        assert lines_of(app.main.inspector.view)[-1].startswith(f"[position=255, hidden=1] = {table[255, 1]!s}")
        assert app.main.inspector.copy_text() == f"embeddings.position@E[255, 1] = {table[255, 1]!s}"
        await press(pilot, "4")
        assert lines_of(app.main.inspector.view)[1].split()[:2] == ["count", "32,768"]
        await press(pilot, "5")
        assert lines_of(app.main.inspector.view)[0].startswith("A weight was learned, not computed")
        await press(pilot, "enter")
        assert "a weight comes from no other stage" in screen_of(app)[-1]


async def test_a_formula_of_positions_has_a_table_as_a_learned_one_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    encoder = load("preset:transformer-base", "cpu")
    run = Session(encoder.run(SENTENCE), encoder)
    async with running(lambda progress: run, ["goto embeddings.position"], size=(120, 40)) as (app, pilot):
        await press(pilot, "5", "W", "G")
        header = lines_of(app.main.inspector.query_one("InspectorHeader"))
        assert header[0].split() == ["embeddings.position@table", "table"]
        assert header[1] == "position 512 × hidden 512  float32"
        assert header[3] == "table = the rows of all 512 positions that the model has"
        assert app.controller.state.view == "heat"  # a term of `why` is one of the stage's own value
        last = run.trace["embeddings.position@table"].read((511, 0))
        assert lines_of(app.main.inspector.view)[-1].startswith(f"[position=511, hidden=0] = {last!s}")
        await press(pilot, "W")
        assert app.controller.state.beside == ""


async def test_a_weight_is_not_held_against_anything_and_says_so() -> None:
    """Whether something was compared or not: `Nothing compared yet` would be wrong after `compare`."""
    async with running(lambda progress: session(), ["goto layers.0.ffn.up"], size=(120, 40)) as (app, pilot):
        await press(pilot, "6", "W")
        view = app.main.inspector.view
        assert lines_of(view)[0] == "Values are compared, weights are not. W shows the next one, or the value."
        app.controller.run("compare dtype float64", "console")
        await settled(pilot)
        assert lines_of(view)[0] == "Values are compared, weights are not. W shows the next one, or the value."
        await press(pilot, "W", "W")
        await until(pilot, lambda: "B is dtype float64" in lines_of(view)[-1], "the difference of the value")


async def test_what_is_said_of_a_weight_is_said_in_chinese(chinese: None) -> None:
    async with running(lambda progress: session(), ["goto layers.0.ffn.up"], size=(120, 40)) as (app, pilot):
        await press(pilot, "W", "5")
        assert lines_of(app.main.inspector.view)[0].startswith("权重是学出来的")
        await press(pilot, "6")
        assert lines_of(app.main.inspector.view)[0].startswith("比较的是值，不是权重")


async def test_another_layer_keeps_the_weight_and_another_stage_does_not() -> None:
    async with running(lambda progress: session(), ["goto layers.0.ffn.up"], size=(120, 40)) as (app, pilot):
        await press(pilot, "W", "right_curly_bracket")
        header = app.main.inspector.query_one("InspectorHeader")
        assert lines_of(header)[0].split() == ["layers.1.ffn.up@W", "weight"]  # though layer 1 has not run
        await press(pilot, "d")
        assert app.controller.state.beside == ""
        app.choose("look embeddings.norm@β")
        await press(pilot, "4")
        assert lines_of(header)[0].split() == ["embeddings.norm@β", "weight"]


def test_the_command_takes_symbols_and_numbers() -> None:
    state = ViewState("layers.0.ffn.up")
    assert [view_changes.with_weight(state, word, world()).beside for word in ("W", "1", "next", "off")] == [
        "W",
        "W",
        "W",
        "",
    ]
    assert view_changes.with_weight(replace(state, beside="W"), "next", world()).beside == ""


@pytest.mark.parametrize(
    ("stage", "word", "live", "said"),
    [
        ("layers.0.ffn.up", "b", True, "layers.0.ffn.up has no weight 'b'; it has W"),
        ("layers.0.attention.scores", "next", True, "layers.0.attention.scores has no weights"),
        ("layers.0.ffn.up", "next", False, "a recording holds no weights"),
    ],
)
def test_what_cannot_be_shown_is_said(stage: str, word: str, live: bool, said: str) -> None:
    with pytest.raises(InputError, match=said):
        view_changes.with_weight(ViewState(stage), word, replace(world(), live=live))


def test_position_stages_have_positions_beside_their_tokens() -> None:
    found = session()
    subject = subject_of(look(found, None), "embeddings.position")
    labels = row_labels(plane_of(subject, ViewState("embeddings.position")), subject)
    assert labels == ("0 [CLS] ", "1 the   ", "2 animal", "3 was   ", "4 tired ", "5 [SEP] ")
    assert [fitted(label, 8) for label in labels[:3]] == ["0 [CLS] ", "1 the   ", "2 animal"]
    assert [fitted(label, 6) for label in labels[:3]] == ["0 [CL…", "1 the ", "2 ani…"]
    other = subject_of(look(found, None), "embeddings.token")
    assert row_labels(plane_of(other, ViewState("embeddings.token")), other)[2] == "animal"


def test_the_picture_of_positions_has_two_colours_around_zero() -> None:
    from encoder_tui.tui.reading.heat import read_heat
    from encoder_tui.tui.reading.window import all_of

    found = session()
    plane = plane_of(
        subject_of(look(found, None), "embeddings.position", "E"), ViewState("embeddings.position", beside="E")
    )
    heat = read_heat(found, plane, all_of(plane), 0, "float32")
    assert heat.scale.signed
    assert heat.codes.shape == (256, 128)
    assert np.array_equal(heat.codes < 15, heat.window.numbers < -heat.scale.limit / 30)
