"""Models of the usual sizes with random weights, opened by us and by transformers on one device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scratch import scratch

WORDS = 1000


@dataclass(frozen=True, slots=True)
class Size:
    """How large a BERT is.

    Attributes:
        name: for people.
        layers, hidden, heads: as in its config; what the feed-forward network is wide is four times `hidden`.
        longest: how many tokens it takes.
    """

    name: str
    layers: int
    hidden: int
    heads: int
    longest: int = 4096


MINILM = Size("MiniLM-like, 6 x 384", 6, 384, 12)
BASE = Size("BERT-base-like, 12 x 768", 12, 768, 12)
TINY = Size("tiny, 2 x 32", 2, 32, 4, 256)


@dataclass(frozen=True, slots=True)
class Opened:
    """One model three times: ours, transformers' with eager attention and with SDPA."""

    size: Size
    encoder: Any
    eager: Any
    sdpa: Any


def opened(size: Size, device: torch.device, dtype: str = "float32") -> Opened:
    """A BERT of a size with random weights, saved by transformers and opened by both."""
    from encoder_tui.engine import load
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from transformers import BertConfig, BertModel
    from transformers.utils import logging

    logging.disable_progress_bar()
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=WORDS, hidden_size=size.hidden, num_hidden_layers=size.layers, num_attention_heads=size.heads,
        intermediate_size=4 * size.hidden, max_position_embeddings=size.longest,
    )  # fmt: skip
    directory = scratch("gpu")
    BertModel(config).save_pretrained(directory)
    Tokenizer(WordLevel({f"w{number}": number for number in range(WORDS)})).save(f"{directory}/tokenizer.json")
    kind = getattr(torch, dtype)
    whole: Any = BertModel  # whose types lose `to` on the way
    theirs = [
        whole.from_pretrained(directory, attn_implementation=attention, dtype=kind).eval().to(device)
        for attention in ("eager", "sdpa")
    ]
    return Opened(size, load(directory, str(device), dtype), *theirs)


def tokens_of(encoder: Any, lengths: list[int]) -> Any:
    """Random ids, padded at the end."""
    from family_kit import random_tokens

    return random_tokens(lengths, np.random.default_rng(0), encoder)


def walk(run: Any) -> Any:
    """Step through every stage; returns the run."""
    for position in range(len(run.program)):
        run.reach(position)
    return run
