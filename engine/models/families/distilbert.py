"""DistilBERT (Sanh et al. 2019), with the operations of transformers' `modeling_distilbert.py`, eager attention.

BERT with half its layers, other names, and no segments: a second text stands after the first, and nothing else tells them
apart. Sinusoidal positions are a table like learned ones: checkpoints store it.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

from ...ops import Sum
from ...program.modules import FUNCTION, IDLE, LIST, Modules
from ...program.program import Program
from ..config import Config
from .blocks import attention as parts
from .blocks import post_norm
from .blocks import tasks as task_heads
from .blocks import words as word_head
from .blocks.builder import Builder
from .family import Limits, Options

MODEL_TYPES = {"distilbert": "DistilBert"}
TOKENIZERS = {"distilbert": "BertTokenizer"}
MARKS = {r"(^|\.)transformer\.layer\.\d+\.attention\.q_lin\.": "DistilBERT"}
PREFIXES = ("distilbert.",)
TIED = {"vocab_projector.weight": "embeddings.word_embeddings.weight"}
LAYER = post_norm.PostNormNames(
    query="attention.q_lin",
    key="attention.k_lin",
    value="attention.v_lin",
    output="attention.out_lin",
    norm="sa_layer_norm",
    up="ffn.lin1",
    activation="ffn.activation",
    down="ffn.lin2",
    last_norm="output_layer_norm",
)
WORDS = word_head.WordHeadNames("vocab_transform", "activation", "vocab_layer_norm", "vocab_projector")
HARMLESS = {
    "sinusoidal positions are stored like learned ones": ("sinusoidal_pos_embds",),
    "whether student and teacher were tied in training": ("tie_weights_",),
}
# What transformers takes for the same, and puts before the name of its own.
ALSO = {"hidden_size": "dim", "num_attention_heads": "n_heads", "num_hidden_layers": "n_layers"}
EPSILON = 1e-12  # not in the config
MOST_LAYERS = 1000

MODULES = Modules(
    prefixes=PREFIXES,
    layer="transformer.layer",
    whole={"embeddings": "embeddings.output", "embeddings.dropout": "embeddings.norm~", "transformer": "output"},
    parts={"": "output", "attention": "attention.output", "ffn": "ffn.down~", "ffn.dropout": "ffn.down~"},
    none={
        "transformer.layer": LIST, "transformer.layer.{}.attention.dropout": FUNCTION,
        "mlm_loss_fct": "it is the loss, which is not computed", "dropout": IDLE,
    },
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class DistilBert:
    """Sizes of a DistilBERT."""

    vocabulary: int
    layers: int
    longest: int
    layer: post_norm.PostNormSizes

    @classmethod
    def of(cls, config: Config) -> DistilBert:
        """Read the sizes from a config.json.

        Raises:
            InputError: an option that is not implemented, by its name.
        """
        config = config.named(ALSO)
        config.refuse("is_decoder", "add_cross_attention")  # transformers' DistilBERT is never causal
        config.only("chunk_size_feed_forward", 0)  # products of fewer rows, which may differ in their last bits
        sizes = post_norm.PostNormSizes(
            hidden=config.size("dim", 768),
            heads=config.size("n_heads", 12),
            intermediate=config.size("hidden_dim", 3072),
            activation=config.activation("activation", "gelu"),
            epsilon=EPSILON,
        )
        config.divides("n_heads", sizes.heads, "dim", sizes.hidden)
        return cls(
            vocabulary=config.size("vocab_size", 30522),
            layers=config.size("n_layers", 6, most=MOST_LAYERS),
            longest=config.size("max_position_embeddings", 512),
            layer=sizes,
        )


def limits(config: Config) -> Limits:
    """What text it can take."""
    sizes = DistilBert.of(config)
    return Limits(sizes.vocabulary, sizes.longest, None, config.index("pad_token_id", 0, sizes.vocabulary))


def build(config: Config, stored: Container[str], options: Options) -> Program:
    """The program of a DistilBERT checkpoint, with the heads whose weights are stored."""
    sizes, b = DistilBert.of(config), Builder(MODULES)
    hidden = sizes.layer.hidden
    parts.tokens(b, sizes.vocabulary, also=("positions",))
    x = b.alias("embeddings.output", _embeddings(b, sizes))
    mask = parts.additive_mask(b, options)
    for number in range(sizes.layers):
        x = post_norm.layer(b, number, f"transformer.layer.{number}", LAYER, sizes.layer, x, mask)
    b.alias("output", x)
    if "vocab_transform.weight" in stored:
        word_head.words(b, x, WORDS, hidden, hidden, sizes.vocabulary, sizes.layer.activation, EPSILON)
    if task_heads.has(config, stored, task_heads.CLASSES, "pre_classifier.weight"):
        vector = task_heads.from_first(b, x, "head.classes", "pre_classifier", "relu", hidden)
        task_heads.classes(b, config, vector, "classifier", hidden)
    if task_heads.has(config, stored, task_heads.CHOICE, "pre_classifier.weight"):
        vector = task_heads.from_first(b, x, "head.choice", "pre_classifier", "relu", hidden)
        task_heads.choice(b, vector, "classifier", hidden)
    task_heads.bert_heads(b, config, stored, hidden, x)
    return b.program()


def _embeddings(b: Builder, sizes: DistilBert) -> str:
    hidden = sizes.layer.hidden
    token = b.lookup("embeddings.token", "tokens.ids", "embeddings.word_embeddings", sizes.vocabulary, hidden)
    position = b.lookup(
        "embeddings.position", "tokens.positions", "embeddings.position_embeddings", sizes.longest, hidden
    )
    total = b.add("embeddings.sum", Sum(), (token, position))
    return b.norm("embeddings.norm", total, "embeddings.LayerNorm", hidden, EPSILON)
