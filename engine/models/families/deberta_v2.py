"""DeBERTa-v2 and v3 (He et al. 2021; He, Gao and Chen 2023), with the operations of transformers' `modeling_deberta_v2.py`.

A score is the sum of three products: of a query's content with a key's (`scores`), of a query's content with the distance to
the key (`content_to_position`), and of a key's content with that distance (`position_to_content`). Distances are looked up
in one table of vectors that all layers share. The mask is no number that is added: scores of pairs in which either is padding
are replaced, those of padded queries as well, whose weights are then even and mean nothing.

`z_steps` of the configs is ignored, as transformers ignores it.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass, replace

from ...messages.errors import InputError
from ...ops import Convolution, DivideByRoot, Linear, LogBuckets, MaskTokens, RelativeIndex, SplitHeads, Sum, Table
from ...program.program import Program
from ..config import Config
from . import bert
from .blocks import attention as parts
from .blocks import disentangled, post_norm, relative
from .blocks.builder import Builder
from .blocks.disentangled import PREFIXES, RELATIVE, RELATIVE_HEADS, Body, whole_number
from .family import Limits, Options

MODEL_TYPES = {"deberta-v2": "DebertaV2"}
TOKENIZERS = {"deberta-v2": "DebertaV2Tokenizer"}
MARKS = {r"(^|\.)attention\.self\.query_proj\.": "DeBERTa-v2"}
TIED = bert.TIED
HARMLESS = {
    **disentangled.HARMLESS,
    # Read where those are switched on.
    "of the convolution": ("conv_groups", "conv_act"),
    "of relative attention": ("norm_rel_ebd",),
}

MODULES = replace(
    bert.MODULES,
    prefixes=PREFIXES,
    whole={"embeddings.dropout": "embeddings.masked~", "encoder": "output"},
    none={
        **bert.MODULES.none, "encoder.layer.{}.attention.self.pos_dropout": "it is a dropout of the table of positions",
        "encoder.rel_embeddings": "transformers reads its matrix and never calls it: positions.table",
    },
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Conv:
    """Sizes of the convolution beside layer 0."""

    kernel: int
    groups: int
    activation: str


@dataclass(frozen=True, slots=True)
class Deberta:
    """Sizes of a DeBERTa-v2.

    Attributes:
        span: how far distances go either way; 0 where they play no part.
        buckets: how many of them are drawn together by the logarithm; 0 where they are not.
        share: whether positions go through the same matrices as content.
        norm_table: whether the table of positions is normalised.
    """

    body: Body
    span: int
    buckets: int
    share: bool
    norm_table: bool
    conv: Conv | None

    @classmethod
    def of(cls, config: Config) -> Deberta:
        """Read the sizes from a config.json.

        Raises:
            InputError: an option that is not implemented, by its name.
        """
        body = Body.of(
            config, vocabulary=128100, hidden=1536, layers=24, heads=24, intermediate=6144, single=False
        )  # fmt: skip
        buckets = max(0, whole_number(config, "position_buckets"))
        if body.relative and buckets:
            _check_buckets(config, buckets, body.distance)
        return cls(
            body=body,
            span=(buckets or body.distance) if body.relative else 0,
            buckets=buckets,
            share=config.flag("share_att_key", False),
            norm_table=body.relative and _norms_table(config),
            conv=_conv(config, body.hidden),
        )

    @property
    def scale(self) -> int:
        """What scores are divided by the root of: the size of a head for each product there is."""
        return self.body.head_dim * (1 + len(self.body.kinds))


def _norms_table(config: Config) -> bool:
    setting = config.get("norm_rel_ebd", "none")
    names = {name.strip() for name in setting.lower().split("|")} if isinstance(setting, str) else {str(setting)}
    if names - {"none", "layer_norm", ""}:
        raise InputError(f"{config.where}: norm_rel_ebd {setting!r} is not implemented; known: 'layer_norm', 'none'")
    return "layer_norm" in names


def _conv(config: Config, hidden: int) -> Conv | None:
    kernel = whole_number(config, "conv_kernel_size", 0)
    if kernel < 1:
        return None
    if kernel % 2 == 0:
        raise InputError(
            f"{config.where}: conv_kernel_size is {kernel}, and must be odd: otherwise tokens have no middle"
        )
    groups = config.size("conv_groups", 1)
    config.divides("conv_groups", groups, "hidden_size", hidden)
    return Conv(kernel, groups, config.activation("conv_act", "tanh"))


def _check_buckets(config: Config, buckets: int, distance: int) -> None:
    """Refuse buckets of which the reference makes divisions by zero."""
    if buckets < 2 or distance - 1 <= buckets // 2:
        raise InputError(
            f"{config.where}: position_buckets {buckets} and max_relative_positions {distance} do not go together: the "
            "buckets must be 2 or more, and half of them less than the positions less one"
        )


def limits(config: Config) -> Limits:
    """What text it can take: of any length, unless absolute positions are added."""
    return Deberta.of(config).body.limits(config)


def build(config: Config, stored: Container[str], options: Options) -> Program:
    """The program of a DeBERTa-v2 checkpoint, with the heads whose weights are stored."""
    sizes, b = Deberta.of(config), Builder(MODULES)
    first = x = disentangled.embeddings(b, sizes.body)
    far = relative.distances(b, ahead=False)
    index, table = _positions(b, sizes, far)
    mask = disentangled.mask_of_pairs(b, options)
    for layer in range(sizes.body.layers):
        concat = _attention(b, sizes, layer, x, mask, index, table)
        x = post_norm.after_heads(b, layer, f"encoder.layer.{layer}", bert.LAYER, sizes.body.layer, x, concat)
        if sizes.conv is not None and not layer:
            x = _convolution(b, sizes.body, sizes.conv, first, x)
        b.alias(f"layers.{layer}.output", x)
    b.alias("output", x)
    disentangled.heads(b, config, stored, sizes.body, x)
    return b.program()


def _positions(b: Builder, sizes: Deberta, far: str) -> tuple[str, str]:
    """`positions.index`, which row of the table a distance has, and `positions.table`; both "" where they play no part."""
    if not sizes.span or not sizes.body.kinds:
        return "", ""
    if sizes.buckets:
        far = b.add("positions.buckets", LogBuckets(sizes.buckets, sizes.body.distance), (far,), relative.PLACES)
    index = b.add("positions.index", RelativeIndex(sizes.span), (far,), relative.PLACES)
    weights = [("encoder.rel_embeddings.weight", (2 * sizes.span, sizes.body.hidden))]
    table = b.add("positions.table", Table(), (), RELATIVE, weights)
    if sizes.norm_table:
        table = b.norm("positions.norm", table, "encoder.LayerNorm", sizes.body.hidden, sizes.body.epsilon, RELATIVE)
    return index, table


def _attention(b: Builder, sizes: Deberta, layer: int, x: str, mask: str, index: str, table: str) -> str:
    block, module, hidden = f"layers.{layer}.attention", f"encoder.layer.{layer}.attention.self", sizes.body.hidden
    roles = ("query", "key", "value")
    projected = [b.linear(f"{block}.{role}", x, f"{module}.{role}_proj", hidden, hidden) for role in roles]
    query, key, value = (
        b.add(f"{block}.{role}_heads", SplitHeads(sizes.body.heads, apart=True), (rows,), parts.PER_HEAD)
        for role, rows in zip(roles, projected, strict=True)
    )
    smaller = b.add(f"{block}.key_scaled", DivideByRoot(sizes.scale, rounded=True), (key,), parts.PER_HEAD)

    def distances() -> Iterator[str]:
        for kind, content, role in (("c2p", query, "key"), ("p2c", key, "query")):
            if index and kind in sizes.body.kinds:
                positions = _position_heads(b, sizes, block, module, role, table)
                yield disentangled.of_distances(b, block, kind, content, positions, index, sizes.scale)

    return disentangled.attend_with_distances(b, block, (query, smaller), value, mask, distances())


def _position_heads(b: Builder, sizes: Deberta, block: str, module: str, role: str, table: str) -> str:
    """`position_key_heads` or `position_query_heads`: the table through a matrix, content's own where it is shared."""
    name, size = f"{block}.position_{role}", sizes.body.hidden
    own = f"{module}.pos_{role}_proj"
    shared = f"{module}.{role}_proj"
    if sizes.share:
        # Not named as the module's output: that is the content's.
        weights = [(f"{shared}.weight", (size, size)), (f"{shared}.bias", (size,))]
        rows = b.add(name, Linear(), (table,), RELATIVE, weights)
    else:
        rows = b.linear(name, table, own, size, size, RELATIVE)
    return b.add(f"{name}_heads", SplitHeads(sizes.body.heads, apart=True), (rows,), RELATIVE_HEADS)


def _convolution(b: Builder, body: Body, conv: Conv, x: str, layer: str) -> str:
    """What neighbours' embeddings add to layer 0, as v2-xlarge has it."""
    block, module, size = "layers.0.conv", "encoder.conv", body.hidden
    weights = [(f"{module}.conv.weight", (size, size // conv.groups, conv.kernel)), (f"{module}.conv.bias", (size,))]
    x = b.add(f"{block}.product", Convolution(conv.groups), (x,), weights=weights)
    x = b.add(f"{block}.masked", MaskTokens(fill=True), (x, "tokens.mask"))
    x = b.activation(f"{block}.activation", x, conv.activation)
    x = b.add(f"{block}.residual", Sum(), (layer, x))
    x = b.norm(f"{block}.norm", x, f"{module}.LayerNorm", size, body.epsilon)
    return b.add(f"{block}.output", MaskTokens(), (x, "tokens.mask"), module=module)
