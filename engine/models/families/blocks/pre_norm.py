"""What encoders of images share: patches for tokens, and layers that norm before they compute (Dosovitskiy et al. 2021)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ....ops import Given, GivenNumbers, Lookup, Sum
from ....ops.patches import ForEach, Patches, Prepend
from ...config import Config
from ..family import Sight
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


def sight(config: Config, before: tuple[str, ...], *, patch: int = 16) -> Sight:
    """What images a config is for.

    Args:
        before: the tokens before the patches.
        patch: size of a patch if the config says nothing.
    """
    height, width = config.pair("image_size", 224)
    tall, wide = config.pair("patch_size", patch)
    seen = Sight(height, width, config.size("num_channels", 3), tall, wide, before)
    if not seen.rows or not seen.columns:
        config.only("patch_size", min(height, width))
    return seen


def given(b: Builder, sight: Sight) -> str:
    """`image.pixels`, `tokens.mask` and `tokens.positions`: what the image processor gives; returns the pixels."""
    pixels = GivenNumbers("pixels", (sight.channels, sight.height, sight.width))
    b.add("image.pixels", pixels, axes=("batch", "channel", "height", "width"))
    for what in ("mask", "positions"):
        b.add(f"tokens.{what}", Given(what), axes=parts.TOKENS)
    return "image.pixels"


def patches(b: Builder, pixels: str, sight: Sight, hidden: int, module: str, *, bias: bool) -> str:
    """`embeddings.patches`: the product of each patch with each filter."""
    weights = [(f"{module}.weight", (hidden, sight.channels, sight.tall, sight.wide)), (f"{module}.bias", (hidden,))]
    axes = ("batch", "hidden", "row", "column")
    return b.add("embeddings.patches", Patches(), (pixels,), axes, weights[: 1 + bias], module)


def embed(
    b: Builder,
    patches: str,
    vectors: Sequence[tuple[str, str, tuple[int, ...]]],
    positions: tuple[str, tuple[int, ...], str],
    module: str,
) -> str:
    """The learnt vectors before the patches, and positions added to all: `embeddings.concat`, `.position`, `.sum`.

    Args:
        vectors: name of the stage, weight and its shape, of each token before the patches.
        positions: weight, its shape, and the module it is the weight of, or "".
        module: whose output the sum is.
    """
    before = [
        b.add(f"embeddings.{name}", ForEach(), (patches,), VECTOR, [(weight, shape)]) for name, weight, shape in vectors
    ]
    concat = b.add("embeddings.concat", Prepend(), (*before, patches))
    weight, shape, table = positions
    position = b.add("embeddings.position", Lookup(), ("tokens.positions",), weights=[(weight, shape)], module=table)
    return b.add("embeddings.sum", Sum(), (concat, position), module=module)


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
