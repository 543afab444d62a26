"""torch, imported when something of it is first used.

Operations carry what is known of them besides their numbers, and a recording asks for that where there is no torch.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

__all__ = ["functional", "torch"]


def _when_used(name: str) -> ModuleType:
    """A stand-in for a module, which it imports when asked for anything; each thing is fetched once."""
    module = ModuleType(name, __doc__)

    def fetch(attribute: str) -> Any:
        if attribute.startswith("__"):  # what looks at modules (inspect, doctest) asks for such
            raise AttributeError(attribute)
        thing = getattr(import_module(name), attribute)
        setattr(module, attribute, thing)
        return thing

    module.__getattr__ = fetch  # type: ignore[method-assign]
    return module


if TYPE_CHECKING:
    import torch
    from torch.nn import functional
else:
    torch, functional = _when_used("torch"), _when_used("torch.nn.functional")
