"""More encoders as people write them: einsum, rotary SDPA, a loss around one, an inverted mask, RMSNorm written out, LoRA, checkpointing."""

from __future__ import annotations

from typing import Any, cast

import torch
from own_modules import BookEncoder
from torch import nn
from torch.nn import functional
from torch.utils import checkpoint

again = cast(Any, checkpoint).checkpoint
HIDDEN, HEADS, WORDS = 32, 4, 50


class Einsum(nn.Module):
    """Attention as einsum writes it."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(WORDS, HIDDEN)
        self.qkv, self.out = nn.Linear(HIDDEN, 3 * HIDDEN), nn.Linear(HIDDEN, HIDDEN)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        x = self.words(input_ids)
        q, k, v = self.qkv(x).view(*x.shape[:2], 3, HEADS, -1).unbind(2)  # (batch, token, head, head_dim)
        scores = torch.einsum("bqhd,bkhd->bhqk", q, k) * q.shape[-1] ** -0.5
        scores = scores + (1 - attention_mask[:, None, None]) * torch.finfo(x.dtype).min
        return x + self.out(torch.einsum("bhqk,bkhd->bqhd", scores.softmax(-1), v).flatten(2))


class Rotary(nn.Module):
    """torch's fused attention on queries and keys that are turned by their places."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.qkv, self.out = (
            nn.Embedding(WORDS, HIDDEN),
            nn.Linear(HIDDEN, 3 * HIDDEN),
            nn.Linear(HIDDEN, HIDDEN),
        )

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        x = self.words(input_ids)
        size = HIDDEN // HEADS
        parts = (part.view(*x.shape[:2], HEADS, size).transpose(1, 2) for part in self.qkv(x).chunk(3, -1))
        q, k, v = parts  # (batch, head, token, head_dim)
        angles = torch.outer(torch.arange(x.shape[1]).float(), 1e4 ** (-torch.arange(0, size, 2) / size)).repeat(1, 2)
        q, k = (part * angles.cos() + turned(part) * angles.sin() for part in (q, k))
        mask = attention_mask[:, None, None].bool()
        return x + self.out(functional.scaled_dot_product_attention(q, k, v, mask).transpose(1, 2).flatten(2))


def turned(x: torch.Tensor) -> torch.Tensor:
    first, second = x.chunk(2, -1)
    return torch.cat([-second, first], -1)


class WithLoss(nn.Module):
    """What a LightningModule's training step is: a batch in a dict, an encoder, a loss."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.head = BookEncoder(), nn.Linear(HIDDEN, 3)

    def forward(self, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        hidden = self.encoder(batch["input_ids"], batch["attention_mask"])
        logits = self.head(hidden[:, 0])
        return {"loss": functional.cross_entropy(logits, batch["labels"]), "logits": logits}


class Inverted(nn.Module):
    """torch's own encoder inside a model that takes a mask of 1 and 0 and passes it inverted."""

    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(HIDDEN, HEADS, 64, batch_first=True)
        self.words, self.encoder = nn.Embedding(WORDS, HIDDEN), nn.TransformerEncoder(layer, 2)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        return self.encoder(self.words(input_ids), src_key_padding_mask=attention_mask == 0)


class Multihead(nn.Module):
    """A block on nn.MultiheadAttention, which gives two results."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.norm = nn.Embedding(WORDS, HIDDEN), nn.LayerNorm(HIDDEN)
        self.attention = nn.MultiheadAttention(HIDDEN, HEADS, batch_first=True)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        x = self.norm(self.words(input_ids))
        return x + self.attention(x, x, x, key_padding_mask=attention_mask == 0)[0]


class RMS(nn.Module):
    """RMSNorm written out."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(HIDDEN))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        wide = x.float()
        return self.weight * (wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + 1e-6)).type_as(x)


class PreNorm(nn.Module):
    """RMSNorm before a gated feed-forward."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.norm = nn.Embedding(WORDS, HIDDEN), RMS()
        self.gate, self.up, self.down = nn.Linear(HIDDEN, 64), nn.Linear(HIDDEN, 64), nn.Linear(64, HIDDEN)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        x = self.words(input_ids) * attention_mask[..., None]
        h = self.norm(x)
        return x + self.down(functional.silu(self.gate(h)) * self.up(h))


class Lora(nn.Module):
    """A frozen linear layer with two small ones beside it, as PEFT wraps it."""

    def __init__(self, base_layer: nn.Linear) -> None:
        super().__init__()
        self.base_layer = base_layer.requires_grad_(False)
        self.lora_A = nn.Linear(base_layer.in_features, 2, bias=False)
        self.lora_B = nn.Linear(2, base_layer.out_features, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.base_layer(x) + self.lora_B(self.lora_A(x)) * 2.0


class Checkpointed(nn.Module):
    """Gradient checkpointing: activations are computed again in the backward pass."""

    def __init__(self, reentrant: bool) -> None:
        super().__init__()
        self.inner, self.reentrant = BookEncoder(), reentrant

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> Any:
        x = self.inner.embeddings(input_ids)
        for layer in self.inner.layers:
            x = again(layer, x, attention_mask, use_reentrant=self.reentrant)
        return x


def adapted() -> BookEncoder:
    """The book's encoder, its feed-forwards adapted by LoRA."""
    module = BookEncoder()
    for layer in module.layers:
        assert isinstance(layer.feed_forward, nn.Module)
        layer.feed_forward.linear_1 = Lora(layer.feed_forward.linear_1)  # pyright: ignore[reportArgumentType]
    return module


def quantised() -> nn.Module:
    """The book's encoder, its linear layers in int8 as torch quantises them dynamically."""
    return cast(Any, torch.ao.quantization).quantize_dynamic(BookEncoder().eval(), {nn.Linear})
