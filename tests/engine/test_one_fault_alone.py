"""One fault in a port is told as one: what follows from it, or what numbers that say nothing allow, is no second."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from encoder_tui.engine import Run, attach, load
from encoder_tui.engine.analysis.compare import compare, write_comparison
from encoder_tui.engine.analysis.compare.measure import Gap
from encoder_tui.engine.analysis.compare.text import verdict
from encoder_tui.engine.analysis.diagnose import diagnose
from encoder_tui.engine.analysis.matching import match_trace
from encoder_tui.engine.models.notes import silent
from encoder_tui.engine.traces.matched import Matched
from faulty import Copies
from ports import Port, Ported
from safetensors.torch import load_file

TEXTS = ["the cat sat on the mat", "a dog"]
SQUARES = [f"layers.1.attention.{part}" for part in ("scores", "scaled", "masked")]
Weights = dict[str, torch.Tensor]
Theirs = Callable[..., Matched]


@pytest.fixture(scope="module")
def ours(original: Path) -> Run:
    return load(original, "cpu").run(TEXTS)


@pytest.fixture(scope="module")
def theirs(ours: Run, copies: Copies, original: Path) -> Theirs:
    weights = load_file(original / "rest.safetensors") | load_file(copies.words)
    config = json.loads((original / "config.json").read_text())

    def of(change: Callable[[Weights], None], fault: str = "") -> Matched:
        others = {name: weight.clone() for name, weight in weights.items()}
        change(others)
        given = torch.from_numpy(ours.tokens.ids.copy()), torch.from_numpy(ours.tokens.mask.copy())
        with torch.no_grad():
            first = attach(Port.of(others, Ported.of(config, fault=fault)), *given, tell=silent).first
        assert first is not None
        return match_trace(ours, first, title="port")

    return of


def exchanged(weights: Weights) -> None:
    for part in ("weight", "bias"):
        q, k = (f"encoder.layer.1.attention.self.{side}.{part}" for side in ("query", "key"))
        weights[q], weights[k] = weights[k], weights[q]


def nan(weights: Weights) -> None:
    weights["encoder.layer.0.output.dense.weight"][5, 3] = float("nan")


def nothing(weights: Weights) -> None:
    """As it is."""


def test_scores_are_not_transposed_to_fit_where_query_and_key_are_exchanged(ours: Run, theirs: Theirs) -> None:
    there = theirs(exchanged)
    laid = {name: str(there.by_stage[name].layout) for name in SQUARES if name in there.by_stage}
    assert laid
    assert set(laid.values()) == {""}
    found = compare(ours, there)
    assert found.row("layers.1.attention.scores").beyond
    assert np.isfinite(found.row("layers.1.attention.masked").relative)
    said = "layers.1.attention.scores by its name, but its numbers are ours with query and key exchanged"
    assert said in there.notes[0]
    diagnosis = diagnose(ours, there)
    assert [cause.first for cause in diagnosis.causes] == ["layers.1.attention.query"]
    assert diagnosis.left is None


def test_scores_that_are_ours_are_matched_as_they_lie(ours: Run, theirs: Theirs) -> None:
    there = theirs(nothing)
    assert not [match for match in there.matches if match.note]
    assert compare(ours, there).first is None


def test_of_what_is_nan_on_both_sides_no_other_fault_is_made(ours: Run, theirs: Theirs) -> None:
    """The mask is added to NaN on one side, and written over it on the other; a product of NaN is any product."""
    there = theirs(nan)
    diagnosis = diagnose(ours, there)
    assert [cause.first for cause in diagnosis.causes] == ["layers.0.ffn.down"]
    assert diagnosis.left is None
    assert there.origin is not None
    healthy = theirs(nothing)
    assert healthy.origin is not None
    for stage in there.origin.program:  # what the module computes is the same, whatever its numbers
        assert stage.kind == healthy.origin.program[stage.name].kind, stage.name


@pytest.mark.parametrize("fault", ["rows hidden by -inf", "rows hidden by adding -inf"])
def test_nan_that_begins_in_rows_of_padding_is_told_where_it_begins(ours: Run, theirs: Theirs, fault: str) -> None:
    there = theirs(nothing, fault)
    found = compare(ours, there)
    row = found.lost_padding
    assert row is not None
    assert (row.name, row.padded_nan[0], row.beyond) == ("layers.0.attention.weights", 0, False)
    said = "NaN in theirs first at layers.0.attention.weights, in rows of padding: every key of them is hidden by -inf"
    assert said in verdict(found)
    assert "hide by torch.finfo(torch.float32).min" in write_comparison(found)
    diagnosis = diagnose(ours, there)
    assert [cause.kind for cause in diagnosis.causes] == ["every key hidden by -inf"], diagnosis
    assert "padded queries by -inf at layers.0.attention.masked" in diagnosis.causes[0].cause
    assert Path(diagnosis.causes[0].line.rpartition(":")[0]).name == "ports.py"
    assert diagnosis.left is None


def test_keys_that_are_hidden_by_infinity_are_no_fault(ours: Run, theirs: Theirs) -> None:
    found = compare(ours, theirs(nothing, "keys hidden by -inf"))
    assert (found.first, found.lost_padding) == (None, None)
    assert "NaN" not in write_comparison(found)


def test_nan_that_a_mask_hides_on_both_sides_is_no_difference_and_else_it_is_one() -> None:
    a, b = np.array([[np.nan, np.nan]]), np.array([[np.nan, -1e9]])
    hidden = np.array([[False, True]])
    both, one = Gap(), Gap()
    both.add(a, b, None, (hidden, hidden))
    one.add(a, b, None, (~hidden & hidden, hidden))
    assert (both.unlike, both.lost, both.numbers) == (0, 1, 0)
    assert one.unlike == 1
