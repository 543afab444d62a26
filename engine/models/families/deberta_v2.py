"""DeBERTa-v2 and v3 (He et al. 2021; He, Gao and Chen 2023), with the operations of transformers' `modeling_deberta_v2.py`.

A score is the sum of three products: of a query's content with a key's (`scores`), of a query's content with the distance to
the key (`content_to_position`), and of a key's content with that distance (`position_to_content`). Distances are looked up
in one table of vectors that all layers share. The mask is no number that is added: scores of pairs in which either is padding
are replaced, those of padded queries as well, whose weights are then even and mean nothing.

`z_steps` of the configs is ignored, as transformers ignores it.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, replace

from ...messages.errors import InputError
from ...ops import (
    AddBias,
    AddToEach,
    ContentToPosition,
    Convolution,
    DivideByRoot,
    FillMasked,
    Linear,
    LogBuckets,
    MaskTokens,
    PairMask,
    PositionToContent,
    RelativeIndex,
    RelativeScores,
    Scores,
    SplitHeads,
    Sum,
    Table,
)
from ...program.program import Program
from ..config import Config
from . import bert
from .blocks import attention as parts
from .blocks import pooler as heads
from .blocks import post_norm, relative
from .blocks import tasks as task_heads
from .blocks.builder import Builder
from .family import Limits, Options

MODEL_TYPES = {"deberta-v2": "DebertaV2"}
TOKENIZERS = {"deberta-v2": "DebertaV2Tokenizer"}
MARKS = {r"(^|\.)attention\.self\.query_proj\.": "DeBERTa-v2"}
PREFIXES = ("deberta.",)
TIED = {
    "cls.predictions.decoder.weight": "embeddings.word_embeddings.weight",
    "cls.predictions.decoder.bias": "cls.predictions.bias",
}
# Read where that is stored or switched on.
HARMLESS = {
    "of the pooler": ("pooler_hidden_act", "pooler_hidden_size"),
    "of the convolution": ("conv_groups", "conv_act"),
    "of relative attention": ("norm_rel_ebd",),
    "never read by anyone": ("z_steps", "padding_idx"),
}
RELATIVE = ("batch", "relative", "hidden")
RELATIVE_HEADS = ("batch", "head", "relative", "head_dim")
BY_QUERY = ("batch", "head", "query", "relative")
BY_KEY = ("batch", "head", "key", "relative")
KINDS = ("c2p", "p2c")
MOST_LAYERS = 1000

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
        embedding: how wide the embeddings are, before they are brought to `hidden`.
        places: how many absolute positions there are embeddings of; 0 where none are added.
        kinds: which products with positions count for the scale of scores, of `c2p` and `p2c`.
        span: how far distances go either way; 0 where they play no part.
        buckets, distance: of distances drawn together by the logarithm; 0 buckets where they are not.
        share: whether positions go through the same matrices as content.
        norm_table: whether the table of positions is normalised.
    """

    vocabulary: int
    embedding: int
    hidden: int
    layers: int
    heads: int
    intermediate: int
    activation: str
    places: int
    segments: int
    epsilon: float
    kinds: tuple[str, ...]
    span: int
    buckets: int
    distance: int
    share: bool
    norm_table: bool
    conv: Conv | None

    @classmethod
    def of(cls, config: Config) -> Deberta:
        """Read the sizes from a config.json.

        Raises:
            InputError: an option that is not implemented, by its name.
        """
        config.refuse("is_decoder", "add_cross_attention")  # transformers' DeBERTa is never causal
        hidden = config.size("hidden_size", 1536)
        count = config.size("num_attention_heads", 24)
        config.divides("num_attention_heads", count, "hidden_size", hidden)
        config.only("attention_head_size", hidden // count)
        absolute = config.size("max_position_embeddings", 512)
        buckets = max(0, _whole(config, "position_buckets"))
        distance = _whole(config, "max_relative_positions")
        distance = absolute if distance < 1 else distance
        on = config.flag("relative_attention", False)
        if on and buckets:
            _check_buckets(config, buckets, distance)
        return cls(
            vocabulary=config.size("vocab_size", 128100),
            embedding=config.size("embedding_size", hidden),
            hidden=hidden,
            layers=config.size("num_hidden_layers", 24, most=MOST_LAYERS),
            heads=count,
            intermediate=config.size("intermediate_size", 6144),
            activation=config.activation("hidden_act", "gelu"),
            places=absolute if config.flag("position_biased_input", True) else 0,
            segments=max(0, _whole(config, "type_vocab_size", 0)),
            epsilon=config.number("layer_norm_eps", 1e-7),
            kinds=_kinds(config),
            span=(buckets or distance) if on else 0,
            buckets=buckets,
            distance=distance,
            share=config.flag("share_att_key", False),
            norm_table=on and _norms_table(config),
            conv=_conv(config, hidden),
        )

    @property
    def scale(self) -> int:
        """What scores are divided by the root of: the size of a head for each product there is."""
        return self.hidden // self.heads * (1 + len(self.kinds))


def _whole(config: Config, name: str, default: int = -1) -> int:
    """A whole number; less than 1 stands for none."""
    found = config.get(name, default)
    if not isinstance(found, int) or isinstance(found, bool) or found > 10**8:
        raise InputError(f"{config.where}: {name} is {found!r}, and must be a whole number up to {10**8}")
    return found


def _kinds(config: Config) -> tuple[str, ...]:
    """`pos_att_type`: a list, or names with `|` between."""
    found = config.get("pos_att_type")
    names = found.lower().split("|") if isinstance(found, str) else found if found is not None else []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InputError(f"{config.where}: pos_att_type is {found!r}, and must be a list of names")
    named = {name.strip() for name in names} - {"", "none"}
    if named - set(KINDS):
        raise InputError(
            f"{config.where}: pos_att_type {min(named - set(KINDS))!r} is not implemented; known: {', '.join(KINDS)}"
        )
    return tuple(kind for kind in KINDS if kind in named)


def _norms_table(config: Config) -> bool:
    found = config.get("norm_rel_ebd", "none")
    names = {name.strip() for name in found.lower().split("|")} if isinstance(found, str) else {str(found)}
    if names - {"none", "layer_norm", ""}:
        raise InputError(f"{config.where}: norm_rel_ebd {found!r} is not implemented; known: 'layer_norm', 'none'")
    return "layer_norm" in names


def _conv(config: Config, hidden: int) -> Conv | None:
    kernel = _whole(config, "conv_kernel_size", 0)
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
    sizes = Deberta.of(config)
    padding = config.index("pad_token_id", 0, sizes.vocabulary)
    return Limits(sizes.vocabulary, sizes.places or None, max(1, sizes.segments), padding)


def build(config: Config, stored: Container[str], options: Options) -> Program:
    """The program of a DeBERTa-v2 checkpoint, with the heads whose weights are stored."""
    sizes, b = Deberta.of(config), Builder(MODULES)
    also = ("segments",) * bool(sizes.segments) + ("positions",) * bool(sizes.places)
    parts.tokens(b, sizes.vocabulary, also=also)
    first = x = _embeddings(b, sizes)
    far = relative.distances(b, ahead=False)
    index, table = _positions(b, sizes, far)
    pairs = PairMask(options.causal)
    mask = b.add("mask.pairs", pairs, ("tokens.mask", "positions.query"), parts.SQUARE)
    for layer in range(sizes.layers):
        x = _layer(b, sizes, layer, x, mask, index, table)
        if sizes.conv is not None and not layer:
            x = _convolution(b, sizes, sizes.conv, first, x)
        b.alias(f"layers.{layer}.output", x)
    b.alias("output", x)
    _masked_words(b, config, sizes, stored, x)
    pooled = ""
    if "pooler.dense.weight" in stored:
        config.only("pooler_hidden_size", sizes.hidden)
        kind = config.activation("pooler_hidden_act", "gelu")
        pooled = heads.pooler(b, x, sizes.hidden, kind)
    task_heads.plain(b, config, stored, sizes.hidden, x, pooled)
    return b.program()


def _embeddings(b: Builder, sizes: Deberta) -> str:
    module, size = "embeddings", sizes.embedding
    found = [b.lookup("embeddings.token", "tokens.ids", f"{module}.word_embeddings", sizes.vocabulary, size)]
    if sizes.places:
        found.append(
            b.lookup("embeddings.position", "tokens.positions", f"{module}.position_embeddings", sizes.places, size)
        )
    if sizes.segments:
        found.append(
            b.lookup("embeddings.segment", "tokens.segments", f"{module}.token_type_embeddings", sizes.segments, size)
        )
    x = b.add("embeddings.sum", Sum(), found) if len(found) > 1 else found[0]
    if size != sizes.hidden:
        x = b.linear("embeddings.projected", x, f"{module}.embed_proj", size, sizes.hidden, bias=False)
    x = b.norm("embeddings.norm", x, f"{module}.LayerNorm", sizes.hidden, sizes.epsilon)
    x = b.add("embeddings.masked", MaskTokens(), (x, "tokens.mask"), module=module)
    return b.alias("embeddings.output", x)


def _positions(b: Builder, sizes: Deberta, far: str) -> tuple[str, str]:
    """`positions.index`, which row of the table a distance has, and `positions.table`; both "" where they play no part."""
    if not sizes.span or not sizes.kinds:
        return "", ""
    if sizes.buckets:
        far = b.add("positions.buckets", LogBuckets(sizes.buckets, sizes.distance), (far,), relative.PLACES)
    index = b.add("positions.index", RelativeIndex(sizes.span), (far,), relative.PLACES)
    weights = [("encoder.rel_embeddings.weight", (2 * sizes.span, sizes.hidden))]
    table = b.add("positions.table", Table(), (), RELATIVE, weights)
    if sizes.norm_table:
        table = b.norm("positions.norm", table, "encoder.LayerNorm", sizes.hidden, sizes.epsilon, RELATIVE)
    return index, table


def _layer(b: Builder, sizes: Deberta, layer: int, x: str, mask: str, index: str, table: str) -> str:
    module = f"encoder.layer.{layer}"
    concat = _attention(b, sizes, f"layers.{layer}.attention", f"{module}.attention.self", x, mask, index, table)
    size = post_norm.Sizes(sizes.hidden, sizes.heads, sizes.intermediate, sizes.activation, sizes.epsilon)
    return post_norm.after_heads(b, layer, module, bert.LAYER, size, x, concat)


def _attention(b: Builder, sizes: Deberta, block: str, module: str, x: str, mask: str, index: str, table: str) -> str:
    roles = ("query", "key", "value")
    projected = [b.linear(f"{block}.{role}", x, f"{module}.{role}_proj", sizes.hidden, sizes.hidden) for role in roles]
    query, key, value = (
        b.add(f"{block}.{role}_heads", SplitHeads(sizes.heads, apart=True), (rows,), parts.PER_HEAD)
        for role, rows in zip(roles, projected, strict=True)
    )
    smaller = b.add(f"{block}.key_scaled", DivideByRoot(sizes.scale, rounded=True), (key,), parts.PER_HEAD)
    scores = b.add(f"{block}.scores", Scores(), (query, smaller), parts.SQUARE)
    found: list[str] = []
    if index and "c2p" in sizes.kinds:
        positions = _position_heads(b, sizes, block, module, "key", table)
        all_of_them = b.add(f"{block}.content_to_relative", RelativeScores(), (query, positions), BY_QUERY)
        op = ContentToPosition(sizes.scale)
        found.append(b.add(f"{block}.content_to_position", op, (all_of_them, index), parts.SQUARE))
    if index and "p2c" in sizes.kinds:
        positions = _position_heads(b, sizes, block, module, "query", table)
        all_of_them = b.add(f"{block}.relative_to_content", RelativeScores(), (key, positions), BY_KEY)
        op = PositionToContent(sizes.scale)
        found.append(b.add(f"{block}.position_to_content", op, (all_of_them, index), parts.SQUARE))
    if len(found) > 1:
        found = [b.add(f"{block}.position_bias", AddBias(), found, parts.SQUARE)]
    if found:
        scores = b.add(f"{block}.biased", AddBias(), (scores, *found), parts.SQUARE)
    masked = b.add(f"{block}.masked", FillMasked(), (scores, mask), parts.SQUARE)
    return parts.attend(b, block, masked, value)


def _position_heads(b: Builder, sizes: Deberta, block: str, module: str, role: str, table: str) -> str:
    """`position_key_heads` or `position_query_heads`: the table through a matrix, content's own where it is shared."""
    name, size = f"{block}.position_{role}", sizes.hidden
    own = f"{module}.pos_{role}_proj"
    shared = f"{module}.{role}_proj"
    if sizes.share:
        # Not named as the module's output: that is the content's.
        weights = [(f"{shared}.weight", (size, size)), (f"{shared}.bias", (size,))]
        rows = b.add(name, Linear(), (table,), RELATIVE, weights)
    else:
        rows = b.linear(name, table, own, size, size, RELATIVE)
    return b.add(f"{name}_heads", SplitHeads(sizes.heads, apart=True), (rows,), RELATIVE_HEADS)


def _convolution(b: Builder, sizes: Deberta, conv: Conv, x: str, layer: str) -> str:
    """What neighbours' embeddings add to layer 0, as v2-xlarge has it."""
    block, module, size = "layers.0.conv", "encoder.conv", sizes.hidden
    weights = [(f"{module}.conv.weight", (size, size // conv.groups, conv.kernel)), (f"{module}.conv.bias", (size,))]
    x = b.add(f"{block}.product", Convolution(conv.groups), (x,), weights=weights)
    x = b.add(f"{block}.masked", MaskTokens(fill=True), (x, "tokens.mask"))
    x = b.activation(f"{block}.activation", x, conv.activation)
    x = b.add(f"{block}.residual", Sum(), (layer, x))
    x = b.norm(f"{block}.norm", x, f"{module}.LayerNorm", size, sizes.epsilon)
    return b.add(f"{block}.output", MaskTokens(), (x, "tokens.mask"), module=module)


def _masked_words(b: Builder, config: Config, sizes: Deberta, stored: Container[str], x: str) -> None:
    """The masked-LM head that is stored; of two, that which `legacy` says."""
    old, new = "cls.predictions.transform", "lm_predictions.lm_head"
    legacy = config.flag("legacy", True)
    there = [module for module in ((old, new) if legacy else (new, old)) if f"{module}.dense.weight" in stored]
    if not there or (there[0] == new and sizes.embedding != sizes.hidden):  # no product of such sizes
        return
    module, wide = there[0], sizes.embedding
    x = b.linear("head.words.dense", x, f"{module}.dense", sizes.hidden, wide)
    x = b.activation("head.words.activation", x, sizes.activation, module=f"{module}.transform_act_fn")
    x = b.norm("head.words.norm", x, f"{module}.LayerNorm", wide, sizes.epsilon)
    over: Sequence[str] = heads.OVER_WORDS
    if module == old:
        logits = b.linear("head.words.logits", x, "cls.predictions.decoder", wide, sizes.vocabulary, over)
    else:
        words = [("embeddings.word_embeddings.weight", (sizes.vocabulary, wide))]
        x = b.add("head.words.product", Linear(), (x,), over, words)
        bias = [(f"{module}.bias", (sizes.vocabulary,))]
        logits = b.add("head.words.logits", AddToEach(), (x,), over, bias, module)
    heads.words(b, logits)
