"""RoBERTa (Liu et al. 2019) and those built as it is: XLM-RoBERTa, CamemBERT, data2vec's text encoder.

BERT but for the positions, which are counted from the ids: padding is skipped, and the first token's is that after
padding's. Operations and their order as in transformers' `modeling_roberta.py`, eager attention.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import replace

from ...messages.errors import InputError
from ...ops import PositionsAfterPadding
from ...program.program import Program
from ..config import Config
from . import bert
from .blocks import attention as parts
from .blocks import pooler as heads
from .blocks import tasks as task_heads
from .blocks import words as word_head
from .blocks.builder import Builder
from .family import Limits, Options

MODEL_TYPES = {
    "camembert": "Camembert",
    "data2vec-text": "Data2VecText",
    "roberta": "Roberta",
    "xlm-roberta": "XLMRoberta",
}
TOKENIZERS = {
    "camembert": "CamembertTokenizer",
    "data2vec-text": "RobertaTokenizer",
    "roberta": "RobertaTokenizer",
    "xlm-roberta": "XLMRobertaTokenizer",
}
MARKS = {r"(^|\.)roberta\.|^lm_head\.layer_norm\.": "RoBERTa"}
PREFIXES = ("roberta.", "data2vec_text.")
TIED = {
    "lm_head.decoder.weight": "embeddings.word_embeddings.weight",
    "lm_head.decoder.bias": "lm_head.bias",
}
WORDS = word_head.WordHeadNames("lm_head.dense", "", "lm_head.layer_norm", "lm_head.decoder")

MODULES = replace(
    bert.MODULES, prefixes=PREFIXES, heads={"lm_head": "head.words.logits", "classifier": "head.classes.logits"}
)


def limits(config: Config) -> Limits:
    """What text it can take: as many tokens as there are positions after that of padding."""
    sizes, padding = _sizes(config)
    longest = sizes.longest - padding - 1
    if longest < 1:
        raise InputError(
            f"{config.where}: max_position_embeddings {sizes.longest} leaves no position after that of padding, {padding}"
        )
    return Limits(sizes.vocabulary, longest, sizes.segments, padding, skips=padding)


def build(config: Config, stored: Container[str], options: Options) -> Program:
    """The program of a RoBERTa checkpoint, with the heads whose weights are stored."""
    sizes, padding = _sizes(config)
    b = Builder(MODULES)
    parts.tokens(b, sizes.vocabulary, also=("segments",))
    b.add("tokens.positions", PositionsAfterPadding(padding), ("tokens.ids",), parts.TOKENS)
    x = bert.encoder(b, sizes, b.alias("embeddings.output", bert.embeddings(b, sizes, sizes.hidden, options)), options)
    pooled = heads.pooler(b, x, sizes.hidden) if "pooler.dense.weight" in stored else ""
    if "lm_head.dense.weight" in stored:
        hidden = sizes.hidden
        word_head.words(b, x, WORDS, hidden, hidden, sizes.vocabulary, "gelu", sizes.epsilon)
    if task_heads.has(config, stored, task_heads.CLASSES, "classifier.out_proj.weight"):
        vector = task_heads.from_first(b, x, "head.classes", "classifier.dense", "tanh", sizes.hidden)
        task_heads.classes(b, config, vector, "classifier.out_proj", sizes.hidden)
    task_heads.bert_heads(b, config, stored, sizes.hidden, x, pooled)
    return b.program()


def _sizes(config: Config) -> tuple[bert.Bert, int]:
    """Sizes, and the id of padding."""
    sizes = bert.Bert.of(config, vocabulary=50265 if config.model_type == "roberta" else 30522)
    return sizes, config.index("pad_token_id", 1, sizes.vocabulary)
