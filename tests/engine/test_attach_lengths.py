"""Values of a module whose places are not its tokens: pooled, convolved, cut into windows. A recording of them opens again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from encoder_tui.engine import Session, open_snapshot, record, save
from encoder_tui.engine.commands import TABLE
from encoder_tui.engine.models.traced.attach import attach
from encoder_tui.engine.program.stage import Stage
from encoder_tui.engine.program.trace import Trace
from own_modules import IDS
from torch import nn
from torch.nn import functional


class Layer(nn.Module):
    """Attention that may be fused, and what comes after it."""

    def __init__(self, fused: bool) -> None:
        super().__init__()
        self.qkv, self.out, self.fused = nn.Linear(16, 48), nn.Linear(16, 16), fused
        self.up, self.down = nn.Linear(16, 32), nn.Linear(32, 16)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = self.qkv(x).view(*x.shape[:2], 3, 2, 8).permute(2, 0, 3, 1, 4)  # (batch, head, token, head_dim)
        if self.fused:
            context = functional.scaled_dot_product_attention(q, k, v)
        else:
            context = ((q @ k.transpose(2, 3)) / 8**0.5).softmax(-1) @ v
        x = x + self.out(context.transpose(1, 2).reshape(x.shape))
        return x + self.down(functional.gelu(self.up(x)))


class Lengths(nn.Module):
    """Two layers on the tokens, or frames; one on half of them; one on windows of two, in which texts are no batch."""

    def __init__(self, fused: bool, frames: bool) -> None:
        super().__init__()
        self.words, self.conv = nn.Embedding(30, 16), nn.Conv1d(5, 16, 3, padding=1)
        self.layers, self.frames = nn.ModuleList([Layer(fused) for _ in range(4)]), frames

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv(x).transpose(1, 2) if self.frames else self.words(x)
        x = self.layers[1](self.layers[0](x))
        half = self.layers[2](x[:, ::2])
        return self.layers[3](half.reshape(-1, 2, 16)).sum()


def given(frames: bool) -> torch.Tensor:
    torch.manual_seed(1)
    return torch.randn(2, 5, 8) if frames else torch.cat([IDS, IDS[:, :1]], 1)


def runs(fused: bool, frames: bool) -> dict[str, Trace]:
    torch.manual_seed(0)
    module, x = Lengths(fused, frames).eval(), given(frames)
    attached = attach(module, x, tell=lambda _: None).first
    assert attached is not None
    return {"attached": attached, "recorded": record(module, x)}


def places_of(stage: Stage, trace: Trace) -> list[tuple[str, int, str]]:
    """Each axis with its size and the sequence of its places."""
    sequences = stage.sequences or ("",) * len(stage.axes)
    return list(zip(stage.axes, trace.shapes[stage.name], sequences, strict=True))


@pytest.mark.parametrize("frames", [False, True])
@pytest.mark.parametrize("fused", [False, True])
def test_each_axis_is_as_long_as_what_its_places_are(fused: bool, frames: bool, tmp_path: Path) -> None:
    for kind, trace in runs(fused, frames).items():
        if fused and kind == "attached":
            assert trace.inputs.sizes == {"tokens": (2, 8), "places": (2, 4), "places_2": (2, 2)}
        for stage in trace.program:
            for axis, size, sequence in places_of(stage, trace):
                if axis == "batch":
                    assert size == 2
                elif axis in ("token", "query", "key"):
                    assert size == trace.inputs.sequences[sequence or "tokens"].shape[1]
        save(trace, tmp_path / f"{kind}.safetensors")
        again = open_snapshot(tmp_path / f"{kind}.safetensors")
        assert again.inputs.sizes == trace.inputs.sizes
        for name in trace:
            assert np.array_equal(trace[name].numpy(), again[name].numpy())


def test_what_asks_is_named_for_its_tokens_and_windows_for_none() -> None:
    trace = runs(fused=True, frames=False)["attached"]
    whole, half, windows = (trace.program[f"layers.{layer}.attention.weights"] for layer in (0, 2, 3))
    assert places_of(whole, trace) == [("batch", 2, ""), ("head", 2, ""), ("query", 8, ""), ("key", 8, "")]
    assert trace.value(whole.name).tokens["key"][0][:3] == ("5", "7", "11")
    assert places_of(half, trace)[2:] == [("query", 4, "places"), ("key", 4, "places")]
    assert trace.value(half.name).tokens["key"][0] == ("0", "1", "2", "3")
    assert places_of(windows, trace)[::3] == [("axis_0", 4, ""), ("key", 2, "places_2")]


def test_a_single_number_is_compared() -> None:
    torch.manual_seed(0)
    encoder = attach(Lengths(False, True).eval(), given(True))
    assert encoder.first is not None
    assert encoder.first["output"].shape == ()
    assert "sum" in TABLE.execute(Session(encoder.first, encoder), "compare dtype float64").text
