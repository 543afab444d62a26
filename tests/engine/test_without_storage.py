"""Tensors without storage: inside torch.vmap and torch.func, sparse, nested. A recording never breaks what they are a part of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from encoder_tui.engine import InputError, attach, open_snapshot, record, save
from encoder_tui.engine.models.traced.budget import KeptWithin
from torch import nn

X = torch.linspace(-1, 1, 12).reshape(3, 4)
NO_MEMORY = "it has no memory of its own"
func: Any = torch.func
vmap: Any = torch.vmap
nested: Any = torch.nested
sparse: Any = torch.sparse


def total(y: torch.Tensor) -> torch.Tensor:
    return (y**3).sum()


def doubled(row: torch.Tensor) -> torch.Tensor:
    return (row * 2).add_(1)


KINDS: dict[str, Callable[[nn.Module, torch.Tensor], Any]] = {
    "vmap": lambda linear, x: vmap(linear)(x),
    "grad": lambda linear, x: func.grad(total)(linear(x)),
    "jvp": lambda linear, x: func.jvp(linear, (x,), (x,))[1],
    "hessian": lambda _, x: func.hessian(total)(x),
    "in place": lambda _, x: vmap(doubled)(x),
    "sparse": lambda linear, x: sparse.mm(linear(x).to_sparse(), x.t()),
    "csr": lambda _, x: x.to_sparse_csr() @ x.t(),
    "nested": lambda linear, x: linear(nested.nested_tensor([x, x[:1]])).to_padded_tensor(0.0),
    "jagged": lambda _, x: nested.nested_tensor([x, x[:1]], layout=torch.jagged).to_padded_tensor(0.0),
}


class Through(nn.Module):
    """Does something of these with what a linear layer gives, and something plain before it and after."""

    def __init__(self, does: Callable[[nn.Module, torch.Tensor], Any]) -> None:
        super().__init__()
        self.linear, self.does = nn.Linear(4, 4), does

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.does(self.linear, x * 2).sum(0)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", KINDS)
def test_it_is_recorded_and_gives_what_it_gives_unwatched(kind: str, tmp_path: Path) -> None:
    module = Through(KINDS[kind])
    wanted = module(X)
    with record(module, compare=True) as run:
        result = module(X)
    assert torch.equal(result, wanted)
    assert run.notes[0] == "what runs natively is what was seen: its result is what is shown, bit for bit"
    assert run["mul"].numpy().tolist() == (X * 2).tolist()
    assert run["output"].numpy().tolist() == wanted.tolist()
    save(run, tmp_path / "run.safetensors")
    assert [stage.name for stage in open_snapshot(tmp_path / "run.safetensors").program] == [
        stage.name for stage in run.program
    ]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", KINDS)
def test_no_program_is_made_of_it_and_one_line_says_where(kind: str) -> None:
    with pytest.raises(InputError, match=r"^Through computes with .*`record` it, which shows all else$"):
        attach(Through(KINDS[kind]), X)


def test_its_numbers_are_left_out_with_a_word() -> None:
    run = record(Through(KINDS["sparse"]), X)
    with pytest.raises(InputError, match=NO_MEMORY):
        run["to_sparse"].numpy()


def test_what_goes_in_sparse_is_recorded_as_it_came() -> None:

    class Dense(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.to_dense() * 2

    run = record(Dense(), X.to_sparse())
    assert run["mul"].numpy().tolist() == (X * 2).tolist()
    with pytest.raises(InputError, match=NO_MEMORY):
        run["input.x"].numpy()


@pytest.mark.filterwarnings("ignore")
def test_a_result_that_cannot_be_compared_is_recorded_and_said_so() -> None:

    class Masked(nn.Module):
        def forward(self, x: torch.Tensor) -> Any:
            return cast(Any, torch).masked.masked_tensor(x * 2, x > 0)

    run = record(Masked(), X, compare=True)
    assert "tensors that cannot be compared" in run.notes[0]


def test_a_module_that_is_called_inside_vmap_is_recorded() -> None:
    module = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
    with record(module) as run:
        result = vmap(module)(X)
    assert torch.equal(result, module(X))
    assert len(run.program) > 1


def test_a_fault_of_ours_ends_what_is_seen_and_not_the_passage(monkeypatch: pytest.MonkeyPatch) -> None:
    put = KeptWithin.put

    def broken(kept: KeptWithin, name: str, tensor: torch.Tensor, *by: Any) -> None:
        if name == "relu":
            raise NotImplementedError("no such thing")
        put(kept, name, tensor, *by)

    monkeypatch.setattr(KeptWithin, "put", broken)
    module = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4))
    with record(module) as run:
        result = module(X)
    assert torch.equal(result, module(X))
    assert run.notes[0] == "nothing was seen after relu, for a fault of ours: NotImplementedError: no such thing"
    assert run["0"].numpy().shape == (3, 4)
