"""Patches, forks, undo: only what lies downstream changes, and everything comes back to the last bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from encoder_tui.engine import Encoder, InputError, Run, Session
from encoder_tui.engine.commands import TABLE
from encoder_tui.engine.program.trace import expect_live
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from session_kit import do, run_of

TEXTS = ["the cat sat on the mat", "a dog"]


@pytest.fixture
def session(small: Encoder) -> Session:
    session = Session(small.run(TEXTS), small)
    TABLE.execute(session, "goto end")
    return session


def values(session: Session) -> dict[str, bytes]:
    run = session.trace
    return {stage.name: run.value(stage.name).read().tobytes() for stage in run.program if stage.kind != "OneHot"}


def test_only_what_is_downstream_changes(session: Session) -> None:
    before = values(session)
    do(session, "patch layers.0.ffn.up[0, 2] = x * 0")
    after = values(session)
    run = session.trace
    changed = {name for name in before if before[name] != after[name]}
    assert "layers.0.ffn.up" in changed
    assert changed <= {"layers.0.ffn.up"} | run.program.downstream("layers.0.ffn.up")
    assert {"layers.0.output", "layers.1.attention.scores", "output"} & {*run.program.aliases, *changed}
    assert not run["layers.0.ffn.up"].read("0, 2").any()


def test_what_was_computed_downstream_is_stale_until_it_is_read(session: Session) -> None:
    do(session, "patch layers.1.ffn.up[0, 0, 0] = 7")
    run = session.trace
    assert run.patched == {"layers.1.ffn.up"}
    assert "layers.1.ffn.activation" in run.stale
    assert "layers.1.attention.query" not in run.stale
    run["layers.1.ffn.activation"].read()
    assert "layers.1.ffn.activation" not in run.stale


def test_what_is_taken_back_unseen_leaves_nothing_stale(session: Session) -> None:
    """A value that would come out as it last did is not stale, though it is no longer kept; what was looked at meanwhile is."""
    run = session.trace
    do(session, "patch layers.0.ffn.up[0, 0, 0] = 7")
    run["layers.0.ffn.activation"].read()
    do(session, "undo")
    # `up`, whose row was put in again, was computed to see that the patch can be applied: nobody has asked for it
    assert run.stale == {"layers.0.ffn.activation"}
    do(session, "redo")
    assert "layers.0.ffn.activation" not in run.stale
    assert "layers.1.ffn.activation" in run.stale
    run["layers.1.ffn.activation"].read()
    do(session, "undo")
    assert "layers.1.ffn.activation" in run.stale
    with pytest.raises(InputError):
        do(session, "patch layers.1.ffn.down[0, 0, 0] = 1e999")
    run["output"].read()
    assert not [stage for stage in run.stale if not stage.startswith("head")]


def test_what_an_experiment_of_the_tour_computed_on_the_way_is_not_stale_once_it_is_taken_back(small: Encoder) -> None:
    session = Session(small.run("one two three"), small)
    do(session, "tour 4", "tour", "tour try")
    do(session, "tour try")  # takes it back
    assert session.trace.stale == {session.trace.program["output"].name}  # of which the tour said what came of it


CHANGES: list[tuple[str, str, str, Callable[[NDArray[Any]], NDArray[Any]]]] = [
    ("patch layers.0.output[0, 1] = x * 2 + 1", "layers.0.output", "0, 1", lambda x: x * 2 + 1),
    ("scale layers.0.output[0, 1] 0.5", "layers.0.output", "0, 1", lambda x: x * np.float32(0.5)),
    ("ablate layers.0.attention.context[head=1]", "layers.0.attention.context", "head=1", lambda x: x * 0),
    ("ablate layers.0.attention.context[head=1] mean", "layers.0.attention.context", "head=1", lambda x: np.broadcast_to(x.mean((0, 1)), x.shape)),
]  # fmt: skip


@pytest.mark.parametrize(("line", "stage", "index", "expected"), CHANGES)
def test_what_a_change_does(
    session: Session, line: str, stage: str, index: str, expected: Callable[[Any], Any]
) -> None:
    before = session.trace[stage].read(index)
    do(session, line)
    np.testing.assert_allclose(session.trace[stage].read(index), expected(before), rtol=1e-6, atol=1e-7)


def test_swap_exchanges_two_heads(session: Session) -> None:
    run = session.trace
    one, two = (run["layers.0.attention.weights"].read(f"head={head}") for head in (1, 2))
    do(session, "swap layers.0.attention.weights[head=1] [head=2]")
    np.testing.assert_array_equal(run["layers.0.attention.weights"].read("head=1"), two)
    np.testing.assert_array_equal(run["layers.0.attention.weights"].read("head=2"), one)


def test_noise_has_its_deviation_and_its_seed(session: Session) -> None:
    run = session.trace
    before = run["layers.0.output"].read()
    do(session, "noise layers.0.output 0.1 7")
    first = run["layers.0.output"].read()
    do(session, "undo", "noise layers.0.output 0.1 7")
    again = run["layers.0.output"].read()
    do(session, "undo", "noise layers.0.output 0.1 8")
    other = run["layers.0.output"].read()
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert abs((first - before).std() - 0.1) < 0.02


def test_a_token_is_exchanged_and_shown(session: Session, small: Encoder) -> None:
    do(session, 'patch tokens.ids[1, 2] = "mat"')
    assert session.trace.tokens.strings[1][2] == "mat"
    fresh = small.run(["the cat sat on the mat", "a mat"])
    np.testing.assert_array_equal(session.trace["output"].read(), fresh["output"].read())
    assert do(session, "print tokens.ids").count("mat") > 1
    do(session, "undo")
    assert session.trace.tokens.strings[1][2] == "dog"


def test_hiding_a_token_hides_it(session: Session) -> None:
    do(session, "patch tokens.mask[0, 2] = 0")
    assert not session.trace["layers.0.attention.weights"].read((0, slice(None), slice(None), 2)).any()


def test_another_texts_value_can_be_put_in(session: Session, small: Encoder) -> None:
    other = small.run(["the dog sat on the mat", "a cat"])
    do(session, 'patch layers.0.output[0] = text "the dog sat on the mat" "a cat"')
    np.testing.assert_array_equal(
        session.trace["layers.0.output"].read(0 if False else (0,)), other["layers.0.output"].read((0,))
    )


def test_a_fork_keeps_the_original(session: Session) -> None:
    before = values(session)
    do(session, "fork", "patch layers.0.output[0, 0] = 0")
    assert values(session) != before
    do(session, "switch 0")
    assert values(session) == before
    do(session, "patch layers.0.output = fork 1")
    np.testing.assert_array_equal(session.forks[0]["output"].read(), session.forks[1]["output"].read())


def test_a_fork_shares_what_is_upstream(session: Session) -> None:
    do(session, "fork", "patch layers.1.output[0, 0] = 0")
    fork, original = (expect_live(session.forks[number]) for number in (1, 0))
    assert fork.tensor("layers.1.ffn.up") is original.tensor("layers.1.ffn.up")
    assert fork.tensor("layers.1.ffn.norm") is not original.tensor("layers.1.ffn.norm")


def test_forks_are_listed_as_a_tree(session: Session) -> None:
    do(session, "fork", "patch layers.0.output[0, 0] = 0", "fork", "switch 0", "fork", "switch 2")
    assert do(session, "info forks").splitlines() == [
        "  0 original: no patches",
        "    1 fork: patch layers.0.output[0, 0] = 0",
        "*     2 fork: patch layers.0.output[0, 0] = 0",
        "    3 fork: no patches",
    ]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("patch layers.0.output[0, 0] = y", "unknown word 'y'"),
        ("patch layers.0.output[head=1] = 0", "no axis 'head'"),
        ("patch layers.0.output[0, 99] = 0", "out of range for axis 'token'"),
        ("patch tokens.ids[0, 1] = 99999", "99999 is out of range for tokens.ids, which goes from 0 to 30521"),
        ("patch tokens.ids[0, 1] = -1", "-1 is out of range"),
        ('patch tokens.ids[0, 1] = "zqzq"', "not one token"),
        ("patch tokens.ids[0, 1] = 1.5", "holds whole numbers"),
        ("patch tokens.mask[0, 1] = 2", "goes from 0 to 1"),
        ('patch layers.0.output[0, 0, 0] = "cat"', "holds no tokens"),
        ("patch layers.0.output =", "cannot read"),
        ("patch layers.0.output[0, 0] = 1e39", "beyond 3.40282e+38, the largest float32; write inf"),
        ("patch layers.0.output[0, 0] = x / 0", "write inf"),
        ("patch tokens.one_hot[0, 0, 0] = 1", "never built"),
        ("patch layers.0.output[0, 5:2] = 1", "selects nothing"),
        ('patch layers.0.output = text "one" "two"', "same number of tokens"),
        ("patch layers.0.output = fork 9", "fork"),
        ("swap layers.0.output[0, 0] [0, 1:3]", "they must be equal"),
        ("noise layers.0.output", "write `noise"),
        ("noise layers.0.output -1", "0 or more"),
        ("scale layers.0.output[0]", "write `scale"),
        ("undo", "nothing to undo"),
        ("redo", "nothing to redo"),
        ("switch 4", "no fork number 4"),
    ],
)
def test_a_bad_change_is_refused_and_changes_nothing(session: Session, line: str, says: str) -> None:
    before = values(session)
    with pytest.raises(InputError) as error:
        do(session, line)
    assert says in str(error.value)
    assert "\n" not in str(error.value)
    assert values(session) == before
    assert session.trace.patched == frozenset()


LINES = st.sampled_from(
    [
        "step", "step 7", "next", "finish", "reverse-step 3", "reverse-next", "reverse-finish", "goto end", "goto start",
        "goto layers.1.attention.weights", "patch layers.0.attention.weights[head=1] = x * 0.5",
        "patch layers.0.output[0, 1] = 0", "ablate layers.1.attention.context[head=0] mean", "noise embeddings.sum 0.01 3",
        "patch tokens.ids[0, 2] = 2003", "patch tokens.mask[0, 3] = 0", "swap layers.0.ffn.up[0, 0] [0, 1]",
        "scale layers.1.ffn.activation[0, :, 5] 3", "undo", "redo", "fork", "switch 0", "switch 1", "back", "forward",
    ]
)  # fmt: skip


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(LINES, max_size=25), st.sampled_from([None, 1, 20_000, 60_000, 200_000]))
def test_any_walk_ends_where_a_fresh_run_with_the_same_patches_ends(
    small: Encoder, lines: list[str], budget: int | None
) -> None:
    run = run_of(small.program, small.weights, small.read(TEXTS), budget=budget)
    session = Session(run, small)
    for line in lines:
        try:
            TABLE.execute(session, line)
        except InputError:
            continue
    for trace in session.forks.values():
        assert isinstance(trace, Run)
        fresh = small.run(TEXTS)
        fresh.set_patches(trace.patches)
        for name in (
            "tokens.ids",
            "mask.additive",
            "layers.0.attention.weights",
            "layers.1.attention.context",
            "output",
        ):
            assert trace[name].read().tobytes() == fresh[name].read().tobytes(), name


def test_what_a_fork_shares_with_the_original_again_is_not_stale(session: Session) -> None:
    do(session, "fork", "ablate layers.0.attention.weights[head=1]", "goto end", "undo")
    assert session.trace.stale == frozenset()
    do(session, "redo")
    assert session.trace.stale == frozenset()  # it comes out as it did when the end was gone to
    do(session, "ablate layers.0.attention.weights[head=2]")
    assert "layers.0.attention.context" in session.trace.stale


def test_what_the_original_computes_for_its_fork_is_not_stale_there(session: Session) -> None:
    do(session, "fork", "ablate layers.0.attention.weights[head=1]", "goto end", "undo")
    session.trace["output"].read()
    assert session.trace.stale == frozenset()


def test_a_patched_mask_is_not_taken_for_the_one_that_was_brought(small: Encoder):
    """That it hides nothing is noted on the mask that went in, which spares a GPU a wait; a patched one is another."""
    run = small.run("one two three")
    assert not run["mask.additive"].read().any()
    run.override("tokens.mask", torch.tensor([[1, 0, 1, 1, 1]]))
    assert run["mask.additive"].read()[0, 0, 0, 1] < -1e30
    assert run["layers.0.attention.weights"].read()[0, :, :, 1].max() == 0


def test_a_stage_is_overridden_by_any_of_its_names(small: Encoder):
    run = small.run(TEXTS)
    before = run["output"].read()
    run.override("output", torch.zeros(before.shape))
    assert not run["output"].read().any()
    run.restore("output")
    assert np.array_equal(run["output"].read(), before)
    for refused in (lambda: run.override("nothing", torch.zeros(1)), lambda: run.restore("nothing")):
        with pytest.raises(InputError, match="no stage named 'nothing'"):
            refused()
