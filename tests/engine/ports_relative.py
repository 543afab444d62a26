"""T5's encoder and ModernBERT, rewritten by hand: right, but for one fault that can be switched on."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import cast

import torch
from torch import nn
from torch.nn import functional

Weights = Mapping[str, torch.Tensor]
layer_norm = cast("Callable[..., torch.Tensor]", functional.layer_norm)
embedding = cast("Callable[..., torch.Tensor]", functional.embedding)
gelu = cast("Callable[..., torch.Tensor]", functional.gelu)


class T5(nn.Module):
    """T5's encoder; scores are not scaled."""

    def __init__(
        self, weights: Weights, *, heads: int, layers: int, buckets: int, distance: int, fault: str = ""
    ) -> None:
        super().__init__()
        self.heads, self.layers, self.buckets, self.distance, self.fault = heads, layers, buckets, distance, fault
        self.kept = nn.ParameterDict({name.replace(".", "_"): nn.Parameter(weight) for name, weight in weights.items()})

    def of(self, name: str) -> torch.Tensor:
        """A weight of the checkpoint."""
        return cast("torch.Tensor", self.kept[name.replace(".", "_")])

    def norm(self, x: torch.Tensor, name: str) -> torch.Tensor:
        """Without a mean."""
        return self.of(name) * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6))

    def bias(self, count: int) -> torch.Tensor:
        """By distance: (1, head, query, key)."""
        places = torch.arange(count)
        apart, half = places[None] - places[:, None], self.buckets // 2
        exact, far = half // 2, apart.abs()
        log = torch.log(far.float() / exact) / math.log(self.distance / exact) * (half - exact)
        bucket = torch.where(far < exact, far, (exact + log.long()).clamp_max(half - 1)) + (apart > 0) * half
        table = self.of("encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight")
        return embedding(bucket, table).permute(2, 0, 1)[None]

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        x = embedding(input_ids, self.of("shared.weight"))
        hidden = (1 - attention_mask[:, None, None, :].float()) * torch.finfo(torch.float32).min
        bias = self.bias(input_ids.shape[1])
        for layer in range(self.layers):
            one, two = f"encoder.block.{layer}.layer.0", f"encoder.block.{layer}.layer.1"
            h = self.norm(x, f"{one}.layer_norm.weight")
            q, k, v = (
                (h @ self.of(f"{one}.SelfAttention.{side}.weight").T).view(*h.shape[:2], self.heads, -1).transpose(1, 2) for side in "qkv"
            )  # fmt: skip
            scores = q @ k.transpose(-1, -2)
            if self.fault == "scaled":
                scores = scores / math.sqrt(q.shape[-1])
            weights = (scores + bias + hidden).softmax(-1)
            x = x + (weights @ v).transpose(1, 2).flatten(2) @ self.of(f"{one}.SelfAttention.o.weight").T
            h = self.norm(x, f"{two}.layer_norm.weight")
            x = (
                x
                + torch.relu(h @ self.of(f"{two}.DenseReluDense.wi.weight").T)
                @ self.of(f"{two}.DenseReluDense.wo.weight").T
            )
        return self.norm(x, "encoder.final_layer_norm.weight")


class Modern(nn.Module):
    """ModernBERT: every third layer sees everything, the others a window; each kind turns by a base of its own."""

    def __init__(self, weights: Weights, *, heads: int, layers: int, window: int, fault: str = "") -> None:
        super().__init__()
        self.heads, self.layers, self.window, self.fault = heads, layers, window, fault
        self.kept = nn.ParameterDict({name.replace(".", "_"): nn.Parameter(weight) for name, weight in weights.items()})

    def of(self, name: str) -> torch.Tensor:
        """A weight of the checkpoint."""
        return cast("torch.Tensor", self.kept[f"{name}.weight".replace(".", "_")])

    def norm(self, x: torch.Tensor, name: str) -> torch.Tensor:
        """Without a shift."""
        return layer_norm(x, x.shape[-1:], self.of(name), None, 1e-5)

    def turned(self, x: torch.Tensor, theta: float) -> torch.Tensor:
        """Rotary positions."""
        size = x.shape[-1]
        angles = torch.outer(torch.arange(x.shape[2]).float(), theta ** (-torch.arange(0, size, 2).float() / size))
        if self.fault == "interleaved":
            even, odd = x[..., 0::2], x[..., 1::2]
            turned = even * angles.cos() - odd * angles.sin(), odd * angles.cos() + even * angles.sin()
            return torch.stack(turned, -1).flatten(-2)
        first, second = x.chunk(2, -1)
        cos, sin = angles.repeat(1, 2).cos(), angles.repeat(1, 2).sin()
        return x * cos + torch.cat([-second, first], -1) * sin

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        x = self.norm(embedding(input_ids, self.of("embeddings.tok_embeddings")), "embeddings.norm")
        places = torch.arange(input_ids.shape[1])
        far = (places[None] - places[:, None]).abs()
        for layer in range(self.layers):
            whole, name = layer % 3 == 0, f"layers.{layer}"
            theta = 160_000.0 if whole and self.fault != "base" else 10_000.0
            window = self.window - 1 if self.fault == "window" else self.window
            seen = attention_mask[:, None, None, :].bool().expand(-1, 1, len(places), -1)
            seen = seen if whole else seen & (far <= window)
            h = self.norm(x, f"{name}.attn_norm") if layer else x
            q, k, v = (
                part.reshape(*h.shape[:2], self.heads, -1).transpose(1, 2)
                for part in (h @ self.of(f"{name}.attn.Wqkv").T).chunk(3, -1)
            )
            q, k = self.turned(q, theta), self.turned(k, theta)
            scores = (q @ k.transpose(-1, -2)) / math.sqrt(q.shape[-1])
            weights = scores.masked_fill(~seen, torch.finfo(scores.dtype).min).softmax(-1)
            x = x + (weights @ v).transpose(1, 2).flatten(2) @ self.of(f"{name}.attn.Wo").T
            up, gate = (self.norm(x, f"{name}.mlp_norm") @ self.of(f"{name}.mlp.Wi").T).chunk(2, -1)
            x = x + (gelu(up) * gate) @ self.of(f"{name}.mlp.Wo").T
        return self.norm(x, "final_norm")
