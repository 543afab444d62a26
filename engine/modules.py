"""A `torch.nn.TransformerEncoder` given as an object: its options read from it, its weights used as they are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from .architectures.torch_encoder import MODEL_TYPE
from .checkpoint import Checkpoint
from .config import Config
from .devices import dtype_of
from .encoder import Encoder
from .errors import InputError
from .program import Shape

# What a layer's activation may be -> the name it has in a config. Modules are matched by class, functions by themselves.
FUNCTIONS: dict[Any, str] = {
    functional.relu: "relu", torch.relu: "relu", functional.gelu: "gelu", functional.silu: "silu",
    functional.tanh: "tanh", torch.tanh: "tanh",
}  # fmt: skip
CLASSES: dict[type, str] = {nn.ReLU: "relu", nn.SiLU: "silu", nn.Tanh: "tanh"}


class StateDict:
    """The tensors of a module, as a file of weights has them."""

    def __init__(self, module: nn.Module) -> None:
        self._tensors = {name: value.detach() for name, value in module.state_dict().items()}

    def names(self) -> Sequence[str]:
        return list(self._tensors)

    def shape(self, name: str) -> Shape:
        return tuple(self._tensors[name].shape)

    def tensor(self, name: str) -> torch.Tensor:
        return self._tensors[name]


def load_module(
    module: nn.Module, dtype: str | None = None, *, device: str | None = None, budget: int | None = None, causal: bool = False
) -> Encoder:  # fmt: skip
    """An encoder from a `torch.nn.TransformerEncoder`, in eval mode: its dropout is not computed.

    Args:
        module: the encoder; its weights are used where they lie, as long as dtype and device are its own.
        dtype: as of `load`; that of the module if not given.
        device: as of `load`; that of the module if not given.
        budget, causal: as of `load`.

    Raises:
        InputError: another module, or one whose layers do something that is not implemented; the message says what.
    """
    from .devices import device_of

    config = Config(config_of(module), f"this {type(module).__name__}")
    first = next(module.parameters())
    place = first.device if device is None else device_of(device)
    number = dtype_of(str(first.dtype).removeprefix("torch.") if dtype is None else dtype)
    checkpoint = Checkpoint.of(config, StateDict(module), Path(type(module).__name__))
    return Encoder(type(module).__name__, checkpoint, place, number, budget, causal=causal)


def config_of(module: nn.Module) -> dict[str, Any]:
    """The config.json that a `torch.nn.TransformerEncoder` is saved with, beside its state dict.

    Raises:
        InputError: see `load_module`.
    """
    if type(module) is not nn.TransformerEncoder:
        raise InputError(
            f"a {type(module).__name__} is not a torch.nn.TransformerEncoder, the one kind of module known"
        )
    if not len(module.layers):
        raise InputError("this TransformerEncoder has no layers")
    found = [_of_layer(layer, number) for number, layer in enumerate(module.layers)]
    for number, other in enumerate(found):
        for name, value in other.items():
            if value != found[0][name]:
                raise InputError(
                    f"layer {number} has {name} {value!r} and layer 0 {found[0][name]!r}; they must be alike"
                )
    last = module.norm
    if last is not None and (type(last) is not nn.LayerNorm or last.weight is None):
        raise InputError(f"its norm is a {type(last).__name__}; only a LayerNorm with weights is implemented")
    more = {"norm_eps": last.eps} if last is not None else {}
    return {"model_type": MODEL_TYPE, "num_layers": len(found), **found[0], **more}


def _of_layer(layer: nn.Module, number: int) -> dict[str, Any]:
    where = f"layer {number}"
    if type(layer) is not nn.TransformerEncoderLayer:
        raise InputError(f"{where} is a {type(layer).__name__}, and must be a torch.nn.TransformerEncoderLayer itself")
    attention = layer.self_attn
    if type(attention) is not nn.MultiheadAttention or not attention._qkv_same_embed_dim:
        raise InputError(f"{where} has a self_attn that is not implemented: {type(attention).__name__}")
    if attention.bias_k is not None or attention.add_zero_attn:
        raise InputError(f"{where} has a self_attn with add_bias_kv or add_zero_attn, which are not implemented")
    if layer.norm1.eps != layer.norm2.eps:
        raise InputError(f"{where} has norms with eps {layer.norm1.eps} and {layer.norm2.eps}; they must be alike")
    biased = [part.bias is not None for part in (layer.linear1, layer.linear2, layer.norm1, layer.norm2)]
    biased += [attention.in_proj_bias is not None, attention.out_proj.bias is not None]
    if len(set(biased)) > 1:
        raise InputError(f"{where} has biases in some parts and none in others, which is not implemented")
    return {
        "d_model": attention.embed_dim, "nhead": attention.num_heads, "dim_feedforward": layer.linear1.out_features,
        "activation": _activation(layer.activation, where), "norm_first": bool(layer.norm_first),
        "layer_norm_eps": layer.norm1.eps, "bias": biased[0], "batch_first": bool(attention.batch_first),
    }  # fmt: skip


def _activation(found: Any, where: str) -> str:
    if isinstance(found, nn.GELU) and type(found) is nn.GELU:
        return "gelu" if found.approximate == "none" else "gelu_pytorch_tanh"
    name = CLASSES.get(type(found)) if isinstance(found, nn.Module) else FUNCTIONS.get(found)
    if name is None:
        called = getattr(found, "__name__", type(found).__name__)
        known = sorted({*FUNCTIONS.values(), *CLASSES.values(), "gelu_pytorch_tanh"})
        raise InputError(f"{where} has an activation that is not implemented: {called}; known: {', '.join(known)}")
    return name
