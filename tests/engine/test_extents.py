"""What a scan works out instead of reading: it must stop where reading every number would, and say the same."""

from __future__ import annotations

import math

import pytest
import torch
from encoder_tui.engine import Debugger, load
from encoder_tui.engine.conditions import condition
from encoder_tui.engine.expressions import parse
from encoder_tui.engine.limits import limit_of
from encoder_tui.engine.row_figures import row_ends
from encoder_tui.engine.trace import Trace
from encoder_tui.engine.unexpected import Unexpected
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

TEXTS = ["one two three four", "one"]
LINES = (
    "nan", "inf", "not nan", "nan or inf", "absmax > 1e30", "absmax >= 40", "1e4 < absmax", "min < -20", "max > 3",
    "max <= 0.5", "min > 1", "absmax == 0", "1 < absmax < 2",
)  # fmt: skip
NUMBERS = (math.nan, math.inf, -math.inf, 3e38, -3e38, 1e31, 1e13, 1e5, -5.0, 0.0)


class Plain(Trace):
    """A run seen through a trace that knows nothing quickly: every figure is counted over every number."""

    live = True

    def __init__(self, run) -> None:
        self.run = run
        self.program, self.tokens, self.about = run.program, run.tokens, run.about

    def value(self, name):
        from encoder_tui.engine.value import ArrayValue

        value = self.run.value(name)
        return ArrayValue(name, value.axes, value.read(), value.dtype, value.tokens)

    def has(self, name):
        return self.run.has(name)

    @property
    def shapes(self):
        return self.run.shapes

    @property
    def patched(self):
        return self.run.patched


def every_stop(trace, said):
    debugger = Debugger(trace)
    asked = Unexpected() if said == "unexpected" else condition(
        said, trace.program, [stage.name for stage in trace.program], trace.shapes, trace.tokens.strings
    )  # fmt: skip
    debugger.add("*", asked)
    stops = []
    while (stop := debugger.cont()).reason == "breakpoint":
        assert debugger.furthest == debugger.position == stop.position
        stops.append((stop.position, stop.held))
    return stops


def patch(run, name, number, whole):
    tensor = run.tensor(name).clone()
    if whole:
        tensor.fill_(number)
    else:
        tensor[(-1,) * tensor.ndim] = number
    run.override(name, tensor)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=some.data())
def test_a_scan_stops_where_reading_everything_stops(small, data) -> None:
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
def test_a_bound_is_never_exceeded(minilm_dir, dtype: str) -> None:
    run = load(minilm_dir, "cpu", dtype).run(["The cat sat on the mat.", "Hi"])
    for position, stage in enumerate(run.program):
        run.reach(position)
        between = run.between(stage.name, "absmax")
        if between is not None:
            assert run[stage.name].tensor().abs().max() <= between[1], stage.name


@pytest.mark.parametrize("said", ["nan", "absmax > 1e30", "unexpected"])
def test_a_small_budget_changes_no_stop(make_checkpoint, said: str) -> None:
    directory = make_checkpoint()
    text = "one two three " * 12
    whole, small = load(directory, "cpu").run(text), load(directory, "cpu", budget=1 << 16).run(text)
    for run in (whole, small):
        patch(run, "layers.1.ffn.up", math.inf if said != "absmax > 1e30" else 1e31, whole=False)
    found = every_stop(small, said)
    assert found == every_stop(whole, said)
    assert found


def test_what_is_asked_of_one_stage_computes_no_other_anew(small) -> None:
    """After an eviction upstream, the stage itself is read: the bound of an input is not worth computing it."""
    run = small.run(TEXTS)
    run.reach(len(run.program) - 1)
    last = "layers.1.attention.residual"
    for name in run.program[last].inputs:
        run._cache.drop(name)
    assert run.between(last, "nan") == (0, 0)
    assert all(run._known(name) is None for name in run.program[last].inputs)


@pytest.mark.parametrize(
    ("text", "holds", "not_"),
    [("absmax > 5", (0, 6), (0, 5)), ("5 <= max", (-9, 5), (-9, 4)), ("min < -5", (-6, 6), (-5, 5)), ("nan", (0, 1), (0, 0))],
)  # fmt: skip
def test_a_limit_is_told_from_a_range(text: str, holds, not_) -> None:
    limit = limit_of(parse(text))
    assert limit is not None
    assert limit.may_hold(holds)
    assert not limit.may_hold(not_)


@pytest.mark.parametrize("text", ["absmax == 5", "1 < max < 2", "max > mean", "absmax > 2 * 3", "not nan", "max"])
def test_what_is_no_limit(text: str) -> None:
    assert limit_of(parse(text)) is None


@pytest.mark.parametrize("shape", [(3, 7), (2, 4, 200, 200)])
@pytest.mark.parametrize("figure", ["sum", "var"])
def test_figures_of_rows(shape, figure: str) -> None:
    rows = torch.rand(shape, generator=torch.Generator().manual_seed(1))
    exact = rows.double()[..., :5] if figure == "var" else rows.double()
    each = exact.sum(-1) if figure == "sum" else exact.var(-1, unbiased=False)
    first = 5 if figure == "var" else None
    assert row_ends(rows, figure, first) == pytest.approx((float(each.min()), float(each.max())), rel=1e-5)
    rows[(-1,) * rows.ndim] = math.nan
    assert all(map(math.isnan, row_ends(rows, figure)))
