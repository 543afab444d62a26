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
from .stoppable import run_stoppable
from .structures import tensors_within

BACKEND = "inductor"


def compiled_results(
    module: nn.Module,
    inputs: Inputs,
    name: str,
    backend: str = "",
    stopped: Callable[[], bool] = lambda: False,
) -> dict[str, ForeignTensor]:
    """The first result of every part of a module, by its path, from one passage of the compiled module.

    The default backend writes C++ and has it compiled: minutes for a large model the first time; torch keeps what was compiled on disk. It can be
    stopped where it is back in Python, after the file of C++ that is being compiled.

    What a part gives is handed out beside the result, so that the compiler cannot leave it out: what it fuses across parts it may fuse less.

    Args:
        module: a copy, which is changed.
        inputs: of ours.
        name: what it is called.
        backend: of torch.compile; "" for `BACKEND`.
        stopped: whether to stop.

    Raises:
        InputError: there is no compiler, or it refuses the module; or it was stopped.
    """
    kept: dict[str, torch.Tensor] = {}
    parts: list[tuple[str, nn.Module]] = list(cast(Any, module).named_modules())
    for path, part in parts:
        part.register_forward_hook(_keeping(path or "output", kept))
    device = next(module.parameters()).device
    arguments, _ = arguments_for_tokens(module, inputs.tokens, device)

    def compile_and_call() -> None:
        compiled: Callable[..., Any] = cast(Any, torch).compile(module, backend=backend or BACKEND)
        with torch.no_grad():  # which is a thread's own
            compiled(*arguments.positional, **arguments.named)

    try:
        with undisturbed(module):
            run_stoppable(compile_and_call, stopped)
    except KeyboardInterrupt:
        if not stopped():
            raise
        raise InputError(f"stopped while torch.compile was at work on {name}; nothing was compared") from None
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
