"""The states of all random numbers that a module may draw: noted, and put back, so that a passage can be repeated as it was."""

from __future__ import annotations

import hashlib
import random
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from ...program.generators import devices_in_use, put_state, state_of


@dataclass(frozen=True, slots=True)
class RandomStates:
    """Of torch on the CPU and on each device in use, of Python, and of numpy where it draws."""

    cpu: torch.Tensor
    devices: tuple[tuple[torch.device, torch.Tensor], ...]
    python: Any
    numpy: Any

    @classmethod
    def now(cls) -> RandomStates:
        """As they are."""
        devices = tuple((device, state_of(device)) for device in devices_in_use())
        numpy = sys.modules.get("numpy.random")
        return cls(torch.get_rng_state(), devices, random.getstate(), numpy.get_state() if numpy is not None else None)

    def put_back(self) -> None:
        """Let all of them be as they were."""
        torch.set_rng_state(self.cpu)
        for device, state in self.devices:
            put_state(device, state)
        random.setstate(self.python)
        if self.numpy is not None:
            sys.modules["numpy.random"].set_state(self.numpy)

    @property
    def written(self) -> str:
        """A word for torch's states, by which two are told apart."""
        digest = hashlib.sha256(self.cpu.numpy().tobytes())
        for _, state in self.devices:
            digest.update(state.cpu().numpy().tobytes())
        return digest.hexdigest()[:8]


@contextmanager
def from_states(states: RandomStates) -> Generator[None]:
    """Draw from states within, and go on afterwards as if nothing had been drawn."""
    now = RandomStates.now()
    states.put_back()
    try:
        yield
    finally:
        now.put_back()
