"""Tensors in what a module is called with, and in what it gives back."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import torch
from torch import nn


def named_tensors(
    module: nn.Module, arguments: Sequence[Any], options: Mapping[str, Any]
) -> Iterable[tuple[str, torch.Tensor]]:
    """The tensors a module is called with, by the names of its parameters: `input_ids`, `kwargs.mask`, `batch.0`."""
    try:
        bound = inspect.signature(module.forward).bind(*arguments, **options).arguments
    except (TypeError, ValueError):
        bound = {str(at): given for at, given in enumerate(arguments)} | dict(options)
    return tensors_within(bound)


def tensors_within(result: Any, path: str = "") -> Iterable[tuple[str, torch.Tensor]]:
    """Tensors in tuples, lists, dicts and dataclasses of them, by where they stand: `last_hidden_state`, `0`, `hidden_states.2`."""
    if isinstance(result, torch.Tensor):
        yield path or "0", result
        return
    for name, part in _parts(result):
        yield from tensors_within(part, f"{path}.{name}" if path else str(name))


def _parts(result: Any) -> Iterable[tuple[Any, Any]]:
    """What is within something, and where it stands there."""
    if isinstance(result, Mapping):
        return cast("Mapping[Any, Any]", result).items()
    if isinstance(result, list | tuple):
        names = getattr(cast(Any, result), "_fields", None)
        return (
            enumerate(cast("Sequence[Any]", result))
            if names is None
            else zip(names, cast("Sequence[Any]", result), strict=True)
        )
    fields: Iterable[str] = getattr(result, "__dataclass_fields__", ())
    return ((name, getattr(result, name)) for name in fields)
