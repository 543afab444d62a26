"""A device that torch takes for another than the CPU, whose kernels are the CPU's: bit-equal by construction, and as strict as a GPU.

torch leaves one device type to others, `privateuse1`, and lets it be served in Python (`backend`). A tensor there is a wrapper with a
tensor of the CPU inside. Whatever is done with it is done by `compute` below, on whichever thread, inside any other mode: on the CPU's
tensors, after `mixing` has refused what a GPU refuses. `ledger` notes what makes a host wait for a GPU (`waiting`), and the bytes.

What it can't pretend: kernels that round otherwise, another choice of kernel for fused attention, autocast, memory of its own that
fills up, results that are not there yet, more than one device, compiled code, gradients through fused attention. Random numbers drawn
there come from a generator of its own, as a GPU's.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch.utils import _pytree as pytree

from .ledger import done
from .mixing import refuse_mixed
from .waiting import note_waits

NAME = "pretend"
DEVICE = torch.device("privateuseone", 0)  # torch's name for it until `backend` has given it ours
GENERATOR = torch.Generator().manual_seed(20)
aten: Any = torch.ops.aten
whole: Any = torch.Tensor  # with what its types leave out


class PretendTensor(torch.Tensor):
    """A tensor of the pretend device.

    Attributes:
        numbers: the CPU's tensor that holds them.
    """

    numbers: torch.Tensor
    __torch_function__: Any = cast(Any, torch._C)._disabled_torch_function_impl

    @staticmethod
    def __new__(cls: Any, numbers: torch.Tensor) -> PretendTensor:
        made = whole._make_wrapper_subclass(
            cls, numbers.size(), strides=numbers.stride(), storage_offset=numbers.storage_offset(), dtype=numbers.dtype, device=DEVICE
        )  # fmt: skip
        made.numbers = numbers
        return made

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return compute(func, args, kwargs or {})

    def follow(self) -> None:
        """Be laid out as the numbers are: `out=` and operations like `t_` change that in place."""
        laid = self.numbers
        if (self.shape, self.stride(), self.storage_offset()) != (laid.shape, laid.stride(), laid.storage_offset()):
            with torch.no_grad():
                whole.data.__set__(self, PretendTensor(laid))

    # -- what torch answers in C++, without an operation -----------------------------------------------------------

    def untyped_storage(self) -> torch.UntypedStorage:
        """The memory behind it, which views share."""
        return self.numbers.untyped_storage()

    def data_ptr(self) -> int:
        """Where it lies; no one may read there."""
        return self.numbers.data_ptr()

    def numpy(self, *, force: bool = False) -> Any:
        """As a GPU's: refused, unless it may copy."""
        if force:
            return self.detach().cpu().numpy(force=True)
        raise TypeError(
            f"can't convert {self.device} device type tensor to numpy. Use Tensor.cpu() to copy the tensor to host memory first."
        )

    def __array__(self, dtype: Any = None) -> Any:
        return self.numpy()

    def tolist(self) -> list[Any]:
        """As a GPU's: copied, then read."""
        return cast(Any, self.detach().cpu()).tolist()

    @property
    def data(self) -> torch.Tensor:  # pyright: ignore[reportIncompatibleVariableOverride]
        """What it holds, without a history."""
        return self.detach()

    @data.setter
    def data(self, other: PretendTensor) -> None:
        whole.data.__set__(self, other)
        self.numbers = other.numbers

    def __deepcopy__(self, memo: dict[int, Any]) -> PretendTensor:
        if id(self) not in memo:
            memo[id(self)] = self.detach().clone().requires_grad_(self.requires_grad)
            if getattr(self, "_is_param", False):
                memo[id(self)]._is_param = True
        return memo[id(self)]

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        return f"{self.detach().cpu()!r} on {self.device}"


def compute(func: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """Do an operation on the CPU's tensors, as the device would: refused where it would be, and noted."""
    flat, form = cast("tuple[list[Any], Any]", pytree.tree_flatten((args, kwargs)))
    refuse_mixed(func, args, flat, DEVICE)
    ours = {id(each.numbers): each for each in flat if isinstance(each, PretendTensor)}
    plain: list[Any] = [each.numbers if isinstance(each, PretendTensor) else each for each in flat]
    inner_args, inner_named = cast("tuple[list[Any], dict[str, Any]]", pytree.tree_unflatten(plain, form))
    if kwargs.get("device") is not None:
        inner_named = {**inner_named, "device": "cpu"}
    with _own_random_numbers(func):
        result = func(*inner_args, **inner_named)
    for each in ours.values():
        each.follow()
    if not _leaves(func, args, kwargs):
        result = _wrapped(result, ours)
    done(str(func))
    note_waits(func, args, kwargs, result)
    return result


def _wrapped(result: Any, ours: dict[int, PretendTensor]) -> Any:
    """What came out, each tensor on the device; what was given itself comes back as it was given."""

    def wrapped(given: Any) -> Any:
        if not isinstance(given, torch.Tensor) or isinstance(given, PretendTensor):
            return given
        same = ours.get(id(given))
        return PretendTensor(given) if same is None else same

    return cast(Any, pytree).tree_map(wrapped, result)


def _leaves(func: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> bool:
    """Whether what comes out lies on the CPU."""
    if func.overloadpacket in (aten.copy_, aten._copy_from):
        return not isinstance(args[0 if func.overloadpacket is aten.copy_ else 1], PretendTensor)
    asked = kwargs.get("device")
    return asked is not None and torch.device(asked).type == "cpu"


@contextmanager
def _own_random_numbers(func: Any) -> Generator[None]:
    """The device's own, which go on from draw to draw; the CPU's stay as they are."""
    if torch.Tag.nondeterministic_seeded not in func.tags:
        yield
        return
    before = torch.get_rng_state()
    torch.set_rng_state(GENERATOR.get_state())
    try:
        yield
    finally:
        GENERATOR.set_state(torch.get_rng_state())
        torch.set_rng_state(before)
