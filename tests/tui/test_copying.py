"""A number, a row, a window: what is put on the clipboard, and what is too much for it."""

from __future__ import annotations

import ast

import numpy as np
import pytest
from driving import press, running, settled
from encoder_tui.engine.messages.errors import InputError
from encoder_tui.tui.reading.copying import MOST_BYTES, read_copy
from encoder_tui.tui.reading.facts import look
from encoder_tui.tui.reading.window import Bounds
from encoder_tui.tui.state.plane import plane_of
from encoder_tui.tui.state.subject import subject_of
from encoder_tui.tui.state.view_state import ViewState
from fakes import FakeTrace, fake_session

WEIGHTS = "layers.0.attention.weights"


def copied(bounds: Bounds, form: str, stage: str = WEIGHTS, put: float | None = None) -> tuple[str, str]:
    session = fake_session("output")
    if put is not None:
        array = session.trace[stage].read().copy()
        array[..., 0] = put
        assert isinstance(session.trace, FakeTrace)
        session.trace.put(stage, array)
    subject = subject_of(look(session, None), stage)
    return read_copy(session, subject, plane_of(subject, ViewState(stage=stage, head=3)), bounds, form)


def test_a_window_as_python_reads_back_to_the_last_bit() -> None:
    text, name = copied(Bounds(1, 4, 0, 14), "python")
    assert name == f"{WEIGHTS}[0, 3, 1:4, 0:14]"
    assert text.startswith(f"# {name}, float32\n")
    numbers = np.array(ast.literal_eval(text.split("\n", 1)[1]), np.float32)
    assert numbers.tobytes() == fake_session("output").trace[WEIGHTS].read()[0, 3, 1:4].tobytes()


def test_a_row_as_a_table_has_names() -> None:
    text, name = copied(Bounds(2, 3, 0, 14), "")
    assert name == f"{WEIGHTS}[0, 3, 2, 0:14]"
    head, row, rest = text.split("\n")
    assert rest == ""
    assert head.split("\t")[:4] == ["", "[CLS]", "the", "animal"]
    assert row.split("\t")[0] == "animal"
    assert (
        np.array(row.split("\t")[1:], np.float32).tolist()
        == fake_session("output").trace[WEIGHTS].read()[0, 3, 2].tolist()
    )


@pytest.mark.parametrize("odd", [np.nan, -np.inf])
def test_what_is_no_number_is_python_all_the_same(odd: float) -> None:
    text, _ = copied(Bounds(0, 1, 0, 2), "python", put=odd)
    numbers = eval(text.split("\n", 1)[1], {"float": float})  # what we wrote
    assert np.array_equal(numbers[0], odd, equal_nan=True)


def test_what_does_not_go_through_a_terminal_is_refused_before_it_is_read() -> None:
    with pytest.raises(
        InputError, match=r"427,308 numbers, more than terminals take into the clipboard; `export PATH`"
    ):
        copied(Bounds(0, 14, 0, 30_522), "tsv", "tokens.one_hot")
    assert len(copied(Bounds(0, 14, 0, 14), "python")[0]) < MOST_BYTES


async def test_keys_and_commands_copy() -> None:
    async with running() as (app, pilot):
        app.controller.run(f"goto {WEIGHTS}", "key")
        await settled(pilot)
        await press(pilot, "j", "y")
        weights = fake_session("output").trace[WEIGHTS].read().astype(np.float32)
        assert app.clipboard == f"{WEIGHTS}[0, 0, 1, 0] = {weights[0, 0, 1, 0]!s}"
        await press(pilot, "Y")
        assert app.main.footer.render_line(0).text.strip() == f"copied {WEIGHTS}[0, 0, 0:14, 0:14]"
        assert len(app.clipboard.splitlines()) == 15
        app.controller.run("copy row python", "console")
        await settled(pilot)
        assert ast.literal_eval(app.clipboard.split("\n", 1)[1])[1] == pytest.approx(
            float(weights[0, 0, 1, 1]), rel=1e-6
        )
        app.controller.run("copy column", "console")
        await settled(pilot)
        assert app.main.console.text[-1].startswith("✗ copy does not know 'column'; write `copy [number|row|window]")
