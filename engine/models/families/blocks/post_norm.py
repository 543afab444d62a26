"""A layer whose norms stand after the sums (Vaswani et al. 2017), as in BERT and its kin; only modules' names differ."""

from __future__ import annotations

from dataclasses import dataclass

from ....ops import Sum
from . import attention as parts
from .builder import Builder

WIDE = ("batch", "token", "intermediate")


@dataclass(frozen=True, slots=True)
class PostNormNames:
    """What a family calls the modules of a layer, from the layer's own name on."""

    query: str
    key: str
    value: str
    output: str
    norm: str
    up: str
    activation: str
    down: str
    last_norm: str


@dataclass(frozen=True, slots=True)
class PostNormSizes:
    """Sizes of a layer, and what else it takes to compute one.

    Attributes:
        single: whether its norms are computed step by step in float32 (`LayerNorm.single`).
    """

    hidden: int
    heads: int
    intermediate: int
    activation: str
    epsilon: float
    single: bool = False


@dataclass(frozen=True, slots=True)
class Drops:
    """What training drops: of the attention weights, and of what each block gives before it is added."""

    weights: parts.Drop = parts.keep
    hidden: parts.Drop = parts.keep


def layer(
    b: Builder,
    number: int,
    module: str,
    names: PostNormNames,
    sizes: PostNormSizes,
    x: str,
    mask: str,
    drops: Drops | None = None,
) -> str:
    """The stages of `layers.{number}`, from what goes in to `layers.{number}.output`.

    Args:
        module: of the layer: `encoder.layer.0`.
        x, mask: names of what goes in and of the additive mask.
        drops: what training drops; None for nothing.
    """
    drops = drops or Drops()
    hidden, attention = sizes.hidden, f"layers.{number}.attention"

    query, key, value = (
        b.linear(f"{attention}.{role}", x, f"{module}.{name}", hidden, hidden)
        for role, name in (("query", names.query), ("key", names.key), ("value", names.value))
    )
    concat = parts.attention(
        b, attention, query, key, value, mask, sizes.heads, hidden // sizes.heads, drop=drops.weights
    )
    norm = after_heads(b, number, module, names, sizes, x, concat, drops)
    return b.alias(f"layers.{number}.output", norm)


def after_heads(
    b: Builder,
    number: int,
    module: str,
    names: PostNormNames,
    sizes: PostNormSizes,
    x: str,
    concat: str,
    drops: Drops | None = None,
) -> str:
    """What follows once the heads stand side by side, whatever attention they had: output, sum and norm, and the network.

    Args:
        x: what went into the layer; concat: the heads side by side; the rest as of `layer`.

    Returns:
        The layer's last norm.
    """
    drops = drops or Drops()
    hidden, attention, ffn = sizes.hidden, f"layers.{number}.attention", f"layers.{number}.ffn"
    output = drops.hidden(b.linear(f"{attention}.output", concat, f"{module}.{names.output}", hidden, hidden))
    residual = b.add(f"{attention}.residual", Sum(), (output, x))
    x = b.norm(f"{attention}.norm", residual, f"{module}.{names.norm}", hidden, sizes.epsilon, single=sizes.single)

    up = b.linear(f"{ffn}.up", x, f"{module}.{names.up}", hidden, sizes.intermediate, WIDE)
    active = b.activation(f"{ffn}.activation", up, sizes.activation, WIDE, f"{module}.{names.activation}")
    down = drops.hidden(b.linear(f"{ffn}.down", active, f"{module}.{names.down}", sizes.intermediate, hidden))
    residual = b.add(f"{ffn}.residual", Sum(), (down, x))
    return b.norm(f"{ffn}.norm", residual, f"{module}.{names.last_norm}", hidden, sizes.epsilon, single=sizes.single)
