"""What every family passes: each `family_*.py` beside this file is put through all of it."""

from __future__ import annotations

import fnmatch
import random
from collections.abc import Callable
from typing import Any

import pytest
import torch
from encoder_tui.engine import Debugger, Encoder, Inputs, Tokens
from encoder_tui.engine.analysis.why import explain
from encoder_tui.engine.debugger.unexpected import Unexpected
from encoder_tui.engine.ops import Given, no_memory
from encoder_tui.engine.ops.base import OPERATIONS, Op
from encoder_tui.engine.program.explanation import STAGE
from encoder_tui.engine.traces.shapes import shadows_of
from family_kit import Sample, differences, open_pair, random_model, reference_values, samples, tokens_for
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

SAMPLES = samples()
SWEEP = pytest.mark.sweep
EXAMPLES = settings(
    max_examples=settings.default.max_examples // 10, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)  # fmt: skip


@pytest.fixture(scope="module", params=SAMPLES, ids=str)
def sample(request: pytest.FixtureRequest) -> Sample:
    return request.param


@pytest.fixture(scope="module")
def pair(sample: Sample) -> tuple[Encoder, Any]:
    """One checkpoint of the family, opened by us and by transformers."""
    return open_pair(sample, random_model(sample))


def check(sample: Sample, encoder: Encoder, theirs: Any, lengths: list[int], seed: int = 0):
    run = encoder.run(tokens_for(sample, encoder, lengths, seed))
    wrong = differences(run, reference_values(sample, theirs, run))
    for glob, limit in sample.exact_from.items():
        wrong = {name: off for name, off in wrong.items() if off > limit or not fnmatch.fnmatch(name, glob)}
    assert not wrong
    return run


@pytest.mark.few(10)
def test_alone_at_every_length(sample: Sample, pair: tuple[Encoder, Any]):
    for length in sorted({sample.shortest, 2 + sample.shortest, 17, sample.longest}):
        check(sample, *pair, [length])


def test_padded_batch(sample: Sample, pair: tuple[Encoder, Any]):
    check(sample, *pair, [9, sample.shortest, 4])


def test_every_stage_is_compared(sample: Sample, pair: tuple[Encoder, Any]):
    encoder, theirs = pair
    run = encoder.run(tokens_for(sample, encoder, [5, 3]))
    compared = set(reference_values(sample, theirs, run))
    allowed = ("tokens.*", *sample.not_compared)
    rest = [stage.name for stage in run.program if stage.name not in compared]
    assert not [name for name in rest if not any(fnmatch.fnmatch(name, glob) for glob in allowed)]


@EXAMPLES
@given(data=st.data())
def test_random_configs(sample: Sample, data: st.DataObject):
    options = data.draw(sample.options)
    encoder, theirs = open_pair(sample, random_model(sample, data.draw(st.integers(0, 99)), **options))
    check(sample, encoder, theirs, [6])
    check(sample, encoder, theirs, [7, sample.shortest, 4])


@pytest.mark.few(10)
@pytest.mark.parametrize("dtype", ["bfloat16", *(pytest.param(name, marks=SWEEP) for name in ("float16", "float64"))])
def test_other_dtypes(sample: Sample, dtype: str):
    if dtype not in sample.dtypes:
        pytest.skip(f"{sample} is not run in {dtype}")
    check(sample, *open_pair(sample, random_model(sample), dtype), [8, 5])


def values_on_meta(encoder: Encoder, tokens: Tokens, make_out: Callable[[str], Any]) -> dict[str, torch.Tensor]:
    program = encoder.program
    weights = {name: torch.empty(shape, device="meta") for name, shape in program.weights.items()}
    values: dict[str, torch.Tensor] = {}
    for stage in program:
        if isinstance(stage.op, Given):
            values[stage.name] = torch.from_numpy(Inputs.of(tokens).given(stage)).to("meta")
            if not stage.card.whole_numbers:
                values[stage.name] = values[stage.name].float()
        else:
            assert isinstance(stage.op, Op)
            inputs = [values[name] for name in stage.inputs]
            values[stage.name] = stage.op.compute(
                inputs, [weights[name] for name in stage.weights], make_out(stage.name)
            )
    return values


@pytest.mark.few(10)
def test_on_the_meta_device(sample: Sample, pair: tuple[Encoder, Any]):
    """No op makes CPU tensors, with memory given or not, and shapes and dtypes are what the ops foretell."""
    encoder, _ = pair
    tokens = tokens_for(sample, encoder, [7, 4])
    shadows = shadows_of(encoder.program, torch.float32, {"tokens": tokens.shape})

    def buffer(name: str):
        return lambda: torch.empty(shadows[name].shape, dtype=shadows[name].dtype, device="meta")

    def none(name: str):
        return no_memory

    for make_out in (buffer, none):
        for name, value in values_on_meta(encoder, tokens, make_out).items():
            assert value.device.type == "meta", name
            assert (shadows[name].shape, shadows[name].dtype) == (tuple(value.shape), value.dtype), name


def test_axes_have_names(sample: Sample, pair: tuple[Encoder, Any]):
    encoder, _ = pair
    run = encoder.run(tokens_for(sample, encoder, [4]))
    for stage in run.program:
        assert len(stage.axes) == len(run.shapes[stage.name]) == len(set(stage.axes)), stage.name


def test_canonical_names_are_there(sample: Sample, pair: tuple[Encoder, Any]):
    program = pair[0].program
    for layer in range(program.layers):
        for part in ("attention.scores", "attention.weights", "attention.context", "ffn.up", "ffn.down", "output"):
            assert f"layers.{layer}.{part}" in program
    assert "embeddings.output" in program
    assert "output" in program


def test_names_of_others(sample: Sample, pair: tuple[Encoder, Any]):
    """Hugging Face's names mean the stage they are said to be; TransformerLens' the ones they should hold."""
    program = pair[0].program
    for stage in program:
        if stage.module:
            assert stage.name in program.match(stage.module)
    blocks = "encoder_blocks" if "T5" in sample.family else "blocks"
    for layer in range(program.layers):
        assert program.resolve(f"{blocks}.{layer}.attn.hook_pattern") == f"layers.{layer}.attention.weights"
        assert program.resolve(f"{blocks}.{layer}.mlp.hook_pre") == f"layers.{layer}.ffn.up"


@pytest.mark.few(10)
def test_why_holds_at_every_stage(sample: Sample, pair: tuple[Encoder, Any]):
    """One number of each stage is the sum of the terms it is said to be."""
    encoder, _ = pair
    run = encoder.run(tokens_for(sample, encoder, [6, 4]))
    chance = random.Random(0)
    for stage in run.program:
        assert stage.kind in OPERATIONS, f"{stage.name} is a {stage.kind}"
        for _ in range(3):
            index = tuple(chance.randrange(size) for size in run.shapes[stage.name])
            found = explain(run, stage.name, index)
            assert found.holds, (stage.name, index, found.total, found.stored, found.bound)
            for terms in (part.terms for part in found.sums):  # what is counted as an operand can be followed
                assert terms.followed == sum(factor.kind == STAGE for term in terms for factor in term.factors)


def test_nothing_unexpected_in_a_healthy_model(sample: Sample, pair: tuple[Encoder, Any]):
    encoder, _ = pair
    run = encoder.run(tokens_for(sample, encoder, [6, 4]))
    for position, stage in enumerate(run.program):
        run.reach(position)
        assert not Unexpected().holds(run, stage), stage.name


def test_recomputed_values_are_the_same(sample: Sample, pair: tuple[Encoder, Any]):
    """With next to no memory, what is evicted comes out the same to the last bit."""
    encoder, _ = pair
    tokens = tokens_for(sample, encoder, [7, 5])
    whole = encoder.run(tokens)
    encoder.budget = 40_000
    small = encoder.run(tokens)
    encoder.budget = None
    debugger = Debugger(small)
    debugger.cont()
    for stage in reversed(whole.program.stages):
        assert torch.equal(small[stage.name].tensor(), whole[stage.name].tensor()), stage.name
