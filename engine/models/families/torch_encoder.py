"""`torch.nn.TransformerEncoder`: vectors in, vectors out; the operations of its slow path, attention weights and all, in their order.

torch has three ways to compute one: this one, which `need_weights=True` takes and which alone has scores and weights to
look at; `scaled_dot_product_attention`, which the module takes by itself; and the fused fast path of `eval` mode. They differ
in their last bits; `tests/benchmarks/torch_encoder.py` measures by how much.

A saved one is a directory with the state dict as model.safetensors and a config.json:

    {"model_type": "torch_transformer_encoder", "d_model": 512, "nhead": 8, "num_layers": 6, "dim_feedforward": 2048,
     "activation": "relu", "norm_first": false, "layer_norm_eps": 1e-05, "bias": true, "batch_first": true}

Parts that are not alike are said apart: `norm1_eps`, `norm2_bias`, `linear1_bias`, `in_proj_bias`, ... in place of `layer_norm_eps` and
`bias`; `"norm1": "RMSNorm"`, `"norm": "RMSNorm"`; `"in_proj_frozen": true` where it takes no gradient; and `"layers"`, a list with an object for each layer, of what it has in place of what all have.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch

from ...messages.errors import InputError
from ...ops import (
    Activation,
    AdditiveMask,
    AddMask,
    Given,
    GivenNumbers,
    Part,
    RMSNorm,
    ScaleQuery,
    Scores,
    Sum,
    TokenFirstActivation,
    TokenFirstLinear,
)
from ...program.json_values import is_list
from ...program.program import Program
from ...program.tokens import VECTORS
from ..config import Config
from .blocks import attention as parts
from .blocks.builder import HIDDEN, Builder
from .family import Limits, Options

MODEL_TYPE = "torch_transformer_encoder"
MODEL_TYPES = {"torch_transformer_encoder": ""}
PREFIXES: tuple[str, ...] = ()
TIED: dict[str, str] = {}
WIDE = ("batch", "token", "intermediate")
MOST_LAYERS = 1000


NORMS = ("LayerNorm", "RMSNorm")
PRODUCTS = ("in_proj", "out_proj", "linear1", "linear2")
# A key that may be said for one part alone -> the key that says it for all.
FOR_ALL: dict[str, str] = {
    "norm1_eps": "layer_norm_eps", "norm2_eps": "layer_norm_eps",
    **{f"{part}_bias": "bias" for part in ("linear1", "linear2", "in_proj", "out_proj", "norm1", "norm2")},
}  # fmt: skip
# What a layer may have in place of what all have, and what torch takes where nothing is said.
OF_A_LAYER: dict[str, Any] = {
    "nhead": None, "dim_feedforward": 2048, "activation": "relu", "norm_first": False, "layer_norm_eps": 1e-5, "bias": True,
    "norm1": "LayerNorm", "norm2": "LayerNorm", "in_proj_frozen": False, **dict.fromkeys(FOR_ALL),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Norm:
    """A norm: its class in torch.nn, ε (None for torch's own by dtype, of an RMSNorm alone), and whether it has a bias."""

    kind: str
    epsilon: float | None
    bias: bool

    @classmethod
    def of(cls, config: Config, name: str) -> Norm:
        """Read what a config says of `norm1`, `norm2` or `norm`."""
        kind, key = config.get(name, "LayerNorm"), f"{name}_eps"
        if kind not in NORMS:
            raise InputError(f"{config.where}: {name} is {kind!r}, and must be one of {', '.join(NORMS)}")
        if config.says(key) and config.get(key) is None and kind == "RMSNorm":
            return cls(kind, None, False)
        epsilon = config.number(key, config.number(FOR_ALL.get(key, key), 1e-5))
        return cls(kind, epsilon, kind == "LayerNorm" and config.flag(f"{name}_bias", config.flag("bias", True)))


@dataclass(frozen=True, slots=True)
class Layer:
    """Sizes and options of a `torch.nn.TransformerEncoderLayer`, by the names of its arguments.

    Attributes:
        biased: which of `PRODUCTS` have a bias.
        frozen: whether the projection to query, key and value takes no gradient, by which torch chooses its kernel.
    """

    nhead: int
    dim_feedforward: int
    activation: str
    norm_first: bool
    norm1: Norm
    norm2: Norm
    biased: frozenset[str]
    frozen: bool

    @classmethod
    def of(cls, config: Config, d_model: int) -> Layer:
        """Read what a config says of a layer; what is left out is what torch takes."""
        layer = cls(
            nhead=config.size("nhead", 0),
            dim_feedforward=config.size("dim_feedforward", 2048),
            activation=config.activation("activation", "relu"),
            norm_first=config.flag("norm_first", False),
            norm1=Norm.of(config, "norm1"),
            norm2=Norm.of(config, "norm2"),
            biased=frozenset(part for part in PRODUCTS if config.flag(f"{part}_bias", config.flag("bias", True))),
            frozen=config.flag("in_proj_frozen", False),
        )
        config.divides("nhead", layer.nhead, "d_model", d_model)
        return layer


@dataclass(frozen=True, slots=True)
class TorchEncoder:
    """Sizes and options of a `torch.nn.TransformerEncoder` and its layers."""

    d_model: int
    batch_first: bool
    layers: tuple[Layer, ...]
    norm: Norm

    @classmethod
    def of(cls, config: Config) -> TorchEncoder:
        """Read the sizes from a config.json; what is left out is what torch takes, but for the sizes, which must be said.

        Raises:
            InputError: a size that is missing, or an option that is not implemented, by its name.
        """
        for name in ("d_model", "nhead", "num_layers"):
            if not config.says(name):
                raise InputError(f"{config.where}: {name} is missing; it must be a whole number of 1 or more")
        d_model, count = config.size("d_model", 0), config.size("num_layers", 0, most=MOST_LAYERS)
        return cls(
            d_model=d_model,
            batch_first=config.flag("batch_first", False),
            layers=tuple(Layer.of(each, d_model) for each in _of_layers(config, count)),
            norm=Norm.of(config, "norm"),
        )


def _of_layers(config: Config, count: int) -> list[Config]:
    """The config of each layer: what all have, and over it what `layers` says of this one."""
    apart = config.get("layers", [{}] * count)
    if not is_list(apart) or len(apart) != count or not all(isinstance(one, Mapping) for one in apart):
        raise InputError(f"{config.where}: layers must be a list of {count} objects, one for each of num_layers")
    for number, one in enumerate(apart):
        unknown = [key for key in one if key not in OF_A_LAYER]
        if unknown:
            raise InputError(f"{config.where}: layers[{number}] has {unknown[0]!r}; known: {', '.join(OF_A_LAYER)}")
    return [config.saying(one) for one in apart]


def limits(config: Config) -> Limits:
    """It takes no text, and vectors of any number of tokens."""
    TorchEncoder.of(config)
    return Limits(0, None)


def vectors(config: Config) -> int:
    """How many numbers each of the vectors has that go in."""
    return TorchEncoder.of(config).d_model


def batch_first(config: Config) -> bool:
    """Whether vectors go in as (batch, token, d_model); otherwise, and by default in torch, as (token, batch, d_model)."""
    return TorchEncoder.of(config).batch_first


def build(config: Config, stored: Container[str], options: Options) -> Program:
    """The program of a state dict, with the norm after the last layer where there is one."""
    sizes, b = TorchEncoder.of(config), Builder()
    b.add("tokens.mask", Given("mask"), axes=parts.TOKENS)
    x = b.add(VECTORS, GivenNumbers("vectors", (sizes.d_model,), by_token=True), axes=HIDDEN)
    b.alias("embeddings.output", x)
    hides = AdditiveMask(options.dtype, options.causal, infinite=True)
    mask = b.add("mask.additive", hides, ("tokens.mask",), parts.SQUARE)
    for number, layer in enumerate(sizes.layers):
        x = _Layer(b, sizes, layer, number, options).add(x, mask)
    if "norm.weight" in stored:
        last = replace(sizes.norm, bias="norm.bias" in stored)
        x = _norm(b, "final.norm", x, "norm", last, sizes.d_model, options)
    b.alias("output", x)
    return b.program()


def _norm(b: Builder, name: str, x: str, module: str, norm: Norm, size: int, options: Options) -> str:
    if norm.kind == "LayerNorm":
        assert norm.epsilon is not None
        return b.norm(name, x, module, size, norm.epsilon, bias=norm.bias)
    epsilon = norm.epsilon
    if epsilon is None:  # what `functional.rms_norm` takes then
        epsilon = torch.finfo(torch.float64 if options.dtype == "float64" else torch.float32).eps
    return b.add(name, RMSNorm(epsilon, fused=True), (x,), HIDDEN, [(f"{module}.weight", (size,))], module)


@dataclass(frozen=True, slots=True)
class _Layer:
    """What adds the stages of one layer."""

    b: Builder
    encoder: TorchEncoder
    layer: Layer
    number: int
    options: Options

    @property
    def module(self) -> str:
        return f"layers.{self.number}"

    def add(self, x: str, mask: str) -> str:
        layer, b = self.layer, self.b
        attention, ffn = f"layers.{self.number}.attention", f"layers.{self.number}.ffn"
        inside = self._norm(attention, x, "norm1") if layer.norm_first else x
        output = self._attention(attention, inside, mask)
        x = b.add(f"{attention}.residual", Sum(), (x, output))
        x = inside = self._norm(attention, x, "norm1") if not layer.norm_first else x

        inside = self._norm(ffn, x, "norm2") if layer.norm_first else x
        up = self._linear(f"{ffn}.up", inside, "linear1", self.encoder.d_model, layer.dim_feedforward, WIDE)
        activation = Activation if self.encoder.batch_first else TokenFirstActivation
        active = b.add(f"{ffn}.activation", activation(layer.activation), (up,), WIDE)
        down = self._linear(f"{ffn}.down", active, "linear2", layer.dim_feedforward, self.encoder.d_model, HIDDEN)
        x = b.add(f"{ffn}.residual", Sum(), (x, down))
        return b.alias(f"layers.{self.number}.output", x if layer.norm_first else self._norm(ffn, x, "norm2"))

    def _norm(self, block: str, x: str, name: str) -> str:
        norm = self.layer.norm1 if name == "norm1" else self.layer.norm2
        return _norm(self.b, f"{block}.norm", x, f"{self.module}.{name}", norm, self.encoder.d_model, self.options)

    def _linear(self, name: str, x: str, part: str, fan_in: int, fan_out: int, axes: tuple[str, ...]) -> str:
        """A product over rows in the order in which the module has them: batch first or tokens first."""
        bias, module = part in self.layer.biased, f"{self.module}.{part}"
        if self.encoder.batch_first:
            return self.b.linear(name, x, module, fan_in, fan_out, axes, bias=bias)
        weights = [(f"{module}.weight", (fan_out, fan_in)), (f"{module}.bias", (fan_out,))]
        return self.b.add(name, TokenFirstLinear(together=True), (x,), axes, weights[: 1 + bias], module)

    def _attention(self, block: str, x: str, mask: str) -> str:
        """`multi_head_attention_forward` of torch.nn.functional: the query is scaled before the product, not the scores after."""
        b, size, heads, biased = self.b, self.encoder.d_model, self.layer.nhead, self.layer.biased
        module = f"{self.module}.self_attn"
        fused = [(f"{module}.in_proj_weight", (3 * size, size)), (f"{module}.in_proj_bias", (3 * size,))]
        axes = ("batch", "token", "projections")
        project = TokenFirstLinear(together=not self.encoder.batch_first, frozen=self.layer.frozen)
        qkv = b.add(f"{block}.qkv", project, (x,), axes, fused[: 1 + ("in_proj" in biased)])
        split = [
            b.add(f"{block}.{role}", Part(number, 3, copied=True), (qkv,))
            for number, role in enumerate(("query", "key", "value"))
        ]
        query, key, value = (
            parts.split_heads(b, block, role, x, heads)
            for role, x in zip(("query", "key", "value"), split, strict=True)
        )
        scaled = b.add(f"{block}.query_scaled", ScaleQuery(size // heads), (query,), parts.PER_HEAD)
        scores = b.add(f"{block}.scores", Scores(), (scaled, key), parts.SQUARE)
        masked = b.add(f"{block}.masked", AddMask(), (scores, mask), parts.SQUARE)
        concat = parts.attend(b, block, masked, value)
        out = [(f"{module}.out_proj.weight", (size, size)), (f"{module}.out_proj.bias", (size,))]
        together = TokenFirstLinear(together=True)
        return b.add(f"{block}.output", together, (concat,), HIDDEN, out[: 1 + ("out_proj" in biased)])
