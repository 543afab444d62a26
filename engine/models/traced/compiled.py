"""What torch.compile makes of a module: the results of its parts, as the compiled code gives them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import nn

from ...messages.errors import InputError, one_line
from ...program.arrays import Array
from ...program.dtypes import DTYPES
from ...program.inputs import Inputs
from ...traces.matched import ForeignTensor
from ...traces.tensors import to_numpy
from .arguments import arguments_for_tokens
from .attach import undisturbed
from .structures import tensors_within

BACKEND = "inductor"


def compiled_results(module: nn.Module, inputs: Inputs, name: str, backend: str = BACKEND) -> dict[str, ForeignTensor]:
    """The first result of every part of a module, by its path, from one passage of the compiled module.

    What a part gives is handed out beside the result, so that the compiler cannot leave it out: what it fuses across parts it may fuse less.

    Args:
        module: a copy, which is changed.
        inputs: of ours.
        name: what it is called.
        backend: of torch.compile.

    Raises:
        InputError: there is no compiler, or it refuses the module.
    """
    kept: dict[str, torch.Tensor] = {}
    parts: list[tuple[str, nn.Module]] = list(cast(Any, module).named_modules())
    for path, part in parts:
        part.register_forward_hook(_keeping(path or "output", kept))
    device = next(module.parameters()).device
    arguments, _ = arguments_for_tokens(module, inputs.tokens, device)
    try:
        with undisturbed(module), torch.no_grad():
            compiled: Callable[..., Any] = cast(Any, torch).compile(module, backend=backend)
            compiled(*arguments.positional, **arguments.named)
    except Exception as error:  # whatever the compiler raises, of the module or for want of a C++ compiler
        raise InputError(f"torch.compile cannot compile {name}: {one_line(error)[:300]}") from None
    finally:
        torch.compiler.reset()
    return {
        path: _tensor(path, tensor)
        for path, tensor in kept.items()
        if str(tensor.dtype).removeprefix("torch.") in DTYPES
    }


def _keeping(path: str, kept: dict[str, torch.Tensor]) -> Callable[[nn.Module, Any, Any], None]:
    def keep(module: nn.Module, given: Any, result: Any) -> None:
        first = next((tensor for _, tensor in tensors_within(result)), None)
        if first is not None:
            kept[path] = first

    return keep


def _tensor(path: str, tensor: torch.Tensor) -> ForeignTensor:
    def read() -> Array:
        return to_numpy(tensor)

    return ForeignTensor(path, tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."), read)
