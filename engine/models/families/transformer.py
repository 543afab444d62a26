"""The encoder of "Attention Is All You Need" (Vaswani et al. 2017), with the variations that later models made of it.

It has no checkpoints of its own: the presets are written in it. Its config names sizes as the paper does.
"""

from __future__ import annotations

import math
from collections.abc import Container
from dataclasses import dataclass

from ...ops import Multiply, Sinusoid, Sum
from ...program.program import Program
from ..config import Config
from .blocks import attention as parts
from .blocks.builder import Builder
from .family import Limits, Options

MODEL_TYPES = {"transformer": ""}
PREFIXES: tuple[str, ...] = ()
TIED: dict[str, str] = {}
WIDE = ("batch", "token", "intermediate")


@dataclass(frozen=True, slots=True)
class Transformer:
    """Sizes of one.

    Attributes:
        sinusoidal: positions are waves rather than a learned table; the embeddings are then scaled by √hidden.
        before: norms stand before each block (and one at the end) rather than after its residual.
    """

    vocabulary: int
    hidden: int
    layers: int
    heads: int
    intermediate: int
    longest: int
    activation: str
    epsilon: float
    dropout: float
    sinusoidal: bool
    before: bool
    causal: bool

    @classmethod
    def of(cls, config: Config) -> Transformer:
        """Read the sizes from a config.

        Raises:
            InputError: a size that cannot be.
        """
        sizes = cls(
            vocabulary=config.size("vocab_size", 37000),
            hidden=config.size("d_model", 512),
            layers=config.size("num_layers", 6, most=1000),
            heads=config.size("num_heads", 8),
            intermediate=config.size("d_ff", 2048),
            longest=config.size("max_positions", 512),
            activation=config.activation("activation", "relu"),
            epsilon=config.number("layer_norm_eps", 1e-6),
            dropout=config.number("dropout", 0.1),
            sinusoidal=config.flag("sinusoidal", True),
            before=config.flag("norm_first", False),
            causal=config.flag("causal", False),
        )
        config.divides("num_heads", sizes.heads, "d_model", sizes.hidden)
        return sizes


def limits(config: Config) -> Limits:
    """What text it can take."""
    sizes = Transformer.of(config)
    return Limits(sizes.vocabulary, sizes.longest)


def build(config: Config, stored: Container[str], options: Options) -> Program:
    """The program; there are no heads."""
    sizes, b = Transformer.of(config), Builder()
    parts.tokens(b, sizes.vocabulary, also=("positions",))

    def drop(x: str) -> str:
        return parts.dropped(b, x, sizes.dropout, options)

    x = b.alias("embeddings.output", drop(_embeddings(b, sizes, options)))
    mask = parts.additive_mask(b, options, causal=sizes.causal)
    for layer in range(sizes.layers):
        x = _layer(b, sizes, layer, x, mask, drop)
    if sizes.before:
        x = b.norm("final.norm", x, "norm", sizes.hidden, sizes.epsilon)
    b.alias("output", x)
    return b.program()


def _embeddings(b: Builder, sizes: Transformer, options: Options) -> str:
    x = b.lookup("embeddings.token", "tokens.ids", "embeddings.word", sizes.vocabulary, sizes.hidden)
    if sizes.sinusoidal:
        x = b.add("embeddings.scaled", Multiply(math.sqrt(sizes.hidden), f"√{sizes.hidden}"), (x,))
        position = b.add("embeddings.position", Sinusoid(sizes.hidden, options.dtype), ("tokens.positions",))
    else:
        position = b.lookup(
            "embeddings.position", "tokens.positions", "embeddings.position", sizes.longest, sizes.hidden
        )
    return b.add("embeddings.sum", Sum(), (x, position))


def _layer(b: Builder, sizes: Transformer, layer: int, x: str, mask: str, drop: parts.Drop) -> str:
    module = f"layers.{layer}"
    attention, ffn = f"{module}.attention", f"{module}.ffn"

    entry = _norm(b, sizes, attention, x) if sizes.before else x
    query, key, value = (
        b.linear(f"{attention}.{role}", entry, f"{attention}.{role}", sizes.hidden, sizes.hidden)
        for role in ("query", "key", "value")
    )
    head_dim = sizes.hidden // sizes.heads
    concat = parts.attention(b, attention, query, key, value, mask, sizes.heads, head_dim, drop=drop)
    output = drop(b.linear(f"{attention}.output", concat, f"{attention}.output", sizes.hidden, sizes.hidden))
    x = b.add(f"{attention}.residual", Sum(), (output, x))
    x = x if sizes.before else _norm(b, sizes, attention, x)

    entry = _norm(b, sizes, ffn, x) if sizes.before else x
    up = b.linear(f"{ffn}.up", entry, f"{ffn}.up", sizes.hidden, sizes.intermediate, WIDE)
    active = b.activation(f"{ffn}.activation", up, sizes.activation, WIDE)
    down = drop(b.linear(f"{ffn}.down", active, f"{ffn}.down", sizes.intermediate, sizes.hidden))
    x = b.add(f"{ffn}.residual", Sum(), (down, x))
    return b.alias(f"{module}.output", x if sizes.before else _norm(b, sizes, ffn, x))


def _norm(b: Builder, sizes: Transformer, block: str, x: str) -> str:
    return b.norm(f"{block}.norm", x, f"{block}.norm", sizes.hidden, sizes.epsilon)
