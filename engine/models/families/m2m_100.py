"""The encoder of M2M100 (Fan et al. 2020) and NLLB, with the operations of transformers' `modeling_m2m_100.py`, eager attention.

Norms come first in each block; positions are waves that skip padding, whose own row is 0. In float16 transformers brings what
leaves a layer into range whatever it is (`ffn.clamped`).
"""

from __future__ import annotations

from collections.abc import Container

from ...messages.errors import InputError
from ...ops import ClampInfinite, PositionsAfterPadding, Sinusoid, Sum
from ...program.program import Program
from ..config import Config
from . import bart
from .blocks import attention as parts
from .blocks.builder import Builder
from .family import Limits, Options

MODEL_TYPES = {"m2m_100": "M2M100"}
TOKENIZERS = {"m2m_100": "M2M100Tokenizer"}
POSITIONS = {"m2m_100": 1024}
PREFIXES = bart.PREFIXES
TIED = bart.TIED
MODULES = bart.MODULES
HARMLESS = bart.HARMLESS
WIDE = ("batch", "token", "intermediate")
MORE_ROWS = 2  # than there are positions


def limits(config: Config) -> Limits:
    """What text it can take: as many tokens as there are rows after the padding's."""
    sizes = _sizes(config)
    longest = sizes.places + MORE_ROWS - sizes.padding - 1
    if longest < 1:
        raise InputError(
            f"{config.where}: max_position_embeddings {sizes.places} leaves no position after that of padding, {sizes.padding}"
        )
    return Limits(sizes.vocabulary, longest, padding_id=sizes.padding, skips=sizes.padding)


def build(config: Config, stored: Container[str], options: Options) -> Program:
    """The program of the encoder of an M2M100 checkpoint."""
    sizes, b = _sizes(config), Builder(MODULES)
    hidden = sizes.layer.hidden
    parts.tokens(b, sizes.vocabulary, also=())
    b.add("tokens.positions", PositionsAfterPadding(sizes.padding), ("tokens.ids",), parts.TOKENS)
    token = bart.tokens(b, sizes, scaling="encoder.embed_tokens")
    waves = Sinusoid(hidden, options.dtype, "spread", sizes.places + MORE_ROWS, sizes.padding)
    position = b.add("embeddings.position", waves, ("tokens.positions",), module="encoder.embed_positions")
    x = b.alias("embeddings.output", b.add("embeddings.sum", Sum(), (token, position)))
    mask = parts.additive_mask(b, options)
    for number in range(sizes.layers):
        x = _layer(b, sizes, number, x, mask, options)
    b.alias("output", b.norm("final.norm", x, "encoder.layer_norm", hidden, bart.EPSILON))
    return b.program()


def _layer(b: Builder, sizes: bart.Bart, number: int, x: str, mask: str, options: Options) -> str:
    hidden, wide, heads = sizes.layer.hidden, sizes.layer.intermediate, sizes.layer.heads
    module, attention, ffn = f"encoder.layers.{number}", f"layers.{number}.attention", f"layers.{number}.ffn"
    norm = b.norm(f"{attention}.norm", x, f"{module}.self_attn_layer_norm", hidden, bart.EPSILON)
    query, key, value = (
        b.linear(f"{attention}.{role}", norm, f"{module}.self_attn.{role[0]}_proj", hidden, hidden)
        for role in ("query", "key", "value")
    )
    concat = parts.attention(b, attention, query, key, value, mask, heads, hidden // heads)
    output = b.linear(f"{attention}.output", concat, f"{module}.self_attn.out_proj", hidden, hidden)
    x = b.add(f"{attention}.residual", Sum(), (x, output))

    norm = b.norm(f"{ffn}.norm", x, f"{module}.final_layer_norm", hidden, bart.EPSILON)
    up = b.linear(f"{ffn}.up", norm, f"{module}.fc1", hidden, wide, WIDE)
    active = b.activation(f"{ffn}.activation", up, sizes.layer.activation, WIDE, f"{module}.activation_fn")
    down = b.linear(f"{ffn}.down", active, f"{module}.fc2", wide, hidden)
    x = b.add(f"{ffn}.residual", Sum(), (x, down))
    if options.dtype == "float16":
        x = b.add(f"{ffn}.clamped", ClampInfinite("always"), (x,))
    return b.alias(f"layers.{number}.output", x)


def _sizes(config: Config) -> bart.Bart:
    sizes = bart.Bart.of(config, vocabulary=128112, activation="relu", padding=1, scaled=True)
    if sizes.layer.hidden < 4:
        raise InputError(
            f"{config.where}: d_model is {sizes.layer.hidden}, and must be 4 or more: waves are spread over it"
        )
    return sizes
