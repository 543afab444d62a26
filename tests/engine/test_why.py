"""`explain`: the terms add up to the stored number, within the bound that is stated, for every element of every stage."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from encoder_tui.engine import Encoder, InputError, Run, Stage, load
from encoder_tui.engine.analysis.why import Explanation, explain, write_why
from encoder_tui.engine.ops import ACTIVATIONS
from encoder_tui.engine.ops.activations import CURVES
from encoder_tui.engine.ops.base import OPERATIONS
from encoder_tui.engine.program.explanation import STAGE
from encoder_tui.engine.program.trace import Trace
from encoder_tui.engine.program.value import Value
from hypothesis import given, settings
from hypothesis import strategies as st

TEXTS = ["The animal didn't cross the street because it was too tired", "東京 is far"]


@pytest.fixture(scope="module")
def padded(minilm: Encoder) -> Run:
    return minilm.run(TEXTS)


@pytest.fixture(scope="module")
def words(make_checkpoint: Callable[..., Path]) -> Encoder:
    """A masked-LM head: a softmax over the vocabulary, and the best words."""
    return load(make_checkpoint(head=True, vocab_size=30522), "cpu")


def place(trace: Trace, stage: Stage, chance: random.Random) -> tuple[int, ...]:
    return tuple(chance.randrange(size) for size in trace.shapes[stage.name])


def check(trace: Trace, stage: Stage, index: tuple[int, ...]) -> Explanation:
    found = explain(trace, stage.name, index)
    assert found.total is not None
    assert found.holds, f"{found.place}: off by {found.difference:.3g}, bound {found.bound:.3g}"
    assert math.isfinite(found.bound)
    magnitudes = [abs(term.value) for term in found.terms[:20]]
    assert magnitudes == sorted(magnitudes, reverse=True)
    for part, sum_ in enumerate(found.sums):
        rows = found.rows(part, 0, 3) + found.rows(part, max(0, len(sum_.terms) - 2))
        for row in rows:
            for factor, number in zip(row.term.factors, row.numbers, strict=True):
                assert bool(number) == (factor.kind == STAGE)
                if number:
                    assert found.operand(number) == factor
                    assert float(trace.value(factor.name).read(factor.index)) == factor.value
                elif factor.kind == "weight":
                    assert float(trace.weight(factor.name, factor.index)) == factor.value
    return found


# -- they add up -------------------------------------------------------------------------------------------------


def test_every_kind_of_operation_is_explained(padded: Run, words: Encoder) -> None:
    kinds = {stage.kind for run in (padded, words.run("a")) for stage in run.program}
    assert kinds <= OPERATIONS.keys()


def test_every_stage_adds_up(padded: Run) -> None:
    chance = random.Random(1)
    for stage in padded.program:
        check(padded, stage, place(padded, stage, chance))


@settings(deadline=None)
@given(st.data())
def test_any_element_adds_up(padded: Run, data: st.DataObject) -> None:
    stage = data.draw(st.sampled_from(padded.program.stages))
    index = data.draw(st.tuples(*(st.integers(0, size - 1) for size in padded.shapes[stage.name])))
    check(padded, stage, index)


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", "float16"])
def test_every_dtype_adds_up(words: Encoder, dtype: str) -> None:
    encoder = words if dtype == "float32" else load(words.checkpoint.directory, "cpu", dtype)
    run, chance = encoder.run([*TEXTS, "x"]), random.Random(2)
    for stage in run.program:
        for _ in range(1 if run.shapes[stage.name][-1] > 1000 else 3):
            check(run, stage, place(run, stage, chance))


def test_the_bundled_model_adds_up() -> None:
    try:
        run = load(None, "cpu").run(TEXTS)
    except InputError:
        pytest.skip("no bundled model here")
    chance = random.Random(3)
    for stage in run.program:
        check(run, stage, place(run, stage, chance))


@pytest.mark.parametrize("kind", sorted(ACTIVATIONS))
def test_activations_and_their_slopes(kind: str) -> None:
    points = torch.linspace(-9, 9, 73, dtype=torch.float64, requires_grad=True)
    result = ACTIVATIONS[kind][0](points, out=None)
    (slopes,) = torch.autograd.grad(result.sum(), points)
    curve = CURVES[kind]
    for x, y, slope in zip(*(map(float, numbers.detach()) for numbers in (points, result, slopes)), strict=True):
        assert curve.output(x) == pytest.approx(y, abs=1e-15, rel=1e-12)
        assert curve.slope(x) == pytest.approx(slope, abs=1e-14, rel=1e-12)
        if curve.gate is not None:
            assert x * curve.gate(x) == curve.output(x)
    for x in (math.nan, math.inf, -math.inf, 1e300, -1e300):
        curve.output(x)  # neither raises
        curve.slope(x)


@pytest.mark.parametrize("kind", sorted(ACTIVATIONS))
def test_activation_stages_add_up(make_checkpoint: Callable[..., Path], kind: str) -> None:
    directory = make_checkpoint(hidden_act=kind, num_hidden_layers=1)
    for dtype in ("float32", "bfloat16"):
        run, chance = load(directory, "cpu", dtype).run(TEXTS), random.Random(4)
        stage = run.program["layers.0.ffn.activation"]
        for _ in range(40):
            check(run, stage, place(run, stage, chance))


# -- what they say -----------------------------------------------------------------------------------------------


def test_a_score_is_its_products(padded: Run) -> None:
    found = explain(padded, "layers.1.attention.scores", 'batch=0, head=3, query="animal", key="cross"')
    query = padded["layers.1.attention.query_heads"].read((0, 3, 2)).astype(np.float64)
    key = padded["layers.1.attention.key_heads"].read((0, 3, 6)).astype(np.float64)
    assert sorted(term.value for term in found.terms) == sorted(query * key)
    assert found.total == math.fsum(query * key)
    assert found.difference == found.total - found.stored
    magnitudes = sorted(abs(query * key), reverse=True)
    enough = found.terms_for_90
    assert enough is not None
    assert sum(magnitudes[:enough]) >= 0.9 * sum(magnitudes) > sum(magnitudes[: enough - 1])
    assert found.terms[0].factors[1].place.startswith("key_heads[0, 3, 6 'cross', ")
    assert found.names["key_heads"] == "layers.1.attention.key_heads [batch, head, token, head_dim]"


def test_a_softmax_weight_is_numerator_and_row_sum(padded: Run) -> None:
    found = explain(padded, "layers.0.attention.weights", (1, 3, 1, 2))
    row = padded["layers.0.attention.masked"].read((1, 3, 1)).astype(np.float64)
    raised = np.exp(row - row.max())
    assert found.facts["row maximum"] == row.max()
    assert found.facts["row sum"] == pytest.approx(raised.sum(), rel=1e-15)
    assert found.facts["numerator"] / found.facts["row sum"] == found.total
    assert [term.value for term in found.parts[0].terms[:2]] == sorted(raised, reverse=True)[:2]
    hidden = int((padded.tokens.mask[1] == 0).sum())
    assert any(note.startswith(f"{hidden} of {len(row)} numerators are 0") for note in found.notes)


def test_a_hidden_key_names_the_padding(padded: Run) -> None:
    last = padded.tokens.shape[1] - 1
    found = explain(padded, "layers.0.attention.masked", (1, 0, 0, last))
    assert found.notes == (f"key {last} '[PAD]' is hidden: tokens.mask[1, {last}] = 0, it is padding",)
    assert explain(padded, "layers.0.attention.masked", (0, 0, 0, 2)).notes == (
        "key 2 'animal' may be seen: the mask adds 0",
    )


def test_a_layer_norm_is_its_formula(padded: Run) -> None:
    found = explain(padded, "layers.2.ffn.norm", (0, 2, 100))
    facts = found.facts
    by_hand = (facts["x"] - facts["mean"]) / math.sqrt(facts["variance"] + facts["ε"]) * facts["γ"] + facts["β"]
    assert found.total == pytest.approx(by_hand, rel=1e-14)
    row = padded["layers.2.ffn.residual"].read((0, 2)).astype(np.float64)
    assert facts["variance"] == pytest.approx(row.var(), rel=1e-13)
    assert found.parts[0].terms.total == facts["variance"]


def test_a_lookup_is_the_product_with_the_one_hot_row(padded: Run) -> None:
    found = explain(padded, "embeddings.token", (0, 2, 5))
    assert found.difference == 0
    assert found.notes[1].endswith("30,522 terms, is 0.00373508222: the same number")
    one_hot = explain(padded, "tokens.one_hot", found.operand(1).index)
    assert (one_hot.stored, one_hot.operand(1).name) == (1, "tokens.ids")
    ids = explain(padded, "tokens.ids", one_hot.operand(1).index)
    assert ids.notes[1] == "it stands for 'animal', characters 4 to 9 of text 0"


def test_added_and_padding_tokens_say_so(padded: Run) -> None:
    assert "added by the tokenizer" in explain(padded, "tokens.ids", (0, 0)).notes[1]
    assert "padding" in explain(padded, "tokens.ids", (1, -1)).notes[1]


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_every_chain_of_operands_ends_at_the_tokens(padded: Run, data: st.DataObject) -> None:
    stage = data.draw(st.sampled_from(padded.program.stages))
    found = explain(padded, stage.name, place(padded, stage, data.draw(st.randoms(use_true_random=False))))
    for _ in range(len(padded.program)):
        count = sum(sum_.terms.followed for sum_ in found.sums)
        if not count:
            break
        operand = found.operand(data.draw(st.integers(1, min(count, 40))))
        assert padded.program.index(operand.name) < padded.program.index(found.stage)
        found = explain(padded, operand.name, operand.index)
    assert found.stage.startswith("tokens.")
    assert found.kind == "Given"


# -- what is wrong with it ---------------------------------------------------------------------------------------


def poisoned(encoder: Encoder, name: str, index: tuple[int, ...], value: float) -> Run:
    run = encoder.run(TEXTS)
    tensor = run[name].tensor()
    tensor[index] = value
    run.override(name, tensor)
    return run


@pytest.mark.parametrize(
    ("name", "value"),
    [("embeddings.sum", math.nan), ("layers.0.attention.query", math.inf), ("layers.0.ffn.up", -math.inf)],
)
def test_nan_and_infinity_are_explained_everywhere(small: Encoder, name: str, value: float) -> None:
    run, chance = poisoned(small, name, (0, 2, 5), value), random.Random(5)
    for stage in run.program:
        for _ in range(2):
            found = explain(run, stage.name, place(run, stage, chance))
            assert write_why(found)
            if not math.isfinite(found.stored) and found.stage not in run.patched:
                assert found.culprit is not None
                assert not math.isfinite(found.culprit.value)
                assert found.number_of(found.culprit) > 0


def test_the_first_nan_operand_is_named(small: Encoder) -> None:
    run = poisoned(small, "layers.0.attention.query", (0, 2, 5), math.nan)
    found = explain(run, "layers.0.attention.scores", (0, 0, 2, 3))
    assert found.culprit is not None
    assert found.culprit.place == "query_heads[0, 0, 2 'animal', 5]"
    assert found.terms_for_90 is None
    text = write_why(found)
    number = found.number_of(found.culprit)
    assert f"query_heads[0, 0, 2 'animal', 5] = nan; `why {number}` follows it" in text
    assert found.operand(number).index == found.culprit.index == (0, 0, 2, 5)


def test_a_nan_in_a_weight_is_named(small: Encoder) -> None:
    run = small.run(TEXTS)
    name = "encoder.layer.0.attention.self.query.weight"
    run.computation.weights = {**run.weights, name: run.weights[name].clone()}
    run.weights[name][5, 3] = math.nan
    found = explain(run, "layers.0.attention.query", (0, 2, 5))
    assert found.culprit is not None
    assert (found.culprit.kind, found.culprit.name, found.culprit.index) == ("weight", name, (5, 3))
    assert f"the first operand that is not finite is W[5, 3] = nan, in {name}" in write_why(found)
    assert explain(run, "layers.0.attention.query", (0, 2, 6)).holds


def test_a_nan_that_arises_says_so(small: Encoder) -> None:
    run = poisoned(small, "layers.0.attention.context", (0, 0, 2, 3), math.inf)
    found = explain(run, "layers.0.attention.norm", (0, 2, 0))
    assert math.isnan(found.stored)
    assert "none is NaN, it arises here" in write_why(found)


def test_an_overflow_arises_where_no_operand_is_infinite(small: Encoder) -> None:
    run = load(small.checkpoint.directory, "cpu", "float16").run(TEXTS)
    for name in ("query", "key"):
        run.override(f"layers.0.attention.{name}", torch.full(run.shapes[f"layers.0.attention.{name}"], 300.0))
    found = explain(run, "layers.0.attention.scores", (0, 0, 2, 3))
    assert (found.total, found.stored, found.culprit, found.holds) == (720000.0, math.inf, None, False)
    text = write_why(found)
    assert "no operand is NaN or infinite: inf arises here" in text
    assert "sum 720000 in float64, too large for float16" in text


def test_a_nan_elsewhere_in_the_table_is_not_seen_by_a_lookup(small: Encoder) -> None:
    run = small.run(TEXTS)
    table = dict(run.weights)
    name = "embeddings.word_embeddings.weight"
    table[name] = table[name].clone()
    table[name][7, 5] = math.nan
    run.computation.weights = table
    found = explain(run, "embeddings.token", (0, 2, 5))
    assert found.holds
    assert "row 7 of the table is not finite, which a lookup does not see" in found.notes[1]


@pytest.mark.parametrize("number", [7.5, math.nan, math.inf])
def test_what_was_put_there_by_hand_is_the_sum_of_nothing(small: Encoder, number: float) -> None:
    """No difference that rounding does not allow, no NaN that arises here, no sum that is too large."""
    clean = small.run(TEXTS)["layers.0.ffn.norm"][0, 2, 5]
    run = poisoned(small, "layers.0.ffn.norm", (0, 2, 5), number)
    by_hand = explain(run, "layers.0.ffn.norm", (0, 2, 5))
    assert by_hand.by_hand
    place, formula, note, empty, *names = write_why(by_hand).splitlines()
    assert place.endswith(f" = {number:.9g}")
    assert "γ" in formula
    said, _, computed = note.partition(" would have computed ")
    assert said.strip() == "this number was put there by hand; the stage"
    assert float(computed) == pytest.approx(float(clean), abs=1e-5)
    assert (empty, {line.split()[0] for line in names}) == ("", {*by_hand.names})
    beside = explain(run, "layers.0.ffn.norm", (0, 2, 6))
    assert (beside.by_hand, beside.holds, beside.notes[-1]) == (False, True, "this stage is patched")


def test_what_overflows_beside_a_patch_was_not_put_there_by_hand(small: Encoder) -> None:
    run = load(small.checkpoint.directory, "cpu", "float16").run(TEXTS)
    for name in ("query", "key"):
        run.override(f"layers.0.attention.{name}", torch.full(run.shapes[f"layers.0.attention.{name}"], 300.0))
    changed = run["layers.0.attention.scores"].tensor()
    changed[0, 0, 0, 0] = 1
    run.override("layers.0.attention.scores", changed)
    assert explain(run, "layers.0.attention.scores", (0, 0, 0, 0)).by_hand
    assert "too large for float16" in write_why(explain(run, "layers.0.attention.scores", (0, 0, 2, 3)))


def test_a_wrong_epsilon_is_more_than_rounding(small: Encoder) -> None:
    from dataclasses import replace

    run = small.run(TEXTS)
    stage = run.program["embeddings.norm"]
    run.reach(run.program.index("embeddings.norm"))
    object.__setattr__(stage, "op", replace(stage.op, epsilon=0.3))  # type: ignore[type-var]
    try:
        assert not explain(run, "embeddings.norm", (0, 2, 5)).holds
    finally:
        object.__setattr__(stage, "op", replace(stage.op, epsilon=1e-12))  # type: ignore[type-var]


def test_an_index_must_single_out_one_element(padded: Run) -> None:
    with pytest.raises(InputError) as caught:
        explain(padded, "layers.0.attention.weights", 'head=3, query="[CLS]"')
    assert str(caught.value) == (
        "why takes one element, and the index leaves batch (0 to 1) and key (0 to 14) open; "
        "write why layers.0.attention.weights[batch=0, head=3, query=0, key=0]"
    )
    with pytest.raises(InputError, match="no stage named"):
        explain(padded, "layers.9.attention.weights", (0, 0, 0, 0))
    with pytest.raises(InputError, match="out of range"):
        explain(padded, "output", (0, 0, 384))
    with pytest.raises(InputError, match="no operand 3"):
        explain(padded, "layers.0.ffn.residual", (0, 0, 0)).operand(3)


# -- what is read ------------------------------------------------------------------------------------------------


class Counting(Trace):
    """A trace that counts the numbers that are read."""

    def __init__(self, run: Run) -> None:
        self.run, self.program, self.inputs, self.about = run, run.program, run.inputs, run.about
        self.numbers: list[int] = []

    def value(self, name: str) -> Value:
        value = self.run.value(name)
        read = value.read

        def counted(index: Any = ()) -> Any:
            window = read(index)
            self.numbers.append(window.size)
            return window

        value.read = counted  # type: ignore[method-assign]
        return value

    def weight(self, name: str, index: Any = ()) -> Any:
        window = self.run.weight(name, index)
        self.numbers.append(window.size)
        return window

    def has(self, name: str) -> bool:
        return self.run.has(name)

    @property
    def shapes(self) -> Any:
        return self.run.shapes

    @property
    def weight_shapes(self) -> Any:
        return self.run.weight_shapes


def test_only_rows_are_read(minilm: Encoder) -> None:
    run = minilm.run("word " * 300)
    for name in ("scores", "scaled", "masked", "weights", "context", "query"):
        trace = Counting(run)
        stage = run.program[f"layers.0.attention.{name}"]
        explain(trace, stage.name, tuple(size // 2 for size in run.shapes[stage.name]))
        assert max(trace.numbers) <= 384
        assert sum(trace.numbers) <= 2 * 384 + 8


def test_values_that_are_never_whole_are_explained(minilm: Encoder) -> None:
    text = "word " * 200
    whole, windows = minilm.run(text), minilm.run(text)
    windows.computation.budget = 1 << 20
    assert windows.is_windowed("layers.0.attention.weights")
    for name, index in cases(windows):
        ours, theirs = explain(windows, name, index), explain(whole, name, index)
        assert (ours.stored, ours.total, ours.holds) == (theirs.stored, theirs.total, True)


def cases(run: Run) -> Iterator[tuple[str, tuple[int, ...]]]:
    for part in ("scores", "scaled", "masked", "weights", "context"):
        name = f"layers.0.attention.{part}"
        yield name, tuple(size - 1 for size in run.shapes[name])


def test_a_row_hidden_by_minus_infinity_is_nan_and_not_as_good_as_equal(small: Encoder) -> None:
    run = small.run(TEXTS)
    mask = torch.from_numpy(run.value("layers.0.attention.masked").numpy().copy())
    for hidden, said in (
        (-math.inf, "every key of this row is hidden by -inf: exp(-inf − -inf) is NaN"),
        (-3.4e38, "every key of this row is hidden, so the weights are as good as equal and mean nothing"),
        (math.inf, "the row's maximum is inf: exp(inf − inf) is NaN"),
    ):
        mask[0, 0, 2] = hidden
        run.override("layers.0.attention.masked", mask)
        found = explain(run, "layers.0.attention.weights", (0, 0, 2, 3))
        assert math.isnan(found.stored) == math.isinf(hidden)
        assert said in found.notes
        assert ("as good as equal" in write_why(found)) == math.isfinite(hidden)
