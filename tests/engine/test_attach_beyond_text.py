"""Classes of transformers beyond text, and decoders, none a family here: attached exactly, stepped, patched, compared, exported; and recorded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from encoder_tui.engine import InputError, Run, Session, open_snapshot, record, save
from encoder_tui.engine.analysis.compare import compare
from encoder_tui.engine.commands import TABLE
from encoder_tui.engine.models.traced.attach import attach
from encoder_tui.engine.models.traced.structures import tensors_within
from encoder_tui.engine.program.torch_calls import named_modules
from small_transformers import CLASSES, small
from torch import nn

UNSET = ("empty", "empty_like")
LAYERS = (nn.Linear, nn.LayerNorm, nn.Conv1d, nn.Conv2d)
# What has no float64 in torch, or makes float32 whatever it is brought to.
SINGLE = {"Mixtral"}


@pytest.mark.few(4)
@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.filterwarnings("ignore")
@torch.no_grad()
def test_it_is_walked_as_it_runs(name: str, tmp_path: Path) -> None:
    tried = 0
    for attention in ("eager", "sdpa"):
        if (made := small(name, attention)) is None:
            continue
        module, given = made
        wanted = dict(tensors_within(module(**given)))
        encoder = attach(module, **given)
        run = encoder.first
        assert run is not None
        assert "each equal to the module's own to the last bit" in run.notes[-1], (attention, run.notes)
        for path, tensor in wanted.items():
            written = f"output.{path}"
            assert np.array_equal(run[written if written in run.program else "output"].numpy(), tensor.numpy()), path

        recorded = record(module, **given)
        both = [stage for stage in run.program if stage.name in recorded and recorded.has(stage.name)]
        assert len(both) > len(run.program) / 3
        for stage in both:
            if stage.name.rpartition(".")[2] not in UNSET:
                assert np.array_equal(run[stage.name].numpy(), recorded[stage.name].numpy(), equal_nan=True), stage.name
        for trace in (run, recorded):
            save(trace, tmp_path / "run.safetensors")
            again = open_snapshot(tmp_path / "run.safetensors")
            assert np.array_equal(again["output"].numpy(), next(iter(wanted.values())).numpy())

        patched_as_by_a_hook(module, given, run)
        session = Session(run, encoder)
        assert [TABLE.execute(session, "step").stop is not None for _ in range(3)] == [True] * 3
        if name not in SINGLE:
            assert "float64" in TABLE.execute(session, "compare dtype float64").text
        else:
            with pytest.raises(InputError, match="raised"):
                TABLE.execute(session, "compare dtype float64")
        tried += 1
    assert tried


def patched_as_by_a_hook(module: nn.Module, given: dict[str, torch.Tensor], run: Run) -> None:
    """A layer in the middle gives a half everywhere: by a patch, and by a hook."""
    parts = dict(named_modules(module))
    of = [stage for stage in run.program if isinstance(parts.get(stage.module), LAYERS) and stage.weights]
    once = [stage for stage in of if sum(other.module == stage.module for other in run.program) == 1]
    stage = once[len(once) // 2]
    handle = parts[stage.module].register_forward_hook(lambda _, __, output: output * 0 + 0.5)
    try:
        wanted = next(tensor for _, tensor in tensors_within(module(**given)))
    finally:
        handle.remove()
    fork = run.fork()
    fork.override(stage.name, torch.full(run[stage.name].shape, 0.5))
    assert np.array_equal(fork["output"].numpy(), wanted.numpy())
    differing = compare(run, fork).first
    assert differing is not None
    assert differing.name == stage.name
