"""Jina embeddings v3 (Sturua et al. 2024), with the operations of transformers' `modeling_jina_embeddings_v3.py`, in their order.

XLM-RoBERTa with rotary positions: GTE, but for a feed-forward network without a gate. The adapters of the checkpoint for tasks are
no part of transformers' model, nor of this one.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import replace

from ...program.modules import IDLE
from ...program.program import Program
from ..config import Config
from . import gte
from .blocks import attention as parts
from .blocks import pooler as heads
from .blocks import rotary
from .blocks import tasks as task_heads
from .blocks import words as word_head
from .blocks.builder import Builder
from .family import Limits, Options

MODEL_TYPES = {"jina_embeddings_v3": "JinaEmbeddingsV3"}
TOKENIZERS = {"jina_embeddings_v3": "XLMRobertaTokenizer"}
POSITIONS = {"jina_embeddings_v3": 8194}
MARKS = {r"(^|\.)mixer\.Wqkv\.": "Jina embeddings v3"}
PREFIXES = ("roberta.",)
TIED = {
    "lm_head.decoder.weight": "embeddings.word_embeddings.weight",
    "lm_head.decoder.bias": "lm_head.bias",
}
# As the checkpoints' own code names weights -> as transformers does.
RENAMED = (
    (r"^emb_ln\.", "embeddings.LayerNorm."),
    (r"^encoder\.layers\.", "layers."),
    (r"\.mixer\.out_proj\.", ".self_attn.o_proj."),
    (r"\.mixer\.Wqkv\.", ".self_attn.{q_proj,k_proj,v_proj}."),
    (r"\.norm1\.", ".post_attention_layernorm."),
    (r"\.norm2\.", ".post_mlp_layernorm."),
)
MODULES = replace(
    gte.MODULES,
    prefixes=PREFIXES,
    parts={part: stage for part, stage in gte.MODULES.parts.items() if part != "mlp.dropout"},
    heads={"lm_head": "head.words.logits", "classifier": "head.classes.logits"},
    none={**gte.MODULES.none, "classifier.dropout": IDLE},
)


def limits(config: Config) -> Limits:
    """What text it can take."""
    sizes = _sizes(config)
    return Limits(sizes.vocabulary, sizes.longest, sizes.segments, config.index("pad_token_id", 1, sizes.vocabulary))


def build(config: Config, stored: Container[str], options: Options) -> Program:
    """The program of a Jina embeddings v3 checkpoint, with the heads whose weights are stored."""
    sizes, b = _sizes(config), Builder(MODULES)
    hidden = sizes.hidden
    x = gte.embeddings(b, sizes)
    mask = parts.additive_mask(b, options)
    turns = rotary.tables(b, "rotary", sizes.theta, sizes.head_dim, options)
    for layer in range(sizes.layers):
        x = gte.attention(b, sizes, layer, x, mask, turns)
        x = gte.end(b, sizes, layer, x, _feed_forward(b, sizes, layer, x))
    b.alias("output", x)
    pooled = heads.pooler(b, x, hidden) if "pooler.dense.weight" in stored else ""
    if "lm_head.dense.weight" in stored:
        word_head.words(b, x, gte.WORDS, hidden, hidden, sizes.vocabulary, "gelu", sizes.epsilon)
    if task_heads.has(config, stored, task_heads.CLASSES, "classifier.out_proj.weight"):
        vector = task_heads.from_first(b, x, "head.classes", "classifier.dense", "tanh", hidden)
        task_heads.classes(b, config, vector, "classifier.out_proj", hidden)
    task_heads.bert_heads(b, config, stored, hidden, x, pooled)
    return b.program()


def _sizes(config: Config) -> gte.Gte:
    config.size("type_vocab_size", 1)  # transformers' model always adds segments
    return gte.Gte.of(
        config, vocabulary=250002, hidden=1024, layers=24, heads=16, intermediate=4096, longest=8194, epsilon=1e-5, theta=20_000.0
    )  # fmt: skip


def _feed_forward(b: Builder, sizes: gte.Gte, layer: int, x: str) -> str:
    hidden, wide, ffn, module = sizes.hidden, sizes.intermediate, f"layers.{layer}.ffn", f"layers.{layer}.mlp"
    up = b.linear(f"{ffn}.up", x, f"{module}.fc1", hidden, wide, gte.WIDE)
    active = b.activation(f"{ffn}.activation", up, sizes.activation, gte.WIDE, f"{module}.activation_fn")
    return b.linear(f"{ffn}.down", active, f"{module}.fc2", wide, hidden)
