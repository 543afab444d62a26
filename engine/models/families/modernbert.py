"""ModernBERT (Warner et al. 2024), with the operations of transformers' `modeling_modernbert.py`, eager attention, in their order."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

from ...messages.errors import InputError
from ...ops import AdditiveMask, Best, FirstToken, Gate, MeanPool, Part, Softmax, Sum
from ...program.json_values import is_list
from ...program.modules import LIST, Modules
from ...program.program import Program
from ..config import Config
from .blocks import attention as parts
from .blocks import rotary as turned
from .blocks import tasks as task_heads
from .blocks.builder import HIDDEN, Builder
from .family import Limits, Options

MODEL_TYPES = {"modernbert": "ModernBert"}
POSITIONS = {"modernbert": 8192}
MARKS = {r"(^|\.)layers\.\d+\.attn\.Wqkv\.": "ModernBERT"}
PREFIXES = ("model.",)
TIED = {"decoder.weight": "embeddings.tok_embeddings.weight"}
# Read where a head is stored.
HARMLESS = {
    "of heads": ("classifier_activation", "classifier_bias", "classifier_pooling", "decoder_bias"),
    "of a loss over some words alone": ("sparse_prediction", "sparse_pred_ignore_index", "repad_logits_with_grad"),
    "the norms have norm_eps, the positions are rotary": ("layer_norm_eps", "position_embedding_type"),
}
WIDE = ("batch", "token", "intermediate")
VECTOR = ("batch", "hidden")
FULL, SLIDING = "full_attention", "sliding_attention"
# Type of layer -> (name of its stages, the base of its rotary positions, what older configs call that).
KINDS = {FULL: ("global", 160_000.0, "global_rope_theta"), SLIDING: ("local", 10_000.0, "local_rope_theta")}
SHOWN_PREDICTIONS = 10
MOST_LAYERS = 1000

MODULES = Modules(
    prefixes=PREFIXES,
    layer="layers",
    whole={"embeddings": "embeddings.norm", "embeddings.drop": "embeddings.norm"},
    parts={
        "": "output", "attn": "attention.output", "attn.out_drop": "attention.output", "mlp": "ffn.down", "mlp.drop": "ffn.gated",
    },
    heads={"head": "head.words.norm"},
    none={
        "layers": LIST, "layers.0.attn_norm": "the first layer norms nothing: it is embeddings.norm",
        "rotary_emb": "it is two tensors, cosines and sines",
    },
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ModernBert:
    """Sizes and options of a ModernBERT.

    Attributes:
        kinds: of each layer, whether its attention is full or sliding.
        thetas: of each kind, the base of its rotary positions.
        window: how far local attention sees on either side.
    """

    vocabulary: int
    hidden: int
    heads: int
    intermediate: int
    activation: str
    longest: int
    epsilon: float
    kinds: tuple[str, ...]
    thetas: dict[str, float]
    window: int
    norm_bias: bool
    attention_bias: bool
    mlp_bias: bool

    @property
    def head_dim(self) -> int:
        """Elements of a head."""
        return self.hidden // self.heads

    @classmethod
    def of(cls, config: Config) -> ModernBert:
        """Read the sizes from a config.json.

        Raises:
            InputError: an option that is not implemented, by its name.
        """
        config.refuse("is_decoder", "add_cross_attention")
        layers = config.size("num_hidden_layers", 22, most=MOST_LAYERS)
        sizes = cls(
            vocabulary=config.size("vocab_size", 50368),
            hidden=config.size("hidden_size", 768),
            heads=config.size("num_attention_heads", 12),
            intermediate=config.size("intermediate_size", 1152),
            activation=config.activation("hidden_activation", "gelu"),
            longest=config.size("max_position_embeddings", 8192),
            epsilon=config.number("norm_eps", 1e-5),
            kinds=_kinds(config, layers),
            thetas=_thetas(config),
            window=_window(config),
            norm_bias=config.flag("norm_bias", False),
            attention_bias=config.flag("attention_bias", False),
            mlp_bias=config.flag("mlp_bias", False),
        )
        config.divides("num_attention_heads", sizes.heads, "hidden_size", sizes.hidden)
        config.only("head_dim", sizes.head_dim)
        turned.even(config, sizes.head_dim)
        return sizes


def limits(config: Config) -> Limits:
    """What text it can take."""
    sizes = ModernBert.of(config)
    padding = config.index("pad_token_id", min(50283, sizes.vocabulary - 1), sizes.vocabulary)
    return Limits(sizes.vocabulary, sizes.longest, padding_id=padding)


def build(config: Config, stored: Container[str], options: Options) -> Program:
    """The program of a ModernBERT checkpoint, with the heads whose weights are stored."""
    sizes, b = ModernBert.of(config), Builder(MODULES)
    parts.tokens(b, sizes.vocabulary, also=("positions",))
    token = b.lookup("embeddings.token", "tokens.ids", "embeddings.tok_embeddings", sizes.vocabulary, sizes.hidden)
    x = b.alias("embeddings.output", _norm(b, sizes, "embeddings.norm", token, "embeddings.norm"))
    used = [kind for kind in KINDS if kind in sizes.kinds]
    masks = {kind: _mask(b, sizes, kind, options) for kind in used}
    turns = {
        kind: turned.tables(b, f"rotary.{KINDS[kind][0]}", sizes.thetas[kind], sizes.head_dim, options) for kind in used
    }
    for layer, kind in enumerate(sizes.kinds):
        x = _layer(b, sizes, layer, x, masks[kind], turns[kind])
    x = b.alias("output", _norm(b, sizes, "final.norm", x, "final_norm"))
    if "head.dense.weight" in stored:
        _head(b, config, sizes, stored, x)
    return b.program()


def _kinds(config: Config, layers: int) -> tuple[str, ...]:
    """What each layer attends to; older configs say only every how many layers it is everything."""
    listed = config.get("layer_types")
    if listed is None:
        every = config.size("global_attn_every_n_layers", 3)
        return tuple(SLIDING if layer % every else FULL for layer in range(layers))
    if not is_list(listed) or len(listed) != layers or any(kind not in KINDS for kind in listed):
        raise InputError(
            f"{config.where}: layer_types must have {layers} entries, each {FULL!r} or {SLIDING!r}; it is {listed!r}"
        )
    return tuple(listed)


def _thetas(config: Config) -> dict[str, float]:
    config.only("rope_scaling", None)
    both = config.part("rope_parameters")
    if both.values.keys() - KINDS.keys():
        raise InputError(f"{both.where} has {sorted(both.values)}, and must have {FULL!r} and {SLIDING!r}")
    return {
        kind: turned.theta_of(both.part(kind), config.number(old, default)) for kind, (_, default, old) in KINDS.items()
    }


def _window(config: Config) -> int:
    """How far local attention sees on either side: `sliding_window`, or half of `local_attention`."""
    both = config.size("local_attention", 128)
    return config.size("sliding_window", both // 2) if config.says("sliding_window") else both // 2


def _mask(b: Builder, sizes: ModernBert, kind: str, options: Options) -> str:
    if kind == FULL:
        return parts.additive_mask(b, options)
    mask = AdditiveMask(options.dtype, options.causal, sizes.window)
    return b.add("mask.local", mask, ("tokens.mask",), parts.SQUARE)


def _norm(b: Builder, sizes: ModernBert, name: str, x: str, module: str, axes: tuple[str, ...] = HIDDEN) -> str:
    return b.norm(name, x, module, sizes.hidden, sizes.epsilon, axes, bias=sizes.norm_bias)


def _layer(b: Builder, sizes: ModernBert, layer: int, x: str, mask: str, turns: tuple[str, str]) -> str:
    hidden, wide, bias = sizes.hidden, sizes.intermediate, sizes.attention_bias
    module, attention, ffn = f"layers.{layer}", f"layers.{layer}.attention", f"layers.{layer}.ffn"

    # the first layer's norm is an identity: the embeddings have just been normalised
    norm = _norm(b, sizes, f"{attention}.norm", x, f"{module}.attn_norm") if layer else x
    fused = ("batch", "token", "projections")
    qkv = b.linear(f"{attention}.qkv", norm, f"{module}.attn.Wqkv", hidden, 3 * hidden, fused, bias=bias)
    query, key, value = (
        b.add(f"{attention}.{role}", Part(number, 3), (qkv,)) for number, role in enumerate(("query", "key", "value"))
    )
    concat = turned.attention(
        b, attention, (query, key, value), turns, mask, sizes.heads, sizes.head_dim, upcast=True
    )  # fmt: skip
    output = b.linear(f"{attention}.output", concat, f"{module}.attn.Wo", hidden, hidden, bias=bias)
    x = b.add(f"{attention}.residual", Sum(), (x, output))

    norm = _norm(b, sizes, f"{ffn}.norm", x, f"{module}.mlp_norm")
    both = b.linear(f"{ffn}.up_gate", norm, f"{module}.mlp.Wi", hidden, 2 * wide, WIDE, bias=sizes.mlp_bias)
    up, gate = (b.add(f"{ffn}.{role}", Part(number, 2), (both,), WIDE) for number, role in enumerate(("up", "gate")))
    active = b.activation(f"{ffn}.activation", up, sizes.activation, WIDE, f"{module}.mlp.act")
    gated = b.add(f"{ffn}.gated", Gate(), (active, gate), WIDE)
    down = b.linear(f"{ffn}.down", gated, f"{module}.mlp.Wo", wide, hidden, bias=sizes.mlp_bias)
    return b.alias(f"layers.{layer}.output", b.add(f"{ffn}.residual", Sum(), (x, down)))


def _head(b: Builder, config: Config, sizes: ModernBert, stored: Container[str], x: str) -> None:
    """The prediction head and what stands on it: which, the config's `architectures` say."""
    if "classifier.weight" not in stored:
        x = _transform(b, config, sizes, "words", x, HIDDEN)
        over, bias = ("batch", "token", "vocabulary"), config.flag("decoder_bias", True)
        x = b.linear("head.words.logits", x, "decoder", sizes.hidden, sizes.vocabulary, over, bias=bias)
        x = b.add("head.words.probabilities", Softmax("vocabulary"), (x,), over)
        b.add("head.words.best", Best(SHOWN_PREDICTIONS), (x,), ("batch", "token", "rank"))
        return
    task = task_heads.task_of(config)
    if task == task_heads.CLASSES:
        x = _transform(b, config, sizes, "classes", _pooled(b, config, x), VECTOR)
        task_heads.classes(b, config, x, "classifier", sizes.hidden)
    elif task == task_heads.LABELS:
        x = _transform(b, config, sizes, "labels", x, HIDDEN)
        task_heads.labels(b, config, x, "classifier", sizes.hidden)
    elif task == task_heads.ANSWER:
        x = _transform(b, config, sizes, "answer", x, HIDDEN)
        task_heads.answer(b, x, "classifier", sizes.hidden)


def _pooled(b: Builder, config: Config, x: str) -> str:
    """The vector that is classified: the first token's, or the mean over tokens."""
    pooling = config.get("classifier_pooling", "cls")
    if pooling not in ("cls", "mean"):
        raise InputError(f"{config.where}: classifier_pooling {pooling!r} is not implemented; known: cls, mean")
    if pooling == "cls":
        return b.add("head.classes.first", FirstToken(), (x,), VECTOR)
    return b.add("head.classes.mean", MeanPool(), (x, "tokens.mask"), VECTOR)


def _transform(b: Builder, config: Config, sizes: ModernBert, role: str, x: str, axes: tuple[str, ...]) -> str:
    bias, activation = config.flag("classifier_bias", False), config.activation("classifier_activation", "gelu")
    x = b.linear(f"head.{role}.dense", x, "head.dense", sizes.hidden, sizes.hidden, axes, bias=bias)
    x = b.activation(f"head.{role}.activation", x, activation, axes, "head.act")
    return _norm(b, sizes, f"head.{role}.norm", x, "head.norm", axes)
