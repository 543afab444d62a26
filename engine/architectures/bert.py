"""BERT (Devlin et al. 2018), with the operations of transformers' `modeling_bert.py`, eager attention, in their order."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

from ..config import Config
from ..ops import Best, FirstToken, Softmax, Sum
from ..program import Program
from . import parts, task_heads
from .builder import Builder
from .family import Limits, Options

PREFIXES = ("bert.",)
# Weights that are another one unless the config says `tie_word_embeddings: false`.
TIED = {
    "cls.predictions.decoder.weight": "embeddings.word_embeddings.weight",
    "cls.predictions.decoder.bias": "cls.predictions.bias",
}
WIDE = ("batch", "token", "intermediate")
VECTOR = ("batch", "hidden")
OVER_WORDS = ("batch", "token", "vocabulary")
SHOWN_PREDICTIONS = 10
MOST_LAYERS = 1000


@dataclass(frozen=True, slots=True)
class Bert:
    """Sizes of a BERT."""

    vocabulary: int
    hidden: int
    layers: int
    heads: int
    intermediate: int
    activation: str
    longest: int
    segments: int
    epsilon: float

    @classmethod
    def of(cls, config: Config) -> Bert:
        """Read the sizes from a config.json.

        Raises:
            InputError: an option that is not implemented, by its name.
        """
        config.refuse("add_cross_attention")  # `is_decoder` alone is a causal mask: see `Encoder`
        config.only("position_embedding_type", "absolute")
        sizes = cls(
            vocabulary=config.size("vocab_size", 30522),
            hidden=config.size("hidden_size", 768),
            layers=config.size("num_hidden_layers", 12, most=MOST_LAYERS),
            heads=config.size("num_attention_heads", 12),
            intermediate=config.size("intermediate_size", 3072),
            activation=config.activation("hidden_act", "gelu"),
            longest=config.size("max_position_embeddings", 512),
            segments=config.size("type_vocab_size", 2),
            epsilon=config.number("layer_norm_eps", 1e-12),
        )
        config.divides("num_attention_heads", sizes.heads, "hidden_size", sizes.hidden)
        return sizes


def limits(config: Config) -> Limits:
    """What text it can take."""
    sizes = Bert.of(config)
    padding = config.index("pad_token_id", 0, sizes.vocabulary)
    return Limits(sizes.vocabulary, sizes.longest, sizes.segments, padding)


def build(config: Config, stored: Container[str], options: Options) -> Program:
    """The program of a BERT checkpoint, with the heads whose weights are stored."""
    sizes, b = Bert.of(config), Builder()
    parts.tokens(b, sizes.vocabulary)
    x = _embeddings(b, sizes)
    mask = parts.additive_mask(b, options)
    for layer in range(sizes.layers):
        x = _layer(b, sizes, layer, x, mask)
    b.alias("output", x)
    pooled = _pooler(b, sizes, x) if "pooler.dense.weight" in stored else ""
    if "cls.predictions.transform.dense.weight" in stored:
        _masked_words(b, sizes, x)
    if pooled and "cls.seq_relationship.weight" in stored:
        _next_sentence(b, sizes, pooled)
    task_heads.plain(b, config, stored, sizes.hidden, x, pooled)
    return b.program()


def _embeddings(b: Builder, sizes: Bert) -> str:
    token = b.lookup("embeddings.token", "tokens.ids", "embeddings.word_embeddings", sizes.vocabulary, sizes.hidden)
    position = b.lookup(
        "embeddings.position", "tokens.positions", "embeddings.position_embeddings", sizes.longest, sizes.hidden
    )
    segment = b.lookup(
        "embeddings.segment", "tokens.segments", "embeddings.token_type_embeddings", sizes.segments, sizes.hidden
    )
    total = b.add("embeddings.sum", Sum(), (token, segment, position))
    return b.alias(
        "embeddings.output", b.norm("embeddings.norm", total, "embeddings.LayerNorm", sizes.hidden, sizes.epsilon)
    )


def _layer(b: Builder, sizes: Bert, layer: int, x: str, mask: str) -> str:
    hidden, module, attention, ffn = (
        sizes.hidden,
        f"encoder.layer.{layer}",
        f"layers.{layer}.attention",
        f"layers.{layer}.ffn",
    )

    query, key, value = (
        b.linear(f"{attention}.{role}", x, f"{module}.attention.self.{role}", hidden, hidden)
        for role in ("query", "key", "value")
    )
    concat = parts.attention(b, attention, query, key, value, mask, sizes.heads, hidden // sizes.heads)
    output = b.linear(f"{attention}.output", concat, f"{module}.attention.output.dense", hidden, hidden)
    residual = b.add(f"{attention}.residual", Sum(), (output, x))
    x = b.norm(f"{attention}.norm", residual, f"{module}.attention.output.LayerNorm", hidden, sizes.epsilon)

    up = b.linear(f"{ffn}.up", x, f"{module}.intermediate.dense", hidden, sizes.intermediate, WIDE)
    active = b.activation(f"{ffn}.activation", up, sizes.activation, WIDE, f"{module}.intermediate.intermediate_act_fn")
    down = b.linear(f"{ffn}.down", active, f"{module}.output.dense", sizes.intermediate, hidden)
    residual = b.add(f"{ffn}.residual", Sum(), (down, x))
    norm = b.norm(f"{ffn}.norm", residual, f"{module}.output.LayerNorm", hidden, sizes.epsilon)
    return b.alias(f"layers.{layer}.output", norm)


def _pooler(b: Builder, sizes: Bert, x: str) -> str:
    first = b.add("head.pooler.first", FirstToken(), (x,), VECTOR)
    dense = b.linear("head.pooler.dense", first, "pooler.dense", sizes.hidden, sizes.hidden, VECTOR)
    return b.activation("head.pooler.activation", dense, "tanh", VECTOR, "pooler")


def _masked_words(b: Builder, sizes: Bert, x: str) -> None:
    module = "cls.predictions.transform"
    x = b.linear("head.words.dense", x, f"{module}.dense", sizes.hidden, sizes.hidden)
    x = b.activation("head.words.activation", x, sizes.activation, module=f"{module}.transform_act_fn")
    x = b.norm("head.words.norm", x, f"{module}.LayerNorm", sizes.hidden, sizes.epsilon)
    x = b.linear("head.words.logits", x, "cls.predictions.decoder", sizes.hidden, sizes.vocabulary, OVER_WORDS)
    x = b.add("head.words.probabilities", Softmax("vocabulary"), (x,), OVER_WORDS)
    b.add("head.words.best", Best(SHOWN_PREDICTIONS), (x,), ("batch", "token", "rank"))


def _next_sentence(b: Builder, sizes: Bert, pooled: str) -> None:
    """Whether the second text follows the first (Devlin et al. 2018, section 3.1), numbered as transformers numbers it."""
    names = ("follows", "random")
    module = "cls.seq_relationship"
    logits = b.linear("head.next.logits", pooled, module, sizes.hidden, 2, ("batch", "label"), labels=names)
    task_heads.best(b, "head.next", logits, ("batch",), names)
