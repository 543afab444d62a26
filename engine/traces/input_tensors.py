"""What goes in, as tensors where it is computed with."""

from __future__ import annotations

import torch

from ..program.inputs import Inputs
from ..program.program import Program
from ..program.torch_calls import from_numpy


def input_tensors(
    program: Program, inputs: Inputs, device: torch.device, dtype: torch.dtype
) -> dict[str, torch.Tensor]:
    """What goes in by the stage it goes in at, on the device; whole numbers of one shape in one copy, each of which another device is waited for."""
    given = {stage.name: program.pairs[stage.name][1] for stage in program.given}
    tensors = {name: from_numpy(inputs.given(program[name])) for name in given}
    whole = [name for name, op in given.items() if op.card.whole_numbers and tensors[name].shape == inputs.tokens.shape]
    there = (
        torch.stack([tensors.pop(name).long() for name in whole]).to(device) if device.type != "cpu" and whole else ()
    )
    rest = {
        name: tensor.to(device=device, dtype=given[name].result_dtype((), (), dtype))
        for name, tensor in tensors.items()
    }
    brought = rest | dict(zip(whole, there, strict=False))
    for name, sequence in inputs.sequences.items():
        if (mask := brought.get(f"{name}.mask")) is not None:
            mask.all_seen = bool((sequence.mask != 0).all())  # type: ignore[attr-defined]  # see `ops.tokens.all_seen`
    return brought
