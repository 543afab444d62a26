"""The view `diff`: ours, the reference and the difference."""

from __future__ import annotations

import numpy as np
import pytest
from driving import lines_of, press, running, screen_of, settled, until, write
from encoder_tui.engine import Encoder, load
from encoder_tui.engine.commands import TABLE
from encoder_tui.engine.commands.session import Session
from encoder_tui.tui.reading.facts import look
from encoder_tui.tui.state.comparison import Against, against_of
from encoder_tui.tui.state.view_state import ViewState
from inspector_app import InspectorApp
from rich.cells import cell_len

WEIGHTS, NORM = "layers.1.attention.weights", "embeddings.norm"


@pytest.fixture
def session(small: Encoder) -> Session:
    session = Session(small.run("The cat sat on the mat"), small)
    session.debugger.cont()
    return session


async def seen(session: Session, state: ViewState, size: tuple[int, int] = (100, 20)) -> list[str]:
    app = InspectorApp(session, state, colours=False)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        lines = app.lines()
    assert {cell_len(line) for line in lines} == {size[0]}
    return [line.rstrip() for line in lines]


async def test_before_a_comparison_it_says_how_to_make_one(session: Session) -> None:
    lines = await seen(session, ViewState(WEIGHTS, view="diff"), (60, 8))
    assert lines[0] == "Nothing compared yet: try :compare dtype float64"
    assert not any(lines[1:])


async def test_an_equal_run_is_all_zero(session: Session) -> None:
    TABLE.execute(session, 'compare text "The cat sat on the mat"')
    lines = await seen(session, ViewState(NORM, view="diff", row=1))
    number = session.trace.value(NORM).read((0, 1, 0))
    assert "all zero" in lines[-5]
    assert lines[-4] == f'[token=1 "the", hidden=0]  A {number!s}  B {number!s}  A−B 0.0'
    assert lines[-3].startswith("largest 0  mean 0  relative 0  0 ulps")
    assert lines[-2] == "equal to the last bit; no stage is beyond"
    assert lines[-1] == "A is this run, B is text The cat sat on the mat"


async def test_three_numbers_and_figures(session: Session) -> None:
    TABLE.execute(session, "compare dtype float64")
    lines = await seen(session, ViewState(NORM, view="diff", row=1, column=2))
    ours, theirs = session.trace.value(NORM).read((0, 1, 2)), session.reference.trace.value(NORM).read((0, 1, 2))
    assert lines[-4] == f'[token=1 "the", hidden=2]  A {ours!s}  B {theirs}  A−B {np.float64(ours) - theirs!s}'
    row = session.reference.comparison.row(NORM)
    assert f"largest {row.largest:.3g}  mean {row.mean:.3g}" in lines[-3]
    assert lines[-2].startswith("within tolerance ")


def against(session: Session, stage: str) -> Against:
    """What is said of a stage beside its reference."""
    held = against_of(look(session, None).compared, session.trace.program[stage])
    assert held is not None
    return held


async def test_the_first_stage_beyond_is_said_there_and_elsewhere(session: Session) -> None:
    TABLE.execute(session, "fork")
    TABLE.execute(session, "scale embeddings.sum[0, 1, 0] 2")
    TABLE.execute(session, "compare fork 0")
    assert against(session, "embeddings.sum").verdict == "✗ the first stage beyond tolerance 0"
    assert against(session, NORM).verdict == "✗ beyond tolerance 0; first: embeddings.sum (D)"
    assert against(session, "embeddings.token").verdict == "equal to the last bit; first: embeddings.sum (D)"
    assert (await seen(session, ViewState("embeddings.sum", view="diff")))[-2] == "✗ the first stage beyond tolerance 0"


async def test_where_the_verdict_does_not_fit_the_first_stage_stands_whole(session: Session) -> None:
    TABLE.execute(session, 'compare text "A dog sat on the mat"')
    assert session.reference is not None
    first = session.reference.comparison.first
    assert first is not None
    wide, narrow = [
        (await seen(session, ViewState(WEIGHTS, view="diff", row=1), (width, 20)))[-2] for width in (100, 42)
    ]
    assert wide.startswith("✗ beyond tolerance ")
    assert wide.endswith(f"; first: {first.name} (D)")
    assert narrow == f"✗ first: {first.name} (D)"


async def test_after_a_change_the_old_figures_are_not_shown(session: Session) -> None:
    TABLE.execute(session, "compare dtype float64")
    TABLE.execute(session, "scale embeddings.sum[0, 1, 0] 2")
    shown = against(session, NORM)
    assert (shown.figures, shown.verdict) == (
        (), "values have changed since: `compare dtype float64` again for figures",
    )  # fmt: skip


async def test_tokens_of_another_text_are_named_and_those_alone_are_said(session: Session) -> None:
    TABLE.execute(session, 'compare text "The dog sat on the small mat"')
    lines = await seen(session, ViewState(NORM, view="diff", row=2))
    assert next(line for line in lines if line.startswith("▸")).split()[0] == "▸cat≠dog"
    assert lines[-1].startswith("without a partner in theirs: 'small' at 6; paired though different: cat / dog")


async def test_a_token_of_ours_without_a_partner_has_no_difference(session: Session) -> None:
    TABLE.execute(session, 'compare text "The cat sat on mat"')
    lines = await seen(session, ViewState(WEIGHTS, view="diff", row=5, column=1))
    assert lines[-1].startswith("without a partner in ours: 'the' at 5")
    assert "B no partner  A−B -" in lines[-4]
    assert "╱ 15 without a partner" in lines[-5]
    row = next(line for line in lines if line.startswith("▸"))
    assert "the≠∅" in row
    assert "╱╱" in row


async def test_a_stage_the_reference_lacks_says_so(session: Session) -> None:
    TABLE.execute(session, 'compare text "The cat sat"')
    session.reference.trace.has = lambda name: name != NORM  # type: ignore[method-assign]
    lines = await seen(session, ViewState(NORM, view="diff"), (90, 8))
    assert lines[0] == f"the reference (text The cat sat) has no {NORM}"


@pytest.mark.few(2)
@pytest.mark.parametrize("size", [(1, 1), (17, 4), (23, 9), (50, 14), (84, 28), (200, 60)])
async def test_no_size_is_too_small_or_too_large(session: Session, size: tuple[int, int]) -> None:
    TABLE.execute(session, 'compare text "A dog sat on the small mat"')
    for stage in (NORM, WEIGHTS, "tokens.ids", "mask.additive", "tokens.one_hot"):
        await seen(session, ViewState(stage, view="diff", row=3, column=3, head=2), size)


async def test_comparing_brings_the_view_to_life(session: Session) -> None:
    async with running(lambda progress: session) as (app, pilot):
        await press(pilot, "6")
        view = app.main.inspector.view
        assert lines_of(view)[0] == "Nothing compared yet: try :compare dtype float64"
        app.controller.run("compare dtype float64", "console")
        await settled(pilot)
        await until(pilot, lambda: "B is dtype float64" in lines_of(view)[-1], "the difference")
        assert "A " in lines_of(view)[-4]
        assert " A−B " in lines_of(view)[-4]


async def test_small_differences_are_written_in_a_unit_of_their_own(session: Session) -> None:
    TABLE.execute(session, "compare dtype float64")
    lines = await seen(session, ViewState(WEIGHTS, view="diff", row=1, column=2), (100, 24))
    apart = session.trace.value(WEIGHTS).read((0, 0)) - session.reference.trace.value(WEIGHTS).read((0, 0))
    power = int(np.floor(np.log10(np.abs(apart).max())))
    assert lines[-3].startswith(f"cells ×1e{power}  largest ")
    assert f"{apart[1, 2] / 10.0**power:+.3f}".replace("0.", ".", 1)[:4] in next(x for x in lines if x.startswith("▸"))


async def test_ids_differ_or_are_equal_and_nothing_more(session: Session) -> None:
    TABLE.execute(session, 'compare text "The dog sat on the mat"')
    lines = await seen(session, ViewState("tokens.ids", view="diff", column=2))
    ours, theirs = (side.value("tokens.ids").read((0, 2)) for side in (session.trace, session.reference.trace))
    assert lines[-4] == f'[batch=0, token=2 "cat≠dog"]  A {ours}  B {theirs}  they differ'
    assert [mark for mark in lines[2] if mark in "≠="] == [*"==≠", *"=" * 5]


async def test_a_key_goes_to_the_first_difference(small: Encoder) -> None:
    def start(progress: object) -> Session:
        session = Session(small.run("The cat sat on the mat"), small)
        for line in ("fork", "patch layers.0.ffn.up[0, 3, 7] = 9"):
            TABLE.execute(session, line)
        return session

    async with running(start) as (app, pilot):
        await press(pilot, "D")
        assert "nothing has been compared yet" in "".join(screen_of(app))
        await press(pilot, "colon")
        await write(pilot, "compare fork 0")
        await press(pilot, "escape", "D")
        state = app.controller.state
        assert (state.stage, state.view, state.row, state.column) == ("layers.0.ffn.up", "diff", 3, 7)
        await press(pilot, "colon")
        await write(pilot, "difference layers.1.attention.weights")
        state = app.controller.state
        assert state.stage == WEIGHTS
        row = app.engine._session.reference.comparison.row(WEIGHTS)
        assert (0, state.head, state.row, state.column) == row.place


async def test_another_word_leaves_the_cell_where_it_was(small: Encoder) -> None:
    async with running(lambda progress: Session(small.run("The cat sat on the mat"), small)) as (app, pilot):
        app.controller.run(f"goto {WEIGHTS}", "console")
        await settled(pilot)
        await press(pilot, "j", "j", "l", "right_square_bracket")
        app.controller.run('patch tokens.ids[0, 2] = "dog"', "console")
        await settled(pilot)
        state = app.controller.state
        assert (state.stage, state.row, state.column, state.head) == (WEIGHTS, 2, 1, 1)


async def test_a_run_that_is_the_reference_says_so(session: Session) -> None:
    for line in ("fork", "ablate layers.0.attention.weights[head=0]", "compare fork 0", "switch 0"):
        TABLE.execute(session, line)
    lines = await seen(session, ViewState(NORM, view="diff"))
    assert "this run is fork 0 itself: compare it with another" in " ".join(lines)


async def test_a_difference_is_a_value_that_every_view_of_values_shows(session: Session) -> None:
    TABLE.execute(session, 'compare text "The dog sat on the mat"')
    number = session.trace[f"{NORM}@difference"].read((0, 2, 1))
    async with running(lambda progress: session, size=(120, 40)) as (app, pilot):
        header = app.main.inspector.query_one("InspectorHeader")
        app.choose(f"look {NORM}@difference")
        await press(pilot, "down", "down", "right", "2")
        assert lines_of(header)[0].split() == [f"{NORM}@difference", "done"]
        assert lines_of(header)[1:4] == [
            "batch 1 × token 8 × hidden 32  float32",
            "difference = norm − norm of text The dog sat on the mat",
            "",
        ]
        assert lines_of(app.main.inspector.view)[-1].startswith(f'[token=2 "cat≠dog", hidden=1] = {number!s}')
        assert app.main.inspector.copy_text() == f"{NORM}@difference[0, 2, 1] = {number!s}"
        for view in "134":
            await press(pilot, view)
            assert lines_of(header)[0].startswith(f"{NORM}@difference ")
        await press(pilot, "5")  # why is asked of what was computed: the value
        assert lines_of(header)[0].startswith(f"{NORM} ")
        app.choose("look tokens.ids@reference")
        await press(pilot, "right", "2")
        assert (
            app.main.inspector.copy_text() == f"tokens.ids@reference[0, 2] = {session.reference.trace.tokens.ids[0, 2]}"
        )


async def test_a_difference_that_is_not_there_any_more_gives_way_to_the_value(session: Session) -> None:
    TABLE.execute(session, "fork")
    TABLE.execute(session, "compare fork 0")
    async with running(lambda progress: session, size=(120, 40)) as (app, pilot):
        header = app.main.inspector.query_one("InspectorHeader")
        app.choose(f"look {NORM}@difference")
        await settled(pilot)
        assert lines_of(header)[0].startswith(f"{NORM}@difference ")
        app.controller.run("switch 0", "console")  # which is what it was compared with
        await settled(pilot)
        assert lines_of(header)[0].startswith(f"{NORM} ")


async def test_what_is_not_beside_a_stage_is_refused_by_name(session: Session) -> None:
    async with running(lambda progress: session, size=(160, 40)) as (app, pilot):
        app.choose(f"look {NORM}@difference")
        await settled(pilot)
        assert app.main.console.text[-1] == f"✗ {NORM} has no 'difference' beside its value; it has {NORM}@γ, {NORM}@β"


@pytest.mark.parametrize(("ours", "theirs", "label"), [("猫", "cat", "?猫≠cat"), ("dog", "狗", "dog≠?狗")])
def test_a_label_of_both_sides_calls_what_is_unknown_by_its_face(ours: str, theirs: str, label: str) -> None:
    encoder = load(None, "cpu")
    session = Session(encoder.run(f"the {ours} sat"), encoder)
    TABLE.execute(session, f'compare text "the {theirs} sat"')
    against = against_of(look(session, None).compared, session.trace.program[NORM])
    assert against is not None
    assert dict(against.tokens)["token"][0] == ("[CLS]", "the", label, "sat", "[SEP]")
