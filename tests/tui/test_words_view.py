"""The view `words`: what a head predicts, and that its stages show it first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from driving import lines_of, press, running
from encoder_tui.engine.analysis import prediction
from encoder_tui.engine.analysis.prediction import Prediction, prediction_of
from encoder_tui.engine.commands.session import Session
from encoder_tui.engine.messages.errors import InputError
from encoder_tui.engine.ops import Best, Linear, Softmax
from encoder_tui.engine.program.inputs import Inputs
from encoder_tui.engine.program.program import Program
from encoder_tui.engine.program.stage import Stage
from encoder_tui.engine.program.trace import Trace
from encoder_tui.engine.program.value import ArrayValue
from encoder_tui.tui.drawing.text import cell_len
from encoder_tui.tui.reading.facts import look
from encoder_tui.tui.state import view_changes
from encoder_tui.tui.state.first_look import at_mask, in_its_view
from encoder_tui.tui.state.view_state import ViewState
from fakes import STRINGS, FakeTrace, fake_session, fake_trace
from inspector_app import InspectorApp

LABELS = tuple(f"word{number}" for number in range(12))
LOGITS, SHARES, BEST = (f"head.words.{part}" for part in ("logits", "probabilities", "best"))
AXES = ("batch", "token", "label")


def predicting() -> Session:
    """The fake encoder with a head over twelve words: halves, quarters, ... of the whole, the largest at the token's own number."""
    trace = fake_trace()
    shares = np.array([2.0 ** -(rank + 1) for rank in range(11)] + [2.0**-11], dtype=np.float32)
    rows = np.stack([[np.roll(shares, token % 12) for token in range(14)] for _ in range(2)])
    best = np.argsort(-rows, axis=-1, kind="stable")[..., :10]
    last = trace.program["output"].name
    stages = [
        Stage(LOGITS, Linear(), (last,), ("layers.0.up.weight",), AXES, labels=LABELS),
        Stage(SHARES, Softmax("label"), (LOGITS,), (), AXES, labels=LABELS),
        Stage(BEST, Best(10, "labels"), (SHARES,), (), ("batch", "token", "rank"), labels=LABELS),
    ]
    for stage, array in zip(stages, (np.log(rows), rows, best), strict=True):
        trace.values[stage.name] = ArrayValue(stage.name, stage.axes, array, None, {"token": STRINGS})
    trace.program = Program([*trace.program, *stages], trace.program.aliases)
    session = Session(trace)
    session.debugger.goto(len(trace.program) - 1)
    return session


def masked() -> Session:
    session = predicting()
    trace = session.trace
    assert isinstance(trace, FakeTrace)
    strings = tuple(tuple("[MASK]" if word == "cross" else word for word in row) for row in STRINGS)
    trace.inputs = Inputs(replace(trace.tokens, strings=strings, masking="[MASK]"))
    return session


async def seen(state: ViewState, size: tuple[int, int]) -> list[str]:
    app = InspectorApp(predicting(), state)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        return "\n".join(line.rstrip() for line in app.lines()).rstrip().split("\n")


async def test_the_best_words_of_a_token() -> None:
    assert await seen(ViewState(BEST, view="words", row=2), (50, 19)) == [
        'token=2 "animal" → word2 50.0%',
        " 1 word2  ███████████████████████████████  50.0%",
        " 2 word3  ███████████████▌                 25.0%",
        " 3 word4  ███████▊                         12.5%",
        " 4 word5  ███▉                              6.2%",
        " 5 word6  ██                                3.1%",
        " 6 word7  █                                 1.6%",
        " 7 word8  ▌                                 0.8%",
        " 8 word9  ▎                                 0.4%",
        " 9 word10 ▏                                 0.2%",
        "10 word11                                   0.1%",
        "                         all other 2 together 0.1%",
        "",
        "layers.1.ffn.norm 32 → logits 12 → probabilities",
        "12",
    ]


async def test_the_best_word_of_every_token_beside_them() -> None:
    assert await seen(ViewState(LOGITS, view="words", row=2), (76, 14)) == [
        '  0  [CLS] → word0          50.0% │ token=2 "animal" → word2 50.0%',
        "  1    the → word1          50.0% │  1 word2  █████████████████████  50.0%",
        "▸ 2 animal → word2          50.0% │  2 word3  ██████████▌            25.0%",
        "  3   didn → word3          50.0% │  3 word4  █████▎                 12.5%",
        "  4      ' → word4          50.0% │  4 word5  ██▋                     6.2%",
        "  5      t → word5          50.0% │  5 word6  █▎                      3.1%",
        "  6  cross → word6          50.0% │  6 word7  ▋                       1.6%",
        "  7    the → word7          50.0% │  7 word8  ▍                       0.8%",
        "  8 street → word8          50.0% │  8 word9  ▏                       0.4%",
        "  9      : → word9          50.0% │  9 word10 ▏                       0.2%",
        " 10     it → word10         50.0% │ 10 word11                         0.1%",
    ]


@pytest.mark.parametrize("size", [(1, 1), (20, 3), (34, 9), (58, 12), (200, 50)])
async def test_every_size(size: tuple[int, int]) -> None:
    app = InspectorApp(predicting(), ViewState(BEST, view="words", row=13))
    async with app.run_test(size=size) as pilot:
        for stage in (BEST, LOGITS, "embeddings.norm"):
            app.show(ViewState(stage, view="words", row=13))
            await pilot.pause()
            assert {cell_len(line) for line in app.lines()} == {size[0]}


def test_a_prediction_shows_itself_as_words() -> None:
    world = look(predicting(), None).world
    here = ViewState(BEST)
    words = in_its_view(here, world)
    assert words.view == "words"
    assert in_its_view(replace(words, stage="embeddings.norm"), world).view == "heat"  # as it was before
    chosen = view_changes.with_view(words, "heat", world)
    assert in_its_view(chosen, world).view == "heat"  # it was asked for there
    assert in_its_view(view_changes.with_view(chosen, "words", world), world).view == "words"
    assert in_its_view(replace(here, view="numbers"), world).view == "numbers"
    elsewhere = view_changes.with_view(ViewState("embeddings.norm"), "heat", world)
    assert in_its_view(replace(elsewhere, stage=LOGITS), world).view == "words"  # heat there was nobody's choice


def test_words_are_looked_for_where_there_are_any() -> None:
    world = look(predicting(), None).world
    assert view_changes.with_view(ViewState("embeddings.norm"), "words", world).stage == BEST
    with pytest.raises(InputError, match="no stage of this program predicts words or labels"):
        view_changes.with_view(ViewState("embeddings.norm"), "words", look(fake_session(), None).world)


def test_the_cursor_begins_at_the_mask() -> None:
    position = look(masked(), None)
    assert at_mask(ViewState(BEST), position).row == 6
    assert at_mask(ViewState(BEST, text=1), position).row == 0  # no mask in that text
    assert at_mask(ViewState(BEST), look(predicting(), None)).row == 0


async def test_on_the_whole_screen() -> None:
    async with running(lambda progress: masked(), [f"look {BEST}"], (100, 30)) as (app, pilot):
        assert app.controller.state.view == "words"
        assert any('token=6 "[MASK]" → word6 50.0%' in line for line in lines_of(app.main.inspector.view))
        await press(pilot, "k", "2", "u")
        state = app.controller.state
        assert (state.view, state.row, state.stage) == ("numbers", 5, SHARES)
        await press(pilot, "p")
        assert any('token=5 "t" → word5 50.0%' in line for line in lines_of(app.main.inspector.view))


async def test_the_best_word_of_a_token_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(lambda progress: predicting(), [f"look {SHARES}", "view words"]) as (app, pilot):
        read: list[int] = []

        def counted(trace: Trace, shares: str, place: Sequence[int], count: int = 10) -> Prediction:
            read.append(count)
            return prediction_of(trace, shares, place, count)

        monkeypatch.setattr(prediction, "prediction_of", counted)
        before = lines_of(app.main.inspector.view)
        await press(pilot, "j")
        assert lines_of(app.main.inspector.view) != before
        assert read == [10]
