"""A fault planted in a copy of a real model is found by `compare` at its own stage."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from encoder_tui.engine import Session, load
from encoder_tui.engine.analysis.compare import Comparison, compare
from encoder_tui.engine.commands import TABLE
from encoder_tui.engine.pages.comparison import comparison_html, numbers_compared
from encoder_tui.tui.state.comparison import Compared, against_of
from faulty import Change, Copies, put

TEXTS = ["The animal didn't cross the street because it was too tired", "A cat."]
QUERY = "encoder.layer.0.attention.self.query.weight"
VALUE = "encoder.layer.1.attention.self.value.weight"
POSITIONS = "embeddings.position_embeddings.weight"


def nan(weights: dict[str, torch.Tensor]) -> None:
    weights[VALUE][3, 7] = float("nan")


def transposed(weights: dict[str, torch.Tensor]) -> None:
    weights[QUERY] = weights[QUERY].t()


def rolled(weights: dict[str, torch.Tensor]) -> None:
    weights[POSITIONS] = weights[POSITIONS].roll(2, 0)


FAULTS: dict[str, tuple[Change | None, dict[str, object], str, str]] = {
    "nan": (nan, {}, "layers.1.attention.value", "1 of them NaN on one side only"),
    "transposed": (transposed, {}, "layers.0.attention.query", f"{QUERY} is theirs transposed"),
    "rolled": (rolled, {}, "embeddings.position", f"{POSITIONS} is theirs with its rows moved by 2"),
    "epsilon": (None, {"layer_norm_eps": 1e-5}, "embeddings.norm", "variance + 1e-05"),
    "gelu": (None, {"hidden_act": "gelu_new"}, "layers.0.ffn.activation", "ours computes activation = gelu_tanh(up)"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found_at_its_own_stage(fault: str, copies: Copies, original: Path) -> None:
    change, config, stage, note = FAULTS[fault]
    encoder = load(copies.make(fault, change, **config), "cpu")
    session = Session(encoder.run(TEXTS), encoder)
    text = TABLE.execute(session, f"compare model '{original}'").text
    assert f"the first is {stage} (its own: nothing is inherited)" in text.splitlines()[-1]
    assert note in text
    found = compare(session.trace, load(original, "cpu").run(TEXTS))
    first = found.first
    assert first is not None
    assert (first.name, first.inherited) == (stage, 0.0)
    assert first.added is not None
    assert first.added > 0
    assert not found.equal
    downstream = session.trace.program.downstream(stage)
    assert all(row.inherited == 0 for row in found.rows if row.name not in downstream)
    if not config:  # a fault of one weight: no later stage adds anything
        assert [row.name for row in found.rows if row.added] == [stage]


def test_every_later_fault_of_a_kind_is_told_apart_by_added_error(copies: Copies, original: Path) -> None:
    """With gelu_new in both layers, both activations add error, and all else only inherits it."""
    ours = load(copies.make("gelus", None, hidden_act="gelu_new"), "cpu").run(TEXTS)
    found = compare(ours, load(original, "cpu").run(TEXTS))
    assert {row.name for row in found.rows if row.added} == {"layers.0.ffn.activation", "layers.1.ffn.activation"}


def test_an_inverted_mask_is_found_where_it_is_made(copies: Copies, original: Path) -> None:
    run = load(original, "cpu").run(TEXTS)
    mask = run.tensor("mask.additive")
    put(run, "mask.additive", torch.where(mask == 0, torch.finfo(mask.dtype).min, 0.0))
    first = compare(run, load(original, "cpu").run(TEXTS)).first
    assert first is not None
    assert (first.name, first.hidden, first.place) == (
        "mask.additive",
        15 * 15 + 5 * 15,
        (0, 0, 0, 0),
    )  # of real queries


def test_the_same_model_is_equal_everywhere(original: Path, copies: Copies) -> None:
    found = compare(load(copies.make("same"), "cpu").run(TEXTS), load(original, "cpu").run(TEXTS))
    assert_exact(found)
    assert len(found.rows) == len(load(original, "cpu").program) - 1  # all but the one-hot rows


def assert_exact(found: Comparison) -> None:
    assert found.exact
    assert found.equal
    assert found.passing == 0.0
    for row in found.rows:
        assert (row.differing, row.largest, row.mean, row.relative, row.ulps) == (0, 0, 0, 0, 0), row.name
        assert (row.added, row.inherited) == (0, 0), row.name


def test_numbers_that_are_none_are_not_said_to_be_equal(copies: Copies, original: Path) -> None:
    """Of an output that is all NaN nothing is known: not that its cosine is 1, nor that its largest difference is 0."""
    encoder = load(original, "cpu")
    session = Session(encoder.run(TEXTS), encoder)
    broken = copies.make("all_nan", nan)
    text = TABLE.execute(session, f"compare model '{broken}'").text
    assert "could be compared" in next(line for line in text.splitlines() if line.startswith("at the end"))
    rows = compare(session.trace, load(broken, "cpu").run(TEXTS)).rows
    none = [row for row in rows if row.count and not row.compared]
    assert none
    for row in none:
        assert all(map(math.isnan, (row.largest, row.mean, row.relative_length, row.turned, row.decibels)))
        assert row.beyond
    some = next(row for row in rows if row.nan)
    assert (some.compared, some.compared + some.nan) == (some.count - some.nan, some.count)
    assert math.isfinite(some.largest)


def test_where_all_numbers_are_compared_all_figures_stand(original: Path) -> None:
    encoder = load(original, "cpu")
    found = compare(encoder.run(TEXTS), encoder.run(TEXTS))
    row = found.row("layers.1.ffn.norm")
    assert (row.compared, row.largest, row.mean, row.relative_length, row.turned) == (row.count, 0.0, 0.0, 0.0, 0.0)
    assert row.decibels == math.inf


def test_a_page_and_the_screen_say_how_many_numbers_were_compared(copies: Copies, original: Path) -> None:
    ours, theirs = load(original, "cpu").run(TEXTS), load(copies.make("nan_on_a_page", nan), "cpu").run(TEXTS)
    found = compare(ours, theirs)
    row = next(row for row in found.rows if row.says_nothing)
    page = str(comparison_html(found, len(found.rows)))
    assert f"0 of {row.count:,}" in page
    assert "<td>-</td><td>inf</td>" in page
    assert "<td>nan</td>" not in page
    compared = Compared(
        "theirs", 1, tokens={"tokens": ()}, rows={each.name: each for each in found.rows}, first=found.first
    )
    against = against_of(compared, ours.program[row.name])
    assert against is not None
    assert against.figures[:4] == (
        f"{row.nan:,} NaN on one side", f"0 of {row.count:,} compared", "largest -", "mean -",
    )  # fmt: skip
    equal = compare(ours, ours)
    assert " of " not in "".join(numbers_compared(each) for each in equal.rows if each.compared == each.count)
