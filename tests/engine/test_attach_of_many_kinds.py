"""Encoders as people have them, attached: each exact against its own forward, stepped, patched, compared and exported."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from encoder_tui.engine import Run, Session, open_snapshot, save
from encoder_tui.engine.analysis.compare import compare
from encoder_tui.engine.commands import TABLE
from encoder_tui.engine.models.traced.attach import attach
from own_modules import IDS, MASK, BookEncoder
from recorded_modules import Checkpointed, Einsum, Inverted, Multihead, PreNorm, Rotary, WithLoss, adapted, quantised
from torch import nn

KINDS: dict[str, Callable[[], nn.Module]] = {
    "book": BookEncoder, "einsum": Einsum, "rotary": Rotary, "with loss": WithLoss, "inverted": Inverted, "multihead": Multihead,
    "pre-norm": PreNorm, "adapted": adapted, "quantised": quantised, "checkpointed": lambda: Checkpointed(False),
    "compiled": lambda: cast(nn.Module, torch.compile(BookEncoder(), backend="eager")),
}  # fmt: skip


def arguments(module: nn.Module) -> tuple[object, ...]:
    batch = {"input_ids": IDS, "attention_mask": MASK, "labels": torch.tensor([0, 2])}
    return (batch,) if isinstance(module, WithLoss) else (IDS, MASK)


def attached(module: nn.Module) -> Run:
    with warnings.catch_warnings(action="ignore"):
        run = attach(module, *arguments(module)).first
    assert run is not None
    return run


def given_back(module: nn.Module) -> torch.Tensor:
    """What the module gives by itself, from the same random numbers."""
    with torch.random.fork_rng(), warnings.catch_warnings(action="ignore"):
        result: Any = module(*arguments(module))
    return result["loss"] if isinstance(module, WithLoss) else result


@pytest.mark.parametrize("mode", ["eval", "train", "autocast"])
@pytest.mark.parametrize("kind", KINDS)
def test_it_is_walked_as_it_runs(kind: str, mode: str, tmp_path: Path) -> None:
    if (kind, mode) == ("quantised", "autocast"):
        pytest.skip("torch's own quantised layers take no bfloat16")
    torch.manual_seed(0)
    module = KINDS[kind]().train(mode == "train")
    with torch.autocast("cpu", torch.bfloat16, enabled=mode == "autocast"):
        run = attached(module)
        wanted = given_back(module).detach().float().numpy()
    assert any("each equal to the module's own to the last bit" in note for note in run.notes), run.notes
    assert np.array_equal(run["output"].numpy(), wanted)

    session = Session(run)
    reached = [TABLE.execute(session, "step").stop for _ in range(3)]
    assert reached[-1] is not None
    assert reached[-1].position == 2

    first = next(stage.name for stage in run.program if stage.weights and stage.name not in run.program.shown)
    fork = run.fork()
    fork.override(first, torch.zeros(run[first].shape, dtype=run.dtype(first)))
    differing = compare(run, fork).first
    assert differing is not None
    assert differing.name == first
    assert not np.array_equal(fork["output"].numpy(), wanted)

    save(run, tmp_path / "run.safetensors")
    again = open_snapshot(tmp_path / "run.safetensors")
    assert np.array_equal(again["output"].numpy(), wanted)


def test_a_copy_in_double_precision_is_another_run() -> None:
    torch.manual_seed(0)
    module = BookEncoder().eval()
    run = attached(module)
    double = attached(copy.deepcopy(module).double())
    assert run["output"].dtype == "float32"
    assert double["output"].dtype == "float64"
    assert np.allclose(run["output"].numpy(), double["output"].numpy(), atol=1e-5)
