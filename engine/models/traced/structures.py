"""Tensors in what a module is called with, and in what it gives back."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from typing import Any, cast

import torch
from torch import nn


def named_tensors(
    module: nn.Module, arguments: Sequence[Any], options: Mapping[str, Any]
) -> Iterable[tuple[str, torch.Tensor]]:
    """The tensors a module is called with, by the names of its parameters: `input_ids`, `kwargs.mask`, `batch.0`."""
    try:
        bound = signature_of(module).bind(*arguments, **options).arguments
    except (TypeError, ValueError):
        bound = {str(at): given for at, given in enumerate(arguments)} | dict(options)
    return tensors_within(bound)


def signature_of(module: nn.Module) -> inspect.Signature:
    """What a module's `forward` takes. Of a scripted one torch's own schema says so, as a copy of it, or one from a file, has no other.

    Raises:
        ValueError: nothing says so.
    """
    if not isinstance(module, torch.jit.ScriptModule):
        return inspect.signature(module.forward)
    schema: Any = cast(Any, module.forward).schema
    return inspect.Signature([
        inspect.Parameter(
            part.name,
            inspect.Parameter.KEYWORD_ONLY if part.kwarg_only else inspect.Parameter.POSITIONAL_OR_KEYWORD,
            default=part.default_value if part.has_default_value() else inspect.Parameter.empty,
        )
        for part in schema.arguments[1:]
    ])  # fmt: skip


def tensors_within(result: Any, path: str = "") -> Iterable[tuple[str, torch.Tensor]]:
    """Tensors in tuples, lists, dicts and dataclasses of them, by where they stand: `last_hidden_state`, `0`, `hidden_states.2`."""
    if isinstance(result, torch.Tensor):
        yield path or "0", result
        return
    for name, part in _parts(result):
        yield from tensors_within(part, f"{path}.{name}" if path else str(name))


def with_others(given: Any, by: Mapping[int, torch.Tensor]) -> Any:
    """The same with other tensors in the place of those that have these identities, wherever `tensors_within` looks for them.

    Lists, tuples and dicts are copied; of what else holds tensors (a batch of transformers, a dataclass) a copy is made where one changes.
    """
    if isinstance(given, torch.Tensor):
        return by.get(id(given), given)
    if isinstance(given, list | tuple):
        parts = [with_others(part, by) for part in cast("Sequence[Any]", given)]
        if isinstance(given, list):
            return parts
        make: Any = getattr(cast(Any, given), "_make", tuple)  # of a named tuple
        return make(parts)
    if type(given) is dict:
        return {name: with_others(part, by) for name, part in cast("dict[Any, Any]", given).items()}
    others = [(name, part, with_others(part, by)) for name, part in _parts(given)]
    changed = [(name, other) for name, part, other in others if other is not part]
    return _with_parts(given, changed) if changed else given


def _with_parts(given: Any, changed: Sequence[tuple[Any, Any]]) -> Any:
    """A copy of a mapping or a dataclass with other parts."""
    if isinstance(given, Mapping) and not isinstance(given, MutableMapping):
        return {**cast("Mapping[Any, Any]", given), **dict(changed)}
    made = copy.copy(cast(Any, given))
    for name, part in changed:
        if isinstance(given, Mapping):
            made[name] = part
        else:
            object.__setattr__(made, name, part)  # of a frozen one as well
    return made


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
