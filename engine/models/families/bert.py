"""BERT (Devlin et al. 2018), with the operations of transformers' `modeling_bert.py`, eager attention, in their order."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

from ...ops import Sum
from ...program.modules import FUNCTION, IDLE, LIST, Modules
from ...program.program import Program
from ..config import Config
from .blocks import attention as parts
from .blocks import pooler as heads
from .blocks import post_norm
from .blocks import tasks as task_heads
from .blocks import words as word_head
from .blocks.builder import HIDDEN, Builder
from .family import Limits, Options

MODEL_TYPES = {"bert": "Bert"}
TOKENIZERS = {"bert": "BertTokenizer"}
SHARED_MARKS = {r"(^|\.)encoder\.layer\.\d+\.attention\.self\.query\.": "BERT"}
PREFIXES = ("bert.",)
# Weights that are another one unless the config says `tie_word_embeddings: false`.
TIED = {
    "cls.predictions.decoder.weight": "embeddings.word_embeddings.weight",
    "cls.predictions.decoder.bias": "cls.predictions.bias",
}
LAYER = post_norm.PostNormNames(
    query="attention.self.query",
    key="attention.self.key",
    value="attention.self.value",
    output="attention.output.dense",
    norm="attention.output.LayerNorm",
    up="intermediate.dense",
    activation="intermediate.intermediate_act_fn",
    down="output.dense",
    last_norm="output.LayerNorm",
)
WORDS = word_head.WordHeadNames(
    dense="cls.predictions.transform.dense",
    activation="cls.predictions.transform.transform_act_fn",
    norm="cls.predictions.transform.LayerNorm",
    decoder="cls.predictions.decoder",
)
HARMLESS = {
    "Google's names for a pooler that is always the same, and for attention to both sides": (
        "directionality", "pooler_fc_size", "pooler_num_attention_heads", "pooler_num_fc_layers", "pooler_size_per_head",
        "pooler_type",
    ),
}  # fmt: skip
MOST_LAYERS = 1000

MODULES = Modules(
    prefixes=PREFIXES,
    layer="encoder.layer",
    whole={
        "embeddings": "embeddings.norm~", "embeddings.dropout": "embeddings.norm~", "encoder": "output",
        "pooler.activation": "head.pooler.activation",
    },
    parts={
        "": "output", "attention": "attention.norm", "attention.self": "attention.concat", "attention.output": "attention.norm",
        "attention.output.dropout": "attention.output~", "intermediate": "ffn.activation", "output": "ffn.norm",
        "output.dropout": "ffn.down~",
    },
    heads={
        "cls": "head.words.logits", "cls.predictions": "head.words.logits", "cls.predictions.transform": "head.words.norm",
    },
    none={
        "encoder.layer": LIST, "encoder.layer.{}.attention.self.dropout": FUNCTION, "dropout": IDLE, "classifier.dropout": IDLE,
    },
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Bert:
    """Sizes of a BERT, or of a family that names them as BERT does."""

    vocabulary: int
    hidden: int
    layers: int
    heads: int
    intermediate: int
    activation: str
    longest: int
    segments: int
    epsilon: float
    dropout: float
    attention_dropout: float
    causal: bool

    @classmethod
    def of(
        cls,
        config: Config,
        *,
        vocabulary: int = 30522,
        hidden: int = 768,
        heads: int = 12,
        intermediate: int = 3072,
        activation: str = "gelu",
    ) -> Bert:
        """Read the sizes from a config.json.

        Args:
            vocabulary, hidden, heads, intermediate, activation: what they are where the config is silent.

        Raises:
            InputError: an option that is not implemented, by its name.
        """
        config.refuse("add_cross_attention")
        config.only("position_embedding_type", "absolute")
        config.only("chunk_size_feed_forward", 0)  # products of fewer rows, which may differ in their last bits
        sizes = cls(
            vocabulary=config.size("vocab_size", vocabulary),
            hidden=config.size("hidden_size", hidden),
            layers=config.size("num_hidden_layers", 12, most=MOST_LAYERS),
            heads=config.size("num_attention_heads", heads),
            intermediate=config.size("intermediate_size", intermediate),
            activation=config.activation("hidden_act", activation),
            longest=config.size("max_position_embeddings", 512),
            segments=config.size("type_vocab_size", 2),
            epsilon=config.number("layer_norm_eps", 1e-12),
            dropout=config.number("hidden_dropout_prob", 0.1),
            attention_dropout=config.number("attention_probs_dropout_prob", 0.1),
            causal=config.flag("is_decoder", False),  # what transformers computes for a decoder without cross attention
        )
        config.divides("num_attention_heads", sizes.heads, "hidden_size", sizes.hidden)
        return sizes

    @property
    def layer(self) -> post_norm.PostNormSizes:
        """What its layers need to know."""
        return post_norm.PostNormSizes(self.hidden, self.heads, self.intermediate, self.activation, self.epsilon)


def limits(config: Config) -> Limits:
    """What text it can take."""
    sizes = Bert.of(config)
    padding = config.index("pad_token_id", 0, sizes.vocabulary)
    return Limits(sizes.vocabulary, sizes.longest, sizes.segments, padding)


def build(config: Config, stored: Container[str], options: Options, modules: Modules = MODULES) -> Program:
    """The program of a BERT checkpoint, with the heads whose weights are stored."""
    sizes, b = Bert.of(config), Builder(modules)
    parts.tokens(b, sizes.vocabulary)
    x = encoder(b, sizes, b.alias("embeddings.output", embeddings(b, sizes, sizes.hidden, options)), options)
    pooled = heads.pooler(b, x, sizes.hidden) if "pooler.dense.weight" in stored else ""
    if "cls.predictions.transform.dense.weight" in stored:
        word_head.words(
            b, x, WORDS, sizes.hidden, sizes.hidden, sizes.vocabulary, sizes.activation, sizes.epsilon
        )  # fmt: skip
    if pooled and "cls.seq_relationship.weight" in stored:
        _next_sentence(b, sizes, pooled)
    task_heads.bert_heads(b, config, stored, sizes.hidden, x, pooled)
    return b.program()


def embeddings(b: Builder, sizes: Bert, size: int, options: Options | None = None) -> str:
    """Vectors of tokens, segments and positions, their sum and its norm.

    Args:
        size: of a vector; where that is not the hidden size, the axis is called `embedding`.
        options: whether training drops some of it; None for never.
    """
    axes = HIDDEN if size == sizes.hidden else ("batch", "token", "embedding")
    token, position, segment = (
        b.lookup(f"embeddings.{part}", f"tokens.{ids}", f"embeddings.{module}", rows, size, axes)
        for part, ids, module, rows in (
            ("token", "ids", "word_embeddings", sizes.vocabulary),
            ("position", "positions", "position_embeddings", sizes.longest),
            ("segment", "segments", "token_type_embeddings", sizes.segments),
        )
    )
    total = b.add("embeddings.sum", Sum(), (token, segment, position), axes)
    norm = b.norm("embeddings.norm", total, "embeddings.LayerNorm", size, sizes.epsilon, axes)
    return parts.dropped(b, norm, sizes.dropout, options) if options is not None else norm


def encoder(b: Builder, sizes: Bert, x: str, options: Options) -> str:
    """The mask and the layers, named as in BERT, down to `output`."""
    mask = parts.additive_mask(b, options, causal=sizes.causal)
    drops = post_norm.Drops(
        lambda x: parts.dropped(b, x, sizes.attention_dropout, options),
        lambda x: parts.dropped(b, x, sizes.dropout, options),
    )
    for number in range(sizes.layers):
        x = post_norm.layer(b, number, f"encoder.layer.{number}", LAYER, sizes.layer, x, mask, drops)
    return b.alias("output", x)


def _next_sentence(b: Builder, sizes: Bert, pooled: str) -> None:
    """Whether the second text follows the first (Devlin et al. 2018, section 3.1), numbered as transformers numbers it."""
    names = ("follows", "random")
    module = "cls.seq_relationship"
    logits = b.linear("head.next.logits", pooled, module, sizes.hidden, 2, ("batch", "label"), labels=names)
    task_heads.best(b, "head.next", logits, ("batch",), names)
