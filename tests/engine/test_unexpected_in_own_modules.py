"""What is meant in a module of somebody's own is no fault; what is one beside it is told; and an attention without heads breaks no command."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest
import torch
from encoder_tui.engine import InputError, Run, attach, record
from encoder_tui.engine.commands import TABLE
from encoder_tui.engine.commands.session import Session
from encoder_tui.engine.debugger.faults.fault import NOT_FINITE
from encoder_tui.engine.debugger.unexpected import first_fault
from encoder_tui.engine.models.notes import silent
from torch import nn

X = torch.linspace(-1, 1, 80).reshape(2, 5, 8)


class Relative(nn.Module):
    """One head, causal by `where`, with distances in logarithmic buckets: log(0) is looked up where the distance is none."""

    def __init__(self, size: float = 1.0) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.query, self.key, self.value = (nn.Linear(8, 8) for _ in range(3))
        self.table, self.size = nn.Embedding(8, 1), size

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        places = torch.arange(x.shape[1])
        apart = (places[None] - places[:, None]).abs()
        far = (2 + torch.log(apart.float() / 2) / 1.5).long().clamp(0, 7)
        bias = self.table(torch.where(apart < 2, apart, far))[..., 0]
        later = places[None] > places[:, None]
        hidden = torch.where(later, torch.tensor(float("-inf")), torch.zeros(()))
        x = x * self.size
        scores = self.query(x) @ self.key(x).transpose(1, 2) / 8**0.5
        return (scores + bias + hidden).softmax(-1) @ self.value(x)


def attached(module: nn.Module) -> Run:
    return cast("Run", attach(module, X, tell=silent).first)


def test_minus_infinity_that_is_meant_is_no_fault() -> None:
    run = attached(Relative())
    assert any(
        torch.isinf(torch.from_numpy(run[name].numpy())).any() for name in ("log", "where_1")
    )  # there is some to look past
    assert first_fault(run) is None
    assert first_fault(record(Relative(), X)) is None


def test_an_overflow_beside_it_is_one() -> None:
    for trace in (attached(Relative(1e30)), record(Relative(1e30), X)):
        stage, fault = first_fault(trace) or (None, None)
        assert stage is not None
        assert fault is not None
        assert fault.kind in NOT_FINITE
        path, _, line = stage.source.rpartition(":")
        assert "scores = self.query(" in Path(path).read_text().splitlines()[int(line) - 1]


def test_plus_infinity_is_never_meant() -> None:
    class Upwards(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.where(x > 0, float("inf"), x) * 2

    stage, _ = first_fault(attached(Upwards())) or (None, None)
    assert stage is not None
    assert stage.name == "where"


def test_an_attention_without_heads_is_said_not_to_be_checked() -> None:
    text = TABLE.execute(Session(attached(Relative())), "check masks").text
    assert (
        "not checked, as they have no axis for heads: weights of 1 attention; `break unexpected` looks at their rows"
        in text
    )


def test_nor_does_the_tour_lead_through_it() -> None:
    with pytest.raises(InputError, match="over a text, with its attention in heads"):
        TABLE.execute(Session(attached(Relative())), "tour")
