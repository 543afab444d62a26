"""Programs run on torch's meta device, which has shapes and no numbers.

Every operation of the table runs there in `test_operations_elsewhere`; commands, which need numbers, run on a pretend device (`test_pretend_commands`).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from encoder_tui.engine import Encoder, Program, Run, load
from encoder_tui.engine.ops import Given, no_memory
from encoder_tui.engine.ops.base import Op
from encoder_tui.engine.traces.shapes import shadows_of


@pytest.fixture(scope="module", params=["minilm", "words"])
def program(request: pytest.FixtureRequest, minilm: Encoder, make_checkpoint: Callable[..., Path]) -> Program:
    return minilm.program if request.param == "minilm" else load(make_checkpoint(head=True), "cpu").program


def meta_values(program: Program, dtype: torch.dtype, make_out: Callable[[str], Any]) -> dict[str, torch.Tensor]:
    weights = {name: torch.empty(shape, dtype=dtype, device="meta") for name, shape in program.weights.items()}
    values: dict[str, torch.Tensor] = {}
    for stage in program:
        if isinstance(stage.op, Given):
            values[stage.name] = torch.ones((2, 7), dtype=torch.int64, device="meta")
        else:
            assert isinstance(stage.op, Op)
            inputs = [values[name] for name in stage.inputs]
            values[stage.name] = stage.op.compute(
                inputs, [weights[name] for name in stage.weights], make_out(stage.name)
            )
    return values


def test_no_op_makes_cpu_tensors(program: Program):
    values = meta_values(program, torch.float32, lambda _: no_memory)
    assert {value.device.type for value in values.values()} == {"meta"}


def test_with_memory_given_too(program: Program):
    """Buffers take another branch in most ops: `out=` refuses a tensor of another device."""
    shadows = shadows_of(program, torch.float32, {"tokens": (2, 7)})

    def buffer(name: str):
        return lambda: torch.empty(shadows[name].shape, dtype=shadows[name].dtype, device="meta")

    values = meta_values(program, torch.float32, buffer)
    assert {value.device.type for value in values.values()} == {"meta"}


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", "float16"])
def test_shadows_foretell_shape_and_dtype(small_dir: Path, dtype: str):
    run = load(small_dir, "cpu", dtype).run(["one two three", "four"])
    for stage in run.program:
        value = run[stage.name]
        tensor = value.tensor()
        assert (tuple(tensor.shape), str(tensor.dtype)) == (value.shape, f"torch.{value.dtype}"), stage.name


def test_the_values_axes_are_named(minilm_run: Run):
    for stage in minilm_run.program:
        assert len(stage.axes) == len(minilm_run.shapes[stage.name]), stage.name
        assert len(set(stage.axes)) == len(stage.axes), stage.name


def test_reads_on_another_device_stay_there(minilm: Encoder):
    """Every op of a run that never sees a CPU tensor: tokens, masks and buffers are all on the run's device."""
    from session_kit import run_of

    weights = {name: torch.empty(shape, device="meta") for name, shape in minilm.program.weights.items()}
    run = run_of(minilm.program, weights, minilm.read(["one two", "three"]), device="meta")
    for position, stage in enumerate(run.program):
        run.reach(position)
        if not run.is_windowed(stage.name):
            assert run.tensor(stage.name).device.type == "meta", stage.name
    assert np.prod(run.shapes["layers.0.ffn.norm"]) == 2 * 4 * 384


def test_shadows_are_what_the_meta_device_says(program: Program):
    """Two ways to the same shapes: each op's own rule, and the op run on nothing."""
    shadows = shadows_of(program, torch.float32, {"tokens": (2, 7)})
    for name, value in meta_values(program, torch.float32, lambda _: no_memory).items():
        assert (shadows[name].shape, shadows[name].dtype) == (tuple(value.shape), value.dtype), name
        assert shadows[name].nbytes == value.numel() * value.itemsize
