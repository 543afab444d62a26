"""A `torch.nn.TransformerEncoder` given as an object: its options read from it, its weights used as they are.

Every part must be what torch made it (`parts`), and a few vectors go through the module and through our program side
by side (`verification`), for the sake of what nobody thought of.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.nn.modules.dropout import _DropoutNd  # pyright: ignore[reportPrivateUsage] # every dropout of torch is one

from ...messages.errors import InputError
from ...program.stage import Shape
from ...program.torch_calls import named_modules
from ..checkpoint import Checkpoint
from ..config import Config
from ..devices import device_of, dtype_of
from ..encoder import Encoder
from ..families.torch_encoder import FOR_ALL, MODEL_TYPE, OF_A_LAYER
from ..notes import Tell, warn
from ..settings import Settings
from .parts import alike, called, expect_no_global_hooks, is_compiled, tensors, unaltered, uncompiled
from .verification import expect_same_numbers

# What a layer's activation may be -> the name it has in a config. Modules are matched by class, functions by themselves.
FUNCTIONS: tuple[tuple[Any, str], ...] = (
    (functional.relu, "relu"), (torch.relu, "relu"), (functional.gelu, "gelu"), (functional.silu, "silu"),
    (functional.tanh, "tanh"), (torch.tanh, "tanh"), (functional.sigmoid, "sigmoid"), (torch.sigmoid, "sigmoid"),
)  # fmt: skip
CLASSES: dict[type[nn.Module], str] = {nn.ReLU: "relu", nn.SiLU: "silu", nn.Tanh: "tanh", nn.Sigmoid: "sigmoid"}
ACTIVATIONS = (nn.GELU, *CLASSES)
GELU = {"none": "gelu", "tanh": "gelu_pytorch_tanh"}
# What `activation_relu_or_gelu` of a layer makes the fast path compute, whatever the activation is.
FAST = {1: "relu", 2: "gelu"}
# What a config says only where it is not what torch takes.
UNSAID = ("norm1", "norm2", "in_proj_frozen")
DROPOUTS = ("dropout", "dropout1", "dropout2")
# Parts that do nothing in eval mode.
NOTHING = (nn.Dropout, nn.Identity, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout)


class Parts:
    """The weights of a module, as a file of weights has them.

    Args:
        weights: by the names of the module's state dict.
    """

    def __init__(self, weights: Mapping[str, torch.Tensor]) -> None:
        self._weights = weights

    def names(self) -> Sequence[str]:
        return list(self._weights)

    def shape(self, name: str) -> Shape:
        return tuple(self._weights[name].shape)

    def dtype(self, name: str) -> str:
        return str(self._weights[name].dtype).removeprefix("torch.")

    def tensor(self, name: str) -> torch.Tensor:
        return self._weights[name]


def load_module(
    module: nn.Module, dtype: str | None = None, *, device: str | None = None, budget: int | None = None, causal: bool = False,
    tell: Tell = warn,
) -> Encoder:  # fmt: skip
    """An encoder from a `torch.nn.TransformerEncoder`, in eval mode: its dropout is not computed.

    What is computed is what the module computes: parts that are not what torch made them (subclasses, hooks, methods put in
    place of others) are refused. What parametrisations, weight norms and pruning make of weights is used. The module is not
    changed.

    Args:
        module: the encoder; its weights are used where they lie, as long as dtype and device are its own.
        dtype: as of `load`; that of the module if not given.
        device: as of `load`; that of the module if not given.
        budget, causal, tell: as of `load`.

    Raises:
        InputError: another module, or one with a part that is not implemented; the message names the part.

    Warns:
        UserWarning: the module by itself would now give other numbers, and why: it is in training mode, or its fast path
            computes another activation than it has. `Encoder.facts` has the same sentences.
    """
    config, weights, notes = read_module(module)
    name = type(uncompiled(module)).__name__
    named = Config(config, f"this {name}")
    if dtype is None or device is None:
        own_dtype, own_device = alike(weights, "dtype", lambda w: w.dtype), alike(weights, "device", lambda w: w.device)
    else:
        own_dtype, own_device = next((w.dtype, w.device) for w in weights.values())
    given = str(own_dtype).removeprefix("torch.")
    settings = Settings(module, str(own_device) if device is None else device, given if dtype is None else dtype)
    number, place = dtype_of(settings.dtype), device_of(settings.device)
    if number != own_dtype:
        notes.append(f"the module is {given} and is computed in {str(number).removeprefix('torch.')}")
    for note in notes:
        tell(note)
    checkpoint = Checkpoint.of(named, Parts(weights), Path(name))
    checkpoint.notes.extend(notes)
    if all((weight.dtype, weight.device) == (number, place) for weight in weights.values()):
        expect_same_numbers(uncompiled(module), Encoder(name, checkpoint, settings))
    return Encoder(name, checkpoint, replace(settings, budget=budget, causal=causal), tell)


def config_of(module: nn.Module) -> dict[str, Any]:
    """The config.json that a `torch.nn.TransformerEncoder` is saved with, beside its state dict.

    Raises:
        InputError: see `load_module`.
    """
    return read_module(module)[0]


def read_module(module: Any) -> tuple[dict[str, Any], dict[str, torch.Tensor], list[str]]:
    """A module's config, its weights by the names of its state dict, and what there is to tell of it.

    Raises:
        InputError: see `load_module`.
    """
    expect_no_global_hooks()
    given, module = module, _encoder(module)
    layers = getattr(module, "layers", None)
    if type(layers) not in (nn.ModuleList, nn.Sequential, list, tuple):
        raise InputError(f"layers is a {called(type(layers))}, and must be a torch.nn.ModuleList itself")
    assert layers is not None
    if not len(layers):
        raise InputError("this TransformerEncoder has no layers")
    weights: dict[str, torch.Tensor] = {}
    notes: list[str] = []
    read = [_layer(layer, f"layers.{number}", weights, notes) for number, layer in enumerate(layers)]
    for name in ("d_model", "batch_first"):
        for number, layer in enumerate(read):
            if layer[name] != read[0][name]:
                raise InputError(
                    f"layers.{number} has {name} {layer[name]!r} and layers.0 {read[0][name]!r}; they must be alike"
                )
    last = {} if module.norm is None else _norm(module.norm, "norm", weights)
    config = {"model_type": MODEL_TYPE, "num_layers": len(read), **_said_once(read), **last}
    detached = {name: weight.detach() for name, weight in weights.items()}
    return config, detached, list(dict.fromkeys([*_told(given), *notes]))


def _encoder(module: Any) -> Any:
    module = uncompiled(module)
    inside = [
        name for name, part in (named_modules(module) if isinstance(module, nn.Module) else ())
        if name and type(part) is nn.TransformerEncoder
    ]  # fmt: skip
    try:
        return unaltered(module, "the module", nn.TransformerEncoder)
    except InputError as error:
        if not inside:
            raise
        raise InputError(f"{error}; give its {inside[0]}, which is one") from None


def _told(module: nn.Module) -> list[str]:
    """What of a module makes it give other numbers by itself, here where its numbers are those of eval mode."""
    notes: list[str] = []
    if any(is_compiled(part) for part in module.modules()):
        notes.append("the module is compiled: shown is what it says, whose last bits may differ from what was compiled")
    rates = [
        (name, part.dropout if isinstance(part, nn.MultiheadAttention) else part.p)
        for name, part in named_modules(module)
        if part.training and isinstance(part, nn.MultiheadAttention | _DropoutNd)
    ]
    on = [(name, rate) for name, rate in rates if rate]
    if on:
        (name, rate), whole = on[0], module.training
        notes.append(
            f"{name} {'and the module are' if whole else 'is'} in training mode: called now, the module drops numbers at random "
            f"(rate {rate:g}), another choice every time; shown is what it computes without, which it gives itself after .eval()"
        )
    return notes


def _layer(layer: Any, where: str, weights: dict[str, torch.Tensor], notes: list[str]) -> dict[str, Any]:
    """What a layer is, by the keys of a config; its weights and what there is to tell are added."""
    layer = unaltered(layer, where, nn.TransformerEncoderLayer)
    attention = unaltered(getattr(layer, "self_attn", None), f"{where}.self_attn", nn.MultiheadAttention)
    if not attention._qkv_same_embed_dim:
        raise InputError(f"{where}.self_attn has a kdim or vdim of its own, which is not implemented")
    if attention.bias_k is not None or attention.bias_v is not None or attention.add_zero_attn:
        raise InputError(f"{where}.self_attn has add_bias_kv or add_zero_attn, which are not implemented")
    attend = tensors(attention, f"{where}.self_attn", "in_proj_weight", "in_proj_bias")
    weights |= attend | _read_only(attention.out_proj, f"{where}.self_attn.out_proj", notes)
    for name in ("linear1", "linear2"):
        part = unaltered(getattr(layer, name, None), f"{where}.{name}", nn.Linear)
        weights |= tensors(part, f"{where}.{name}", "weight", "bias")
    norms = _norm(layer.norm1, f"{where}.norm1", weights) | _norm(layer.norm2, f"{where}.norm2", weights)
    for name in DROPOUTS:
        unaltered(getattr(layer, name, None), f"{where}.{name}", *NOTHING)
    activation = _activation(layer.activation, f"{where}.activation")
    fast = FAST.get(getattr(layer, "activation_relu_or_gelu", 0))
    if fast not in (None, activation):
        notes.append(
            f"{where}.activation is {activation}, and torch's fast path of eval mode computes {fast} in its place "
            f"(activation_relu_or_gelu is {layer.activation_relu_or_gelu}); shown is {activation}"
        )
    matrix = weights[f"{where}.linear1.weight"]
    products = {"in_proj": "self_attn.in_proj_", "out_proj": "self_attn.out_proj."}
    biased = {
        f"{part}_bias": f"{where}.{products.get(part, f'{part}.')}bias" in weights
        for part in ("linear1", "linear2", "in_proj", "out_proj")
    }
    return {
        "d_model": attention.embed_dim, "nhead": attention.num_heads, "dim_feedforward": matrix.shape[0],
        "activation": activation, "norm_first": bool(layer.norm_first), "batch_first": bool(attention.batch_first),
        "in_proj_frozen": not weights[f"{where}.self_attn.in_proj_weight"].requires_grad, **biased, **norms,
    }  # fmt: skip


def _read_only(part: Any, where: str, notes: list[str]) -> dict[str, torch.Tensor]:
    """The projection at the end of attention: torch reads its weights and never calls it, whatever it is."""
    if getattr(part, "weight", None) is None:
        raise InputError(f"{where} is a {called(type(part))} without a weight")
    given = tensors(part, where, "weight", "bias", read_only=True)
    try:
        unaltered(part, where, nn.Linear, nn.modules.linear.NonDynamicallyQuantizableLinear)
    except InputError:
        notes.append(
            f"torch reads the weight of {where} and never calls it: what was added to it is not computed there or here"
        )
    return given


def _norm(part: Any, where: str, weights: dict[str, torch.Tensor]) -> dict[str, Any]:
    part = unaltered(part, where, nn.LayerNorm, nn.RMSNorm)
    if part.weight is None:
        raise InputError(f"{where} has no weight (elementwise_affine=False), which is not implemented")
    weights |= tensors(part, where, "weight", "bias")
    name, kind = where.rpartition(".")[2], "RMSNorm" if isinstance(part, nn.RMSNorm) else "LayerNorm"
    biased = {f"{name}_bias": f"{where}.bias" in weights} if kind == "LayerNorm" else {}
    return {name: kind, f"{name}_eps": part.eps, **biased}


def _activation(given: Any, where: str) -> str:
    """The name of an activation in a config."""
    if isinstance(given, nn.Module):
        part = unaltered(given, where, *ACTIVATIONS)
        return GELU[part.approximate] if isinstance(part, nn.GELU) else CLASSES[type(part)]
    if isinstance(given, functools.partial) and given.func is functional.gelu and not given.args:
        return GELU[given.keywords.get("approximate", "none")]
    for function, name in FUNCTIONS:
        if given is function:
            return name
    known = sorted({*GELU.values(), *CLASSES.values()})
    raise InputError(f"{where} is {called(given)}, which is not implemented; known: {', '.join(known)}")


def _said_once(layers: list[dict[str, Any]]) -> dict[str, Any]:
    """What all layers have, and where some differ, `layers`: what each has in place of that of the first."""
    first = layers[0]
    whole = {"layer_norm_eps": first["norm1_eps"], "bias": first["linear1_bias"]}
    if whole["layer_norm_eps"] is None:
        del whole["layer_norm_eps"]
    same = OF_A_LAYER | whole
    said = {
        key: value for key, value in first.items()
        if key not in (*FOR_ALL, *UNSAID) or value != same[FOR_ALL.get(key, key)]
    }  # fmt: skip
    apart = [{key: value for key, value in layer.items() if value != first[key]} for layer in layers]
    return said | whole | ({"layers": apart} if any(apart) else {})
