"""Encoders as people write them, which none of our families is: a tutorial's, with heads in a ModuleList, and modules that write in place."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional


class Head(nn.Module):
    """One head of attention, as a book writes it."""

    def __init__(self, hidden: int, size: int) -> None:
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(hidden, size) for _ in range(3))

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        query, key, value = self.q(x), self.k(x), self.v(x)  # (batch, token, head_dim)
        scores = torch.bmm(query, key.transpose(1, 2)) / math.sqrt(query.size(-1))
        if mask is not None:
            scores = scores.masked_fill(mask[:, None, :] == 0, float("-inf"))
        weights = functional.softmax(scores, dim=-1)
        return torch.bmm(weights, value)


class Heads(nn.Module):
    """Heads in a ModuleList, side by side, and what brings them together."""

    def __init__(self, hidden: int, heads: int) -> None:
        super().__init__()
        self.heads = nn.ModuleList([Head(hidden, hidden // heads) for _ in range(heads)])
        self.output_linear = nn.Linear(hidden, hidden)

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        return self.output_linear(torch.cat([head(x, mask) for head in self.heads], dim=-1))


class FeedForward(nn.Module):
    """linear_1, GELU, linear_2, dropout."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.linear_1, self.linear_2 = nn.Linear(hidden, 4 * hidden), nn.Linear(4 * hidden, hidden)
        self.gelu, self.dropout = nn.GELU(), nn.Dropout(0.1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.dropout(self.linear_2(self.gelu(self.linear_1(x))))


class BookLayer(nn.Module):
    """Pre-norm: x + attention(norm(x)), x + ffn(norm(x))."""

    def __init__(self, hidden: int, heads: int) -> None:
        super().__init__()
        self.layer_norm_1, self.layer_norm_2 = nn.LayerNorm(hidden), nn.LayerNorm(hidden)
        self.attention, self.feed_forward = Heads(hidden, heads), FeedForward(hidden)

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        hidden = self.layer_norm_1(x)
        x = x + self.attention(hidden, mask)
        return x + self.feed_forward(self.layer_norm_2(x))


class BookEmbeddings(nn.Module):
    """Token and learned position embeddings, summed and normed."""

    def __init__(self, words: int, hidden: int, longest: int) -> None:
        super().__init__()
        self.token_embeddings, self.position_embeddings = nn.Embedding(words, hidden), nn.Embedding(longest, hidden)
        self.layer_norm, self.dropout = nn.LayerNorm(hidden, eps=1e-12), nn.Dropout()

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        positions = torch.arange(input_ids.size(1), dtype=torch.long, device=input_ids.device).unsqueeze(0)
        return self.dropout(self.layer_norm(self.token_embeddings(input_ids) + self.position_embeddings(positions)))


class BookEncoder(nn.Module):
    """The encoder of a book on transformers: heads in a ModuleList, linear_1 and linear_2, nothing called as we call it."""

    def __init__(self, words: int = 100, hidden: int = 32, heads: int = 4, layers: int = 2, longest: int = 64) -> None:
        super().__init__()
        self.embeddings = BookEmbeddings(words, hidden, longest)
        self.layers = nn.ModuleList([BookLayer(hidden, heads) for _ in range(layers)])

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None = None) -> torch.Tensor:
        x = self.embeddings(input_ids)
        for layer in self.layers:
            x = layer(x, attention_mask)
        return x


class InPlace(nn.Module):
    """Writes into what it made, into views of that, and takes views that were there before anew."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 8)
        self.register_buffer("offsets", torch.arange(8.0))
        self.offsets: torch.Tensor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.linear(x)
        first = y[:, 0]
        y += 1
        y[:, 1] = 0
        y.view(-1).mul_(2)
        z = y.relu_()
        return z + first.sum() + self.offsets + torch.tensor([3.0]) + functional.dropout(y, 0.5, True)


# Two texts of ids, the second padded, and 1 where a token stands.
IDS = torch.tensor([[5, 7, 11, 3, 9, 2, 1], [4, 8, 15, 16, 23, 0, 0]])
MASK = (IDS != 0).long()
