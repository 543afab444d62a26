"""The parts of a torch module: each is just what torch made it, or it is refused by its name.

A part computes what its class says only while nothing stands around it: no subclass, no hook, no method put in place of its
own. What makes its weights (a parametrisation, `weight_norm`, `spectral_norm`, pruning) is asked for them, in eval mode and without
changing the module.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn
from torch.nn.modules import module as every
from torch.nn.utils import parametrize
from torch.nn.utils.prune import BasePruningMethod
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from ...messages.errors import InputError

HOOKS = {"_forward_pre_hooks": "a forward pre-hook", "_forward_hooks": "a forward hook"}
GLOBAL_HOOKS = {
    "_global_forward_pre_hooks": "torch.nn.modules.module.register_module_forward_pre_hook",
    "_global_forward_hooks": "torch.nn.modules.module.register_module_forward_hook",
}


def unaltered(part: Any, where: str, *classes: type[nn.Module]) -> Any:
    """The part, of one of these classes itself, that computes what the class does and nothing else.

    What `torch.compile` wraps is taken out of it.

    Args:
        where: what the part is called: `layers.1.linear2`.

    Raises:
        InputError: another class, a subclass, hooks, or methods put in place of its own.
    """
    part = uncompiled(part)
    kind = kind_of(part)
    if kind not in classes:
        raise InputError(f"{where} is {_described(part, classes)}; {_known(classes)}")
    own: dict[str, Any] = part.__dict__
    for name in own:
        if callable(getattr(kind, name, None)):
            raise InputError(
                f"{where} has a {name} of its own ({called(own[name])}) in place of that of {kind.__name__}; "
                "what that computes is not known here"
            )
    for registry, what in HOOKS.items():
        for hook in getattr(part, registry, {}).values():
            if not (registry == "_forward_pre_hooks" and _makes(hook)):
                raise InputError(
                    f"{where} has {what} ({called(hook)}), which may change what goes through; remove it first"
                )
    return part


def expect_no_global_hooks() -> None:
    """Refuse hooks that torch calls for every module there is."""
    for registry, register in GLOBAL_HOOKS.items():
        for hook in getattr(every, registry, {}).values():
            raise InputError(
                f"every module has a hook ({called(hook)}, given to {register}), which may change what goes through; remove it first"
            )


def uncompiled(part: Any) -> Any:
    """The module within what `torch.compile` made of it."""
    inner = getattr(part, "_orig_mod", None)
    return inner if isinstance(inner, nn.Module) and type(part).__name__ == "OptimizedModule" else part


def is_compiled(part: nn.Module) -> bool:
    """Whether calling a part runs what `torch.compile` makes of it."""
    return uncompiled(part) is not part or getattr(part, "_compiled_call_impl", None) is not None


def kind_of(part: Any) -> type:
    """Its class, or what that was before a parametrisation made a subclass of it."""
    return parametrize.type_before_parametrizations(part) if isinstance(part, nn.Module) else type(part)


def called(thing: Any) -> str:
    """What a function or a class is called, with its module where that tells something: `mine.double`."""
    of = thing if isinstance(thing, type) or hasattr(thing, "__qualname__") else type(thing)
    name, room = str(of.__qualname__), str(getattr(of, "__module__", None) or "")
    if name.startswith("_VariableFunctionsClass."):  # where torch keeps torch.cos
        return f"torch.{of.__name__}"
    return name if room in ("", "builtins", "__main__") else f"{room}.{name}"


def tensors(part: Any, where: str, *names: str, read_only: bool = False) -> dict[str, torch.Tensor]:
    """Weights by their full names, as the next call in eval mode takes them; one that is None is left out.

    Args:
        where: what the part is called.
        names: of its weights: `weight`, `bias`.
        read_only: whether torch reads the weights and never calls the part, so that what hooks make of them is not made.

    Raises:
        InputError: a weight of a kind that is not implemented, or without numbers.
    """
    given: dict[str, torch.Tensor] = {}
    for name in names:
        with torch.no_grad():
            value = _tensor(part, name, read_only)
        if value is not None:
            given[f"{where}.{name}"] = _checked(value, f"{where}.{name}")
    return given


def _tensor(part: Any, name: str, read_only: bool) -> Any:
    for hook in () if read_only else part._forward_pre_hooks.values():
        made = _makes(hook)
        if made is not None and made[0] == name:
            return made[1](part)
    if isinstance(part, nn.Module) and parametrize.is_parametrized(part, name):
        stack: Any = part.parametrizations
        stack = stack[name]
        # in training a parametrisation may change itself each time it is asked, as the spectral norm does
        return (copy.deepcopy(stack).eval() if any(inner.training for inner in stack.modules()) else stack)()
    return getattr(part, name, None)


def _makes(hook: Any) -> tuple[str, Callable[[Any], Any]] | None:
    """The weight that a hook of torch's own sets before each call, and how it is made without setting it; None of other hooks."""
    if type(hook) is WeightNorm:
        return hook.name, hook.compute_weight
    if type(hook) is SpectralNorm:
        return hook.name, lambda part: hook.compute_weight(part, do_power_iteration=False)
    if isinstance(hook, BasePruningMethod):
        pruning: Any = hook  # torch keeps the name to itself
        return pruning._tensor_name, pruning.apply_mask
    return None


def _checked(value: Any, where: str) -> torch.Tensor:
    if not isinstance(value, torch.Tensor) or type(value) not in (torch.Tensor, nn.Parameter):
        raise InputError(f"{where} is a {called(type(value))}; only plain tensors are implemented")
    if value.is_quantized or value.layout != torch.strided:
        layout = "quantised" if value.is_quantized else str(value.layout).removeprefix("torch.")
        raise InputError(f"{where} is {layout}; only plain tensors are implemented")
    if value.device.type == "meta":
        raise InputError(f"{where} lies on the meta device and has no numbers; load the module's weights first")
    return value


def alike(weights: dict[str, torch.Tensor], what: str, of: Callable[[torch.Tensor], Any]) -> Any:
    """What all weights have in common: their dtype, their device.

    Raises:
        InputError: they differ; the first that does is named.
    """
    (first, expected), *rest = ((name, of(value)) for name, value in weights.items())
    for name, value in rest:
        if value != expected:
            raise InputError(
                f"{name} has the {what} {_short(value)}, and {first} {_short(expected)}; give all one {what}, "
                f"or load_module({what}=...)"
            )
    return expected


def _short(value: Any) -> str:
    return str(value).removeprefix("torch.")


def _described(part: Any, classes: Iterable[type]) -> str:
    """`a Doubled, a subclass of Linear`; with its module where the class has the name of one that is known."""
    if part is None:
        return "missing"
    kind = kind_of(part)
    parents = [known for known in classes if issubclass(kind, known)]
    if parents:
        return f"a {kind.__name__}, a subclass of {parents[0].__name__}"
    return f"a {called(kind) if any(kind.__name__ == known.__name__ for known in classes) else kind.__name__}"


def _known(classes: tuple[type, ...]) -> str:
    names = " or ".join(f"torch.nn.{kind.__name__}" for kind in classes[:2])
    return f"only {names} itself is known" if len(classes) < 3 else "what that computes is not known here"
