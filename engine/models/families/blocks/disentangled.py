"""What both versions of DeBERTa have alike: embeddings, what looks at distances, and the heads."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ....messages.errors import InputError
from ....ops import (
    AddBias,
    AddToEach,
    ContentToPosition,
    FillMasked,
    Linear,
    MaskTokens,
    PairMask,
    PositionToContent,
    RelativeScores,
    Scores,
    Sum,
)
from ....program.json_values import is_list
from ...config import Config
from ..family import Limits, Options
from . import attention as parts
from . import pooler, post_norm
from . import tasks as task_heads
from .builder import Builder

PREFIXES = ("deberta.",)
HARMLESS = {
    "of the pooler": ("pooler_hidden_act", "pooler_hidden_size"),  # read where that is stored
    "never read by anyone": ("z_steps", "padding_idx"),
}
RELATIVE = ("batch", "relative", "hidden")
RELATIVE_HEADS = ("batch", "head", "relative", "head_dim")
# A product with positions -> what it is with every position there is, its axes, and what picks those of a pair.
KINDS = {
    "c2p": ("content_to_relative", ("batch", "head", "query", "relative"), "content_to_position", ContentToPosition),
    "p2c": ("relative_to_content", ("batch", "head", "key", "relative"), "position_to_content", PositionToContent),
}
NONE = ("", "none")  # what `pos_att_type` may have among its names for no product
MOST_LAYERS = 1000


@dataclass(frozen=True, slots=True)
class Body:
    """Sizes that both versions have.

    Attributes:
        embedding: how wide the embeddings are, before they are brought to `hidden`.
        places: how many absolute positions there are embeddings of; 0 where none are added.
        named: `pos_att_type`, name by name: which products with positions there are, of `KINDS`, and empty ones.
        relative: whether distances play a part.
        distance: how far they go either way.
        single: whether norms are computed step by step in float32, rather than by torch's kernel.
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
    named: tuple[str, ...]
    relative: bool
    distance: int
    single: bool

    @classmethod
    def of(
        cls, config: Config, *, vocabulary: int, hidden: int, layers: int, heads: int, intermediate: int, single: bool
    ) -> Body:
        """Read the sizes from a config.json.

        Args:
            vocabulary, hidden, layers, heads, intermediate: what they are where the config is silent.
            single: how norms are computed.

        Raises:
            InputError: an option that is not implemented, by its name.
        """
        config.refuse("is_decoder", "add_cross_attention")  # transformers' DeBERTa is never causal
        hidden = config.size("hidden_size", hidden)
        count = config.size("num_attention_heads", heads)
        config.divides("num_attention_heads", count, "hidden_size", hidden)
        config.only("attention_head_size", hidden // count)
        absolute = config.size("max_position_embeddings", 512)
        distance = whole_number(config, "max_relative_positions")
        return cls(
            vocabulary=config.size("vocab_size", vocabulary),
            embedding=config.size("embedding_size", hidden),
            hidden=hidden,
            layers=config.size("num_hidden_layers", layers, most=MOST_LAYERS),
            heads=count,
            intermediate=config.size("intermediate_size", intermediate),
            activation=config.activation("hidden_act", "gelu"),
            places=absolute if config.flag("position_biased_input", True) else 0,
            segments=max(0, whole_number(config, "type_vocab_size", 0)),
            epsilon=config.number("layer_norm_eps", 1e-7),
            named=_named(config),
            relative=config.flag("relative_attention", False),
            distance=absolute if distance < 1 else distance,
            single=single,
        )

    @property
    def kinds(self) -> tuple[str, ...]:
        """Which products with positions there are, if distances play a part."""
        return tuple(kind for kind in KINDS if kind in self.named)

    @property
    def head_dim(self) -> int:
        """The size of a head."""
        return self.hidden // self.heads

    @property
    def layer(self) -> post_norm.PostNormSizes:
        """What its layers need to know once the heads stand side by side."""
        return post_norm.PostNormSizes(
            self.hidden, self.heads, self.intermediate, self.activation, self.epsilon, self.single
        )  # fmt: skip

    def limits(self, config: Config) -> Limits:
        """What text it can take: of any length, unless absolute positions are added."""
        padding = config.index("pad_token_id", 0, self.vocabulary)
        return Limits(self.vocabulary, self.places or None, max(1, self.segments), padding)


def whole_number(config: Config, name: str, default: int = -1) -> int:
    """A whole number; less than 1 stands for none.

    Raises:
        InputError: it is none, or is out of all reason.
    """
    number = config.get(name, default)
    if not isinstance(number, int) or isinstance(number, bool) or number > 10**8:
        raise InputError(f"{config.where}: {name} is {number!r}, and must be a whole number up to {10**8}")
    return number


def _named(config: Config) -> tuple[str, ...]:
    """`pos_att_type`: a list, or names with `|` between."""
    given: Any = config.get("pos_att_type")
    if isinstance(given, str):
        given = [name.strip() for name in given.lower().split("|")]
    names: Any = [] if given is None else given
    if not is_list(names) or not all(isinstance(name, str) for name in names):
        raise InputError(f"{config.where}: pos_att_type is {given!r}, and must be a list of names")
    for name in names:
        if name not in KINDS and name not in NONE:
            raise InputError(f"{config.where}: pos_att_type {name!r} is not implemented; known: {', '.join(KINDS)}")
    return tuple(names)


def embeddings(b: Builder, body: Body) -> str:
    """What the tokenizer gives, the vectors of what there is of it, their sum and its norm, which is 0 for padding."""
    also = ("segments",) * bool(body.segments) + ("positions",) * bool(body.places)
    parts.tokens(b, body.vocabulary, also=also)
    vectors = [
        b.lookup(f"embeddings.{part}", f"tokens.{ids}", f"embeddings.{module}", rows, body.embedding)
        for part, ids, module, rows in (
            ("token", "ids", "word_embeddings", body.vocabulary),
            ("position", "positions", "position_embeddings", body.places),
            ("segment", "segments", "token_type_embeddings", body.segments),
        )
        if rows
    ]
    x = b.add("embeddings.sum", Sum(), vectors) if len(vectors) > 1 else vectors[0]
    if body.embedding != body.hidden:
        x = b.linear("embeddings.projected", x, "embeddings.embed_proj", body.embedding, body.hidden, bias=False)
    x = b.norm("embeddings.norm", x, "embeddings.LayerNorm", body.hidden, body.epsilon, single=body.single)
    x = b.add("embeddings.masked", MaskTokens(), (x, "tokens.mask"), module="embeddings")
    return b.alias("embeddings.output", x)


def mask_of_pairs(b: Builder, options: Options) -> str:
    """`mask.pairs`: which keys each query may see."""
    return b.add("mask.pairs", PairMask(options.causal), ("tokens.mask", "positions.query"), parts.SQUARE)


def of_distances(
    b: Builder, block: str, kind: str, content: str, positions: str, index: str, size: int, *, broadcast: bool = False
) -> str:
    """What distances add to scores: content times every position there is, and of that each pair's own.

    Args:
        kind: one of `KINDS`.
        content, positions: of each head, queries and keys or keys and queries.
        index: which position each pair has.
        size: what they are divided by the root of.
        broadcast: how the product is computed; see `RelativeScores`.
    """
    of_all, axes, of_pairs, op = KINDS[kind]
    every = b.add(f"{block}.{of_all}", RelativeScores(broadcast), (content, positions), axes)
    return b.add(f"{block}.{of_pairs}", op(size), (every, index), parts.SQUARE)


def attend_with_distances(
    b: Builder, block: str, pair: tuple[str, str], value: str, mask: str, distances: Iterable[str]
) -> str:
    """From queries and keys of each head to the heads side by side.

    Args:
        pair: what scores are the product of.
        distances: what is added to them; walked when the scores are there.
    """
    scores = b.add(f"{block}.scores", Scores(), pair, parts.SQUARE)
    added = list(distances)
    if len(added) > 1:
        added = [b.add(f"{block}.position_bias", AddBias(), added, parts.SQUARE)]
    if added:
        scores = b.add(f"{block}.biased", AddBias(), (scores, *added), parts.SQUARE)
    masked = b.add(f"{block}.masked", FillMasked(), (scores, mask), parts.SQUARE)
    return parts.attend(b, block, masked, value)


def heads(b: Builder, config: Config, stored: Container[str], body: Body, x: str) -> None:
    """The heads whose weights are stored, on the vectors that leave the encoder."""
    _masked_words(b, config, body, stored, x)
    pooled = ""
    if "pooler.dense.weight" in stored:
        config.only("pooler_hidden_size", body.hidden)
        pooled = pooler.pooler(b, x, body.hidden, config.activation("pooler_hidden_act", "gelu"))
    task_heads.bert_heads(b, config, stored, body.hidden, x, pooled)


def _masked_words(b: Builder, config: Config, body: Body, stored: Container[str], x: str) -> None:
    """The masked-LM head that is stored; of two, that which `legacy` says. Its norm is torch's in both versions."""
    old, new = "cls.predictions.transform", "lm_predictions.lm_head"
    legacy = config.flag("legacy", True)
    there = [module for module in ((old, new) if legacy else (new, old)) if f"{module}.dense.weight" in stored]
    if not there or (there[0] == new and body.embedding != body.hidden):  # no product of such sizes
        return
    module, wide = there[0], body.embedding
    x = b.linear("head.words.dense", x, f"{module}.dense", body.hidden, wide)
    x = b.activation("head.words.activation", x, body.activation, module=f"{module}.transform_act_fn")
    x = b.norm("head.words.norm", x, f"{module}.LayerNorm", wide, body.epsilon)
    over: Sequence[str] = pooler.OVER_WORDS
    if module == old:
        logits = b.linear("head.words.logits", x, "cls.predictions.decoder", wide, body.vocabulary, over)
    else:
        words = [("embeddings.word_embeddings.weight", (body.vocabulary, wide))]
        x = b.add("head.words.product", Linear(), (x,), over, words)
        bias = [(f"{module}.bias", (body.vocabulary,))]
        logits = b.add("head.words.logits", AddToEach(), (x,), over, bias, module)
    pooler.words(b, logits)
