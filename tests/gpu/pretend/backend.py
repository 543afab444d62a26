"""Tells torch of the pretend device, and the engine its name."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from typing import Any

import torch
from torch.utils import backend_registration

from .tensor import DEVICE, GENERATOR, NAME, PretendTensor, compute

known: Any = backend_registration
aten: Any = torch.ops.aten
# What is not left to what torch makes of it elsewhere: `torch.tensor` copies where Python is switched off, and attention stays one
# operation, so that it is the CPU's fused kernel.
THERE = (
    aten.copy_.default,
    aten.empty_strided.default,
    aten.empty.memory_format,
    aten.scaled_dot_product_attention.default,
)
_libraries: list[Any] = []  # what torch is told holds as long as its library is there


class Module(known._DummyBackendModule):
    """What torch asks a kind of device: `torch.pretend`."""

    def is_available(self) -> bool:
        """Not to those who take whatever there is, as `DataParallel` does: only to who asks for it by name."""
        return False

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16, torch.float16]

    def manual_seed_all(self, seed: int) -> None:
        GENERATOR.manual_seed(seed)

    def get_rng_state(self, device: Any = None) -> torch.Tensor:
        return GENERATOR.get_state()

    def set_rng_state(self, new_state: torch.Tensor, device: Any = None) -> None:
        GENERATOR.set_state(new_state)

    def get_rng_state_all(self) -> list[torch.Tensor]:
        return [GENERATOR.get_state()]

    def set_rng_state_all(self, states: Sequence[torch.Tensor]) -> None:
        GENERATOR.set_state(states[0])


def install() -> torch.device:
    """Tell torch of the device, once in a process, and the engine, as far as it is loaded; returns the device."""
    if not _libraries:
        every: Any = torch.library.Library("_", "IMPL")
        every.fallback(_computed, "PrivateUse1")
        some: Any = torch.library.Library("aten", "IMPL")
        for func in THERE:
            some.impl(func, partial(_computed, func), "PrivateUse1")
        _libraries.extend((every, some))
    _teach_engine()
    return DEVICE


def _computed(func: Any, *args: Any, **kwargs: Any) -> Any:
    return compute(func, args, kwargs)


def _teach_engine() -> None:
    """Have the engine know the device by name, which it takes from no user, and its tensors for plain ones, as a GPU's are."""
    import_module("encoder_tui.engine.models.devices")  # whoever takes `device_of` from it later takes what it is then
    parts: Any = import_module("encoder_tui.engine.models.torch_module.parts")
    if not hasattr(parts._checked, "pretends"):
        parts._checked = _taken_for_plain(parts._checked)
    for name, module in list(sys.modules.items()):
        before = getattr(module, "device_of", None) if name.startswith("encoder_tui.engine") else None
        if before is not None and not hasattr(before, "pretends"):
            module.device_of = _with_pretend(before)  # type: ignore[attr-defined]


def _taken_for_plain(before: Callable[[Any, str], torch.Tensor]) -> Callable[[Any, str], torch.Tensor]:
    def checked(value: Any, where: str) -> torch.Tensor:
        return value if isinstance(value, PretendTensor) else before(value, where)

    checked.pretends = True  # type: ignore[attr-defined]
    return checked


def _with_pretend(before: Callable[[str], torch.device]) -> Callable[[str], torch.device]:
    def device_of(name: str) -> torch.device:
        return DEVICE if name.partition(":")[0] == NAME else before(name)

    device_of.pretends = True  # type: ignore[attr-defined]
    return device_of


known._setup_privateuseone_for_python_backend(NAME, Module())
