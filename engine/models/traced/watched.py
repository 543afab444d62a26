"""A passage watched for a recording: besides its operations what passes the boundaries of modules."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from typing import Any

import torch
from torch import nn

from ...messages.errors import one_line
from .budget import KeptWithin
from .higher_order import take_operators
from .storages import version
from .structures import tensors_within
from .tracer import Tracer


class Watcher(Tracer):
    """Watches one passage of a module for a recording.

    Args:
        module: what is watched.
        budget: bytes of values that are held.
        inputs: what the module is called with.

    Attributes:
        values: those that are kept.
        outputs: the path of a module -> the first value it gave back, at its last call.
    """

    def __init__(self, module: nn.Module, budget: int, inputs: Any) -> None:
        given = [tensor for _, tensor in tensors_within(inputs)]
        self._theirs = {id(tensor): tensor for tensor in chain(given, module.parameters(), module.buffers())}
        self._before = {name: version(tensor) for name, tensor in self._theirs.items()}
        self.values = KeptWithin(budget, self._theirs.values())
        super().__init__(module, self.values)
        self.outputs: dict[str, str] = {}

    def settle(self, result: Any) -> None:
        """Keep what was seen as it is now; see `KeptWithin.settle`."""
        self.values.settle(tensor for _, tensor in tensors_within(result))

    def rewritten(self) -> bool:
        """Whether the passage wrote to what went in, a weight or a buffer, so that a second one would be another."""
        return bool(self.values.rewritten) or any(
            version(tensor) != self._before[name] for name, tensor in self._theirs.items()
        )

    def _enter_value(self, name: str, tensor: torch.Tensor) -> None:
        super()._enter_value(name, tensor)
        if name in self.seen.inputs:
            self.values.put(name, tensor)

    def _seen_by(self, look: Callable[..., Any], *given: Any) -> Any:
        """A fault of ours in the middle of somebody's forward is none of theirs: it ends what is seen, is told, and the passage goes on."""
        try:
            return look(*given)
        except Exception as error:
            last = f" after {self.seen.calls[-1].name}" if self.seen.calls else ""
            self.blind = f"nothing was seen{last}, for a fault of ours: {type(error).__name__}: {one_line(error)}"
            return None

    def left(self, module: nn.Module, given: Any, result: Any) -> None:
        """It has computed, or raised."""
        if not torch.compiler.is_compiling():
            self._seen_by(self._left, module, given, result)

    def _left(self, module: nn.Module, given: Any, result: Any) -> None:
        if self._at and result is not None:
            first = next((tensor for _, tensor in tensors_within(result)), None)
            name = self._storages.name(first) if first is not None else None
            if name is not None:
                self.outputs[self._at[-1]] = name
        super().left(module, given, result)


take_operators(Watcher)
