"""`head.words.*`: which word was masked (Devlin et al. 2018, section 3.1), as the families near BERT predict it."""

from __future__ import annotations

from dataclasses import dataclass

from . import pooler as heads
from .builder import HIDDEN, Builder


@dataclass(frozen=True, slots=True)
class WordHeadNames:
    """What a family calls the modules of its head; `activation` is "" where it is a function and no module."""

    dense: str
    activation: str
    norm: str
    decoder: str


def words(
    b: Builder,
    x: str,
    names: WordHeadNames,
    hidden: int,
    inner: int,
    vocabulary: int,
    activation: str,
    epsilon: float,
) -> None:
    """Dense, activation, norm, logits over the vocabulary, their probabilities and the best words.

    Args:
        x: what leaves the encoder, (batch, token, hidden).
        inner: size of what the embedding matrix, or another of its shape, is multiplied with.
    """
    axes = HIDDEN if inner == hidden else ("batch", "token", "embedding")
    x = b.linear("head.words.dense", x, names.dense, hidden, inner, axes)
    x = b.activation("head.words.activation", x, activation, axes, names.activation)
    x = b.norm("head.words.norm", x, names.norm, inner, epsilon, axes)
    heads.words(b, b.linear("head.words.logits", x, names.decoder, inner, vocabulary, heads.OVER_WORDS))
