"""Where numbers lie in memory, and whether gradients are kept of them, chooses torch's kernels: an attached module has them as they were."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from encoder_tui.engine.models.traced.attach import attach
from torch import nn
from torch.nn import functional


class OutOfOrder(nn.Module):
    """Computes on numbers that lie in another order than they are counted in, into memory that nobody has set."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.after, self.norm = nn.Conv1d(8, 8, 3), nn.Conv1d(8, 8, 3), nn.LayerNorm(8)
        self.linear, self.square = nn.Linear(8, 8), nn.Parameter(torch.randn(8, 8))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norm(self.conv(x.transpose(1, 2)).transpose(1, 2)).transpose(1, 2)
        x = self.after(functional.gelu(x)).permute(2, 0, 1)  # (token, batch, hidden)
        result = torch.empty_like(x)
        result.copy_(self.linear(x) + x.transpose(0, 1).transpose(0, 1) @ self.square)
        return result


@pytest.mark.parametrize("learns", [False, True])
def test_numbers_lie_as_the_module_laid_them_and_gradients_choose_the_same_kernels(learns: bool) -> None:
    torch.manual_seed(0)
    module, x = OutOfOrder().eval(), torch.randn(2, 38, 8)
    with torch.set_grad_enabled(learns):
        run, wanted = attach(module, x).first, module(x)
    assert run is not None
    assert "each equal to the module's own to the last bit" in run.notes[-1], run.notes
    assert np.array_equal(run["output"].numpy(), wanted.detach().numpy())
    assert not run["empty_like"].numpy().any()


def test_what_is_made_of_memory_that_nobody_set_is_told() -> None:
    class Leaks(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            torch.full((1000,), 7.0)  # what the memory may hold
            return torch.empty(1000) + x

    told: list[str] = []
    run = attach(Leaks(), torch.ones(1000), tell=told.append).first
    assert run is not None
    assert run["add"].numpy().tolist() == [1.0] * 1000
    assert told == [] or "of 4 stages give other numbers when they are computed again: the first is add" in told[0]
