"""The pretend device is another device to torch, as strict as a GPU; and what the checks for a GPU find on it.

What it can't pretend stands in `gpu.pretend.tensor`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pytest
import torch
from encoder_tui.engine import InputError, load
from encoder_tui.engine.models.devices import device_of
from encoder_tui.engine.ops import Softmax
from gpu import debugging, families, looking, memory, modules
from gpu.counting import Copied, waiting_stages
from gpu.findings import Findings
from gpu.pretend import DEVICE, Ledger, NotOnOneDevice, PretendTensor, install, ledger
from pretend_kit import pretend, seen, there
from session_kit import walk

__all__ = ["pretend", "seen"]
X = torch.arange(6.0).view(2, 3)


# -- another device ----------------------------------------------------------------------------------------------------

MAKERS: dict[str, Callable[[], torch.Tensor]] = {
    "empty": lambda: torch.empty(2, 3, device="pretend"),
    "tensor": lambda: torch.tensor([1.0, 2.0], device="pretend"),
    "arange": lambda: torch.arange(6, device=DEVICE),
    "full": lambda: torch.full((2,), 3.0, device=DEVICE),
    "randn": lambda: torch.randn(2, device=DEVICE),
    "of an array": lambda: torch.as_tensor(np.ones(3), device=DEVICE),
    "moved": lambda: X.to(DEVICE),
    "like": lambda: torch.zeros_like(there(X)),
    "new": lambda: there(X).new_ones(3),
    "of a module": lambda: torch.nn.Linear(3, 4).to(DEVICE).weight,
}


@pytest.mark.parametrize("make", MAKERS)
def test_what_is_made_there_lies_there(make: str) -> None:
    made = MAKERS[make]()
    assert isinstance(made, PretendTensor)
    assert (made.device, made.is_cuda, made.device.type == "cpu") == (DEVICE, False, False)


MIXED: dict[str, Callable[[torch.Tensor], object]] = {
    "sum": lambda x: x + X,
    "sum, the host's first": lambda x: X + x,
    "into the host's": lambda x: X.clone().add_(x),
    "product": lambda x: x @ X.T,
    "one number in a product": lambda x: torch.addmm(torch.tensor(1.0), x, x.T),
    "joined": lambda x: torch.cat([x, X]),
    "stacked with one number": lambda x: torch.stack([x.sum(), torch.tensor(1.0)]),
    "looked up": lambda x: torch.nn.functional.embedding(torch.tensor([0]), x),
    "written to places": lambda x: x.__setitem__((torch.tensor([0, 1]), torch.tensor([1, 1])), torch.ones(2)),
    "the host's at places": lambda x: X[(x > 2)],
    "memory": lambda x: torch.add(x, x, out=torch.empty(2, 3)),
    "a module that was left": lambda x: torch.nn.Linear(3, 4)(x),
}


@pytest.mark.parametrize("what", MIXED)
def test_what_is_mixed_is_refused(what: str) -> None:
    with pytest.raises(
        NotOnOneDevice,
        match="Expected all tensors to be on the same device, but found at least two devices, pretend:0 and cpu",
    ):
        MIXED[what](there(X))


def test_one_number_of_the_host_is_a_number() -> None:
    x = there(X)
    for made in (
        x * torch.tensor(2.0),
        x.masked_fill(x > 2, torch.tensor(0.0)),
        torch.where(x > 2, x, torch.tensor(0.0)),
    ):
        assert made.device == DEVICE
    x[0, 1] = torch.tensor(9.0)
    assert x[torch.tensor([0])].tolist() == [[0.0, 9.0, 2.0]]


def test_numbers_are_read_from_a_copy_alone() -> None:
    for read in (lambda: there(X).numpy(), lambda: np.asarray(there(X))):
        with pytest.raises(TypeError, match="can't convert pretend:0 device type tensor to numpy"):
            read()
    assert np.array_equal(there(X).cpu().numpy(), X.numpy())


def test_views_share_memory_and_what_is_laid_out_anew_is_seen() -> None:
    x = there(X)
    x.view(-1)[1] = 7
    assert x[0, 1].item() == 7
    assert x.T.untyped_storage().data_ptr() == x.untyped_storage().data_ptr() != x.clone().untyped_storage().data_ptr()
    x.t_()
    assert (tuple(x.shape), x.stride()) == ((3, 2), (1, 3))
    memory = torch.empty(0, device=DEVICE)
    torch.mul(x, 2, out=memory)
    assert memory.shape == x.shape
    assert memory.tolist() == (x * 2).tolist()


def test_a_module_is_moved_copied_and_called() -> None:
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.LayerNorm(4), torch.nn.Linear(4, 2)).eval()
    expected = module(X)
    moved = copy.deepcopy(module).to(DEVICE)
    twin: Any = copy.deepcopy(moved)
    assert {weight.device for weight in twin.parameters()} == {DEVICE}
    assert twin[0].weight.data_ptr() != next(moved.parameters()).data_ptr()
    assert torch.equal(twin(there(X)).cpu(), expected)
    result: Any = moved(there(X))
    result.sum().backward()
    assert all(weight.grad is not None and weight.grad.device == DEVICE for weight in moved.parameters())


# -- what is counted ---------------------------------------------------------------------------------------------------

WAITS: dict[str, tuple[Callable[[torch.Tensor], object], int]] = {
    "a number": (lambda x: x.sum().item(), 4),
    "a choice": (lambda x: bool((x > 2).all()), 1),
    "a list": (lambda x: cast(Any, x).tolist(), 24),
    "a copy": (lambda x: x.cpu(), 24),
    "half of it": (lambda x: x[:1].to("cpu"), 12),
    "into memory of the host": (lambda x: torch.empty(2, 3).copy_(x), 24),
    "a mask": (lambda x: x[x > 2], 0),
    "places": (lambda x: x.nonzero(), 0),
    "from the host": (lambda x: torch.ones(3).to(DEVICE), 0),
    "whether equal": (lambda x: torch.equal(x, x), 0),
}


@pytest.mark.parametrize("what", WAITS)
def test_what_waits_is_counted_with_its_bytes(what: str, seen: Ledger) -> None:
    x = there(X)
    work, nbytes = WAITS[what]
    before = len(seen.waits)
    with Copied() as copied:
        work(x)
    assert len(seen.waits) > before
    assert seen.bytes == nbytes
    assert copied.bytes == nbytes, "the count that a card is held to says otherwise"


def test_what_does_not_wait_is_not_counted(seen: Ledger) -> None:
    x = there(X)
    before = len(seen.waits)
    made = (x @ x.T).softmax(-1).masked_fill(x[:, :2] > 1, 0).to(torch.float64).sum()
    torch.ones(3).to(DEVICE, non_blocking=True)
    assert made.device == DEVICE
    assert len(seen.waits) == before
    assert seen.done > 5


def test_its_random_numbers_are_its_own() -> None:
    before = torch.get_rng_state()
    first = torch.randn(3, device=DEVICE)
    torch.nn.functional.dropout(first, 0.5)
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(4)
    one = torch.randn(3, device=DEVICE)
    torch.manual_seed(4)
    assert torch.equal(torch.randn(3, device=DEVICE), one)


def test_users_are_not_offered_it() -> None:
    with pytest.raises(InputError, match="device 'pretended' is not known"):
        device_of("pretended")
    assert install() == DEVICE


# -- what the checks for a GPU find there ------------------------------------------------------------------------------


def test_stepping_waits_for_nothing_and_a_wait_in_a_stage_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = load(None, "pretend")
    texts = ["the cat sat on the mat", "a dog"]
    walk(encoder.run(texts))  # weights are brought when they are first computed with
    with ledger() as opened:
        assert waiting_stages(encoder.run(texts)) == {}
    assert opened.done > 100
    compute = Softmax.compute

    def planted(op: Softmax, inputs: Any, weights: Any, out: Any) -> torch.Tensor:
        result = compute(op, inputs, weights, out)
        assert result.isfinite().all()  # asks the device, as people write it
        return result

    monkeypatch.setattr(Softmax, "compute", planted)
    waiting = waiting_stages(encoder.run(texts))
    assert set(waiting) == {f"layers.{layer}.attention.weights" for layer in range(4)} | {"head.words.probabilities"}


@pytest.mark.parametrize("budget", [None, 200_000])
def test_a_window_brings_what_is_looked_at(budget: int | None, seen: Ledger) -> None:
    run = load(None, "pretend", budget=budget).run(["the cat sat on the mat", "a dog"])
    walk(run)
    assert seen.bytes == 0, "bytes were brought while it was computed"
    run["layers.1.attention.weights"].read((0, 1, slice(0, 2), slice(0, 3)))
    assert seen.bytes == 2 * 3 * 4
    run["tokens.one_hot"].read((0, slice(0, 2), slice(0, 5)))
    assert seen.bytes == 2 * 3 * 4 + 2 * 5 * 8


def test_what_dropout_draws_there_is_noted_and_drawn_again() -> None:
    found = Findings()
    modules.random_numbers(found, DEVICE)
    assert len(found.lines) == 4
    assert found.wrong == []


# Section -> how many findings it has at least.
SECTIONS = {"looking": 15, "debugging": 12, "memory": 5, "modules": 60, "families": 60}


@pytest.mark.sweep
@pytest.mark.parametrize("name", SECTIONS)
def test_a_section_of_the_checks_for_a_gpu(name: str, seen: Ledger) -> None:
    found = Findings()
    {"looking": looking, "debugging": debugging, "memory": memory, "modules": modules, "families": families}[
        name
    ].check(found, DEVICE)
    assert found.wrong == []
    assert len(found.lines) >= SECTIONS[name]
    assert seen.done > 500
    for row in found.tables.get("", []):
        if "family" in row:
            assert (row["float32"], row["waits"]) == ("0.0", "none"), row
