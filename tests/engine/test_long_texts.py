"""Long texts within a small budget: local attention computes the keys that are near, and nothing is computed twice on the way."""

from __future__ import annotations

from collections import Counter
from typing import Any

import family_modernbert
import numpy as np
import pytest
import torch
from encoder_tui.engine import Encoder, Run, Session
from encoder_tui.engine.commands import TABLE
from encoder_tui.engine.debugger.cancel import CancelToken
from encoder_tui.engine.debugger.cursor import Debugger
from encoder_tui.engine.messages.errors import Interrupted
from encoder_tui.engine.program.figures import measure
from encoder_tui.engine.program.stage import Stage
from encoder_tui.engine.program.value import Value
from encoder_tui.engine.traces.arena import give_back
from encoder_tui.engine.traces.bands import Bands
from encoder_tui.engine.traces.compute import Computation
from encoder_tui.engine.traces.in_rows import InRows
from encoder_tui.engine.traces.lifetimes import thinned
from family_kit import Sample, open_pair, random_model, random_tokens

LONG = {"max_position_embeddings": 1024, "hidden_size": 64, "local_attention": 24, "num_hidden_layers": 4}
SAMPLE: Sample = family_modernbert.SAMPLE


def run_of(lengths: list[int], budget: int | None, dtype: str = "float32", seed: int = 0, **options: Any) -> Run:
    encoder = opened(dtype, budget, **options)
    return encoder.run(random_tokens(lengths, np.random.default_rng(seed), encoder))


def opened(dtype: str = "float32", budget: int | None = None, **options: Any) -> Encoder:
    return open_pair(SAMPLE, random_model(SAMPLE, **{**LONG, **options}), dtype, budget=budget)[0]


def differing(one: Run, other: Run) -> list[str]:
    return [stage.name for stage in one.program if not torch.equal(one.tensor(stage.name), other.tensor(stage.name))]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("lengths", [[700], [513], [650, 300], [300, 650]], ids=str)
def test_local_attention_is_the_same_to_the_last_bit(lengths: list[int], dtype: str):
    whole, limited = run_of(lengths, None, dtype), run_of(lengths, 1, dtype)
    assert limited.is_windowed("layers.1.attention.weights")
    assert not differing(whole, limited)


def near(run: Run, layer: int) -> slice | None:
    stage = run.program[f"layers.{layer}.attention.weights"]
    for name in ("query_rotated", "key_rotated"):
        run.tensor(f"layers.{layer}.attention.{name}")
    return Bands(run.computation, stage).keys(256, 320)


def test_only_near_keys_are_computed():
    run = run_of([700], 100_000_000)
    assert near(run, 0) is None  # global
    assert near(run, 1) == slice(192, 384)


def test_a_score_that_could_reach_through_the_mask_has_all_keys_computed():
    run = run_of([700], 100_000_000)
    for name in ("query", "key"):
        run.override(f"layers.1.attention.{name}_heads", 1e19 * run.tensor(f"layers.1.attention.{name}_heads"))
    assert near(run, 1) is None
    whole = run_of([700], None)
    for name in ("query", "key"):
        whole.override(f"layers.1.attention.{name}_heads", 1e19 * whole.tensor(f"layers.1.attention.{name}_heads"))
    assert torch.equal(
        run.tensor("layers.1.attention.context").nan_to_num(7.0),
        whole.tensor("layers.1.attention.context").nan_to_num(7.0),
    )


def test_a_patched_mask_is_taken_as_it_is():
    run = run_of([700], 100_000_000)
    run.override("mask.local", torch.zeros(run.shapes["mask.local"]))
    assert near(run, 1) is None


def test_padded_queries_see_all_keys_alike():
    run = run_of([700], 100_000_000)
    mask = torch.ones(1, 700, dtype=torch.int64)
    mask[0, 260:] = 0
    run.override("tokens.mask", mask)
    assert near(run, 1) is None
    whole = run_of([700], None)
    whole.override("tokens.mask", mask)
    assert not differing(whole, run)


def test_nothing_is_computed_twice_on_the_way(monkeypatch: pytest.MonkeyPatch):
    """A budget of a few values is enough to go forwards: what the rest of a layer is made of stays."""
    made: Counter[str] = Counter()
    keep = Computation._keep

    def counted(self: Computation, name: str, result: torch.Tensor) -> torch.Tensor:
        made[name] += 1
        return keep(self, name, result)

    monkeypatch.setattr(Computation, "_keep", counted)
    run = run_of([700], 12 * 700 * 64 * 4)
    for position in range(len(run.program)):
        run.reach(position)
    assert run.computation.cache.pool.evictions > 20
    assert {name for name, times in made.items() if times > 1} <= {
        name for name in made if name.startswith(("rotary.", "mask.", "tokens."))
    }


def test_what_is_left_of_places_is_never_far_apart():
    places = list(range(0, 320, 10))
    given_up = list(thinned(places))
    assert sorted(given_up) == list(range(32))
    left = sorted(given_up[-8:])
    assert left[-1] == 31
    assert max(b - a for a, b in zip([-1, *left], left, strict=False)) <= 8


class StopsAfter:
    """Says that all is to stop once it has been asked so many times."""

    def __init__(self, times: int) -> None:
        self.left = times

    def __call__(self) -> bool:
        self.left -= 1
        return self.left < 0


@pytest.mark.parametrize("times", range(0, 60, 3))
def test_what_is_stopped_within_a_stage_is_as_if_it_had_not_begun(times: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("encoder_tui.engine.traces.row_blocks.HEAD_BYTES", 1)
    run = run_of([160], 30_000)
    debugger = Debugger(run)
    run.stop_when(StopsAfter(times))
    stop = debugger.cont()
    run.stop_when(lambda: False)
    assert stop.reason in ("interrupt", "end")
    assert debugger.position == stop.position
    assert debugger.cont().reason == "end"
    assert not differing(run_of([160], None), run)


def test_a_condition_that_is_stopped_is_asked_again():
    run = run_of([160], 30_000)
    session = Session(run)
    TABLE.execute(session, "break layers.*.attention.weights if std > 0")
    run.stop_when(StopsAfter(40))
    assert session.debugger.cont().reason == "interrupt"
    run.stop_when(session.stopped)
    stop = session.debugger.cont()
    assert stop.stage is not None
    assert stop.stage.name == "layers.0.attention.weights"


def test_an_order_that_was_stopped_stops_nothing_that_comes_after_it():
    run = run_of([160], 30_000)
    session, token = Session(run), CancelToken()
    token.cancel()
    stop = TABLE.execute(session, "continue", token).stop
    assert stop is not None
    assert stop.reason == "interrupt"
    assert run["output"].stats().finite
    session.cancel.cancel()
    with pytest.raises(Interrupted, match="stopped while layers"):
        run["layers.1.attention.weights"].stats()


LAYER = "layers.1.attention"
SQUARES = [f"{LAYER}.{what}" for what in ("scores", "scaled", "masked", "weights")]


@pytest.mark.parametrize("word", ["min", "max", "absmax", "mean", "std", "norm", "entropy", "sparsity"])
@pytest.mark.parametrize("name", SQUARES)
def test_what_is_known_of_a_square_is_what_is_measured(name: str, word: str):
    """By a bound, by what it is made of, by what passes: each range holds the figure."""
    run = run_of([700], 30_000)
    ranges = list(run.ranges(name, word))
    figure = measure(run.value(name), word)
    of_sums = word in ("mean", "std", "norm")
    made_of = name != SQUARES[-1] and word not in ("entropy", "sparsity")
    passes = word != "entropy" or name == SQUARES[-1]
    passes &= not (of_sums and name == f"{LAYER}.masked")  # the sums of what hides overflow
    assert len(ranges) == 1 + made_of + passes
    assert all(low <= figure <= high for low, high in ranges)
    if word in ("min", "max", "absmax", "sparsity"):
        assert ranges[-1] == (figure, figure)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("word", ["mean", "std", "norm", "absmax"])
def test_queries_and_keys_say_what_scores_are_like(word: str, dtype: str, monkeypatch: pytest.MonkeyPatch):
    """In a local layer most scores are of keys that nothing else computes: a scan needs none of them."""
    run = run_of([700], 30_000, dtype, num_hidden_layers=2)
    names = [name for name in run.program.expect("layers.*.attention.s*") if run.is_windowed(name)]
    most = max(measure(run.value(name), word) for name in names)
    expected = measure(run.value(SQUARES[0]), word)

    def passed(self: Computation, name: str, watcher: object) -> None:
        raise AssertionError(f"{name} was computed to be looked at")

    monkeypatch.setattr(Computation, "watched", passed)
    asked = Session(run)
    TABLE.execute(asked, f"break layers.*.attention.s* if {word} > {(1.001 if word != 'absmax' else 40) * most}")
    stop = TABLE.execute(asked, "continue").stop
    assert stop is not None
    assert stop.reason == "end"
    monkeypatch.undo()
    # where it holds, the number that is shown is that of every score
    asked = Session(run_of([700], 30_000, dtype, num_hidden_layers=2))
    TABLE.execute(asked, f"break {SQUARES[0]} if {word} > {0.999 * expected}")
    stop = TABLE.execute(asked, "continue").stop
    assert stop is not None
    assert stop.held == f"{word} = {expected:.6g}"


def test_a_patched_square_is_not_what_it_is_made_of():
    run = run_of([700], 30_000)
    assert run.extents.moments(SQUARES[1]) is not None
    run.override(SQUARES[0], torch.zeros(run.shapes[SQUARES[0]]))
    assert run.extents.moments(SQUARES[0]) is None
    assert run.extents.moments(SQUARES[1]) is None
    run.override("mask.local", torch.zeros(run.shapes["mask.local"]))
    assert run.extents.moments(SQUARES[2]) is None


def test_sums_of_rows_pass_by():
    run = run_of([700], 30_000)
    low, high = run.row_ends(SQUARES[-1], "sum")
    sums = Value.rows(run.value(SQUARES[-1]), "sum")
    assert (low, high) == pytest.approx((sums.min(), sums.max()), abs=1e-5)


def test_a_scan_looks_at_a_layer_once(monkeypatch: pytest.MonkeyPatch):
    """Scores, scaled, masked and weights are looked at while what is made of them is computed."""
    computed: Counter[str] = Counter()
    fill, walk = InRows.fill, InRows.walk

    def filled(self: InRows, stage: Stage, result: torch.Tensor) -> torch.Tensor:
        computed[stage.name] += 1
        return fill(self, stage, result)

    def walked(self: InRows, name: str) -> None:
        computed[name] += 1
        walk(self, name)

    def windowed(self: InRows, name: str, start: int, stop: int, heads: slice | None = None) -> torch.Tensor:
        raise AssertionError(f"a window of {name} was computed")

    monkeypatch.setattr(InRows, "fill", filled)
    monkeypatch.setattr(InRows, "walk", walked)
    monkeypatch.setattr(InRows, "rows", windowed)
    run = run_of([700], 12 * 700 * 64 * 4)
    session = Session(run)
    TABLE.execute(session, "break layers.*.attention.s* if std > 1e4")
    TABLE.execute(session, "break layers.*.attention.weights if entropy < 1e-9")
    TABLE.execute(session, "break unexpected")
    stop = TABLE.execute(session, "continue").stop
    assert stop is not None
    assert stop.reason == "end"
    assert set(computed.values()) == {1}
    # a context a layer, the mask by itself, and what was first asked of a layer when that had been computed
    assert computed.keys() == {f"layers.{layer}.attention.context" for layer in range(4)} | {
        "mask.local",
        "layers.0.attention.weights",
    }


def test_what_no_bound_tells_is_told_by_what_passes():
    """Scores beyond the dtype's largest number have no bound; a look at them as they pass says that there are none."""
    run = run_of([700], 30_000, "float16")
    for name in ("query", "key"):
        run.override(f"{LAYER}.{name}_heads", 30 * run.tensor(f"{LAYER}.{name}_heads"))
    assert run.finite(SQUARES[0]) == bool(np.isfinite(run.value(SQUARES[0]).read()).all())


@pytest.mark.parametrize(("budget", "times"), [(None, 0), (1_500_000, 2)])
def test_what_is_free_is_given_back_now_and_then(budget: int | None, times: int, monkeypatch: pytest.MonkeyPatch):
    """Not at every value that goes: about as often as twice the budget has been evicted."""
    given: list[int] = []
    run = run_of([700], budget)
    pool = run.computation.cache.pool
    monkeypatch.setattr("encoder_tui.engine.traces.cache.EVICTED", (0, 1 << 30))
    monkeypatch.setattr("encoder_tui.engine.traces.cache.give_back", lambda: given.append(pool.evictions))
    for position in range(len(run.program)):
        run.reach(position)
    assert len(given) >= times
    assert len(given) < max(1, pool.evictions / 4)
    assert not differing(run_of([700], None), run)


def test_giving_back_takes_nothing_from_anybody():
    numbers = torch.arange(1 << 20)
    give_back()
    assert int(numbers.sum()) == (1 << 20) * ((1 << 20) - 1) // 2
