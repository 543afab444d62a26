"""The encoder of T5 (Raffel et al. 2020), and of mT5, UMT5, FLAN-T5 and ByT5, which are built as it is.

The operations are those of transformers' `modeling_t5.py`, eager attention, in their order: norms without mean or bias come
first in each block, scores are not scaled, and a bias by distance is added to them. mT5 is T5 by another name; UMT5 has a
table of biases in every layer where T5's first layer has one for all. The decoder of a whole checkpoint is not used.

In float16 transformers keeps the matrices `wo` in float32, so that from the first feed-forward on what the layers add up is
float32 as well; before that, in layer 0, it brings an infinite sum back into range (`attention.clamped`).
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, replace

from ...messages.errors import InputError, nearest
from ...ops import ACTIVATIONS, AddBias, AddMask, ClampInfinite, Gate, Lookup, RMSNorm, Scores, Sum
from ...program.modules import IDLE, LIST, Modules
from ...program.program import Program
from ..config import Config
from .blocks import attention as parts
from .blocks import relative
from .blocks import tasks as task_heads
from .blocks.builder import HIDDEN, Builder
from .family import Limits, Options

MODEL_TYPES = {"mt5": "MT5", "t5": "T5", "umt5": "UMT5"}
TOKENIZERS = {"mt5": "T5Tokenizer", "t5": "T5Tokenizer"}
POSITIONS = {"t5": None, "mt5": None, "umt5": None}
MARKS = {r"(^|\.)block\.\d+\.layer\.\d+\.SelfAttention\.": "T5"}
PREFIXES = ("transformer.",)
TIED = {"encoder.embed_tokens.weight": "shared.weight"}
ALWAYS_TIED = True  # transformers forces it, whatever the config says
HARMLESS = {
    "of the decoder, which is not used": (
        "num_decoder_layers", "scale_decoder_outputs", "tie_word_embeddings",
    ),
    "positions are relative, and of any number": ("n_positions",),
    "never read by anyone": ("scalable_attention",),
}  # fmt: skip
# What transformers takes for the same, and puts before the name of its own.
ALSO = {
    "hidden_size": "d_model", "num_attention_heads": "num_heads", "num_hidden_layers": "num_layers", "head_dim": "d_kv",
}  # fmt: skip
WIDE = ("batch", "token", "intermediate")
MOST_LAYERS = 1000
T5 = {"vocab_size": 32128, "d_ff": 2048, "num_layers": 6, "num_heads": 8, "feed_forward_proj": "relu"}
LATER = {"vocab_size": 250112, "d_ff": 1024, "num_layers": 8, "num_heads": 6, "feed_forward_proj": "gated-gelu"}
DEFAULTS = {"t5": T5, "mt5": LATER, "umt5": LATER}

RELATIVE = "layer.0.SelfAttention.relative_attention_bias"
MODULES = Modules(
    prefixes=PREFIXES,
    layer="encoder.block",
    whole={"encoder": "output"},
    parts={
        "": "output", "layer.0": "attention.residual", "layer.0.SelfAttention": "attention.output",
        "layer.0.dropout": "attention.output~", "layer.1": "ffn.residual", "layer.1.DenseReluDense": "ffn.down",
        "layer.1.DenseReluDense.dropout": "ffn.gated or ffn.activation", "layer.1.dropout": "ffn.down~",
    },
    none={
        "shared": "transformers calls encoder.embed_tokens, which shares its matrix",
        "encoder.dropout": "it is called twice, on embeddings.token and on final.norm",
        "encoder.block": LIST, "encoder.block.{}.layer": LIST, "dropout": IDLE,
        f"encoder.block.0.{RELATIVE}": f"{relative.SQUARE} positions.bias",
    },
    blocks="encoder_blocks",
)  # fmt: skip
EVERY_LAYER = replace(
    MODULES,
    none={**MODULES.none, f"encoder.block.{{}}.{RELATIVE}": f"{relative.SQUARE} layers.{{}}.attention.position_bias"},
)


@dataclass(frozen=True, slots=True)
class T5Sizes:
    """Sizes of a T5 encoder.

    Attributes:
        head_dim: of each head; all heads together need not be as wide as the hidden vectors.
        gated: whether the feed-forward multiplies two products.
        every_layer: whether each layer has a table of biases, or the first one's is for all.
    """

    vocabulary: int
    hidden: int
    head_dim: int
    intermediate: int
    layers: int
    heads: int
    buckets: int
    distance: int
    epsilon: float
    activation: str
    gated: bool
    every_layer: bool

    @classmethod
    def of(cls, config: Config) -> T5Sizes:
        """Read the sizes from a config.json.

        Raises:
            InputError: an option that is not implemented, by its name.
        """
        config, default = config.named(ALSO), DEFAULTS[config.model_type]
        config.refuse("is_decoder")
        activation, gated = _feed_forward(config, str(default["feed_forward_proj"]))
        sizes = cls(
            vocabulary=config.size("vocab_size", int(default["vocab_size"])),
            hidden=config.size("d_model", 512),
            head_dim=config.size("d_kv", 64),
            intermediate=config.size("d_ff", int(default["d_ff"])),
            layers=config.size("num_layers", int(default["num_layers"]), most=MOST_LAYERS),
            heads=config.size("num_heads", int(default["num_heads"])),
            buckets=config.size("relative_attention_num_buckets", 32),
            distance=config.size("relative_attention_max_distance", 128),
            epsilon=config.number("layer_norm_epsilon", 1e-6),
            activation=activation,
            gated=gated,
            every_layer=config.model_type == "umt5",
        )
        relative.check_buckets(config, sizes.buckets, sizes.distance)
        return sizes


def _feed_forward(config: Config, default: str) -> tuple[str, bool]:
    """The activation and whether it is gated, from `feed_forward_proj`: `relu`, `gated-gelu`, `gated-silu`, ...

    `dense_act_fn` and `is_gated_act` of the config, which transformers writes besides, come before what follows from it.
    """
    proj = config.get("feed_forward_proj", default)
    words = proj.split("-") if isinstance(proj, str) else []
    if len(words) not in (1, 2) or words[:-1] not in ([], ["gated"]):
        raise InputError(
            f"{config.where}: feed_forward_proj {proj!r} is not implemented; it is an activation such as 'relu', or "
            "'gated-' and an activation"
        )
    kind = config.get("dense_act_fn", "gelu_new" if proj == "gated-gelu" else words[-1])
    if kind not in ACTIVATIONS:
        name = "dense_act_fn" if config.says("dense_act_fn") else "feed_forward_proj"
        said = config.get(name)
        raise InputError(
            f"{config.where}: {name} {said!r} is not implemented{nearest(str(kind), ACTIVATIONS)}; known: {', '.join(ACTIVATIONS)}"
        )
    return str(kind), config.flag("is_gated_act", words[0] == "gated")


def limits(config: Config) -> Limits:
    """What text it can take: of any length, since positions are relative."""
    sizes = T5Sizes.of(config)
    return Limits(sizes.vocabulary, None, padding_id=config.index("pad_token_id", 0, sizes.vocabulary))


def build(config: Config, stored: Container[str], options: Options) -> Program:
    """The program of a T5 checkpoint's encoder."""
    sizes = T5Sizes.of(config)
    b = Builder(EVERY_LAYER if sizes.every_layer else MODULES)
    parts.tokens(b, sizes.vocabulary, also=())
    x = _embeddings(b, sizes)
    mask = parts.additive_mask(b, options)
    bucketed = relative.buckets(b, sizes.buckets, sizes.distance)
    table = "encoder.block.{}.layer.0.SelfAttention.relative_attention_bias"
    bias = ""
    if not sizes.every_layer:
        bias = relative.bias(b, "positions.bias", bucketed, table.format(0), sizes.buckets, sizes.heads)
    for layer in range(sizes.layers):
        if sizes.every_layer:
            name = f"layers.{layer}.attention.position_bias"
            bias = relative.bias(b, name, bucketed, table.format(layer), sizes.buckets, sizes.heads)
        x = _attention(b, sizes, layer, x, bias, mask, clamp=options.dtype == "float16" and layer == 0)
        x = _feed_forward_block(b, sizes, layer, x, options)
    x = b.alias("output", _norm(b, "final.norm", x, "encoder.final_layer_norm", sizes))
    if task_heads.has(config, stored, task_heads.LABELS, "classifier.weight"):
        task_heads.labels(b, config, x, "classifier", sizes.hidden)
    return b.program()


def _embeddings(b: Builder, sizes: T5Sizes) -> str:
    weights = [("encoder.embed_tokens.weight", (sizes.vocabulary, sizes.hidden))]
    token = b.add("embeddings.token", Lookup(), ("tokens.ids",), HIDDEN, weights, "encoder.embed_tokens")
    return b.alias("embeddings.output", token)


def _norm(b: Builder, name: str, x: str, module: str, sizes: T5Sizes) -> str:
    return b.add(name, RMSNorm(sizes.epsilon), (x,), HIDDEN, [(f"{module}.weight", (sizes.hidden,))], module)


def _attention(b: Builder, sizes: T5Sizes, layer: int, x: str, bias: str, mask: str, *, clamp: bool) -> str:
    block, module = f"layers.{layer}.attention", f"encoder.block.{layer}.layer.0"
    inner = sizes.heads * sizes.head_dim
    norm = _norm(b, f"{block}.norm", x, f"{module}.layer_norm", sizes)
    query, key, value = (
        parts.split_heads(b, block, role, projected, sizes.heads)
        for role, projected in [
            (role, b.linear(f"{block}.{role}", norm, f"{module}.SelfAttention.{role[0]}", sizes.hidden, inner, bias=False))
            for role in ("query", "key", "value")
        ]
    )  # fmt: skip
    scores = b.add(f"{block}.scores", Scores(), (query, key), parts.SQUARE)
    biased = b.add(f"{block}.biased", AddBias(), (scores, bias), parts.SQUARE)
    masked = b.add(f"{block}.masked", AddMask(), (biased, mask), parts.SQUARE)
    concat = parts.attend(b, block, masked, value)
    output = b.linear(f"{block}.output", concat, f"{module}.SelfAttention.o", inner, sizes.hidden, bias=False)
    residual = b.add(f"{block}.residual", Sum(), (x, output))
    return b.add(f"{block}.clamped", ClampInfinite(), (residual,)) if clamp else residual


def _feed_forward_block(b: Builder, sizes: T5Sizes, layer: int, x: str, options: Options) -> str:
    block, module = f"layers.{layer}.ffn", f"encoder.block.{layer}.layer.1"
    dense, size = f"{module}.DenseReluDense", sizes.intermediate
    norm = _norm(b, f"{block}.norm", x, f"{module}.layer_norm", sizes)
    up = b.linear(
        f"{block}.up", norm, f"{dense}.{'wi_0' if sizes.gated else 'wi'}", sizes.hidden, size, WIDE, bias=False
    )
    active = b.activation(f"{block}.activation", up, sizes.activation, WIDE, f"{dense}.act")
    if sizes.gated:
        gate = b.linear(f"{block}.gate", norm, f"{dense}.wi_1", sizes.hidden, size, WIDE, bias=False)
        active = b.add(f"{block}.gated", Gate(), (active, gate), WIDE)
    if options.dtype == "float16":
        b.wide.add(f"{dense}.wo.weight")
    down = b.linear(f"{block}.down", active, f"{dense}.wo", size, sizes.hidden, bias=False)
    residual = b.add(f"{block}.residual", Sum(), (x, down), module=module)
    return b.alias(f"layers.{layer}.output", residual)
