"""What torch computes with where it chooses: autocast's dtype, and the kernel of a fused attention."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, cast

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from ...program.program import Program
from .storages import has_storage

NO_KERNEL = "No viable backend"  # how torch begins to say that none of the kernels it may take can do it


def autocast_dtype(device: str) -> torch.dtype | None:
    """What autocast brings tensors to on a kind of device; None where it does not."""
    known = torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)
    return torch.get_autocast_dtype(device) if known else None


def fused_kernel(args: Sequence[Any], options: Mapping[str, Any]) -> str:
    """Which kernel torch chooses for a fused attention of these tensors: `flash`, `efficient`, `cudnn`, `math`; "" inside torch.func."""
    if not has_storage(args[0]):
        return ""
    dtype = autocast_dtype(args[0].device.type)
    if dtype is not None:  # tensors are brought to it before they are computed with, and so before torch chooses
        args = [torch.empty_like(part, dtype=dtype) if _is_floating(part) else part for part in args]
        options = {
            name: torch.empty_like(part, dtype=dtype) if _is_floating(part) else part for name, part in options.items()
        }
    chosen = torch.ops.aten._fused_sdp_choice.default(*args, **options)
    return SDPBackend(chosen).name.lower().removesuffix("_attention")


def only_flash() -> AbstractContextManager[None]:
    """Torch's fused attention by its flash kernel, or not at all."""
    return cast("AbstractContextManager[None]", sdpa_kernel(SDPBackend.FLASH_ATTENTION))


def kernels_of(program: Program) -> tuple[str, ...]:
    """The kernels that torch took for the fused attentions of a module, each once."""
    steps = (step for stage in program for step in getattr(stage.op, "steps", ()))
    return tuple(dict.fromkeys(kernel for step in steps if (kernel := str(getattr(step, "kernel", "")))))


def _is_floating(part: Any) -> bool:
    return isinstance(part, torch.Tensor) and part.is_floating_point()
