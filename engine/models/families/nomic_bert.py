"""NomicBERT (Nussbaum et al. 2024), with the operations of transformers' `modeling_nomic_bert.py`, eager attention, in their order.

The checkpoints on the Hub have the names of their own code (`n_embd`, `encoder.layers.0.attn.Wqkv.weight`); they are read
with the names that transformers' `conversion_mapping.py` gives them. That code is never run.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

from ...messages.errors import InputError
from ...ops import Best, FirstToken, Gate, Softmax, Sum
from ...program.program import Program
from ..config import Config
from .blocks import attention as parts
from .blocks import rotary as turned
from .blocks import tasks as task_heads
from .blocks.builder import HIDDEN, Builder
from .family import Limits, Options

MODEL_TYPES = {"nomic_bert": "NomicBert"}
TOKENIZERS = {"nomic_bert": "BertTokenizer"}
POSITIONS = {"nomic_bert": 2048}
PREFIXES = ("nomic_bert.", "bert.")
TIED = {
    "cls.predictions.decoder.weight": "embeddings.word_embeddings.weight",
    "cls.predictions.decoder.bias": "cls.predictions.bias",
}
# As the checkpoints' own code names weights -> as transformers does.
RENAMED = (
    (r"^encoder\.layers\.", "layers."),
    (r"^emb_ln\.", "embeddings.LayerNorm."),
    (r"\.attn\.out_proj\.", ".self_attn.o_proj."),
    (r"\.attn\.Wqkv\.", ".self_attn.{q_proj,k_proj,v_proj}."),
    (r"\.mlp\.fc11\.", ".mlp.up_proj."),
    (r"\.mlp\.fc12\.", ".mlp.gate_proj."),
    (r"\.mlp\.fc2\.", ".mlp.down_proj."),
    (r"\.norm1\.", ".post_attention_layernorm."),
    (r"\.norm2\.", ".post_mlp_layernorm."),
)
HARMLESS = {
    "dropout, which runs in training alone": ("attn_pdrop", "embd_pdrop", "resid_pdrop"),
    "how their own code computes the same": (
        "fused_bias_fc", "fused_dropout_add_ln", "use_xentropy", "reorder_and_upcast_attn", "dense_seq_output",
        "max_trained_positions", "parallel_block_tied_norm",
    ),
    "of experts, which are refused": (
        "expert_choice_router", "ffn_div", "moe_impl", "moe_normalize_expert_weights", "moe_resid_pdrop", "moe_top_k",
        "num_shared_experts", "router_aux_loss_coef",
    ),
    "of a head that none of them has": (
        "summary_activation", "summary_proj_to_labels", "summary_type", "summary_use_proj",
    ),
}  # fmt: skip
WIDE = ("batch", "token", "intermediate")
VECTOR = ("batch", "hidden")
SHOWN_PREDICTIONS = 10
MOST_LAYERS = 1000
# What their own code calls the activation of the gate -> transformers' name. `glu` would be a sigmoid.
GATES = {"swiglu": "silu", "geglu": "gelu"}
# Options of their own code: how transformers computes, and what that code takes where the config says nothing.
ONLY = {
    "rotary_emb_fraction": (1.0, 0.0), "qkv_proj_bias": (False, True), "mlp_fc1_bias": (False, True),
    "mlp_fc2_bias": (False, True), "prenorm": (False, False), "parallel_block": (False, False),
    "use_rms_norm": (False, False), "causal": (False, False), "rotary_emb_interleaved": (False, False),
    "rotary_emb_scale_base": (None, None), "rotary_scaling_factor": (None, None), "num_experts": (0, 0),
    "moe_every_n_layers": (0, 0), "scale_attn_weights": (True, True), "scale_attn_by_inverse_layer_idx": (False, False),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class NomicBert:
    """Sizes of a NomicBERT."""

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
    def of(cls, config: Config) -> NomicBert:
        """Read the sizes from a config.json, of either kind.

        Raises:
            InputError: an option that is not implemented, by its name.
        """
        config = _as_transformers(config)
        config.refuse("is_decoder", "add_cross_attention")
        config.only("rope_scaling", None)
        hidden, heads = config.size("hidden_size", 768), config.size("num_attention_heads", 12)
        if config.get("head_dim") is None:
            config.divides("num_attention_heads", heads, "hidden_size", hidden)
        sizes = cls(
            vocabulary=config.size("vocab_size", 30528),
            hidden=hidden,
            layers=config.size("num_hidden_layers", 12, most=MOST_LAYERS),
            heads=heads,
            head_dim=hidden // heads if config.get("head_dim") is None else config.size("head_dim", 64),
            intermediate=config.size("intermediate_size", 3072),
            activation=config.activation("hidden_act", "silu"),
            longest=config.size("max_position_embeddings", 2048),
            segments=config.size("type_vocab_size", 2),
            epsilon=config.number("layer_norm_eps", 1e-12),
            theta=turned.theta_of(config.part("rope_parameters"), config.number("rope_theta", 1000.0)),
        )
        turned.even(config, sizes.head_dim)
        return sizes


def _as_transformers(config: Config) -> Config:
    """A config of the checkpoints' own code under transformers' names.

    Raises:
        InputError: an option that transformers does not have.
    """
    if not config.says("n_embd"):
        return config
    for name, (wanted, default) in ONLY.items():
        given = config.get(name, default)
        if given != wanted:
            raise InputError(f"{config.where}: {name} {given!r} is not implemented; only {wanted!r} is")
    gate = config.get("activation_function")
    if gate not in GATES:
        raise InputError(f"{config.where}: activation_function {gate!r} is not implemented; known: {', '.join(GATES)}")
    hidden, multiple = config.size("n_embd", 768), config.size("pad_vocab_size_multiple", 1)
    words = config.size("vocab_size", 30528)
    new = {
        "hidden_size": hidden, "num_hidden_layers": config.get("n_layer", 12),
        "num_attention_heads": config.get("n_head", 12),
        "intermediate_size": config.get("n_inner") or 4 * hidden, "hidden_act": GATES[gate],
        "max_position_embeddings": config.get("n_positions", 2048), "layer_norm_eps": config.get("layer_norm_epsilon", 1e-5),
        "rope_theta": config.get("rotary_emb_base", 1000), "vocab_size": -(-words // multiple) * multiple,
    }  # fmt: skip
    return config.saying(new)


def limits(config: Config) -> Limits:
    """What text it can take."""
    sizes = NomicBert.of(config)
    padding = config.index("pad_token_id", 0, sizes.vocabulary)
    return Limits(sizes.vocabulary, sizes.longest, sizes.segments, padding)


def build(config: Config, stored: Container[str], options: Options) -> Program:
    """The program of a NomicBERT checkpoint, with the heads whose weights are stored."""
    sizes, b = NomicBert.of(config), Builder()
    parts.tokens(b, sizes.vocabulary)
    x = _embeddings(b, sizes)
    mask = parts.additive_mask(b, options)
    turns = turned.tables(b, "rotary", sizes.theta, sizes.head_dim, options)
    for layer in range(sizes.layers):
        x = _layer(b, sizes, layer, x, mask, turns)
    b.alias("output", x)
    _heads(b, config, sizes, stored, x)
    return b.program()


def _embeddings(b: Builder, sizes: NomicBert) -> str:
    module = "embeddings"
    token = b.lookup("embeddings.token", "tokens.ids", f"{module}.word_embeddings", sizes.vocabulary, sizes.hidden)
    kinds = f"{module}.token_type_embeddings"
    segment = b.lookup("embeddings.segment", "tokens.segments", kinds, sizes.segments, sizes.hidden)
    total = b.add("embeddings.sum", Sum(), (token, segment))
    norm = b.norm("embeddings.norm", total, f"{module}.LayerNorm", sizes.hidden, sizes.epsilon)
    return b.alias("embeddings.output", norm)


def _layer(b: Builder, sizes: NomicBert, layer: int, x: str, mask: str, turns: tuple[str, str]) -> str:
    hidden, wide, inner = sizes.hidden, sizes.intermediate, sizes.heads * sizes.head_dim
    module, attention, ffn = f"layers.{layer}", f"layers.{layer}.attention", f"layers.{layer}.ffn"

    query, key, value = (
        b.linear(f"{attention}.{role}", x, f"{module}.self_attn.{role[0]}_proj", hidden, inner, bias=False)
        for role in ("query", "key", "value")
    )
    concat = turned.attention(b, attention, (query, key, value), turns, mask, sizes.heads, sizes.head_dim)
    output = b.linear(f"{attention}.output", concat, f"{module}.self_attn.o_proj", inner, hidden, bias=False)
    residual = b.add(f"{attention}.residual", Sum(), (x, output))
    x = b.norm(f"{attention}.norm", residual, f"{module}.post_attention_layernorm", hidden, sizes.epsilon)

    # `up` is what goes through the activation and `gate` what that is multiplied with, as in every family; transformers'
    # names have it the other way round
    up = b.linear(f"{ffn}.up", x, f"{module}.mlp.gate_proj", hidden, wide, WIDE, bias=False)
    active = b.activation(f"{ffn}.activation", up, sizes.activation, WIDE, f"{module}.mlp.act_fn")
    gate = b.linear(f"{ffn}.gate", x, f"{module}.mlp.up_proj", hidden, wide, WIDE, bias=False)
    gated = b.add(f"{ffn}.gated", Gate(), (active, gate), WIDE)
    down = b.linear(f"{ffn}.down", gated, f"{module}.mlp.down_proj", wide, hidden, bias=False)
    residual = b.add(f"{ffn}.residual", Sum(), (x, down))
    norm = b.norm(f"{ffn}.norm", residual, f"{module}.post_mlp_layernorm", hidden, sizes.epsilon)
    return b.alias(f"layers.{layer}.output", norm)


def _heads(b: Builder, config: Config, sizes: NomicBert, stored: Container[str], x: str) -> None:
    pooled = ""
    if "pooler.dense.weight" in stored:
        first = b.add("head.pooler.first", FirstToken(), (x,), VECTOR)
        dense = b.linear("head.pooler.dense", first, "pooler.dense", sizes.hidden, sizes.hidden, VECTOR)
        pooled = b.activation("head.pooler.activation", dense, "tanh", VECTOR, "pooler")
    if "cls.predictions.transform.dense.weight" in stored:
        _masked_words(b, sizes, x)
    task_heads.bert_heads(b, config, stored, sizes.hidden, x, pooled)


def _masked_words(b: Builder, sizes: NomicBert, x: str) -> None:
    module, over = "cls.predictions.transform", ("batch", "token", "vocabulary")
    x = b.linear("head.words.dense", x, f"{module}.dense", sizes.hidden, sizes.hidden)
    x = b.activation("head.words.activation", x, sizes.activation, HIDDEN, f"{module}.transform_act_fn")
    x = b.norm("head.words.norm", x, f"{module}.layer_norm", sizes.hidden, sizes.epsilon)
    x = b.linear("head.words.logits", x, "cls.predictions.decoder", sizes.hidden, sizes.vocabulary, over)
    x = b.add("head.words.probabilities", Softmax("vocabulary"), (x,), over)
    b.add("head.words.best", Best(SHOWN_PREDICTIONS), (x,), ("batch", "token", "rank"))
