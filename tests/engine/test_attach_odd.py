"""Modules that do what few do: attached, exact, patched as a hook would, exported; recorded; left as after no call, or as after one."""

from __future__ import annotations

import copy
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from encoder_tui.engine import InputError, open_snapshot, record, save
from encoder_tui.engine.models.traced.attach import attach
from encoder_tui.engine.models.traced.structures import tensors_within
from encoder_tui.engine.traces.run import Run
from odd_modules import ODD, Branching, Two, X, nothing_but, script
from torch import nn


def attached(module: nn.Module, *given: Any, **named: Any) -> Run:
    with warnings.catch_warnings(action="ignore"):
        run = attach(module, *given, **named).first
    assert run is not None
    return run


def hooks_of(module: nn.Module) -> list[int]:
    """How many hooks each part has."""
    kinds = ("_forward_hooks", "_forward_pre_hooks")
    return [len(cast("dict[int, object]", getattr(part, kind))) for part in module.modules() for kind in kinds]


def results(module: nn.Module, *given: Any, **named: Any) -> dict[str, torch.Tensor]:
    """What it gives by itself, from the same random numbers and buffers, every tensor by where it stands."""
    buffers = copy.deepcopy(dict(module.named_buffers()))
    with torch.random.fork_rng():
        given_back = dict(tensors_within(module(*given, **named)))
    for name, buffer in module.named_buffers():
        buffer.data.copy_(buffers[name])
    return {name: tensor.detach() for name, tensor in given_back.items()}


@pytest.mark.filterwarnings("ignore")  # torch's, of scripts and traces
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("kind", ODD)
def test_it_is_walked_as_it_runs(kind: str, training: bool, tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = ODD[kind]().train(training)
    wanted = results(module, X)
    before = copy.deepcopy(module.state_dict())
    hooks = hooks_of(module)
    run = attached(module, X)
    assert all(torch.equal(before[name], now) for name, now in module.state_dict().items())
    assert hooks_of(module) == hooks
    assert "each equal to the module's own to the last bit" in run.notes[-1], run.notes
    for path, tensor in wanted.items():
        name = f"output.{path}" if f"output.{path}" in run.program else "output"
        assert np.array_equal(run[name].numpy(), tensor.numpy()), path
    save(run, tmp_path / "run.safetensors")
    again = open_snapshot(tmp_path / "run.safetensors")
    assert np.array_equal(again["output"].numpy(), run["output"].numpy())

    recorded = record(module, X)
    assert np.array_equal(recorded["output"].numpy(), next(iter(wanted.values())).numpy())


def test_a_recording_counts_as_a_call_does_and_attaching_does_not() -> None:
    called, module = ODD["counting"](), ODD["counting"]()
    attached(module, X)
    record(module, X)
    called(X)
    assert all(torch.equal(once, now) for once, now in zip(called.buffers(), module.buffers(), strict=True))


@pytest.mark.filterwarnings("ignore")
def test_a_patch_does_what_a_hook_would_have_done() -> None:
    torch.manual_seed(0)
    module = ODD["scripted"]()
    fork = attached(module, X).fork()
    fork.override("a", torch.full((2, 5, 8), 0.5))
    handle = module.get_submodule("a").register_forward_hook(lambda _, __, output: torch.full((2, 5, 8), 0.5))
    wanted = results(module, X)["0"]
    handle.remove()
    assert np.array_equal(fork["output"].numpy(), wanted.numpy())


@pytest.mark.filterwarnings("ignore")
def test_a_module_that_is_all_script_is_run_in_another_dtype() -> None:
    with warnings.catch_warnings(action="ignore"):
        encoder = attach(cast(nn.Module, script(Branching())), X)
        assert encoder.first is not None
        wide = encoder.otherwise(replace(encoder.settings, dtype="float64")).run(encoder.first.original_inputs)
    assert (wide["output"].dtype, len(wide.program)) == ("float64", len(encoder.first.program))
    assert np.allclose(wide["output"].numpy(), encoder.first["output"].numpy(), atol=1e-6)


def test_arguments_by_name_alone_and_results_in_each_other() -> None:
    run = attached(Two(nothing_but), x=X)
    assert sorted(name for name in run.program.aliases) == ["output", "output.a.b.0", "output.a.b.1.0"]
    assert np.array_equal(run["output.a.b.1.0"].numpy(), (X * 2).numpy())


@pytest.mark.parametrize(
    ("gives", "said"),
    [
        (None, "Two gave back no tensor that it computed; give a module whose forward returns one"),
        ("done", "Two gave back no tensor that it computed; give a module whose forward returns one"),
    ],
)
def test_what_gives_no_tensor_is_refused_and_recorded(gives: object, said: str) -> None:

    def does(m: Two, x: torch.Tensor) -> object:
        m.a(x)
        return gives

    module = Two(does)
    with pytest.raises(InputError, match=said):
        attach(module, X)
    run = record(module, X)
    assert run.result is gives
    assert run["a"].shape == (2, 5, 8)


def test_a_module_without_numbers_is_refused_and_its_shapes_are_recorded() -> None:
    module = nn.Sequential(nn.Linear(8, 3), nn.ReLU()).to("meta")
    with pytest.raises(InputError, match="Sequential is on the device meta, which holds no numbers"):
        attach(module, X.to("meta"))
    assert record(module, X.to("meta")).shapes["1"] == (2, 5, 3)


def through_complex(m: Two, x: torch.Tensor) -> torch.Tensor:
    turned: torch.Tensor = cast(Any, torch.fft).rfft(m.a(x), dim=1) * torch.exp(torch.tensor(0.5j))
    return m.b(torch.fft.irfft(turned.conj(), n=5, dim=1))


def through_float8(m: Two, x: torch.Tensor) -> torch.Tensor:
    return m.b(m.a(x).to(torch.float8_e4m3fn).to(torch.float32))


@pytest.mark.parametrize(
    ("does", "held"), [(through_complex, "complex64"), (through_float8, "float8_e4m3fn")], ids=["complex", "float8"]
)
def test_what_no_array_holds_is_computed_with_and_not_looked_at(does: Any, held: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = Two(does)
    run = attached(module, X)
    assert "each equal to the module's own to the last bit" in run.notes[-1]
    assert np.array_equal(run["output"].numpy(), results(module, X)["0"].numpy())
    unread = [stage.name for stage in run.program if not run.has(stage.name)]
    assert unread
    with pytest.raises(InputError, match=f"{unread[0]} is not kept: no array here holds {held}"):
        run[unread[0]].stats()
    fork = run.fork()
    fork.override("a", torch.zeros(2, 5, 8))
    assert not np.array_equal(fork["output"].numpy(), run["output"].numpy())
    save(run, tmp_path / "run.safetensors")
    again = open_snapshot(tmp_path / "run.safetensors")
    assert np.array_equal(again["output"].numpy(), run["output"].numpy())
    assert not again.has(unread[0])


@pytest.mark.parametrize("shape", [(0, 5, 8), (2, 0, 8)])
def test_no_texts_or_no_tokens_are_walked_as_well(shape: tuple[int, ...], tmp_path: Path) -> None:
    run = attached(nn.Sequential(nn.LayerNorm(8), nn.Linear(8, 3)), torch.ones(shape))
    assert run["output"].shape == (*shape[:2], 3)
    save(run, tmp_path / "run.safetensors")
    assert open_snapshot(tmp_path / "run.safetensors")["output"].shape == (*shape[:2], 3)
