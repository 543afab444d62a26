"""ViT (Dosovitskiy et al. 2021), with the operations of transformers' `modeling_vit.py`, eager attention, in their order."""

from __future__ import annotations

from collections.abc import Container

from ...messages.errors import InputError
from ...ops import FirstToken
from ...program.modules import LIST, Modules
from ...program.program import Program
from ..config import Config
from .blocks import attention as parts
from .blocks import patches, pre_norm
from .blocks import tasks as task_heads
from .blocks.builder import Builder
from .family import IMAGE, Limits, Options, Sight

MODEL_TYPES = {"vit": "ViT"}
MARKS = {r"(^|\.)embeddings\.patch_embeddings\.": "ViT"}
PREFIXES = ("vit.",)
TIED: dict[str, str] = {}
# What transformers 4 called the weights, and transformers 5 still writes.
RENAMED = (
    (r"^encoder\.layer\.(\d+)\.attention\.attention\.query\.", r"layers.\1.attention.q_proj."),
    (r"^encoder\.layer\.(\d+)\.attention\.attention\.key\.", r"layers.\1.attention.k_proj."),
    (r"^encoder\.layer\.(\d+)\.attention\.attention\.value\.", r"layers.\1.attention.v_proj."),
    (r"^encoder\.layer\.(\d+)\.attention\.output\.dense\.", r"layers.\1.attention.o_proj."),
    (r"^encoder\.layer\.(\d+)\.intermediate\.dense\.", r"layers.\1.mlp.fc1."),
    (r"^encoder\.layer\.(\d+)\.output\.dense\.", r"layers.\1.mlp.fc2."),
    (r"^encoder\.layer\.", "layers."),
)
# Read where a pooler is stored.
HARMLESS = {
    "of the pooler": ("pooler_act", "pooler_output_size"),
    "of a decoder that fills in hidden patches, which is left out": ("encoder_stride",),
}
NAMES = pre_norm.PreNormNames(
    "layers.{}.layernorm_before",
    ("layers.{}.attention.q_proj", "layers.{}.attention.k_proj", "layers.{}.attention.v_proj"),
    "layers.{}.attention.o_proj",
    "layers.{}.layernorm_after",
    "layers.{}.mlp",
)

MODULES = Modules(
    prefixes=PREFIXES,
    layer="layers",
    whole={"embeddings.dropout": "embeddings.sum"},
    parts={"": "output", "attention": "attention.output", "mlp": "ffn.down", "dropout": "ffn.down"},
    none={
        "layers": LIST,
        "embeddings.patch_embeddings":
            "it is [batch, patch, hidden] there: the same numbers are embeddings.patches, [batch, hidden, row, column]",
    },
)  # fmt: skip


def sides(config: Config) -> tuple[str, ...]:
    """It looks at images."""
    return (IMAGE,)


def sight(config: Config) -> Sight:
    """What images it takes."""
    return patches.sight(config, ("[CLS]",))


def limits(config: Config) -> Limits:
    """It takes no text."""
    raise InputError(f"a {config.model_type} takes images, and no text")


def build(config: Config, stored: Container[str], options: Options) -> Program:
    """The program of a ViT checkpoint, with the heads whose weights are stored.

    The decoder of `ViTForMaskedImageModeling` fills in patches that are hidden; none is here, and it is not used.
    """
    b, sizes = Builder(MODULES), sizes_of(config)
    x = encode(b, config, sizes, sight(config), options, (("class_token", "embeddings.cls_token"),))
    if "pooler.dense.weight" in stored:
        pooler(b, config, sizes, x)
    if "classifier.weight" in stored:
        first = b.add("head.classes.first", FirstToken(), (x,), pre_norm.VECTOR)
        task_heads.classes(b, config, first, "classifier", sizes.hidden)
    return b.program()


def sizes_of(config: Config) -> pre_norm.PreNormSizes:
    """The sizes of a ViT or a DeiT.

    Raises:
        InputError: an option that is not implemented, by its name.
    """
    config.refuse("is_decoder", "add_cross_attention")
    sizes = pre_norm.PreNormSizes(
        hidden=config.size("hidden_size", 768),
        layers=config.size("num_hidden_layers", 12, most=pre_norm.MOST_LAYERS),
        heads=config.size("num_attention_heads", 12),
        intermediate=config.size("intermediate_size", 3072),
        activation=config.activation("hidden_act", "gelu"),
        epsilon=config.number("layer_norm_eps", 1e-12),
        biased=config.flag("qkv_bias", True),
    )
    config.divides("num_attention_heads", sizes.heads, "hidden_size", sizes.hidden)
    config.only("head_dim", sizes.hidden // sizes.heads)
    return sizes


def encode(
    b: Builder,
    config: Config,
    sizes: pre_norm.PreNormSizes,
    seen: Sight,
    options: Options,
    vectors: tuple[tuple[str, str], ...],
) -> str:
    """From pixels to what leaves the last norm, which is returned.

    Args:
        vectors: stage and weight of each token before the patches.
    """
    hidden, count = sizes.hidden, len(seen.tokens)
    pixels = patches.given(b, seen)
    in_patches = patches.patches(b, pixels, seen, hidden, "embeddings.patch_embeddings.projection", bias=True)
    table = ("embeddings.position_embeddings", (1, count, hidden), "")
    before = [(name, weight, (1, 1, hidden)) for name, weight in vectors]
    x = b.alias("embeddings.output", patches.embed(b, in_patches, before, table, "embeddings"))
    mask = parts.additive_mask(b, options)
    x = pre_norm.layers(b, sizes, x, mask, NAMES)
    return b.alias("output", b.norm("final.norm", x, "layernorm", hidden, sizes.epsilon))


def pooler(b: Builder, config: Config, sizes: pre_norm.PreNormSizes, x: str) -> None:
    """`head.pooler.*`: the first token through a layer of its own."""
    size = config.get("pooler_output_size") or sizes.hidden
    size = Config({"pooler_output_size": size}, config.where).size("pooler_output_size", sizes.hidden)
    axes = pre_norm.VECTOR if size == sizes.hidden else ("batch", "pooled")
    first = b.add("head.pooler.first", FirstToken(), (x,), pre_norm.VECTOR)
    dense = b.linear("head.pooler.dense", first, "pooler.dense", sizes.hidden, size, axes)
    b.activation("head.pooler.activation", dense, config.activation("pooler_act", "tanh"), axes, "pooler")
