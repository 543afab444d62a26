"""Encoders that do the same in other words: einsum, fused attention with rotary positions, RMSNorm written out, torch's own attention, LoRA; and what only looks like one."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn
from torch.nn import functional

WORDS, HIDDEN, HEADS, SIZE = 50, 24, 3, 8


class EinsumAttention(nn.Module):
    """Every product an einsum; the matrix that brings heads together in a product of three, or in one of its own."""

    def __init__(self, three: bool) -> None:
        super().__init__()
        self.three = three
        self.wq, self.wk, self.wv = (nn.Parameter(torch.randn(HIDDEN, HEADS, SIZE) / 5) for _ in range(3))
        self.wo = nn.Parameter(torch.randn(HEADS, SIZE, HIDDEN) / 5)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        q, k, v = (torch.einsum("btd,dhk->bthk", x, w) for w in (self.wq, self.wk, self.wv))
        logits = torch.einsum("bqhk,bshk->bhqs", q, k) / math.sqrt(SIZE)
        logits = logits + (1.0 - mask[:, None, None, :].float()) * -10000.0
        weights = logits.softmax(dim=-1)
        if self.three:
            return torch.einsum("bhqs,bshk,hkd->bqd", weights, v, self.wo)
        return torch.einsum("bqhk,hkd->bqd", torch.einsum("bhqs,bshk->bqhk", weights, v), self.wo)


class Attends(nn.Module):
    """`nn.MultiheadAttention`, with or without its weights."""

    def __init__(self, weights: bool) -> None:
        super().__init__()
        self.attention, self.weights = nn.MultiheadAttention(HIDDEN, HEADS, batch_first=True), weights

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return self.attention(x, x, x, key_padding_mask=mask == 0, need_weights=self.weights)[0]


def turned(x: torch.Tensor) -> torch.Tensor:
    """The second half, taken off, before the first."""
    first, second = x.chunk(2, dim=-1)
    return torch.cat((-second, first), dim=-1)


class RotaryAttention(nn.Module):
    """One matrix for queries, keys and values, rotary positions, the fused operation, and fewer keys than queries if need be."""

    def __init__(self, pairs: bool = False) -> None:
        super().__init__()
        self.qkv, self.out, self.pairs = nn.Linear(HIDDEN, 3 * HIDDEN, bias=False), nn.Linear(HIDDEN, HIDDEN), pairs
        turns = torch.outer(torch.arange(32.0), 1 / 100 ** (torch.arange(0, SIZE, 2) / SIZE))
        self.register_buffer("turns", turns)
        self.turns: torch.Tensor

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        batch, length, _ = x.shape
        q, k, v = self.qkv(x).view(batch, length, 3, HEADS, SIZE).permute(2, 0, 3, 1, 4).unbind(0)
        turns = self.turns[:length]
        if self.pairs:
            whole = torch.polar(torch.ones_like(turns), turns)
            q, k = (
                torch.view_as_real(torch.view_as_complex(each.reshape(*each.shape[:-1], -1, 2)) * whole).flatten(3)
                for each in (q, k)
            )
        else:
            cos, sin = torch.cat((turns, turns), -1).cos(), torch.cat((turns, turns), -1).sin()
            q, k = (each * cos + turned(each) * sin for each in (q, k))
        y = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask[:, None, None, :].bool())
        return self.out(y.transpose(1, 2).reshape(batch, length, HIDDEN))


class RMSNorm(nn.Module):
    """Written out."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.randn(HIDDEN))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.gain * (x.float() * torch.rsqrt(x.float().pow(2).mean(-1, keepdim=True) + 1e-6)).type_as(x)


class Gated(nn.Module):
    """silu(a x) · b x, and a matrix."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(HIDDEN, 40), nn.Linear(HIDDEN, 40)
        self.c = nn.Linear(40, HIDDEN)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.c(functional.silu(self.a(x)) * self.b(x))


class Layer(nn.Module):
    """A layer with its norms before, or after."""

    def __init__(self, attention: nn.Module, norm: type[nn.Module], network: nn.Module, before: bool) -> None:
        super().__init__()
        self.one, self.two = (norm() if norm is RMSNorm else norm(HIDDEN) for _ in range(2))
        self.mix, self.network, self.before = attention, network, before

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        if self.before:
            x = x + self.mix(self.one(x), mask)
            return x + self.network(self.two(x))
        x = self.one(x + self.mix(x, mask))
        return self.two(x + self.network(x))


class Encodes(nn.Module):
    """Looked-up vectors, two layers, and a norm at the end if they have theirs before."""

    def __init__(
        self, attention: Any, norm: type[nn.Module] = nn.LayerNorm, gated: bool = False, before: bool = True
    ) -> None:
        super().__init__()
        plain = lambda: nn.Sequential(nn.Linear(HIDDEN, 40), nn.ReLU(), nn.Linear(40, HIDDEN))  # noqa: E731
        self.table = nn.Embedding(WORDS, HIDDEN)
        self.stack = nn.ModuleList(Layer(attention(), norm, Gated() if gated else plain(), before) for _ in range(2))
        self.end = (norm() if norm is RMSNorm else norm(HIDDEN)) if before else nn.Identity()

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        x = self.table(ids)
        for layer in self.stack:
            x = layer(x, mask)
        return self.end(x)


class LowRank(nn.Module):
    """A matrix and an update of it, as LoRA adds them."""

    def __init__(self, whole: nn.Linear) -> None:
        super().__init__()
        self.whole, self.drop = whole, nn.Dropout(0.1)
        self.down, self.up = nn.Linear(whole.in_features, 2, bias=False), nn.Linear(2, whole.out_features, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.whole(x) + self.up(self.down(self.drop(x))) * 2.0


class OverFeatures(nn.Module):
    """A softmax between two products, over features: no attention between tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(HIDDEN, HIDDEN) for _ in range(3))
        self.out = nn.Linear(HIDDEN, HIDDEN)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        weights = torch.softmax(self.q(x).transpose(1, 2) @ self.k(x), -1)  # (batch, hidden, hidden)
        return self.out((weights @ self.v(x).transpose(1, 2)).transpose(1, 2))


class Experts(nn.Module):
    """A softmax that chooses between matrices: no attention either."""

    def __init__(self) -> None:
        super().__init__()
        self.choose, self.one, self.other = nn.Linear(HIDDEN, 2), nn.Linear(HIDDEN, HIDDEN), nn.Linear(HIDDEN, HIDDEN)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        shares = self.choose(x).softmax(-1)
        both = torch.stack((self.one(x), self.other(x)), -2)
        return (shares[..., None, :] @ both)[..., 0, :]


class OverHeads(nn.Module):
    """A softmax between two products, over the heads of each token by itself: a slip of a transpose, and no attention between tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(HIDDEN, HIDDEN) for _ in range(3))
        self.out = nn.Linear(HIDDEN, HIDDEN)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        q, k, v = (each(x).view(*x.shape[:2], HEADS, SIZE) for each in (self.q, self.k, self.v))
        weights = torch.softmax(q @ k.transpose(2, 3), -1)  # (batch, token, head, head)
        return self.out((weights @ v).reshape(x.shape))
