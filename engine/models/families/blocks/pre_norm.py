"""Layers that norm before they compute (Dosovitskiy et al. 2021)."""

from __future__ import annotations

from dataclasses import dataclass

from ....ops import Sum
from . import attention as parts
from .builder import Builder

VECTOR = ("batch", "hidden")
WIDE = ("batch", "token", "intermediate")
MOST_LAYERS = 1000


@dataclass(frozen=True, slots=True)
class PreNormSizes:
    """Sizes of the layers."""

    hidden: int
    layers: int
    heads: int
    intermediate: int
    activation: str
    epsilon: float
    biased: bool = True


@dataclass(frozen=True, slots=True)
class PreNormNames:
    """What a family calls the modules of layer `{}`: its two norms, the four projections, and the feed-forward part."""

    norm: str
    projections: tuple[str, str, str]
    output: str
    second_norm: str
    mlp: str


def layers(b: Builder, sizes: PreNormSizes, x: str, mask: str, names: PreNormNames) -> str:
    """Every layer; returns what leaves the last one, which has not been normed."""
    for layer in range(sizes.layers):
        x = _layer(b, sizes, layer, x, mask, names)
    return x


def _layer(b: Builder, sizes: PreNormSizes, layer: int, x: str, mask: str, names: PreNormNames) -> str:
    hidden, attention, ffn = sizes.hidden, f"layers.{layer}.attention", f"layers.{layer}.ffn"
    norm = b.norm(f"{attention}.norm", x, names.norm.format(layer), hidden, sizes.epsilon)
    query, key, value = (
        b.linear(f"{attention}.{role}", norm, module.format(layer), hidden, hidden, bias=sizes.biased)
        for role, module in zip(("query", "key", "value"), names.projections, strict=True)
    )
    concat = parts.attention(b, attention, query, key, value, mask, sizes.heads, hidden // sizes.heads, single=True)
    output = b.linear(f"{attention}.output", concat, names.output.format(layer), hidden, hidden)
    x = b.add(f"{attention}.residual", Sum(), (output, x))

    mlp = names.mlp.format(layer)
    norm = b.norm(f"{ffn}.norm", x, names.second_norm.format(layer), hidden, sizes.epsilon)
    up = b.linear(f"{ffn}.up", norm, f"{mlp}.fc1", hidden, sizes.intermediate, WIDE)
    active = b.activation(f"{ffn}.activation", up, sizes.activation, WIDE, f"{mlp}.activation_fn")
    down = b.linear(f"{ffn}.down", active, f"{mlp}.fc2", sizes.intermediate, hidden)
    x = b.add(f"{ffn}.residual", Sum(), (down, x))
    return b.alias(f"layers.{layer}.output", x)
