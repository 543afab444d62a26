"""The states of torch's random numbers: one is the host's, and each device that computes by itself draws from its own."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# torch does not say what its devices' modules have.

from __future__ import annotations

import inspect
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch  # a recording opens without it


def draws_on(given: Iterable[Any], options: Mapping[str, Any]) -> torch.device:
    """Where an operation draws: on the device it is asked for, on its first tensor's, else on the CPU."""
    import torch

    if options.get("device") is not None:
        return torch.device(options["device"])
    everything = (*given, *options.values())
    first = next((part for part in everything if isinstance(part, torch.Tensor)), None)
    return torch.device("cpu") if first is None else first.device


def state_of(device: torch.device) -> torch.Tensor:
    """The state of a device's random numbers, a tensor of bytes on the host."""
    import torch

    module = _module(device)
    return torch.get_rng_state() if module is None else module.get_rng_state(*_named(module.get_rng_state, device))


def put_state(device: torch.device, state: torch.Tensor) -> None:
    """Have a device draw from a state."""
    import torch

    module = _module(device)
    if module is None:
        torch.set_rng_state(state)
    else:
        module.set_rng_state(state, *_named(module.set_rng_state, device))


@contextmanager
def drawing_from(device: torch.device, state: torch.Tensor) -> Generator[None]:
    """Draw from a state within, and go on afterwards as if nothing had been drawn."""
    before = state_of(device)
    put_state(device, state)
    try:
        yield
    finally:
        put_state(device, before)


def devices_in_use() -> list[torch.device]:
    """Those besides the CPU that draw for themselves and have been used: every CUDA device, once there is one that was."""
    import torch

    accelerator = torch.accelerator.current_accelerator() if hasattr(torch, "accelerator") else torch.device("cuda")
    module = None if accelerator is None else _module(accelerator)
    if accelerator is None or module is None or not getattr(module, "is_initialized", lambda: True)():
        return []
    return [torch.device(accelerator.type, at) for at in range(module.device_count())]


def _module(device: torch.device) -> Any:
    """What torch has of a kind of device: `torch.cuda`; None of what draws nothing of its own."""
    import torch

    module = None if device.type in ("cpu", "meta") else getattr(torch, device.type, None)
    return module if hasattr(module, "get_rng_state") else None


def _named(function: Any, device: torch.device) -> tuple[torch.device, ...]:
    """The device, where a function takes one: there is one MPS device, and nobody names it."""
    return (device,) if "device" in inspect.signature(function).parameters else ()
