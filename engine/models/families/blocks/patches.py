"""Patches of an image in the place of tokens (Dosovitskiy et al. 2021)."""

from __future__ import annotations

from collections.abc import Sequence

from ....ops import Given, GivenNumbers, Lookup, Sum
from ....ops.patches import ForEach, Patches, Prepend
from ...config import Config
from ..family import Sight
from . import attention as parts
from .builder import Builder

VECTOR = ("batch", "hidden")


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
