"""DeiT (Touvron et al. 2021): a ViT with a token for what it was taught by another model, and a classifier for each."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import replace

from ...ops import FirstToken
from ...ops.patches import Average, TokenAt
from ...program.program import Program
from ..config import Config
from . import vit
from .blocks import patches, pre_norm
from .blocks import tasks as task_heads
from .blocks.builder import Builder
from .family import Options, Sight

MODEL_TYPES = {"deit": "DeiT"}
PREFIXES = ("deit.",)
TIED: dict[str, str] = {}
RENAMED = vit.RENAMED
HARMLESS = vit.HARMLESS
sides, limits = vit.sides, vit.limits

MODULES = replace(vit.MODULES, prefixes=PREFIXES)


def sight(config: Config) -> Sight:
    """What images it takes."""
    return patches.sight(config, ("[CLS]", "[DIST]"))


def build(config: Config, stored: Container[str], options: Options) -> Program:
    """The program of a DeiT checkpoint, with the heads whose weights are stored."""
    b, sizes = Builder(MODULES), vit.sizes_of(config)
    vectors = (
        ("class_token", "embeddings.cls_token"),
        ("distillation_token", "embeddings.distillation_token"),
    )
    x = vit.encode(b, config, sizes, sight(config), options, vectors)
    if "pooler.dense.weight" in stored:
        vit.pooler(b, config, sizes, x)
    if "cls_classifier.weight" in stored:
        _two_classifiers(b, config, sizes.hidden, x)
    elif "classifier.weight" in stored:
        first = b.add("head.classes.first", FirstToken(), (x,), pre_norm.VECTOR)
        task_heads.classes(b, config, first, "classifier", sizes.hidden)
    return b.program()


def _two_classifiers(b: Builder, config: Config, hidden: int, x: str) -> None:
    """A classifier on each of the first two tokens; what counts is the mean of both."""
    names, axes = task_heads.label_names(config), ("batch", "label")
    count = len(names)
    first = b.add("head.classes.first", FirstToken(), (x,), pre_norm.VECTOR)
    second = b.add("head.classes.distilled", TokenAt(1), (x,), pre_norm.VECTOR)
    both = (
        b.linear("head.classes.class_logits", first, "cls_classifier", hidden, count, axes, labels=names),
        b.linear("head.classes.distillation_logits", second, "distillation_classifier", hidden, count, axes, labels=names),
    )  # fmt: skip
    logits = b.add("head.classes.logits", Average(), both, axes, labels=names)
    task_heads.best(b, "head.classes", logits, ("batch",), names)
