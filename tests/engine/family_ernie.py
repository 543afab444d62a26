"""ERNIE for the tests that every family passes: the family that was added by following the recipe."""

from dataclasses import replace
from typing import Any

import family_bert
import transformers.models.ernie.modeling_ernie as modeling
from family_kit import EAGER
from transformers import (
    ErnieConfig,
    ErnieForMaskedLM,
    ErnieForQuestionAnswering,
    ErnieForSequenceClassification,
    ErnieForTokenClassification,
    ErnieModel,
)

HEADS = {
    "pooler": ErnieModel, "words": ErnieForMaskedLM, "classes": ErnieForSequenceClassification,
    "labels": ErnieForTokenClassification, "answer": ErnieForQuestionAnswering,
}  # fmt: skip


def model(head: str = "pooler", **options: Any) -> Any:
    """An ERNIE with one of its heads; where BERT has one that ERNIE is not asked for, the bare model."""
    config = ErnieConfig(**(family_bert.SMALL | options), **EAGER)
    return HEADS[head](config) if head in HEADS else ErnieModel(config, add_pooling_layer=False)


SAMPLE = replace(
    family_bert.SAMPLE, family="ERNIE", example="nghuyong/ernie-1.0-base-zh", model=model, modeling=(modeling,)
)
