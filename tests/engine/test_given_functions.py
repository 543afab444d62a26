"""Operators that are given functions (`torch.cond`, loops, flex attention), torch.vmap, and a fault of ours: no program is broken by being watched."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest
import torch
from encoder_tui.engine import InputError, attach, record
from encoder_tui.engine.models.traced.watched import Watcher
from torch import nn
from torch.nn import functional

pytestmark = pytest.mark.filterwarnings("ignore")
X = torch.linspace(-1, 1, 80).reshape(2, 5, 8)
OF_FUNCTIONS = "which is given functions, and no program is made of that; `record` it, which shows all else"
layer_norm = cast("Callable[..., torch.Tensor]", functional.layer_norm)
torch_any: Any = torch


def goes_on(i: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    return i < 3


def once_more(i: torch.Tensor, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return i + 1, torch.tanh(x) * 2


def sloped(score: torch.Tensor, _batch: object, _head: object, i: torch.Tensor, j: torch.Tensor) -> torch.Tensor:
    return score + (i - j)


class Branching(nn.Module):
    """Takes one of two ways by what it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.other = nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return layer_norm(torch_any.cond(x.sum() > 1, self.twice, self.once, (x,)), (8,))

    def twice(self, x: torch.Tensor) -> torch.Tensor:
        return self.one(x) * 2

    def once(self, x: torch.Tensor) -> torch.Tensor:
        return self.other(x)


class Looping(nn.Module):
    """Three times round."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch_any._higher_order_ops.while_loop(goes_on, once_more, (torch.tensor(0), x))[1] + 1


class Flexible(nn.Module):
    """Attention whose scores a function of the author's changes."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        from torch.nn.attention.flex_attention import flex_attention

        heads = x.view(2, 5, 2, 4).transpose(1, 2)  # (batch, head, token, head_dim)
        attend: Any = flex_attention
        mixed = attend(heads, heads, heads, score_mod=sloped)
        return mixed.transpose(1, 2).reshape(x.shape) * 2


class Mapped(nn.Module):
    """A row at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.norm = nn.Linear(8, 8), nn.LayerNorm(8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(torch_any.vmap(self.of_row)(x))

    def of_row(self, row: torch.Tensor) -> torch.Tensor:
        return torch.tanh(self.linear(row))


@pytest.mark.parametrize(("x", "way"), [(X + 1, "mul"), (X - 1, "layer_norm")], ids=["one", "other"])
def test_of_a_condition_the_branch_that_is_taken_is_seen(x: torch.Tensor, way: str) -> None:
    module = Branching()
    wanted = module(x)
    run = record(module, x)
    assert torch.equal(run.result, wanted)
    *before, inside, after = [stage.name for stage in run.program][:5]
    assert before == ["input.x", "sum", "gt"]
    assert inside in (
        "linear",
        "one" if way == "mul" else "other",
    )  # torch reads the branch, or calls its modules: it depends on what it read before
    assert after == way
    assert any(note.startswith(f"the code looked at gt at {__file__.rpartition('/')[2]}:") for note in run.notes)
    encoder = attach(module, x, tell=lambda note: None)
    assert encoder.first is not None
    assert torch.equal(torch.from_numpy(encoder.first["output"].numpy()), wanted.detach())
    assert any(note.endswith("each equal to the module's own to the last bit") for note in encoder.first.model_notes)


@pytest.mark.parametrize(("kind", "name"), [(Looping, "while_loop"), (Flexible, "flex_attention")])
def test_what_is_given_functions_is_seen_whole(kind: type[nn.Module], name: str) -> None:
    module = kind()
    wanted = module(X)
    run = record(module, X)
    assert torch.equal(run.result, wanted)
    assert name in [stage.name for stage in run.program]
    assert run["output"].numpy().tolist() == wanted.tolist()
    with pytest.raises(InputError, match=rf"^{kind.__name__} computes with torch's {name} at .*, {OF_FUNCTIONS}$"):
        attach(module, X)


def test_what_comes_out_of_vmap_is_said_to_be_shown_as_given() -> None:
    said = "inside torch.vmap and torch.func values have no numbers to keep, and what comes out of there is shown as given: constant_2"
    assert said in record(Mapped(), X).notes
    assert not any("torch.vmap" in note for note in record(nn.Sequential(nn.Linear(8, 8), nn.LayerNorm(8)), X).notes)


@pytest.mark.parametrize("part", ["__init__", "settle"])
@pytest.mark.parametrize("block", [True, False], ids=["block", "call"])
def test_a_fault_of_ours_before_or_after_the_passage_breaks_nothing(
    part: str, block: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*given: object) -> None:
        raise KeyError("ours")

    module = nn.Linear(8, 8)
    wanted = module(X)
    monkeypatch.setattr(Watcher, part, fail)
    if block:
        with record(module) as run:
            result = module(X)
    else:
        result = (run := record(module, X)).result
    assert torch.equal(result, wanted)
    with pytest.raises(InputError, match=r"^nothing is recorded, for a fault of ours: KeyError: 'ours'$"):
        _ = run.program
    monkeypatch.undo()
    assert torch.equal(record(module, X).result, wanted)  # nothing of it is left in torch
