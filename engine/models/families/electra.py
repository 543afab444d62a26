"""ELECTRA (Clark et al. 2020): generator and discriminator, with the operations of transformers' `modeling_electra.py`.

BERT, but for vectors of tokens that may be smaller than those of the layers, and are then brought to their size.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import replace

from ...ops import Activation
from ...program.program import Program
from ..config import Config
from . import bert
from .blocks import attention as parts
from .blocks import tasks as task_heads
from .blocks import words as word_head
from .blocks.builder import Builder
from .family import Limits, Options

MODEL_TYPES = {"electra": "Electra"}
TOKENIZERS = {"electra": "BertTokenizer"}
MARKS = {r"^(electra\.|discriminator_predictions\.|generator_predictions\.)": "ELECTRA"}
PREFIXES = ("electra.",)
TIED = {"generator_lm_head.weight": "embeddings.word_embeddings.weight"}
WORDS = word_head.WordHeadNames(
    "generator_predictions.dense",
    "generator_predictions.activation",
    "generator_predictions.LayerNorm",
    "generator_lm_head",
)

MODULES = replace(
    bert.MODULES,
    prefixes=PREFIXES,
    heads={"generator_predictions": "head.words.norm", "classifier": "head.classes.logits"},
)
# Of a discriminator besides.
DISCRIMINATES = {"discriminator_predictions": "it is [batch, token] there: head.replaced.logits without its last axis"}


# Read where a head for multiple choice is stored.
HARMLESS = {
    "of the head for multiple choice": (
        "summary_type", "summary_use_proj", "summary_proj_to_labels", "summary_activation",
    ),
}  # fmt: skip


def limits(config: Config) -> Limits:
    """What text it can take."""
    sizes = _sizes(config)
    padding = config.index("pad_token_id", 0, sizes.vocabulary)
    return Limits(sizes.vocabulary, sizes.longest, sizes.segments, padding)


def build(config: Config, stored: Container[str], options: Options) -> Program:
    """The program of an ELECTRA checkpoint, with the heads whose weights are stored."""
    sizes, b = _sizes(config), Builder(MODULES)
    hidden, small = sizes.hidden, config.size("embedding_size", 128)
    parts.tokens(b, sizes.vocabulary)
    x = bert.embeddings(b, sizes, small, options)
    if small != hidden:
        x = b.linear("embeddings.projection", x, "embeddings_project", small, hidden)
    x = bert.encoder(b, sizes, b.alias("embeddings.output", x), options)
    if "generator_predictions.dense.weight" in stored:
        word_head.words(b, x, WORDS, hidden, small, sizes.vocabulary, "gelu", sizes.epsilon)
    if "discriminator_predictions.dense.weight" in stored:
        b.modules = replace(MODULES, none={**MODULES.none, **DISCRIMINATES})
        _replaced(b, sizes, x)
    if task_heads.has(config, stored, task_heads.CLASSES, "classifier.out_proj.weight"):
        vector = task_heads.from_first(
            b, x, "head.classes", "classifier.dense", "gelu", hidden, "classifier.activation"
        )
        task_heads.classes(b, config, vector, "classifier.out_proj", hidden)
    if task_heads.has(config, stored, task_heads.CHOICE, "sequence_summary.summary.weight"):
        config.only("summary_type", "first")
        config.only("summary_use_proj", True)
        config.refuse("summary_proj_to_labels")
        kind, module = config.activation("summary_activation", "gelu"), "sequence_summary.activation"
        vector = task_heads.from_first(b, x, "head.choice", "sequence_summary.summary", kind, hidden, module)
        task_heads.choice(b, vector, "classifier", hidden)
    task_heads.bert_heads(b, config, stored, hidden, x)
    return b.program()


def _sizes(config: Config) -> bert.Bert:
    return bert.Bert.of(config, hidden=256, heads=4, intermediate=1024)


def _replaced(b: Builder, sizes: bert.Bert, x: str) -> None:
    """`head.replaced.*`: which tokens the generator put in place of others (Clark et al. 2020, section 2)."""
    module = "discriminator_predictions"
    axes, name = ("batch", "token", "label"), ("replaced",)
    x = b.linear("head.replaced.dense", x, f"{module}.dense", sizes.hidden, sizes.hidden)
    x = b.activation("head.replaced.activation", x, sizes.activation, module=f"{module}.activation")
    x = b.linear("head.replaced.logits", x, f"{module}.dense_prediction", sizes.hidden, 1, axes, labels=name)
    b.add("head.replaced.probabilities", Activation("sigmoid"), (x,), axes, labels=name)
