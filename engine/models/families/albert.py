"""ALBERT (Lan et al. 2019): small vectors of tokens, and layers that share their weights.

Operations and their order as in transformers' `modeling_albert.py`, eager attention. The program writes every layer out; those
of one group read the same weights. A layer of a group with several inner ones is one of those: the number of layers is
`num_hidden_layers` times `inner_group_num`.
"""

from __future__ import annotations

from collections.abc import Container

from ...program.program import Program
from ..config import Config
from . import bert
from .blocks import attention as parts
from .blocks import pooler as heads
from .blocks import post_norm
from .blocks import tasks as task_heads
from .blocks import words as word_head
from .blocks.builder import Builder
from .family import Limits, Options

MODEL_TYPES = {"albert": "Albert"}
TOKENIZERS = {"albert": "AlbertTokenizer"}
MARKS = {r"(^|\.)albert_layer_groups\.": "ALBERT"}
PREFIXES = ("albert.",)
TIED = {
    "predictions.decoder.weight": "embeddings.word_embeddings.weight",
    "predictions.decoder.bias": "predictions.bias",
}
LAYER = post_norm.PostNormNames(
    query="attention.query",
    key="attention.key",
    value="attention.value",
    output="attention.dense",
    norm="attention.LayerNorm",
    up="ffn",
    activation="activation",
    down="ffn_output",
    last_norm="full_layer_layer_norm",
)
WORDS = word_head.WordHeadNames(
    "predictions.dense", "predictions.activation", "predictions.LayerNorm", "predictions.decoder"
)  # fmt: skip
HARMLESS = {
    "of variants that were never published": (
        "down_scale_factor", "gap_size", "net_structure_type", "num_memory_blocks", "layers_to_keep",
    ),
}  # fmt: skip
ORDER = ("in order", "swapped")


def limits(config: Config) -> Limits:
    """What text it can take."""
    sizes = _sizes(config)
    padding = config.index("pad_token_id", 0, sizes.vocabulary)
    return Limits(sizes.vocabulary, sizes.longest, sizes.segments, padding)


def build(config: Config, stored: Container[str], options: Options) -> Program:
    """The program of an ALBERT checkpoint, with the heads whose weights are stored."""
    sizes, b = _sizes(config), Builder()
    hidden, small = sizes.hidden, config.size("embedding_size", 128)
    parts.tokens(b, sizes.vocabulary)
    x = bert.embeddings(b, sizes, small)
    x = b.linear("embeddings.projection", x, "encoder.embedding_hidden_mapping_in", small, hidden)
    b.alias("embeddings.output", x)
    mask = parts.additive_mask(b, options)
    for number, module in enumerate(_layers(config, sizes)):
        x = post_norm.layer(b, number, module, LAYER, sizes.layer, x, mask)
    b.alias("output", x)
    pooled = heads.pooler(b, x, hidden, modules=("pooler", "pooler_activation")) if "pooler.weight" in stored else ""
    if "predictions.dense.weight" in stored:
        word_head.words(b, x, WORDS, hidden, small, sizes.vocabulary, sizes.activation, sizes.epsilon)
    if pooled and "sop_classifier.classifier.weight" in stored:
        _order(b, config, hidden, pooled)
    task_heads.bert_heads(b, config, stored, hidden, x, pooled)
    return b.program()


def _sizes(config: Config) -> bert.Bert:
    config.refuse("is_decoder")  # transformers' ALBERT is never causal
    return bert.Bert.of(
        config, vocabulary=30000, hidden=4096, heads=64, intermediate=16384, activation="gelu_new"
    )  # fmt: skip


def _layers(config: Config, sizes: bert.Bert) -> list[str]:
    """The module of each layer: as transformers does, group i · groups / layers, rounded down, and its inner layers."""
    groups, inner = config.size("num_hidden_groups", 1), config.size("inner_group_num", 1, most=bert.MOST_LAYERS)
    places = (int(number / (sizes.layers / groups)) for number in range(sizes.layers))
    return [
        f"encoder.albert_layer_groups.{group}.albert_layers.{part}" for group in places for part in range(inner)
    ]  # fmt: skip


def _order(b: Builder, config: Config, hidden: int, pooled: str) -> None:
    """`head.order.*`: whether two stretches of text stand in their order (Lan et al. 2019, section 3.1)."""
    names = task_heads.label_names(config)
    names = ORDER if len(names) == len(ORDER) else names
    module = "sop_classifier.classifier"
    logits = b.linear("head.order.logits", pooled, module, hidden, len(names), ("batch", "label"), labels=names)
    task_heads.best(b, "head.order", logits, ("batch",), names)
