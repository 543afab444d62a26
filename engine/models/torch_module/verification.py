"""The module itself beside our program of it: a few vectors go through both, layer by layer.

What stands around a module's parts is looked at before; this is for what was not thought of: a method of torch replaced for
all modules, a tensor that is more than its numbers, a torch that computes otherwise. It cannot be exact, since left to itself a module
takes other kernels than the one path that has weights to look at, so it asks for equal numbers within what rounding may do to one layer.
Nothing is left behind: no hook, no gradient, no random number drawn from torch's own generators.
"""

from __future__ import annotations

import torch
from torch import nn

from ...messages.errors import InputError, one_line
from ...program.tokens import VECTORS
from ..encoder import Encoder
from .parts import is_compiled

ROWS = (2, 3)
# Of the largest number a layer gives. Rounding in one layer does 1e-6 of it; float16 and bfloat16 are too coarse to tell.
NEAR = {torch.float32: 1e-2, torch.float64: 1e-2}


def expect_same_numbers(module: nn.TransformerEncoder, encoder: Encoder) -> None:
    """Refuse a module that computes other numbers than the program made of it.

    A module in training mode is not asked (it would draw dropout, and may change itself), nor a compiled one (it would compile).

    Args:
        module: a `torch.nn.TransformerEncoder`.
        encoder: of the same module, in its own dtype, on its own device.

    Raises:
        InputError: the numbers differ; the first layer where they do is named.
    """
    limit = NEAR.get(encoder.dtype)
    if limit is None or any(part.training or is_compiled(part) for part in module.modules()):
        return
    size = encoder.checkpoint.vector_size
    assert size is not None
    drawn = torch.randn(*ROWS, size, generator=torch.Generator().manual_seed(0), dtype=torch.float32)
    rows = drawn if encoder.checkpoint.batch_first else drawn.transpose(0, 1)
    run = encoder.run_vectors(rows)
    parts = [(f"layers.{at}", f"layers.{at}.output", layer) for at, layer in enumerate(module.layers)]
    if module.norm is not None:
        parts.append(("norm", "output", module.norm))
    before = VECTORS
    for where, after, part in parts:
        given, ours = (run[name].tensor().to(encoder.device, encoder.dtype) for name in (before, after))
        theirs = torch.stack([_alone(part, where, row) for row in given])
        gap, most = (ours - theirs).abs().max().item(), theirs.abs().max().item()
        if gap > limit * most and torch.isfinite(ours).all():
            raise InputError(
                f"{where} gives other numbers than its parts do, by up to {gap:.3g} of {most:.3g} on random vectors: "
                "something in it is changed in a way that is not known here"
            )
        before = after


def _alone(part: nn.Module, where: str, row: torch.Tensor) -> torch.Tensor:
    """What a part makes of one sequence, (token, size). Without a batch torch keeps off its fast path, which calls no part of a layer."""
    try:
        with torch.no_grad():
            return part(row).detach()
    except Exception as error:  # whatever the module raises
        raise InputError(f"{where} cannot be run: {one_line(error)}") from None
