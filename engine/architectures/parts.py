"""Parts that families share, under the canonical names."""

from __future__ import annotations

from ..ops import AdditiveMask, AddMask, Concat, Context, Given, OneHot, Scale, Scores, Softmax, SplitHeads
from .builder import Builder

TOKENS = ("batch", "token")
PER_HEAD = ("batch", "head", "token", "head_dim")
SQUARE = ("batch", "head", "query", "key")


def tokens(b: Builder, vocabulary: int) -> None:
    """`tokens.*`: what the tokenizer gives."""
    for what in ("ids", "mask", "segments", "positions"):
        b.add(f"tokens.{what}", Given(what), axes=TOKENS)
    b.add("tokens.one_hot", OneHot(vocabulary), ("tokens.ids",), (*TOKENS, "vocabulary"))


def padding_mask(b: Builder, dtype: str) -> str:
    """`mask.additive`: hides padding from every query."""
    return b.add("mask.additive", AdditiveMask(dtype), ("tokens.mask",), SQUARE)


def attention(b: Builder, block: str, query: str, key: str, value: str, mask: str, heads: int, head_dim: int) -> str:
    """Scaled dot-product attention in `block`, from the three projections to the heads side by side.

    Args:
        query, key, value: names of the projections, (batch, token, hidden) each.
        mask: name of the additive mask.
    """
    split = {}
    for role, x in (("query", query), ("key", key), ("value", value)):
        split[role] = b.add(f"{block}.{role}_heads", SplitHeads(heads), (x,), PER_HEAD)
    scores = b.add(f"{block}.scores", Scores(), (split["query"], split["key"]), SQUARE)
    scaled = b.add(f"{block}.scaled", Scale(head_dim), (scores,), SQUARE)
    masked = b.add(f"{block}.masked", AddMask(), (scaled, mask), SQUARE)
    weights = b.add(f"{block}.weights", Softmax(), (masked,), SQUARE)
    context = b.add(f"{block}.context", Context(), (weights, split["value"]), PER_HEAD)
    return b.add(f"{block}.concat", Concat(), (context,))
