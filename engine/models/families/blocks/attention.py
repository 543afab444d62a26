"""Parts that families share, under the canonical names."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ....ops import (
    AdditiveMask,
    AddMask,
    Concat,
    Context,
    Dropout,
    DropoutMask,
    Given,
    OneHot,
    Scale,
    Scores,
    Softmax,
    SplitHeads,
)
from ...seeds import seed_of
from ..family import Options
from .builder import Builder

TOKENS = ("batch", "token")
PER_HEAD = ("batch", "head", "token", "head_dim")
SQUARE = ("batch", "head", "query", "key")

Drop = Callable[[str], str]


def keep(x: str) -> str:
    """No dropout: the stage itself."""
    return x


def tokens(b: Builder, vocabulary: int, *, also: Sequence[str] = ("segments", "positions")) -> None:
    """`tokens.*`: what the tokenizer gives, and of segments and positions what the family uses."""
    for what in ("ids", "mask", *also):
        b.add(f"tokens.{what}", Given(what), axes=TOKENS)
    b.add("tokens.one_hot", OneHot(vocabulary), ("tokens.ids",), (*TOKENS, "vocabulary"))


def additive_mask(b: Builder, options: Options, *, causal: bool = False) -> str:
    """`mask.additive`: hides padding from every query, and what comes after it where the mask is to be causal."""
    op = AdditiveMask(options.dtype, causal or options.causal)
    return b.add("mask.additive", op, ("tokens.mask",), SQUARE)


def dropped(b: Builder, x: str, rate: float, options: Options) -> str:
    """Where the program is to run as in training: `x_dropout_mask`, and `x_dropout`, what is left of `x`; else `x`."""
    if options.train_seed is None:
        return x
    rate = rate if options.dropout is None else options.dropout
    if not rate:
        return x
    axes = b.axes(x)
    mask = b.add(f"{x}_dropout_mask", DropoutMask(rate, seed_of(options.train_seed, x)), (x,), axes)
    return b.add(f"{x}_dropout", Dropout(), (x, mask), axes)


def attention(
    b: Builder,
    block: str,
    query: str,
    key: str,
    value: str,
    mask: str,
    heads: int,
    head_dim: int,
    *,
    drop: Drop = keep,
    single: bool = False,
) -> str:
    """Scaled dot-product attention in `block`, from the three projections to the heads side by side.

    Args:
        query, key, value: names of the projections, (batch, token, hidden) each.
        mask: name of the additive mask.
        drop: what training does to the weights.
        single: whether the softmax is computed in float32 whatever the dtype.
    """
    query, key, value = (
        split_heads(b, block, role, x, heads) for role, x in (("query", query), ("key", key), ("value", value))
    )
    scores = b.add(f"{block}.scores", Scores(), (query, key), SQUARE)
    scaled = b.add(f"{block}.scaled", Scale(head_dim), (scores,), SQUARE)
    masked = b.add(f"{block}.masked", AddMask(), (scaled, mask), SQUARE)
    return attend(b, block, masked, value, single=single, drop=drop)


def split_heads(b: Builder, block: str, role: str, x: str, heads: int) -> str:
    """`query_heads`, `key_heads` or `value_heads`."""
    return b.add(f"{block}.{role}_heads", SplitHeads(heads), (x,), PER_HEAD)


def attend(b: Builder, block: str, masked: str, value: str, *, single: bool = False, drop: Drop = keep) -> str:
    """From masked scores and the values of each head to the heads side by side: `weights`, `context`, `concat`.

    Args:
        single: whether the softmax is computed in float32 whatever the dtype.
        drop: what training does to the weights.
    """
    weights = drop(b.add(f"{block}.weights", Softmax(single=single), (masked,), SQUARE))
    context = b.add(f"{block}.context", Context(), (weights, value), PER_HEAD)
    return b.add(f"{block}.concat", Concat(), (context,))
