"""GTE (Zhang et al. 2024), with the operations of transformers' `modeling_gte.py`, eager attention, in their order.

Rotary positions and gated feed-forward networks under norms that stand after the sums. The checkpoints' own names of weights
are read with those that transformers' `conversion_mapping.py` gives them.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

from ...ops import Gate, Sum
from ...program.modules import IDLE, LIST, Modules
from ...program.program import Program
from ..config import Config
from .blocks import attention as parts
from .blocks import pooler as heads
from .blocks import rotary
from .blocks import tasks as task_heads
from .blocks import words as word_head
from .blocks.builder import Builder
from .family import Limits, Options

MODEL_TYPES = {"gte": "Gte"}
TOKENIZERS = {"gte": "XLMRobertaTokenizer"}
POSITIONS = {"gte": 8192}
MARKS = {r"(^|\.)attention\.qkv_proj\.": "GTE"}
PREFIXES = ("gte.", "new.")
TIED = {"lm_head.decoder.weight": "embeddings.word_embeddings.weight"}
RENAMED = (
    (r"^encoder\.layer\.", "layers."),
    (r"\.attention\.o_proj\.", ".self_attn.o_proj."),
    (r"\.attention\.qkv_proj\.", ".self_attn.{q_proj,k_proj,v_proj}."),
    (r"\.attn_ln\.", ".post_attention_layernorm."),
    (r"\.mlp_ln\.", ".post_mlp_layernorm."),
    (r"\.mlp\.up_gate_proj\.", ".mlp.{up_proj,gate_proj}."),
    (r"^lm_head\.norm\.", "lm_head.layer_norm."),
)
WORDS = word_head.WordHeadNames("lm_head.dense", "", "lm_head.layer_norm", "lm_head.decoder")
MODULES = Modules(
    prefixes=("gte.",),
    layer="layers",
    whole={
        "embeddings": "embeddings.norm", "embeddings.dropout": "embeddings.norm", "pooler.activation": "head.pooler.activation",
    },
    parts={
        "": "output", "self_attn": "attention.output", "post_attention_dropout": "attention.output", "mlp": "ffn.down",
        "mlp.dropout": "ffn.gated", "post_mlp_dropout": "ffn.down",
    },
    heads={"lm_head": "head.words.logits"},
    none={"layers": LIST, "rotary_emb": "it is two tensors, cosines and sines", "dropout": IDLE},
)  # fmt: skip
WIDE = ("batch", "token", "intermediate")
MOST_LAYERS = 1000


@dataclass(frozen=True, slots=True)
class Gte:
    """Sizes of a GTE, or of a family that names them as GTE does.

    Attributes:
        segments: 0 where none are added.
        theta: the base of the rotary positions.
    """

    vocabulary: int
    hidden: int
    layers: int
    heads: int
    head_dim: int
    intermediate: int
    activation: str
    longest: int
    segments: int
    epsilon: float
    theta: float

    @classmethod
    def of(
        cls, config: Config, *, vocabulary: int = 250048, hidden: int = 768, layers: int = 12, heads: int = 12,
        intermediate: int = 3072, longest: int = 8192, epsilon: float = 1e-12, theta: float = 160_000.0,
    ) -> Gte:  # fmt: skip
        """Read the sizes from a config.json.

        Args:
            vocabulary, hidden, layers, heads, intermediate, longest, epsilon, theta: what they are where the config is silent.

        Raises:
            InputError: an option that is not implemented, by its name.
        """
        config.refuse("is_decoder", "add_cross_attention")
        config.only("rope_scaling", None)
        hidden, heads = config.size("hidden_size", hidden), config.size("num_attention_heads", heads)
        if config.get("head_dim") is None:
            config.divides("num_attention_heads", heads, "hidden_size", hidden)
        sizes = cls(
            vocabulary=config.size("vocab_size", vocabulary),
            hidden=hidden,
            layers=config.size("num_hidden_layers", layers, most=MOST_LAYERS),
            heads=heads,
            head_dim=hidden // heads if config.get("head_dim") is None else config.size("head_dim", 64),
            intermediate=config.size("intermediate_size", intermediate),
            activation=config.activation("hidden_act", "gelu"),
            longest=config.size("max_position_embeddings", longest),
            segments=config.index("type_vocab_size", 1, 10**6),
            epsilon=config.number("layer_norm_eps", epsilon),
            theta=rotary.theta_of(config.part("rope_parameters"), config.number("rope_theta", theta)),
        )
        rotary.even(config, sizes.head_dim)
        return sizes


def limits(config: Config) -> Limits:
    """What text it can take."""
    sizes = Gte.of(config)
    return Limits(
        sizes.vocabulary, sizes.longest, sizes.segments or None, config.index("pad_token_id", 1, sizes.vocabulary)
    )


def build(config: Config, stored: Container[str], options: Options) -> Program:
    """The program of a GTE checkpoint, with the heads whose weights are stored."""
    sizes, b = Gte.of(config), Builder(MODULES)
    x = embeddings(b, sizes)
    mask = parts.additive_mask(b, options)
    turns = rotary.tables(b, "rotary", sizes.theta, sizes.head_dim, options)
    for layer in range(sizes.layers):
        x = attention(b, sizes, layer, x, mask, turns)
        x = end(b, sizes, layer, x, _gated(b, sizes, layer, x))
    b.alias("output", x)
    pooled = heads.pooler(b, x, sizes.hidden) if "pooler.dense.weight" in stored else ""
    if "lm_head.dense.weight" in stored:
        word_head.words(b, x, WORDS, sizes.hidden, sizes.hidden, sizes.vocabulary, "gelu", sizes.epsilon)
    task_heads.bert_heads(b, config, stored, sizes.hidden, x, pooled)
    return b.program()


def embeddings(b: Builder, sizes: Gte) -> str:
    """Tokens and segments, their sum where there are any, and its norm."""
    parts.tokens(b, sizes.vocabulary, also=("segments",) * bool(sizes.segments) + ("positions",))
    x = b.lookup("embeddings.token", "tokens.ids", "embeddings.word_embeddings", sizes.vocabulary, sizes.hidden)
    if sizes.segments:
        kinds = "embeddings.token_type_embeddings"
        segment = b.lookup("embeddings.segment", "tokens.segments", kinds, sizes.segments, sizes.hidden)
        x = b.add("embeddings.sum", Sum(), (x, segment))
    norm = b.norm("embeddings.norm", x, "embeddings.LayerNorm", sizes.hidden, sizes.epsilon)
    return b.alias("embeddings.output", norm)


def attention(b: Builder, sizes: Gte, layer: int, x: str, mask: str, turns: tuple[str, str]) -> str:
    """`layers.{layer}.attention.*`, down to its norm."""
    hidden, inner = sizes.hidden, sizes.heads * sizes.head_dim
    module, block = f"layers.{layer}", f"layers.{layer}.attention"
    query, key, value = (
        b.linear(f"{block}.{role}", x, f"{module}.self_attn.{role[0]}_proj", hidden, inner)
        for role in ("query", "key", "value")
    )
    concat = rotary.attention(b, block, (query, key, value), turns, mask, sizes.heads, sizes.head_dim)
    output = b.linear(f"{block}.output", concat, f"{module}.self_attn.o_proj", inner, hidden)
    residual = b.add(f"{block}.residual", Sum(), (x, output))
    return b.norm(f"{block}.norm", residual, f"{module}.post_attention_layernorm", hidden, sizes.epsilon)


def end(b: Builder, sizes: Gte, layer: int, x: str, down: str) -> str:
    """What the feed-forward network gives added to what went in, and the norm of that: `layers.{layer}.output`."""
    residual = b.add(f"layers.{layer}.ffn.residual", Sum(), (x, down))
    module = f"layers.{layer}.post_mlp_layernorm"
    norm = b.norm(f"layers.{layer}.ffn.norm", residual, module, sizes.hidden, sizes.epsilon)
    return b.alias(f"layers.{layer}.output", norm)


def _gated(b: Builder, sizes: Gte, layer: int, x: str) -> str:
    # `up` is what goes through the activation and `gate` what that is multiplied with, as in every family; transformers'
    # names have it the other way round
    hidden, wide, ffn, module = sizes.hidden, sizes.intermediate, f"layers.{layer}.ffn", f"layers.{layer}.mlp"
    up = b.linear(f"{ffn}.up", x, f"{module}.gate_proj", hidden, wide, WIDE, bias=False)
    active = b.activation(f"{ffn}.activation", up, sizes.activation, WIDE, f"{module}.act_fn")
    gate = b.linear(f"{ffn}.gate", x, f"{module}.up_proj", hidden, wide, WIDE, bias=False)
    gated = b.add(f"{ffn}.gated", Gate(), (active, gate), WIDE)
    return b.linear(f"{ffn}.down", gated, f"{module}.down_proj", wide, hidden)
