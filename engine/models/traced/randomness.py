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


@dataclass(frozen=True, slots=True)
class RandomStates:
    """Of torch on the CPU and on each GPU in use, of Python, and of numpy where it draws."""

    cpu: torch.Tensor
    gpus: tuple[torch.Tensor, ...]
    python: Any
    numpy: Any

    @classmethod
    def now(cls) -> RandomStates:
        """As they are."""
        gpus = torch.cuda.get_rng_state_all() if torch.cuda.is_available() and torch.cuda.is_initialized() else ()
        numpy = sys.modules.get("numpy.random")
        return cls(
            torch.get_rng_state(), tuple(gpus), random.getstate(), numpy.get_state() if numpy is not None else None
        )

    def put_back(self) -> None:
        """Let all of them be as they were."""
        torch.set_rng_state(self.cpu)
        if self.gpus:
            torch.cuda.set_rng_state_all(list(self.gpus))
        random.setstate(self.python)
        if self.numpy is not None:
            sys.modules["numpy.random"].set_state(self.numpy)

    @property
    def written(self) -> str:
        """A word for torch's states, by which two are told apart."""
        digest = hashlib.sha256(self.cpu.numpy().tobytes())
        for state in self.gpus:
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
