"""Heads that most families have alike: pooler, and probabilities of words."""

from __future__ import annotations

from ....ops import Best, FirstToken, Softmax
from .builder import Builder

VECTOR = ("batch", "hidden")
OVER_WORDS = ("batch", "token", "vocabulary")
SHOWN_PREDICTIONS = 10


def pooler(
    b: Builder, x: str, size: int, activation: str = "tanh", modules: tuple[str, str] = ("pooler.dense", "pooler")
) -> str:
    """`head.pooler.*`: a linear layer on the first token and an activation, BERT's tanh or another.

    Args:
        modules: whose outputs the layer and the activation are.
    """
    first = b.add("head.pooler.first", FirstToken(), (x,), VECTOR)
    dense = b.linear("head.pooler.dense", first, modules[0], size, size, VECTOR)
    return b.activation("head.pooler.activation", dense, activation, VECTOR, modules[1])


def words(b: Builder, logits: str) -> None:
    """`head.words.probabilities` and `.best`, of logits (batch, token, vocabulary)."""
    shares = b.add("head.words.probabilities", Softmax("vocabulary"), (logits,), OVER_WORDS)
    b.add("head.words.best", Best(SHOWN_PREDICTIONS), (shares,), ("batch", "token", "rank"))
