"""MPNet (Song et al. 2020), with the operations of transformers' `modeling_mpnet.py`, in their order.

BERT with positions that skip padding, and a bias by distance that all layers share. It knows no segments.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, replace

from ...messages.errors import InputError
from ...ops import AddBias, AddMask, DivideByRoot, FirstToken, PositionsAfterPadding, Scores, Sum
from ...program.modules import FUNCTION, IDLE, LIST
from ...program.program import Program
from ..config import Config
from . import bert
from .blocks import attention as parts
from .blocks import pooler as heads
from .blocks import post_norm, relative
from .blocks import tasks as task_heads
from .blocks.builder import Builder
from .family import Limits, Options

MODEL_TYPES = {"mpnet": "MPNet"}
TOKENIZERS = {"mpnet": "MPNetTokenizer"}
MARKS = {r"(^|\.)attention\.attn\.q\.": "MPNet"}
PREFIXES = ("mpnet.",)
TIED = {
    "lm_head.decoder.weight": "embeddings.word_embeddings.weight",
    "lm_head.decoder.bias": "lm_head.bias",
}
LAYER = replace(bert.LAYER, output="attention.attn.o", norm="attention.LayerNorm")
MOST_LAYERS = 1000
# transformers has these fixed, whatever the config says of padding and buckets.
PADDING, BUCKETS, DISTANCE = 1, 32, 128

MODULES = replace(
    bert.MODULES,
    prefixes=PREFIXES,
    parts={
        **{part: stage for part, stage in bert.MODULES.parts.items() if not part.startswith("attention.")},
        "attention.attn": "attention.output", "attention.dropout": "attention.output~",
    },
    heads={"lm_head": "head.words.logits", "classifier": "head.classes.logits"},
    none={
        "encoder.layer": LIST, "encoder.layer.{}.attention.attn.dropout": FUNCTION, "dropout": IDLE, "classifier.dropout": IDLE,
        "encoder.relative_attention_bias": f"{relative.SQUARE} positions.bias",
    },
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class MPNet:
    """Sizes of an MPNet.

    Attributes:
        rows: of the table of biases, of which `BUCKETS` are used.
    """

    vocabulary: int
    hidden: int
    layers: int
    heads: int
    intermediate: int
    activation: str
    places: int
    rows: int
    epsilon: float

    @classmethod
    def of(cls, config: Config) -> MPNet:
        """Read the sizes from a config.json.

        Raises:
            InputError: an option that is not implemented, by its name.
        """
        config.refuse("is_decoder", "add_cross_attention")  # transformers' MPNet is never causal
        sizes = cls(
            vocabulary=config.size("vocab_size", 30527),
            hidden=config.size("hidden_size", 768),
            layers=config.size("num_hidden_layers", 12, most=MOST_LAYERS),
            heads=config.size("num_attention_heads", 12),
            intermediate=config.size("intermediate_size", 3072),
            activation=config.activation("hidden_act", "gelu"),
            places=config.size("max_position_embeddings", 512),
            rows=config.size("relative_attention_num_buckets", BUCKETS),
            epsilon=config.number("layer_norm_eps", 1e-12),
        )
        config.divides("num_attention_heads", sizes.heads, "hidden_size", sizes.hidden)
        if sizes.rows < BUCKETS:
            raise InputError(
                f"{config.where}: relative_attention_num_buckets is {sizes.rows}, and must be {BUCKETS} or more: MPNet "
                f"makes {BUCKETS} buckets whatever it is"
            )
        if sizes.places <= PADDING + 1:
            raise InputError(
                f"{config.where}: max_position_embeddings is {sizes.places}, and must be more than {PADDING + 1}: "
                f"positions begin at {PADDING + 1}"
            )
        return sizes


def limits(config: Config) -> Limits:
    """What text it can take: positions begin behind the padding's."""
    sizes = MPNet.of(config)
    padding = config.index("pad_token_id", PADDING, sizes.vocabulary)
    return Limits(sizes.vocabulary, sizes.places - PADDING - 1, padding_id=padding, skips=PADDING)


def build(config: Config, stored: Container[str], options: Options) -> Program:
    """The program of an MPNet checkpoint, with the heads whose weights are stored."""
    sizes, b = MPNet.of(config), Builder(MODULES)
    parts.tokens(b, sizes.vocabulary, also=())
    b.add("tokens.positions", PositionsAfterPadding(PADDING), ("tokens.ids",), parts.TOKENS)
    x = _embeddings(b, sizes)
    mask = parts.additive_mask(b, options)
    bucketed = relative.buckets(b, BUCKETS, DISTANCE)
    bias = relative.bias(b, "positions.bias", bucketed, "encoder.relative_attention_bias", sizes.rows, sizes.heads)
    for layer in range(sizes.layers):
        x = _layer(b, sizes, layer, x, bias, mask)
    b.alias("output", x)
    pooled = heads.pooler(b, x, sizes.hidden) if "pooler.dense.weight" in stored else ""
    if task_heads.has(config, stored, task_heads.CLASSES, "classifier.out_proj.weight"):
        _classes(b, config, sizes, x)
    else:
        task_heads.bert_heads(b, config, stored, sizes.hidden, x, pooled)
    if "lm_head.dense.weight" in stored:
        _masked_words(b, sizes, x)
    return b.program()


def _embeddings(b: Builder, sizes: MPNet) -> str:
    token = b.lookup("embeddings.token", "tokens.ids", "embeddings.word_embeddings", sizes.vocabulary, sizes.hidden)
    position = b.lookup(
        "embeddings.position", "tokens.positions", "embeddings.position_embeddings", sizes.places, sizes.hidden
    )
    total = b.add("embeddings.sum", Sum(), (token, position))
    norm = b.norm("embeddings.norm", total, "embeddings.LayerNorm", sizes.hidden, sizes.epsilon)
    return b.alias("embeddings.output", norm)


def _layer(b: Builder, sizes: MPNet, layer: int, x: str, bias: str, mask: str) -> str:
    hidden, module = sizes.hidden, f"encoder.layer.{layer}"
    block = f"layers.{layer}.attention"
    projected = [
        (role, b.linear(f"{block}.{role}", x, f"{module}.attention.attn.{role[0]}", hidden, hidden))
        for role in ("query", "key", "value")
    ]
    query, key, value = (parts.split_heads(b, block, role, rows, sizes.heads) for role, rows in projected)
    scores = b.add(f"{block}.scores", Scores(), (query, key), parts.SQUARE)
    scaled = b.add(f"{block}.scaled", DivideByRoot(hidden // sizes.heads), (scores,), parts.SQUARE)
    biased = b.add(f"{block}.biased", AddBias(), (scaled, bias), parts.SQUARE)
    masked = b.add(f"{block}.masked", AddMask(), (biased, mask), parts.SQUARE)
    concat = parts.attend(b, block, masked, value)
    size = post_norm.PostNormSizes(hidden, sizes.heads, sizes.intermediate, sizes.activation, sizes.epsilon)
    norm = post_norm.after_heads(b, layer, module, LAYER, size, x, concat)
    return b.alias(f"layers.{layer}.output", norm)


def _classes(b: Builder, config: Config, sizes: MPNet, x: str) -> None:
    """A head with a layer of its own on the first token, which is no pooler."""
    first = b.add("head.classes.first", FirstToken(), (x,), heads.VECTOR)
    dense = b.linear("head.classes.dense", first, "classifier.dense", sizes.hidden, sizes.hidden, heads.VECTOR)
    active = b.activation("head.classes.activation", dense, "tanh", heads.VECTOR)
    task_heads.classes(b, config, active, "classifier.out_proj", sizes.hidden)


def _masked_words(b: Builder, sizes: MPNet, x: str) -> None:
    x = b.linear("head.words.dense", x, "lm_head.dense", sizes.hidden, sizes.hidden)
    x = b.activation("head.words.activation", x, "gelu")
    x = b.norm("head.words.norm", x, "lm_head.layer_norm", sizes.hidden, sizes.epsilon)
    logits = b.linear("head.words.logits", x, "lm_head.decoder", sizes.hidden, sizes.vocabulary, heads.OVER_WORDS)
    heads.words(b, logits)
