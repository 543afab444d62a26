"""What a stage does to the numbers of one place, beside torch's own arithmetic in float64."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from encoder_tui.engine import Run, load
from encoder_tui.engine.analysis.change import change_of, through

TEXTS = ["The cat sat on the mat", "It was"]
LAYER = "layers.1"


@pytest.fixture(scope="module")
def run() -> Run:
    return load(None, "cpu").run(TEXTS)


def row(run: Run, name: str, *place: int):
    return run[name].read(place).astype(np.float64).reshape(-1)


def test_a_sum_stands_below_what_it_adds(run: Run):
    change = change_of(run, f"{LAYER}.attention.residual", (0, 3))
    assert [one.name for one in change.rows] == [
        f"{LAYER}.attention.output", "layers.0.ffn.norm", f"{LAYER}.attention.residual",
    ]  # fmt: skip
    first, second, total = (one.numbers for one in change.rows)
    assert np.abs(first + second - total).max() < 1e-6
    assert np.array_equal(total, row(run, f"{LAYER}.attention.residual", 0, 3))


def test_a_norm_has_its_numbers_before_the_weights_between(run: Run):
    before, between, after = change_of(run, f"{LAYER}.ffn.norm", (0, 3)).rows
    x = torch.tensor(row(run, f"{LAYER}.ffn.residual", 0, 3))
    epsilon = run.program[f"{LAYER}.ffn.norm"].options["epsilon"]
    assert np.abs(between.numbers - torch.nn.functional.layer_norm(x, x.shape, eps=epsilon).numpy()).max() < 1e-12
    assert (between.stage, abs(between.numbers.mean()) < 1e-12, abs(between.numbers.std() - 1) < 1e-6) == (
        "",
        True,
        True,
    )
    assert np.array_equal(before.numbers, x.numpy())
    gamma, beta = (run.weight(name) for name in run.program[f"{LAYER}.ffn.norm"].weights)
    assert np.abs(between.numbers * gamma + beta - after.numbers).max() < 1e-5


@pytest.mark.parametrize("part", ["scores", "scaled", "masked", "weights"])
def test_scores_are_seen_all_the_way_to_the_softmax(run: Run, part: str):
    change = change_of(run, f"{LAYER}.attention.{part}", (1, 2, 1))
    assert [one.name.rpartition(".")[2] for one in change.rows] == ["scores", "scaled", "masked", "weights"]
    assert [int(one.hidden.sum()) for one in change.rows] == [0, 0, 4, 0]
    assert [one.shares for one in change.rows] == [False, False, False, True]
    scores = torch.tensor(change.rows[0].numbers)
    real = run.tokens.mask[1] == 1
    raw = torch.softmax(scores[torch.tensor(real)], 0)
    unscaled = change.unscaled
    assert unscaled is not None
    assert unscaled.size == 32
    assert unscaled.largest == change.rows[-1].numbers.max()
    assert abs(unscaled.largest_without - float(raw.max())) < 1e-4
    assert abs(unscaled.entropy_without - float(-(raw * raw.log()).sum())) < 1e-3
    assert unscaled.entropy_without < unscaled.entropy
    masked = change.masked
    assert masked is not None
    assert (masked.hidden, masked.count, masked.left) == (4, 8, 0.0)
    alone = torch.softmax(torch.tensor(change.rows[1].numbers), 0).numpy()
    assert abs(masked.share - alone[~real].sum()) < 1e-12
    assert masked.share > 0


def test_what_an_activation_lets_through(run: Run):
    change = change_of(run, f"{LAYER}.ffn.activation", (0, 3))
    x, y = (np.abs(row(run, f"{LAYER}.ffn.{part}", 0, 3)) for part in ("up", "activation"))
    let = change.through
    assert let is not None
    assert change.kind == "gelu"
    assert change.curve is not None
    assert (let.count, let.whole, let.stopped) == (512, int((y >= 0.9 * x).sum()), int((y <= 0.1 * x).sum()))
    assert let.whole + let.damped + let.stopped == let.count
    assert math.isclose(let.kept, y.sum() / x.sum())
    assert change.widths == (
        (f"{LAYER}.attention.norm", 128), (f"{LAYER}.ffn.up", 512), (f"{LAYER}.ffn.activation", 512), (f"{LAYER}.ffn.down", 128),
    )  # fmt: skip


def test_what_is_let_through_is_told_in_three_kinds():
    x = np.array([-4.0, -1.0, 0.0, 1.0, 4.0, math.nan, math.inf])
    let = through(x, np.array([0.0, -0.05, 0.0, 0.5, 3.9, math.nan, math.inf]))
    assert (let.count, let.whole, let.damped, let.stopped, let.zero) == (4, 1, 1, 2, 1)
    assert math.isclose(let.kept, 4.45 / 10)
    assert math.isnan(through(np.zeros(2), np.zeros(2)).kept)


@pytest.mark.parametrize("name", ["tokens.ids", "embeddings.token", f"{LAYER}.attention.concat", "head.words.best"])
def test_of_what_is_made_of_something_else_there_is_no_before(run: Run, name: str):
    assert change_of(run, name, (0,) * (len(run[name].axes) - 1)).rows == ()


def test_the_main_input_stands_beside_what_is_made_of_it(run: Run):
    names = [one.name for one in change_of(run, f"{LAYER}.ffn.up", (0, 3)).rows]
    assert names == [f"{LAYER}.attention.norm", f"{LAYER}.ffn.up"]
    head = change_of(run, f"{LAYER}.attention.context", (0, 2, 3)).rows  # the token's own value, and the mean of all
    assert np.array_equal(head[0].numbers, row(run, f"{LAYER}.attention.value_heads", 0, 2, 3))


def test_a_recording_says_what_it_holds(run: Run, tmp_path: Path):
    from encoder_tui.engine import open_snapshot, save

    path = tmp_path / "few.safetensors"
    save(run, path, select=f"{LAYER}.attention.s*")
    opened = open_snapshot(path)
    assert [one.name for one in change_of(opened, f"{LAYER}.attention.scaled", (0, 0, 1)).rows] == [
        f"{LAYER}.attention.scores", f"{LAYER}.attention.scaled",
    ]  # fmt: skip
    assert change_of(opened, f"{LAYER}.ffn.norm", (0, 1)).rows == ()
