"""ERNIE (Sun et al. 2019): BERT under another name, as transformers' `modeling_ernie.py` computes it.

The task embeddings that ERNIE 2.0 and 3.0 add (`use_task_id`) are not implemented, and refused.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import replace

from ...program.program import Program
from ..config import Config
from . import bert
from .family import Limits, Options

MODEL_TYPES = {"ernie": "Ernie"}
TOKENIZERS = {"ernie": "BertTokenizer"}
PREFIXES = ("ernie.",)
TIED = bert.TIED
HARMLESS = {**bert.HARMLESS, "of task embeddings, which are refused": ("task_type_vocab_size", "task_id")}
MODULES = replace(bert.MODULES, prefixes=PREFIXES)


def limits(config: Config) -> Limits:
    """What text it can take."""
    return bert.limits(config)


def build(config: Config, stored: Container[str], options: Options) -> Program:
    """The program of an ERNIE checkpoint, with the heads whose weights are stored."""
    config.refuse("use_task_id")
    return bert.build(config, stored, options, MODULES)
