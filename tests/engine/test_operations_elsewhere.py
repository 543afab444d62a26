"""Every operation of the table computes where its inputs lie: on the pretend device the CPU's bits, on `meta` the CPU's shapes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from encoder_tui.engine.ops import Op, Sum, no_memory
from encoder_tui.engine.ops.base import Out
from gpu.pretend import DEVICE, Ledger, NotOnOneDevice
from operation_cases import Case, cases, computing
from pretend_kit import pretend, same, seen, there

__all__ = ["pretend", "seen"]

# What asks for numbers on the host while it computes, and why it may.
WAITS = {"AdditiveMask": "whether a mask hides anything, where nobody has noted it: every run has"}


@pytest.fixture(scope="module", params=sorted(computing()))
def some(request: pytest.FixtureRequest) -> list[Case]:
    """The cases of one operation."""
    found = [case for case in cases() if str(case) == request.param]
    assert found, f"{request.param} has no case; give it one in operation_cases.py"
    return found


def computed(case: Case, place: Callable[[torch.Tensor], torch.Tensor], out: Out = no_memory) -> torch.Tensor:
    return case.op.compute([place(each) for each in case.inputs], [place(each) for each in case.weights], out)


def test_the_pretend_device_gives_the_cpus_bits(some: list[Case], seen: Ledger) -> None:
    for case in some:
        given = [there(each) for each in case.inputs], [there(each) for each in case.weights]
        before, waited = seen.done, len(seen.waits)
        result = case.op.compute(*given, no_memory)
        assert result.device == DEVICE
        assert seen.done > before, "nothing was computed there"
        told = seen.waits[waited:]
        assert bool(told) == (str(case) in WAITS), told
        assert same(result, computed(case, torch.clone))


def test_memory_that_is_given_is_there(some: list[Case]) -> None:
    """Buffers take another branch in most ops: `out=` refuses a tensor of another device."""
    for case in some:
        expected = computed(case, torch.clone)
        memory = there(torch.empty_like(expected, memory_format=torch.contiguous_format))
        result = computed(case, there, lambda m=memory: m)
        assert result.device == DEVICE
        assert same(result, expected)


def test_rows_are_computed_there(some: list[Case]) -> None:
    for case in some:
        if case.op.rows is None:
            continue
        inputs = [there(each) for each in case.inputs]
        cut = [
            each[..., 1:3, :] if rows and each.shape[-2] > 1 else each
            for each, rows in zip(inputs, case.op.rows, strict=False)
        ]
        weights = [there(each) for each in case.weights]
        whole = computed(case, torch.clone)
        result = case.op.compute_rows(cut, weights, no_memory, 1, 3)
        assert result.device == DEVICE
        assert torch.allclose(result.cpu().double(), whole[..., 1:3, :].double(), atol=1e-6, equal_nan=True)


def test_meta_knows_the_shape(some: list[Case]) -> None:
    for case in some:
        result, expected = computed(case, lambda each: each.to("meta")), computed(case, torch.clone)
        assert (result.device.type, result.shape, result.dtype) == ("meta", expected.shape, expected.dtype)


# -- and a mistake is found --------------------------------------------------------------------------------------------


class Constant(Op, recorded=False):
    """Adds a constant that lies on the CPU."""

    def __init__(self, make: Callable[[torch.Tensor], Any]) -> None:
        self.make = make

    def compute(self, inputs: Any, weights: Any, out: Any) -> torch.Tensor:
        return inputs[0] + self.make(inputs[0])

    def write(self, *operands: str) -> str:
        return operands[0]


def ones(x: torch.Tensor) -> torch.Tensor:
    return torch.ones(6)


def places(x: torch.Tensor) -> torch.Tensor:
    return torch.arange(6)


def zeros_of_tokens(x: torch.Tensor) -> torch.Tensor:
    return torch.zeros(x.shape[:-1]).unsqueeze(-1)


@pytest.mark.parametrize("make", [ones, places, zeros_of_tokens])
def test_a_constant_of_the_cpu_is_refused(make: Callable[[torch.Tensor], Any]) -> None:
    case = Case(Constant(make), (torch.ones(2, 4, 6),), ())
    computed(case, torch.clone)
    with pytest.raises(NotOnOneDevice, match="at least two devices, pretend:0 and cpu"):
        computed(case, there)


def test_numbers_read_on_the_way_are_told(seen: Ledger) -> None:
    case = Case(Constant(lambda x: x.max().item()), (torch.ones(2, 4, 6),), ())
    computed(case, there)
    assert [entry.operation for entry in seen.waits if entry.nbytes] == ["aten._local_scalar_dense.default"]


def test_an_operation_without_a_case_is_missed() -> None:
    assert "Sum" in computing()
    assert any(isinstance(case.op, Sum) for case in cases())
    assert computing() <= {str(case) for case in cases()}
