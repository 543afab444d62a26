"""The two encoders of CLIP (Radford et al. 2021), with the operations of transformers' `modeling_clip.py`, eager attention.

Both norm before they compute. That of text is causal and sums a text up in its last token; that of images has a norm
before its layers as well, and sums an image up in its first token.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import replace

from ....messages.errors import InputError
from ....ops import FirstToken, Sum
from ....ops.patches import EndToken, PatchMean, UnitLength
from ...config import Config
from ..family import Limits, Options, Sight
from . import attention as parts
from . import patches, pre_norm
from . import tasks as task_heads
from .builder import Builder

EMBEDDING = ("batch", "embedding")
# What `eos_token_id` is in CLIP's first configs; transformers then takes the largest id for the end.
WRONG_END = 2
HARMLESS = {
    "of a loss over pairs of text and image": ("logit_scale_init_value",),
    "of the projection, whose size the whole model's config says": ("projection_dim",),
    "a text is filled up with the token that ends it": ("pad_token_id",),
    "where the model was put together from": ("model_type",),
}


def text_limits(config: Config) -> Limits:
    """What text it takes. It is filled up with the token that ends it, as CLIP's own tokenizer does."""
    vocabulary = config.size("vocab_size", 49408)
    end = _end(config)
    padding = vocabulary - 1 if end is None else min(end, vocabulary - 1)
    return Limits(vocabulary, config.size("max_position_embeddings", 77), 1, padding)


def text(b: Builder, config: Config, stored: Container[str], options: Options, at: str, projection: int) -> None:
    """The encoder of text, with the projection if it is stored.

    Args:
        at: what stands before the names of its modules.
        projection: size of the embedding that texts and images share.
    """
    limits, sizes = text_limits(config), _sizes(config, 512, 2048, 8)
    parts.tokens(b, limits.vocabulary, also=("positions",))
    token = b.lookup(
        "embeddings.token", "tokens.ids", f"{at}embeddings.token_embedding", limits.vocabulary, sizes.hidden
    )
    longest = limits.longest or 0
    position = b.lookup(
        "embeddings.position", "tokens.positions", f"{at}embeddings.position_embedding", longest, sizes.hidden
    )
    x = b.add("embeddings.sum", Sum(), (token, position), module=f"{at}embeddings")
    b.alias("embeddings.output", x)
    mask = parts.additive_mask(b, replace(options, causal=True))
    x = pre_norm.layers(b, sizes, x, mask, _names(at))
    x = b.alias("output", b.norm("final.norm", x, f"{at}final_layer_norm", sizes.hidden, sizes.epsilon))
    pooled = b.add("head.pooler.token", EndToken(_end(config)), (x, "tokens.ids"), pre_norm.VECTOR)
    _project(b, pooled, stored, "text_projection", sizes.hidden, projection)


def image_sight(config: Config) -> Sight:
    """What images it takes."""
    for name in ("image_size", "patch_size"):
        if isinstance(config.get(name), list):
            raise InputError(f"{config.where}: {name} {config.get(name)!r} is not implemented; only one number is")
    return patches.sight(config, ("[CLS]",), patch=32)


def image(b: Builder, config: Config, stored: Container[str], options: Options, at: str, projection: int) -> None:
    """The encoder of images, with the projection if it is stored; see `text`."""
    seen, sizes = image_sight(config), _sizes(config, 768, 3072, 12)
    hidden, count = sizes.hidden, len(seen.tokens)
    pixels = patches.given(b, seen)
    in_patches = patches.patches(b, pixels, seen, hidden, f"{at}embeddings.patch_embedding", bias=False)
    vectors = [("class_token", f"{at}embeddings.class_embedding", (hidden,))]
    table = f"{at}embeddings.position_embedding"
    x = patches.embed(b, in_patches, vectors, (f"{table}.weight", (count, hidden), table), f"{at}embeddings")
    x = b.alias("embeddings.output", b.norm("embeddings.norm", x, f"{at}pre_layrnorm", hidden, sizes.epsilon))
    x = pre_norm.layers(b, sizes, x, parts.additive_mask(b, options), _names(at))
    b.alias("output", x)
    if "classifier.weight" in stored:
        mean = b.add("head.classes.mean", PatchMean(len(seen.before)), (x,), pre_norm.VECTOR)
        task_heads.classes(b, config, mean, "classifier", hidden)
        return
    first = b.add("head.pooler.first", FirstToken(), (x,), pre_norm.VECTOR)
    pooled = b.norm("head.pooler.norm", first, f"{at}post_layernorm", hidden, sizes.epsilon, pre_norm.VECTOR)
    _project(b, pooled, stored, "visual_projection", hidden, projection)


def _project(b: Builder, pooled: str, stored: Container[str], module: str, hidden: int, size: int) -> None:
    """`head.embedding.*`: what texts and images are compared by."""
    if f"{module}.weight" in stored:
        projected = b.linear("head.embedding.projection", pooled, module, hidden, size, EMBEDDING, bias=False)
        b.add("head.embedding.normalized", UnitLength(), (projected,), EMBEDDING)


def _sizes(config: Config, hidden: int, intermediate: int, heads: int) -> pre_norm.PreNormSizes:
    config.refuse("is_decoder", "add_cross_attention")
    sizes = pre_norm.PreNormSizes(
        hidden=config.size("hidden_size", hidden),
        layers=config.size("num_hidden_layers", 12, most=pre_norm.MOST_LAYERS),
        heads=config.size("num_attention_heads", heads),
        intermediate=config.size("intermediate_size", intermediate),
        activation=config.activation("hidden_act", "quick_gelu"),
        epsilon=config.number("layer_norm_eps", 1e-5),
    )
    config.divides("num_attention_heads", sizes.heads, "hidden_size", sizes.hidden)
    return sizes


def _names(at: str) -> pre_norm.PreNormNames:
    layer = f"{at}encoder.layers.{{}}"
    roles = (f"{layer}.self_attn.q_proj", f"{layer}.self_attn.k_proj", f"{layer}.self_attn.v_proj")
    return pre_norm.PreNormNames(
        f"{layer}.layer_norm1", roles, f"{layer}.self_attn.out_proj", f"{layer}.layer_norm2", f"{layer}.mlp"
    )


def _end(config: Config) -> int | None:
    """Id of the token that ends a text; None where transformers looks for the largest."""
    end = config.get("eos_token_id", 49407)
    if not isinstance(end, int) or isinstance(end, bool) or end < 0:
        raise InputError(f"{config.where}: eos_token_id {end!r} is not implemented; only one whole number is")
    return None if end == WRONG_END else end
