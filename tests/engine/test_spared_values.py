"""What a recording does not hold is what ran, to the last bit, whoever writes to what afterwards; where that is not sure it is held."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from encoder_tui.engine import InputError, open_snapshot, record, save
from encoder_tui.engine.models.traced import again
from encoder_tui.engine.models.traced.graph import Ref, TorchCall
from encoder_tui.engine.models.traced.kept import ValuesByName
from encoder_tui.engine.models.traced.record import ModuleRecording
from encoder_tui.engine.models.traced.spared import SparedValues
from encoder_tui.engine.models.traced.structures import tensors_within
from odd_modules import ODD, X
from own_modules import InPlace
from test_attach_of_many_kinds import KINDS, arguments
from test_given_functions import Branching, Flexible, Looping, Mapped
from torch import nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

pytestmark = pytest.mark.filterwarnings("ignore")
OTHERS: dict[str, tuple[Callable[[], nn.Module], torch.Tensor]] = {
    **{f"odd {kind}": (make, X) for kind, make in ODD.items()},
    **{kind.__name__: (kind, torch.linspace(-1, 1, 80).reshape(2, 5, 8)) for kind in (Branching, Looping, Flexible, Mapped)},
    "in place": (InPlace, torch.linspace(-2, 2, 24).reshape(3, 8)),
}  # fmt: skip
LARGE = torch.linspace(-9, 9, 3 * 37 * 411).reshape(3, 37, 411)  # more than torch gives to one thread, and nothing even


class Does(nn.Module):
    """A function as a module, on what was computed from its input, so that it is at hand and nobody else's."""

    def __init__(self, does: Callable[[torch.Tensor], Any]) -> None:
        super().__init__()
        self.does = does
        self.given: torch.Tensor

    def forward(self, x: torch.Tensor) -> Any:
        return self.does(x.roll(1))


@pytest.fixture
def as_they_ran(monkeypatch: pytest.MonkeyPatch) -> dict[str, torch.Tensor]:
    """Copies of whatever is spared while this is used, which then has no smallest size, by name."""
    ran: dict[str, torch.Tensor] = {}
    take = SparedValues.take

    def copied(spared: SparedValues, name: str, tensor: torch.Tensor, call: TorchCall | None) -> bool:
        done = take(spared, name, tensor, call)
        if done:
            ran[name] = torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype).copy_(tensor)
        return done

    monkeypatch.setattr(SparedValues, "take", copied)
    monkeypatch.setattr(again, "SMALLEST", 1)
    return ran


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> list[ValuesByName]:
    """The values of every recording that is made while this is used."""
    made: list[ValuesByName] = []
    start = SparedValues.__init__

    def noted(spared: SparedValues, held: Any) -> None:
        start(spared, held)
        made.append(cast(Any, spared))

    monkeypatch.setattr(SparedValues, "__init__", noted)
    return made


def assert_as_they_ran(spared: Any, ran: Mapping[str, torch.Tensor]) -> int:
    """Hold what is spared beside what ran, bit by bit and as it lay; how many were."""
    names = list(spared.by_name)
    for name in names:
        computed = spared.computed(name)
        assert (computed.dtype, computed.shape, computed.stride()) == (
            ran[name].dtype,
            ran[name].shape,
            ran[name].stride(),
        )
        assert bits(computed) == bits(ran[name]), name
    return len(names)


def bits(tensor: torch.Tensor) -> bytes:
    return tensor.contiguous().view(-1).view(torch.uint8).numpy().tobytes()


def spoil(module: nn.Module, given: Any, result: Any) -> None:
    """Write into whatever others have of a passage."""
    with torch.no_grad():
        for tensor in (*module.parameters(), *module.buffers(), *(t for _, t in tensors_within((given, result)))):
            plain = tensor.layout is torch.strided and not (tensor.is_quantized or tensor.is_nested)
            if plain and not tensor.is_inference() and 0 not in tensor.stride():
                tensor.zero_()


@pytest.mark.parametrize("mode", ["eval", "train", "autocast", "inference"])
@pytest.mark.parametrize("kind", [*KINDS, *OTHERS])
def test_what_is_not_held_is_what_ran(
    kind: str, mode: str, as_they_ran: dict[str, torch.Tensor], kept: list[Any]
) -> None:
    torch.manual_seed(0)
    if kind in KINDS:
        if mode == "autocast" and kind in ("quantised", "inverted"):
            pytest.skip("torch's own quantised layers take no bfloat16, nor does its fast path")
        module = KINDS[kind]()
        given = copy.deepcopy(arguments(module))
    else:
        if (kind, mode) == ("odd traced", "autocast"):
            pytest.skip("torch does not run a trace for the first time under autocast while it is watched")
        makes, x = OTHERS[kind]
        module, given = makes(), (x.clone(),)
    module.train(mode == "train")
    with (
        torch.inference_mode(mode == "inference"),
        torch.no_grad(),
        torch.autocast("cpu", torch.bfloat16, enabled=mode == "autocast"),
    ):
        run = record(module, *given)
    spared = kept[-1]
    first = assert_as_they_ran(spared, as_they_ran)
    spoil(module, given, run.result)
    assert assert_as_they_ran(spared, as_they_ran) == first


def test_a_part_of_it_is_what_is_meant(as_they_ran: dict[str, torch.Tensor], kept: list[Any]) -> None:
    with torch.no_grad():
        record(KINDS["book"]().eval(), *arguments(KINDS["book"]()))
    assert {"softmax", "div", "masked_fill", "add", "gelu", "cat"} <= {
        name.rstrip("_0123456789") for name in as_they_ran
    }
    assert not {"linear", "bmm", "matmul", "layer_norm", "embedding", "dropout"} & {
        name.rstrip("_0123456789") for name in kept[-1].by_name
    }


OPERATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "add": lambda x: x + x, "added twice": lambda x: torch.add(x, x, alpha=3), "sub": lambda x: x - 2 * x, "rsub": lambda x: 1 - x,
    "div": lambda x: x / 7, "neg": lambda x: -x, "abs": torch.abs, "relu": functional.relu, "clamp": lambda x: x.clamp(-1, 2),
    "masked": lambda x: x.masked_fill(x > 1, -torch.inf), "where": lambda x: torch.where(x <= 1, x, 0.5), "least": lambda x: torch.minimum(x, -x),
    "copied": lambda x: x.transpose(0, 2).contiguous(), "flat": lambda x: x.transpose(1, 2).flatten(1), "cat": lambda x: torch.cat([x, -x], -1),
    "stack": lambda x: torch.stack([x, x], 1), "repeat": lambda x: x.repeat(1, 2, 1), "double": lambda x: x.double(),
    "gelu": functional.gelu, "tanh gelu": lambda x: functional.gelu(x, approximate="tanh"), "silu": functional.silu,
    "sigmoid": torch.sigmoid, "tanh": torch.tanh, "softmax": lambda x: x.softmax(-1), "softmax over rows": lambda x: x.softmax(1),
    "softmax in float32": lambda x: functional.softmax(x, -1, dtype=torch.float32), "not": lambda x: (x > 0).logical_not(),
    "of a transposed one": lambda x: x.transpose(1, 2) * 3, "of a part": lambda x: x[:, 3:] + 1, "of a turned part": lambda x: functional.gelu(x[..., 5:]),
}  # fmt: skip


# What is not computed again: an approximation of numbers with others in between, and what is no operation.
NOTHING = {
    ("double", torch.float64),
    *(("of a turned part", dtype) for dtype in (torch.float32, torch.float64, torch.bfloat16, torch.float16)),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("kind", OPERATIONS)
def test_each_operation_gives_its_bits_again_whatever_the_threads(
    kind: str, dtype: torch.dtype, as_they_ran: dict[str, torch.Tensor], kept: list[Any]
) -> None:
    x = LARGE.to(dtype, copy=True)
    x.view(torch.int64 if dtype == torch.float64 else torch.int32 if dtype == torch.float32 else torch.int16)[
        0, 0, :3
    ] = -3  # NaN
    threads = torch.get_num_threads()
    try:
        for before, after in ((1, 1), (1, 3), (3, 1), (2, 2)):
            torch.set_num_threads(before)
            with torch.no_grad():
                record(Does(OPERATIONS[kind]), x.clone())
            torch.set_num_threads(after)
            assert_as_they_ran(kept[-1], as_they_ran)
            assert torch.get_num_threads() == after
    finally:
        torch.set_num_threads(threads)
    assert kept[-1].by_name or (kind, dtype) in NOTHING


def doubled_twice(x: torch.Tensor) -> torch.Tensor:
    return (x * 2 + 1) * 2


@torch.no_grad()
def test_it_is_read_and_saved_as_if_it_were_held(tmp_path: Path) -> None:
    run = record(Does(doubled_twice), LARGE)
    assert run.result.equal(doubled_twice(LARGE.roll(1)))
    run.result.zero_()
    wanted = doubled_twice(LARGE.roll(1)).numpy()
    assert run.has("mul_1")
    assert np.array_equal(run["output"].numpy(), wanted)
    assert run["output"][1, 2, 3] == wanted[1, 2, 3]
    assert run["output"].stats().max == wanted.max()
    save(run, tmp_path / "run.safetensors")
    again = open_snapshot(tmp_path / "run.safetensors")
    assert all(np.array_equal(again[name].numpy(), run[name].numpy()) for name in run)


@torch.no_grad()
def test_what_a_module_kept_and_wrote_to_later_changes_nothing_that_is_computed_from_it(kept: list[Any]) -> None:
    class Keeps(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.part = x.roll(1)
            return self.part * 2

    module = Keeps()
    run = record(module, LARGE)
    assert list(kept[-1].by_name) == ["mul"]
    module.part.zero_()
    run.result.zero_()
    assert np.array_equal(run["mul"].numpy(), (LARGE.roll(1) * 2).numpy())
    assert np.array_equal(run["roll"].numpy(), LARGE.roll(1).numpy())


def test_where_it_is_not_sure_it_is_held(kept: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    weight = nn.Parameter(torch.ones(411))
    ways: dict[str, Callable[[torch.Tensor], Any]] = {
        "gradients": lambda x: x * 2, "weights": lambda x: x * weight, "dropout": lambda x: functional.dropout(x, 0.5, True),
        "in place": lambda x: x.mul_(2), "a product": lambda x: x @ x.transpose(1, 2), "a norm": lambda x: functional.layer_norm(x, (411,)),
        "a sum": lambda x: x.sum(-1), "small": lambda x: x[:, :2, :2] * 2,
        "out=": lambda x: torch.mul(x, 2, out=torch.empty_like(x)), "whole numbers": lambda x: x.long() / 2, "complex": lambda x: x.to(torch.complex64) * 2,
        "rounded elsewhere": lambda x: x.transpose(1, 2).tanh(),
    }  # fmt: skip
    for kind, does in ways.items():
        with torch.set_grad_enabled(kind == "gradients"):
            record(Does(does), LARGE.clone().requires_grad_(kind == "gradients"))
        assert not [name for name in kept[-1].by_name if not name.startswith("to")], kind


@torch.no_grad()
def test_over_the_budget_what_is_computed_from_others_outlives_them(as_they_ran: dict[str, torch.Tensor]) -> None:
    def does(x: torch.Tensor) -> torch.Tensor:
        half = x[:, :8].roll(1)  # (3, 8, 411), the smaller one
        return torch.cat([half * 2, half], 1)[:, :8].transpose(0, 1)

    whole = record(Does(does), LARGE)
    wanted = {name: whole[name].numpy() for name in whole}
    for budget in range(0, 3 * LARGE.nbytes, LARGE.nbytes // 7):
        run = record(Does(does), LARGE, budget=budget)
        for name in run:
            if run.has(name):
                assert np.array_equal(run[name].numpy(), wanted[name]), (budget, name)
            else:
                assert f"over the budget of {budget:,} bytes" in refusal(run, name)
                assert run[name].stats().max == wanted[name].max()
    assert not any(record(Does(does), LARGE, budget=0).has(name) for name in ("mul", "cat", "roll"))


def refusal(run: ModuleRecording, name: str) -> str:
    with pytest.raises(InputError) as refused:
        run[name].read()
    return str(refused.value)


def in_another_torch(target: str) -> Callable[[torch.Tensor, float], torch.Tensor]:
    return lambda x, by: x * by + 1e-6 if "mul" in target else x + by


@torch.no_grad()
def test_what_comes_out_otherwise_is_said_and_never_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    run = record(Does(doubled_twice), LARGE)
    monkeypatch.setattr(again, "_operation", in_another_torch)
    value = run["mul"]
    with pytest.raises(
        InputError, match=r"^mul is not kept: it was computed again when it was read, and came out otherwise"
    ):
        value.read()
    assert not run.has("mul")
    monkeypatch.undo()
    assert refusal(run, "mul").startswith(
        "mul is not kept: it was computed again when it was read, and came out otherwise"
    )
    assert not run.has("add")  # which is computed from it
    assert run.has("roll")
    save(run, tmp_path / "run.safetensors")
    assert "came out otherwise" in refusal(cast(Any, open_snapshot(tmp_path / "run.safetensors")), "mul")


class NoFunctions(TorchFunctionMode):
    """A mode of somebody's, in which nothing is computed by torch's functions."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        assert not {"mul", "add", "sum", "equal"} & set(re.findall(r"[a-z]+", str(func)))
        return func(*args, **(kwargs or {}))


class NoOperations(TorchDispatchMode):
    """And one in which no operation is."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        assert str(func).split(".")[1] not in ("mul", "add", "sum", "equal")
        return func(*args, **(kwargs or {}))


def test_whoever_else_is_at_work_changes_nothing() -> None:
    with torch.no_grad():
        run = record(Does(doubled_twice), LARGE)
    once = LARGE.roll(1) * 2
    wanted = {"mul": once.numpy(), "add": (once + 1).numpy(), "output": doubled_twice(LARGE.roll(1)).numpy()}

    def reads(x: torch.Tensor) -> torch.Tensor:
        assert np.array_equal(run["output"].numpy(), wanted["output"])
        return x + 1

    with torch.device("meta"):  # where tensors are made of which nothing is said
        looked = record(Does(reads), LARGE)
    assert list(looked) == ["input.x", "roll", "add"]
    with torch.autocast("cpu", torch.bfloat16), torch.inference_mode(), NoFunctions(), NoOperations():
        assert all(np.array_equal(run[name].numpy(), numbers) for name, numbers in wanted.items())


@torch.no_grad()
def test_whoever_watches_sees_what_the_module_does_and_no_mark_of_it(kept: list[Any]) -> None:
    seen: list[str] = []

    class Notes(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            seen.append(str(func))
            return func(*args, **(kwargs or {}))

    with Notes(), torch.device("meta"):
        record(Does(doubled_twice), LARGE)
    assert list(kept[-1].by_name) == ["mul", "add", "mul_1"]
    assert not [name for name in seen if name.split(".")[1] in ("sum", "set_", "equal")]


@torch.no_grad()
def test_long_chains_are_held_now_and_then(kept: list[Any], as_they_ran: dict[str, torch.Tensor]) -> None:
    def residuals(x: torch.Tensor) -> torch.Tensor:
        for _ in range(40):
            x = x + x.roll(1)
        return x

    run = record(Does(residuals), LARGE)
    assert max(how.work for how in kept[-1].by_name.values()) == again.MOST
    assert len(kept[-1].by_name) == 40 - 40 // (again.MOST + 1)
    assert assert_as_they_ran(kept[-1], as_they_ran) == len(kept[-1].by_name)
    assert np.array_equal(run["output"].numpy(), residuals(LARGE.roll(1)).numpy())


def test_the_mark_tells_bits_apart() -> None:
    for size in (1, 2, 7, 8, 33):
        one = torch.arange(size, dtype=torch.uint8)
        for at in range(size):
            for bit in range(8):
                other = one.clone()
                other[at] ^= 1 << bit
                assert not torch.equal(again.mark_of(one), again.mark_of(other))
        assert torch.equal(again.mark_of(one), again.mark_of(one.clone()))
    assert not torch.equal(again.mark_of(torch.tensor([0.0])), again.mark_of(torch.tensor([-0.0])))


def test_it_is_told_by_values_numbers_and_words() -> None:
    call = TorchCall("cat", "aten.cat.default", ([Ref("x"), Ref("y")], -1))
    assert again.is_pure(call)
    assert not again.is_pure(TorchCall("add", "aten.add.Tensor", (Ref("x"), object())))
    assert not again.is_pure(TorchCall("add", "mine.add.Tensor", (Ref("x"), 1)))
