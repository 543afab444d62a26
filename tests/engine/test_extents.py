"""What a scan works out instead of reading: it must stop where reading every number would, and say the same."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from encoder_tui.engine import Debugger, Encoder, Run, load
from encoder_tui.engine.debugger.conditions import condition
from encoder_tui.engine.debugger.necessary_conditions import necessary_condition
from encoder_tui.engine.debugger.unexpected import Unexpected
from encoder_tui.engine.program.expressions import parse
from encoder_tui.engine.program.figures import measure
from encoder_tui.engine.program.trace import LiveTrace
from encoder_tui.engine.program.value import ArrayValue
from encoder_tui.engine.traces.compute import Computation
from encoder_tui.engine.traces.ranges.extents import ends
from encoder_tui.engine.traces.ranges.figures import RANGED, by_bound, by_ends, by_sums
from encoder_tui.engine.traces.ranges.rows import row_ends
from encoder_tui.engine.traces.ranges.weights import WeightSizes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from hypothesis.extra.numpy import arrays

TEXTS = ["one two three four", "one"]
LINES = (
    "nan", "inf", "not nan", "nan or inf", "absmax > 1e30", "absmax >= 40", "1e4 < absmax", "min < -20", "max > 3",
    "max <= 0.5", "min > 1", "absmax == 0", "1 < absmax < 2", "mean > 0.1", "std > 1.5", "norm >= 30", "norm < 8 * 3",
    "std < 0.2 and layer == 1", "sparsity > 0.3", "sparsity == 0", "entropy < 1.2", "entropy > 1.3 or inf", "x[0, 0] > 2",
    "head == 1 and max > 2", "head == 0 and std < 0.4", "mean == 0", "max(x[0]) > 3 and min < -3",
)  # fmt: skip
NUMBERS = (math.nan, math.inf, -math.inf, 3e38, -3e38, 1e31, 1e13, 1e5, -5.0, 0.0)


class Plain(LiveTrace):
    """A run seen through a trace that knows nothing quickly: every figure is counted over every number."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.program, self.inputs, self.about = run.program, run.inputs, run.about

    def value(self, name: str):
        from encoder_tui.engine.program.value import ArrayValue

        value = self.run.value(name)
        return ArrayValue(name, value.axes, value.read(), value.dtype, value.tokens)

    def has(self, name: str):
        return self.run.has(name)

    @property
    def shapes(self):
        return self.run.shapes

    @property
    def patched(self):
        return self.run.patched


Plain.__abstractmethods__ = frozenset()  # it is looked at and never changed


def every_stop(trace: Run | Plain, said: str):
    debugger = Debugger(trace)
    asked = Unexpected() if said == "unexpected" else condition(
        said, trace, [stage.name for stage in trace.program]
    )  # fmt: skip
    debugger.add("*", asked)
    stops: list[tuple[int, str]] = []
    while (stop := debugger.cont()).reason == "breakpoint":
        assert debugger.furthest == debugger.position == stop.position
        stops.append((stop.position, stop.held))
    return stops


def patch(run: Run, name: str, number: float, whole: bool):
    tensor = run.tensor(name).clone()
    if whole:
        tensor.fill_(number)
    else:
        tensor[(-1,) * tensor.ndim] = number
    run.override(name, tensor)


@settings(
    max_examples=settings.default.max_examples * 3 // 2,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=some.data())
def test_a_scan_stops_where_reading_everything_stops(small: Encoder, data: some.DataObject) -> None:
    run = small.run(TEXTS[: data.draw(some.integers(1, 2), label="texts")])
    names = [stage.name for stage in run.program if run.dtype(stage.name).is_floating_point]
    for _ in range(data.draw(some.integers(0, 2), label="patches")):
        name = data.draw(some.sampled_from(names), label="stage")
        patch(
            run, name, data.draw(some.sampled_from(NUMBERS), label="number"), data.draw(some.booleans(), label="whole")
        )
    said = data.draw(some.sampled_from((*LINES, "unexpected")), label="condition")
    assert every_stop(run, said) == every_stop(Plain(run), said)


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", "float16"])
def test_a_bound_is_never_exceeded(minilm_dir: Path, dtype: str) -> None:
    run = load(minilm_dir, "cpu", dtype).run(["The cat sat on the mat.", "Hi"])
    for position, stage in enumerate(run.program):
        run.reach(position)
        if run.finite(stage.name):
            assert run[stage.name].tensor().abs().max() <= run.extents.most(stage.name), stage.name


@pytest.mark.parametrize("said", ["nan", "absmax > 1e30", "unexpected"])
def test_a_small_budget_changes_no_stop(make_checkpoint: Callable[..., Path], said: str) -> None:
    directory = make_checkpoint()
    text = "one two three " * 12
    whole, small = load(directory, "cpu").run(text), load(directory, "cpu", budget=1 << 16).run(text)
    for run in (whole, small):
        patch(run, "layers.1.ffn.up", math.inf if said != "absmax > 1e30" else 1e31, whole=False)
    found = every_stop(small, said)
    assert found == every_stop(whole, said)
    assert found


def test_what_is_asked_of_one_stage_computes_no_other_anew(small: Encoder) -> None:
    """After an eviction upstream, the stage itself is read: the bound of an input is not worth computing it."""
    run = small.run(TEXTS)
    run.reach(len(run.program) - 1)
    last = "layers.1.attention.residual"
    for name in run.program[last].inputs:
        run.computation.cache.drop(name)
    assert run.finite(last)
    assert all(run.computation.known(name) is None for name in run.program[last].inputs)


@pytest.mark.parametrize(
    ("text", "holds", "not_"),
    [
        ("absmax > 5", (0, 6), (0, 5)),
        ("5 <= max", (-9, 5), (-9, 4)),
        ("min < -5", (-6, 6), (-5, 5)),
        ("nan", (0, 1), (0, 0)),
        ("absmax > 2 * 3", (0, 7), (0, 6)),
        ("max == 5", (4, 6), (5.5, 6)),
        ("1 < max < 2", (1.5, 9), (2, 3)),
        ("nan or max > 5", (0, 6), (0, 0)),
        ("max > mean and std > 4", (3, 5), (3, 4)),
        ("x[0] > 3", (2, 4), (2, 3)),
    ],
)
def test_a_necessary_condition_is_told_from_a_range(
    text: str, holds: tuple[float, float], not_: tuple[float, float]
) -> None:
    necessary = necessary_condition(parse(text))
    assert necessary is not None
    assert necessary.may_hold(lambda word: [(-math.inf, math.inf), holds])
    assert not necessary.may_hold(lambda word: [(-math.inf, math.inf), not_])
    assert necessary.may_hold(lambda word: ())
    assert not necessary.may_hold(lambda word: [(math.nan, math.nan)])


@pytest.mark.parametrize("text", ["max != 5", "max > mean", "not nan", "max", "nan or max > mean", "max(x[0]) > 1"])
def test_what_no_range_rules_out(text: str) -> None:
    assert necessary_condition(parse(text)) is None


@settings(max_examples=settings.default.max_examples * 3 // 2, deadline=None)
@given(data=some.data())
def test_figures_lie_in_their_ranges(data: some.DataObject) -> None:
    dtype = data.draw(some.sampled_from(["float32", "float64", "float16"]), label="dtype")
    width: Any = int(dtype[-2:])
    whole = some.floats(allow_nan=False, allow_infinity=False, width=width)
    elements = data.draw(some.sampled_from([whole, some.floats(0, 1, width=width)])) | some.sampled_from(
        [0.0, 1.0, 0.5]
    )
    shape = tuple(data.draw(some.lists(some.integers(1, 5), min_size=1, max_size=3), label="shape"))
    numbers = data.draw(arrays(dtype, shape, elements=elements), label="numbers")
    value, tensor = ArrayValue("value", ("a", "b", "c")[: numbers.ndim], numbers), torch.from_numpy(numbers)
    low, high = ends(tensor)
    most = max(abs(low), abs(high))
    for word in RANGED - {"entropy"} | ({"entropy"} if low >= 0 and high <= 1 else set[str]()):
        figure = measure(value, word)
        for found in (
            by_bound(word, most, numbers.size),
            by_ends(word, (low, high), numbers.size),
            *by_sums(word, tensor, most),
        ):
            assert found is None or found[0] <= figure <= found[1], (word, figure, found)


@pytest.mark.parametrize("shape", [(3, 7), (2, 4, 200, 200)])
@pytest.mark.parametrize("figure", ["sum", "var"])
def test_figures_of_rows(shape: tuple[int, ...], figure: str) -> None:
    rows = torch.rand(shape, generator=torch.Generator().manual_seed(1))
    exact = rows.double()[..., :5] if figure == "var" else rows.double()
    each = exact.sum(-1) if figure == "sum" else exact.var(-1, unbiased=False)
    first = 5 if figure == "var" else None
    assert row_ends(rows, figure, first) == pytest.approx((float(each.min()), float(each.max())), rel=1e-5)
    rows[(-1,) * rows.ndim] = math.nan
    assert all(map(math.isnan, row_ends(rows, figure)))


def test_what_fails_further_on_hides_no_stop_before_it(small: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stages are run ahead of the cursor to be looked at together; a fault among them waits until the cursor is there."""
    run = small.run(TEXTS)
    patch(run, "layers.0.ffn.up", math.nan, whole=False)
    compute = Computation._compute

    def failing(self: Computation, name: str):
        if name == "layers.0.ffn.down":
            raise MemoryError(name)
        return compute(self, name)

    monkeypatch.setattr(Computation, "_compute", failing)
    debugger = Debugger(run)
    debugger.add("*", Unexpected())
    stop = debugger.cont()
    assert stop.stage is not None
    assert stop.stage.name == "layers.0.ffn.up"
    debugger.breakpoints.clear()
    with pytest.raises(MemoryError, match=r"ffn\.down"):
        debugger.step(2)


def test_what_is_run_ahead_is_little(small: Encoder) -> None:
    run = small.run(TEXTS)
    last = len(run.program) - 1
    assert run.reach_ahead(0, last) == last
    tight = load(small.checkpoint.directory, "cpu", budget=1 << 14).run(TEXTS)
    reached = tight.reach_ahead(0, last)
    assert sum(tight.computation.shadows[stage.name].nbytes for stage in tight.program.stages[: reached + 1]) <= 1 << 11
    assert tight.computation.known(tight.program.stages[reached + 1].name) is None


def test_sizes_of_weights() -> None:
    weights = {"w": torch.tensor([[1.0, -2.0], [3.0, -1.0]]), "b": torch.tensor([math.nan, 1.0])}
    sizes = WeightSizes(weights)
    assert (sizes.most("w"), sizes.reach("w")) == (3, 4)
    assert math.isnan(sizes.most("b"))
    assert math.isnan(sizes.reach("b"))
