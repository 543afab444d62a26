"""What a head says of a place: which stages lead to it, and the likeliest words, beside torch's own."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from encoder_tui.engine import Run, load
from encoder_tui.engine.analysis.prediction import places_of_largest, prediction_of, way_to
from encoder_tui.engine.ops import Best, Linear, Softmax
from encoder_tui.engine.ops.activations import Activation
from encoder_tui.engine.program.predicting import nearest_prediction, predicted_by
from encoder_tui.engine.program.program import Program
from encoder_tui.engine.program.stage import Stage
from hypothesis import given
from hypothesis import strategies as st

SHARES = "head.words.probabilities"


@pytest.fixture(scope="module")
def run() -> Run:
    return load(None, "cpu").run(["The cat sat on the [MASK]."])


@pytest.mark.parametrize("part", ["logits", "probabilities", "best"])
def test_what_leads_to_words(run: Run, part: str):
    assert predicted_by(run.program, f"head.words.{part}") == SHARES


def test_other_stages_say_no_words(run: Run):
    saying = [stage.name for stage in run.program if predicted_by(run.program, stage.name)]
    assert saying == ["head.words.logits", SHARES, "head.words.best"]
    assert nearest_prediction(run.program, "tokens.ids") == "head.words.best"


def test_the_likeliest_words_in_order(run: Run):
    said = prediction_of(run, SHARES, (0, 6), 10)
    row = torch.tensor(run[SHARES].read((0, 6))).double()
    largest = torch.topk(row, 10)
    assert [guess.word for guess in said.best] == [run.word(int(at)) for at in largest.indices]
    assert [guess.share for guess in said.best] == largest.values.tolist()
    assert said.count == 8000
    assert math.isclose(said.rest, float(row.sum() - largest.values.sum()), rel_tol=1e-9)
    assert math.isclose(said.rest + sum(guess.share for guess in said.best), 1.0, rel_tol=1e-5)


@given(
    st.lists(st.sampled_from([0.0, -0.0, 0.25, 0.5, math.inf, -math.inf, math.nan]), max_size=12), st.integers(0, 14)
)
def test_the_largest_are_those_of_a_whole_sort(numbers: list[float], count: int):
    row = np.array(numbers)
    assert places_of_largest(row, count).tolist() == np.argsort(-row, kind="stable")[:count].tolist()


def test_the_way_from_the_encoder_to_words(run: Run):
    assert way_to(run, SHARES) == (
        ("layers.3.ffn.norm", 128), ("head.words.dense", 128), ("head.words.activation", 128), ("head.words.norm", 128),
        ("head.words.logits", 8000), (SHARES, 8000),
    )  # fmt: skip


def test_the_mask_token_is_known(run: Run):
    assert run.tokens.masking == "[MASK]"
    assert run.tokens.strings[0].index("[MASK]") == 6


def test_word2vec_predicts_words_too():
    program = load("cbow", "cpu").program
    assert {predicted_by(program, f"head.{part}") for part in ("scores", "logits", "probabilities", "best")} == {
        "head.probabilities"
    }
    assert not any(
        predicted_by(program, name) for name in ("tokens.one_hot", "context.one_hot", "negatives.ids", "loss.word")
    )


def test_labels_each_with_a_probability_of_its_own():
    axes = ("batch", "label")
    names = ("odd", "even")
    program = Program(
        [
            Stage("x", Softmax(), (), (), ("batch", "hidden")),
            Stage("head.logits", Linear(), ("x",), ("W",), axes, labels=names),
            Stage("head.probabilities", Activation("sigmoid"), ("head.logits",), (), axes, labels=names),
            Stage("head.best", Best(2, "labels"), ("head.probabilities",), (), ("batch", "rank"), labels=names),
        ]
    )
    assert [predicted_by(program, stage.name) for stage in program] == ["", *["head.probabilities"] * 3]
    bare = Program(list(program)[:2])
    assert (predicted_by(bare, "head.logits"), nearest_prediction(bare, "x")) == ("", "")
