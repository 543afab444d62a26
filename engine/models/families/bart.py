"""The encoder of BART (Lewis et al. 2020), with the operations of transformers' `modeling_bart.py`, eager attention.

Norms stand after the sums, and positions begin at 2. The decoder of a whole checkpoint is not used. In float16 transformers
brings what leaves a layer back into range where any of it is not finite (`ffn.clamped`).
"""

from __future__ import annotations

import math
from collections.abc import Container
from dataclasses import dataclass

from ...ops import ClampInfinite, Lookup, Multiply, PositionsFrom, Sum
from ...program.modules import LIST, Modules
from ...program.program import Program
from ..config import Config
from .blocks import attention as parts
from .blocks import post_norm
from .blocks.builder import HIDDEN, Builder
from .family import Limits, Options

MODEL_TYPES = {"bart": "Bart"}
TOKENIZERS = {"bart": "RobertaTokenizer"}
POSITIONS = {"bart": 1024}
MARKS = {r"(^|\.)encoder\.layernorm_embedding\.": "BART"}
PREFIXES = ("model.",)
TIED = {"encoder.embed_tokens.weight": "shared.weight"}
MODULES = Modules(
    prefixes=PREFIXES,
    layer="encoder.layers",
    whole={"encoder": "output"},
    parts={"": "output", "self_attn": "attention.output"},
    none={"shared": "transformers calls encoder.embed_tokens, which shares its matrix", "encoder.layers": LIST},
    decoders=("decoder", "lm_head", "classification_head", "qa_outputs"),
)
LAYER = post_norm.PostNormNames(
    query="self_attn.q_proj",
    key="self_attn.k_proj",
    value="self_attn.v_proj",
    output="self_attn.out_proj",
    norm="self_attn_layer_norm",
    up="fc1",
    activation="activation_fn",
    down="fc2",
    last_norm="final_layer_norm",
)
HARMLESS = {
    "of the decoder, which is not used": (
        "decoder_layers", "decoder_ffn_dim", "decoder_attention_heads", "decoder_layerdrop", "scale_decoder_outputs",
    ),
    "dropout, which runs in training alone": (
        "activation_dropout", "encoder_layerdrop", "classif_dropout",
    ),
    "how weights are drawn before training": ("init_std",),
    "never read by anyone now": (
        "add_bias_logits", "add_final_layer_norm", "extra_pos_embeddings", "force_bos_token_to_be_generated",
        "normalize_before", "normalize_embedding", "static_position_embeddings",
    ),
}  # fmt: skip
# What transformers takes for the same, and puts before the name of its own.
ALSO = {
    "hidden_size": "d_model",
    "num_attention_heads": "encoder_attention_heads",
    "num_hidden_layers": "encoder_layers",
}
EPSILON = 1e-5  # not in the config
FIRST = 2  # position of the first token, whatever the config says
MOST_LAYERS = 1000


@dataclass(frozen=True, slots=True)
class Bart:
    """Sizes of the encoder of a BART, or of a family that names them as BART does.

    Attributes:
        scaled: whether the tokens' vectors are multiplied with √hidden.
    """

    vocabulary: int
    layers: int
    places: int
    padding: int
    scaled: bool
    layer: post_norm.PostNormSizes

    @classmethod
    def of(
        cls,
        config: Config,
        *,
        vocabulary: int = 50265,
        activation: str = "gelu",
        padding: int = 1,
        scaled: bool = False,
    ) -> Bart:
        """Read the sizes from a config.json.

        Args:
            vocabulary, activation, padding, scaled: what they are where the config is silent.

        Raises:
            InputError: an option that is not implemented, by its name.
        """
        config = config.named(ALSO)
        config.refuse("is_decoder", "add_cross_attention")
        sizes = post_norm.PostNormSizes(
            hidden=config.size("d_model", 1024),
            heads=config.size("encoder_attention_heads", 16),
            intermediate=config.size("encoder_ffn_dim", 4096),
            activation=config.activation("activation_function", activation),
            epsilon=EPSILON,
        )
        config.divides("encoder_attention_heads", sizes.heads, "d_model", sizes.hidden)
        words = config.size("vocab_size", vocabulary)
        return cls(
            vocabulary=words,
            layers=config.size("encoder_layers", 12, most=MOST_LAYERS),
            places=config.size("max_position_embeddings", 1024),
            padding=config.index("pad_token_id", padding, words),
            scaled=config.flag("scale_embedding", scaled),
            layer=sizes,
        )


def limits(config: Config) -> Limits:
    """What text it can take."""
    sizes = Bart.of(config)
    return Limits(sizes.vocabulary, sizes.places, padding_id=sizes.padding)


def build(config: Config, stored: Container[str], options: Options) -> Program:
    """The program of the encoder of a BART checkpoint."""
    sizes, b = Bart.of(config), Builder(MODULES)
    hidden = sizes.layer.hidden
    parts.tokens(b, sizes.vocabulary, also=())
    b.add("tokens.positions", PositionsFrom(FIRST), ("tokens.ids",), parts.TOKENS)
    token = tokens(b, sizes, scaling="encoder.embed_tokens")
    table = "encoder.embed_positions"
    position = b.lookup("embeddings.position", "tokens.positions", table, sizes.places + FIRST, hidden)
    x = b.add("embeddings.sum", Sum(), (token, position))
    x = b.norm("embeddings.norm", x, "encoder.layernorm_embedding", hidden, EPSILON)
    layers(b, sizes, b.alias("embeddings.output", x), options)
    return b.program()


def tokens(b: Builder, sizes: Bart, *, scaling: str = "") -> str:
    """The tokens' vectors, times √hidden where the config wants them so.

    Args:
        scaling: the module whose output is what is scaled, where it is the matrix' own; "" where a function scales it.
    """
    module, hidden = "encoder.embed_tokens", sizes.layer.hidden
    weights = [(f"{module}.weight", (sizes.vocabulary, hidden))]
    own = "" if scaling and sizes.scaled else module
    token = b.add("embeddings.token", Lookup(), ("tokens.ids",), HIDDEN, weights, own)
    if not sizes.scaled:
        return token
    return b.add("embeddings.scaled", Multiply(math.sqrt(hidden), f"√{hidden}"), (token,), module=scaling)


def layers(b: Builder, sizes: Bart, x: str, options: Options) -> None:
    """The mask and the layers, named as in BART, down to `output`."""
    mask = parts.additive_mask(b, options)
    for number in range(sizes.layers):
        x = post_norm.layer(b, number, f"encoder.layers.{number}", LAYER, sizes.layer, x, mask)
        if options.dtype == "float16":
            x = b.add(f"layers.{number}.ffn.clamped", ClampInfinite("not finite"), (x,))
            b.alias(f"layers.{number}.output", x)
    b.alias("output", x)
