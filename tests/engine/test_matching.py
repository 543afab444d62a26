"""Tensors of somebody else's code are matched to our stages, and a fault planted in it is found at its own stage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from encoder_tui.engine import Run, load
from encoder_tui.engine.analysis.compare import compare
from encoder_tui.engine.analysis.matching import match_tensors
from encoder_tui.engine.program.arrays import Array
from encoder_tui.engine.traces.dump import read_dump
from encoder_tui.engine.traces.matched import Matched

TEXT = "The animal didn't cross the street because it was too tired"


@pytest.fixture(scope="module")
def ours() -> Run:
    return load(None, "cpu").run([TEXT])


def values(run: Run) -> dict[str, Array]:
    return {stage.name: run.value(stage.name).numpy() for stage in run.program if stage.name != "tokens.one_hot"}


def matched(ours: Run, folder: Path, **arrays: Array) -> Matched:
    np.savez(folder / "dump.npz", **arrays)  # pyright: ignore[reportArgumentType]
    return match_tensors(ours, read_dump(str(folder / "dump.npz")), title="dump")


def test_a_dump_under_our_names_is_matched_by_them(ours: Run, tmp_path: Path) -> None:
    theirs = matched(ours, tmp_path, **values(ours))
    assert {match.stage: match.theirs for match in theirs.matches} == {name: name for name in values(ours)}
    assert {match.how for match in theirs.matches} == {"name"}
    assert compare(ours, theirs).equal


def test_tensors_without_names_in_no_order_are_matched_by_their_numbers(ours: Run, tmp_path: Path) -> None:
    floats = {name: array for name, array in values(ours).items() if array.dtype == np.float32}
    order = np.random.default_rng(0).permutation(list(floats))
    named = {f"t{number}": floats[str(name)] for number, name in enumerate(order)}
    theirs = matched(ours, tmp_path, **named)
    wrong = [m for m in theirs.matches if not np.array_equal(theirs.value(m.stage).read(), ours.value(m.stage).read())]
    assert not wrong
    assert {stage.name for stage in ours.program} - set(theirs.by_stage) <= {
        "tokens.ids", "tokens.mask", "tokens.segments", "tokens.positions", "tokens.one_hot", "mask.additive", "head.words.best",
    }  # fmt: skip
    assert compare(ours, theirs).equal
