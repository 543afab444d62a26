"""The numbers of a passage's values as arrays, and why some are none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import torch

from ...messages.errors import InputError
from ...program.arrays import Array
from ...program.dtypes import DTYPES
from ...traces.in_memory import OTHERWISE
from ...traces.recorded_values import LeftOut
from .again import CameOutOtherwiseError
from .budget import KeptWithin, Remains
from .storages import NO_STORAGE, has_storage

AT_HAND = 4  # values that were computed and are held until others are: what is looked at together, an operation's inputs and its result


class KeptNumbers(Mapping[str, Array]):
    """Arrays by the names of stages; bfloat16, which numpy lacks, as its 16 bits. Nothing is copied; what has been written to since is there no longer.

    What is not held is computed when it is read, and the last few of those are at hand until others are read.

    Args:
        kept: the values.
        values: the name of each stage -> of its value.
        beside: by their stages, what stands beside what the module computed.
    """

    def __init__(
        self, kept: KeptWithin, values: Mapping[str, str], beside: Mapping[str, torch.Tensor] | None = None
    ) -> None:
        self._kept = kept
        self._beside = {stage: tensor for stage, tensor in (beside or {}).items() if not no_array(tensor)}
        self._values = {stage: name for stage, name in values.items() if name in kept and not why_no_array(kept, name)}
        self._computed: dict[str, Array] = {}

    def __getitem__(self, stage: str) -> Array:
        """An array.

        Raises:
            InputError: it was computed, and is not what it was in the passage.
        """
        if stage in self._beside:
            return array_of(self._beside[stage])
        name = self._values[stage]
        return array_of(self._kept[name]) if name not in self._kept.spared.by_name else self._computed_once(stage, name)

    def _computed_once(self, stage: str, name: str) -> Array:
        array = self._computed.get(name)
        if array is None:
            try:
                array = array_of(self._kept[name])
            except CameOutOtherwiseError as error:
                raise InputError(f"{stage} is not kept: {OTHERWISE.why}") from error
        others = [(other, known) for other, known in self._computed.items() if other != name]
        self._computed = dict([*others[1 - AT_HAND :], (name, array)])
        return array

    @property
    def when_read(self) -> frozenset[str]:
        """The stages whose numbers are computed when they are read."""
        return frozenset(stage for stage, name in self._values.items() if name in self._kept.spared.by_name)

    def __contains__(self, stage: object) -> bool:
        if stage in self._beside:
            return True
        return stage in self._values and self._kept.is_as_it_was(self._values[str(stage)])

    def __iter__(self) -> Iterator[str]:
        return iter((*self._values, *self._beside))

    def __len__(self) -> int:
        return len(self._values) + len(self._beside)


def array_of(tensor: torch.Tensor) -> Array:
    """The numbers of a tensor on the CPU, which are not copied; bfloat16 as its 16 bits."""
    if tensor.is_conj() or tensor.is_neg():
        tensor = tensor.resolve_conj().resolve_neg()
    if tensor.dtype == torch.bfloat16:
        return tensor.view(torch.int16).numpy().view(np.uint16)
    return tensor.numpy()


def given_up(remains: Remains, budget: int) -> LeftOut:
    """What is told of a value that was given up for the budget."""
    corner = remains.corner.cpu() if remains.corner is not None and not no_array(remains.corner) else None
    return LeftOut(over_budget(budget), remains.figures.stats(), array_of(corner) if corner is not None else None)


def left_out(kept: KeptWithin, values: Mapping[str, str]) -> dict[str, LeftOut]:
    """Why the stages have no numbers that have none.

    Args:
        kept, values: as of `KeptNumbers`.
    """
    why: dict[str, LeftOut] = {}
    for stage, name in values.items():
        if name in kept.left_out:
            why[stage] = given_up(kept.left_out[name], kept.budget)
        elif name in kept.never:
            why[stage] = LeftOut(NO_STORAGE)
        elif name not in kept:
            why[stage] = LeftOut("its numbers were not seen")
        elif reason := why_no_array(kept, name):
            why[stage] = LeftOut(reason)
    return why


def over_budget(budget: int) -> str:
    """Why a value has no numbers that was given up for the budget, and what to do."""
    return f"over the budget of {budget:,} bytes; record(..., budget=BYTES) with more keeps it"


def why_no_array(kept: KeptWithin, name: str) -> str:
    """Why numpy has no array for a value; "" where it has one, as of all that are computed when they are read."""
    return "" if name in kept.spared.by_name else no_array(kept[name])


def no_array(tensor: torch.Tensor) -> str:
    """Why numpy has no array for a tensor; "" where it has one."""
    if tensor.is_meta:
        return "it is on the device meta, which has shapes alone"
    if not has_storage(tensor):
        return NO_STORAGE
    if tensor.layout is not torch.strided or tensor.is_nested:
        return "its layout is not that of an array (nested)"
    if tensor.is_quantized:
        return "it is quantised, with a scale of its own"
    name = str(tensor.dtype).removeprefix("torch.")
    known = DTYPES.get(name)
    return "" if known is not None and known.numpy else f"no snapshot holds {name}"
