"""`STAGE@table`: what a formula of positions gives for every position, not for those of a text alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from encoder_tui.engine import InputError, Session, load, open_snapshot
from encoder_tui.engine.ops import Op, RotaryTable, Sinusoid
from encoder_tui.engine.ops.base import OPERATIONS, no_memory
from encoder_tui.engine.program.position_table import UNLIMITED_ROWS, table_rows
from encoder_tui.engine.program.stage import Stage
from encoder_tui.engine.traces.position_table import PositionTable
from session_kit import do

TABLE = "embeddings.position@table"
FORMULAS: tuple[Op, ...] = (
    Sinusoid(6, "float32"), Sinusoid(6, "float32", "halves", 9), Sinusoid(6, "float32", "spread", 9, 1),
    RotaryTable("cos", 100.0, 6, "float32"), RotaryTable("sin", 100.0, 6, "float32"),
)  # fmt: skip


@pytest.fixture(scope="module")
def session() -> Session:
    with pytest.warns(UserWarning, match="initialised, not trained"):
        encoder = load("preset:transformer-base", "cpu")
    return Session(encoder.run("the cat sat"), encoder)


def test_no_formula_of_positions_is_forgotten() -> None:
    assert {kind for kind, op in OPERATIONS.items() if op.card.by_position} == {type(op).__name__ for op in FORMULAS}


@pytest.mark.parametrize("op", FORMULAS, ids=str)
def test_any_window_is_that_of_the_whole(op: Op) -> None:
    stage = Stage("p", op, ("tokens.positions",), axes=("batch", "token", "hidden"))
    table = PositionTable(stage, op, (9, 6), torch.float32, torch.device("cpu"))
    whole = op.compute([torch.arange(9)[None]], (), no_memory)[0].numpy()
    assert len(np.unique(whole, axis=0)) == 9
    for index in ((), (3,), (slice(7, None, -2), slice(1, 4)), (slice(None), -1), (8, 5)):
        assert np.array_equal(table.read(index), whole[index])
    assert np.array_equal(table.read("position=2:4, hidden=1"), whole[2:4, 1])


def test_a_run_picks_rows_of_it(session: Session) -> None:
    """The same numbers to the last bit, in a fork as well."""
    do(session, "fork")
    run = session.trace
    table = run[TABLE]
    assert (table.name, table.axes, table.shape) == (TABLE, ("position", "hidden"), (512, 512))
    places = run["tokens.positions"].read((0,))
    assert np.array_equal(run["embeddings.position"].read((0,)), table.numpy()[places])


def test_what_takes_addresses_takes_it(session: Session, tmp_path: Path) -> None:
    assert do(session, f"print {TABLE}[400, 0:2]").startswith(f"{TABLE}[position=400")
    assert f"beside it   {TABLE}\n" in do(session, "info embeddings.position")
    assert do(session, f"break embeddings.position if max({TABLE}[400]) > 0.9").startswith("breakpoint")
    do(session, f"export {tmp_path / 'run.safetensors'} embeddings.position@*")
    recording = open_snapshot(tmp_path / "run.safetensors")
    assert np.array_equal(recording[TABLE].numpy(), session.trace[TABLE].numpy())
    do(session, f"export {tmp_path / 'none.safetensors'} tokens.*")
    with pytest.raises(InputError, match=f"open the model itself to look at {TABLE}"):
        open_snapshot(tmp_path / "none.safetensors")[TABLE].read()


def test_a_learned_table_is_its_weight() -> None:
    with pytest.raises(InputError, match=r"has no 'table' beside its value; it has embeddings\.position@E"):
        load(device="cpu").run("the cat")[TABLE]


def test_how_many_rows_there_are() -> None:
    free, fixed = (Stage("p", Sinusoid(6, "float32", places=places)) for places in (0, 9))
    assert table_rows(fixed, None, 4) == (9, True)
    assert table_rows(free, 128, 4) == (128, True)
    assert table_rows(free, None, 4) == (UNLIMITED_ROWS, False)
    assert table_rows(free, None, 900) == (900, False)
