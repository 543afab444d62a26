"""Conditions: what they mean, and how they are refused."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from encoder_tui.engine import Debugger, Encoder, InputError, Run
from encoder_tui.engine.commands import TABLE
from encoder_tui.engine.commands.session import Session
from encoder_tui.engine.debugger.conditions import condition
from encoder_tui.engine.program.expressions import parse
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

WEIGHTS = "layers.0.attention.weights"


class Numbers:
    """A scope with two numbers in it."""

    def name(self, word: str):
        return {"a": 2.0, "b": 3.0}[word]

    def window(self, word: str, index: object) -> float:
        return 5.0

    def call(self, function: str, argument: Any) -> Any:
        return abs(argument)


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("1 + 2 * 3", 7), ("(1 + 2) * 3", 9), ("-2 ** 2", -4), ("2 ** -1", 0.5), ("2 ** 3 ** 2", 512), ("8 / 4 / 2", 1),
        ("a < b < 4", True), ("a < b > 4", False), ("not a > b and b == 3", True), ("a > b or b > a", True),
        ("1 - 2 - 3", -4), ("abs(a - b) + x[head=3]", 6), ("1e3 + .5", 1000.5), ("- - a", 2), ("not not a", True),
        ("1 / 0 > 1e300", True), ("a or b and 0", True), ("(a or b) and 0", False),
    ],
)  # fmt: skip
def test_arithmetic_and_logic_bind_as_in_python(text: str, result: float) -> None:
    assert parse(text).value(Numbers()) == result


@given(st.text(alphabet="ab123.+-*/()<>=! notadrx[]\"',:", max_size=40))
def test_any_text_parses_or_is_refused_in_one_line(text: str) -> None:
    try:
        parse(text)
    except InputError as error:
        assert "\n" not in str(error)  # noqa: PT017 - most texts parse, some do not


numbers = st.integers(0, 9).map(str)
expressions = st.recursive(
    numbers,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-*"), inner).map(" ".join),
        inner.map("({})".format),
        inner.map("-{}".format),
        st.tuples(inner, st.sampled_from(["<", "<=", "==", "!="]), inner).map(" ".join).map("({})".format),
    ),
    max_leaves=8,
)


@given(expressions)
def test_it_computes_what_python_computes(text: str) -> None:
    assert parse(text).value(Numbers()) == eval(text)  # a test may: it wrote the text itself


def test_depth_and_length_are_bounded() -> None:
    with pytest.raises(InputError, match="nested more than"):
        parse("(" * 60 + "1" + ")" * 60)
    with pytest.raises(InputError, match="characters long"):
        parse("1+" * 600 + "1")


def stop(run: Run, pattern: str, text: str):
    debugger = Debugger(run)
    program = run.program
    wanted = condition(text, run, program.expect(pattern))
    debugger.add(pattern, wanted)
    return debugger.cont()


def test_figures_are_those_of_the_value(minilm_run: Run) -> None:
    array = minilm_run["layers.0.ffn.up"].read()
    for word, figure in {
        "absmax": np.abs(array).max(), "min": array.min(), "max": array.max(), "mean": array.astype(np.float64).mean(),
        "std": array.astype(np.float64).std(), "norm": np.linalg.norm(array.astype(np.float64)), "nan": 0, "inf": 0,
        "sparsity": 0,
    }.items():  # fmt: skip
        figure = float(figure)
        slack = abs(figure) * 1e-6 + 1e-12
        found = stop(minilm_run, "layers.0.ffn.up", f"{figure - slack!r} <= {word} <= {figure + slack!r}")
        assert found.reason == "breakpoint", word


def test_entropy_is_in_nats_and_of_rows(minilm_run: Run) -> None:
    weights = minilm_run[WEIGHTS].read().astype(np.float64)
    entropy = float(-(weights * np.log(weights)).sum(-1).mean())
    assert 0 < entropy < math.log(weights.shape[-1])
    found = stop(minilm_run, WEIGHTS, f"abs(entropy - {entropy!r}) < 1e-6")
    assert found.held.startswith("entropy = ")


def test_a_condition_on_heads_names_the_head(minilm_run: Run) -> None:
    weights = minilm_run[WEIGHTS].read().astype(np.float64)
    entropies = -(weights * np.log(weights)).sum(-1).mean(axis=(0, 2))
    lowest = int(entropies.argmin())
    found = stop(minilm_run, WEIGHTS, f"entropy <= {float(entropies.min()) + 1e-9!r} and head >= 0")
    assert f"head = {lowest}" in found.held


def test_indices_take_axis_names_and_tokens(minilm_run: Run) -> None:
    number = minilm_run[WEIGHTS].read('0, head=3, query="it", key="animal"').item()
    found = stop(minilm_run, "layers.*.attention.weights", f'x[head=3, query="it", key="animal"] == {number!r}')
    assert found.stage.name == WEIGHTS
    assert found.held == f"x = {number:.6g}"


def test_another_stage_can_be_spoken_of(minilm_run: Run) -> None:
    found = stop(
        minilm_run, "layers.1.ffn.*", "layer == 1 and max(layers.0.attention.weights[head=0]) > 0 and absmax > 0"
    )
    assert found.stage.name == "layers.1.ffn.up"


def test_layer_narrows_a_glob(minilm_run: Run) -> None:
    assert stop(minilm_run, "*.weights", "layer > 3").stage.layer == 4


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("absmx > 3", "unknown word 'absmx' (column 1); did you mean absmax"),
        ("1 < absmax >> 3", "at '> 3' (column 13)"),
        ("absmax + 1", "is a number, not a condition"),
        ("x > 3", "index it"),
        ("x[head=99] > 1", "out of range for axis 'head' of size 12"),
        ("x[hed=9] > 1", "no axis 'hed'"),
        ('"it" > 3', "outside an index"),
        ("foo(1) > 1", "unknown function 'foo'"),
        ("layers.9.foo[0] > 1", "no stage named 'layers.9.foo'"),
        ("x[0 > 1", "expected ']'"),
        ("x[head=3] > 0.4", "is many numbers (along query, key); index one of them, or take a figure"),
        ("", "at its end"),
    ],
)
def test_a_bad_condition_is_refused_when_it_is_set(minilm_run: Run, text: str, says: str) -> None:
    debugger = Debugger(minilm_run)
    with pytest.raises(InputError) as error:
        condition(text, minilm_run, [WEIGHTS])
    assert says in str(error.value)
    assert not debugger.breakpoints


def test_entropy_where_there_is_no_softmax_is_refused(minilm_run: Run) -> None:
    with pytest.raises(InputError, match="entropy is of softmax rows"):
        condition("entropy < 1", minilm_run, ["layers.0.ffn.up"])


def test_a_watch_stops_where_it_changes_both_ways(minilm: Encoder) -> None:
    session = Session(minilm.run("the cat"))
    TABLE.execute(session, "goto mask.additive")
    TABLE.execute(session, "watch absmax > 20")
    stops = [TABLE.execute(session, line).stop for line in ("continue", "continue", "reverse-continue")]
    assert [stop.held for stop in stops] == [
        "absmax > 20: false -> true", "absmax > 20: true -> false", "absmax > 20: false -> true",
    ]  # fmt: skip
    assert stops[0].position <= stops[2].position < stops[1].position


def test_a_watched_number_appears_when_its_stage_runs(minilm: Encoder) -> None:
    session = Session(minilm.run("the cat"))
    TABLE.execute(session, "watch layers.0.output[0, 1, 2]")
    found = TABLE.execute(session, "continue").stop
    assert found.stage.name == "layers.0.ffn.norm"
    assert f"{session.trace['layers.0.output'].read('0, 1, 2').item():.6g}" in found.held
    assert TABLE.execute(session, "continue").stop.reason == "end"
    back = TABLE.execute(session, "reverse-continue").stop  # the other way there is one place where it comes to be, too
    assert (back.stage.name, back.held) == (found.stage.name, found.held)
    TABLE.execute(session, "goto end")
    TABLE.execute(session, "ablate layers.0.attention.weights[head=1]")
    back = TABLE.execute(session, "reverse-continue").stop
    assert back.stage.name == "layers.0.ffn.norm"
    assert re.fullmatch(r"layers\.0\.output\[0, 1, 2\]: \S+ -> \S+", back.held)
    assert TABLE.execute(session, "reverse-continue").stop.reason == "start"


# A condition -> which element of the weights makes a stop of it.
STOPS: list[tuple[str, Callable[[NDArray[Any]], tuple[Any, ...]]]] = [
    ('x[head=3, query="cat", key=1] >= 0', lambda array: (0, 3, 2, 1)),
    ("max > 0", lambda array: np.unravel_index(array.argmax(), array.shape)),
    ("min < 1 and head == 5", lambda array: (0, 5, *np.unravel_index(int(array[0, 5].argmin()), array.shape[2:]))),
    ("max(x[0, 2, :, 1:]) > 0", lambda array: _later(np.unravel_index(array[0, 2, :, 1:].argmax(), (4, 3)))),
    ("entropy > 0 and head == 7", lambda array: (None, 7, None, None)),
    ("std > 0", lambda array: ()),
    ("not nan", lambda array: ()),
]


@pytest.mark.parametrize(("text", "place"), STOPS)
def test_a_stop_says_which_number_made_it(
    minilm: Encoder, text: str, place: Callable[[NDArray[Any]], tuple[Any, ...]]
) -> None:
    run = minilm.run("the cat")
    found = stop(run, WEIGHTS, text)
    assert found.reason == "breakpoint"
    assert found.place == tuple(place(run[WEIGHTS].read()))


def _later(within: tuple[Any, ...]) -> tuple[int, ...]:
    query, key = within
    return (0, 2, query, key + 1)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x[0]", r"watch 'x\[0\]' \(column 1\): x\[\.\.\.\] is many numbers"),
        ("layers.0.output[0, 1]", r"is many numbers \(along hidden\)"),
        ("layers.0.output[0, 99, 0]", r"index 99 is out of range for axis 'token'"),
    ],
)
def test_a_bad_watch_is_refused_when_it_is_set(minilm: Encoder, text: str, says: str) -> None:
    session = Session(minilm.run("the cat"))
    with pytest.raises(InputError, match=says):
        TABLE.execute(session, f"watch {text}")
    assert not session.debugger.breakpoints


def test_a_watch_of_what_is_many_numbers_elsewhere_stops_no_motion(minilm: Encoder) -> None:
    session = Session(minilm.run("the cat"))
    TABLE.execute(session, "watch x[0, 1, 2]")  # a number of (batch, token, hidden), a row of weights
    stops = [TABLE.execute(session, "continue").stop for _ in range(5)]
    assert all(len(session.trace.shapes[stop.stage.name]) == 3 for stop in stops)
