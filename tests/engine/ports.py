"""Encoders rewritten by hand, in the styles people write them in: right, but for one fault that can be switched on.

Each is loaded from a checkpoint's own weights by a mapping, with names of its own, as a port is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import nn
from torch.nn import functional

Weights = Mapping[str, torch.Tensor]
FIELDS = ("words", "hidden", "heads", "wide", "layers", "places", "types")
STYLES = ("view", "fused", "einsum", "joint", "list")


@dataclass(frozen=True)
class Ported:
    """What a BERT's config says, and how it is rewritten."""

    words: int
    hidden: int
    heads: int
    wide: int
    layers: int
    places: int
    types: int
    style: str = "view"
    fault: str = ""
    padding: int | None = None  # its id, where positions are counted as RoBERTa's are
    epsilon: float = 1e-12

    @classmethod
    def of(cls, config: Mapping[str, Any], style: str = "view", fault: str = "", padding: int | None = None) -> Ported:
        """As a config.json says."""
        keys = "vocab_size", "hidden_size", "num_attention_heads", "intermediate_size", "num_hidden_layers"
        keys = (*keys, "max_position_embeddings", "type_vocab_size")
        epsilon = float(config["layer_norm_eps"])
        return cls(
            **dict(zip(FIELDS, (int(config[key]) for key in keys), strict=True)),
            style=style,
            fault=fault,
            padding=padding,
            epsilon=epsilon,
        )


class Attention(nn.Module):
    """Multi-head attention, in one of the styles."""

    def __init__(self, known: Ported, number: int) -> None:
        super().__init__()
        self.heads, self.style, self.fault, self.number = known.heads, known.style, known.fault, number
        self.to_q, self.to_k, self.to_v, self.to_out = (nn.Linear(known.hidden, known.hidden) for _ in range(4))
        self.drop = nn.Dropout(0.1)
        if self.style == "joint":
            self.to_qkv = nn.Linear(known.hidden, 3 * known.hidden)
        if self.style == "list":
            size = known.hidden // known.heads
            self.each = nn.ModuleList(nn.Linear(known.hidden, size) for _ in range(3 * known.heads))

    def load(self, weights: Weights, name: str) -> None:
        """The checkpoint's weights under this module's names."""
        for role, own in (("query", self.to_q), ("key", self.to_k), ("value", self.to_v)):
            own.load_state_dict({part: weights[f"{name}.self.{role}.{part}"] for part in ("weight", "bias")})
        self.to_out.load_state_dict({part: weights[f"{name}.output.dense.{part}"] for part in ("weight", "bias")})
        sides = self.to_q, self.to_k, self.to_v
        for part in ("weight", "bias"):
            if self.style == "joint":
                order = (1, 0, 2) if self.fault == "joint order" else (0, 1, 2)
                self.to_qkv.get_parameter(part).data = torch.cat(
                    [sides[at].get_parameter(part) for at in order]
                ).detach()
            if self.style == "list":
                for at, piece in enumerate(p for s in sides for p in s.get_parameter(part).chunk(self.heads)):
                    self.each[at].get_parameter(part).data = piece.detach().clone()

    def forward(self, x: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
        if self.style == "list":
            heads = [self.one_head(x, keep, at) for at in range(self.heads)]
            return self.to_out(torch.cat(heads, -1))
        if self.style == "joint":
            q, k, v = (self.split(part) for part in self.to_qkv(x).chunk(3, -1))
        elif self.fault == "query and key swapped":
            q, k, v = self.split(self.to_k(x)), self.split(self.to_q(x)), self.split(self.to_v(x))
        elif self.fault == "bias missing":
            q, k, v = self.split(x @ self.to_q.weight.T), self.split(self.to_k(x)), self.split(self.to_v(x))
        else:
            q, k, v = self.split(self.to_q(x)), self.split(self.to_k(x)), self.split(self.to_v(x))
        if self.style == "fused":
            context = functional.scaled_dot_product_attention(q, k, v, keep[:, None, None, :].bool())
        elif self.style == "einsum":
            scores = torch.einsum("bhqd,bhkd->bhqk", q, k) * q.shape[-1] ** -0.5
            scores = scores.masked_fill(keep[:, None, None, :] == 0, float("-inf"))
            context = torch.einsum("bhqk,bhkd->bhqd", scores.softmax(-1), v)
        else:
            context = self.weights(q, k, keep) @ v
        if self.fault == "heads interleaved":
            return self.to_out(context.permute(0, 2, 3, 1).reshape(x.shape))
        return self.to_out(context.transpose(1, 2).reshape(x.shape))

    def one_head(self, x: torch.Tensor, keep: torch.Tensor, at: int) -> torch.Tensor:
        """One head of a ModuleList."""
        q, k, v = (self.each[at + side * self.heads](x) for side in range(3))  # (batch, token, head_dim)
        scores = q @ k.transpose(1, 2) / math.sqrt(q.shape[-1])
        scores = scores.masked_fill(keep[:, None, :] == 0, torch.finfo(x.dtype).min)
        return scores.softmax(-1) @ v

    def split(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, token, hidden) -> (batch, head, token, head_dim)."""
        if self.fault == "heads in another count":
            return x.view(*x.shape[:2], self.heads // 2, -1).transpose(1, 2)
        if self.fault in ("heads dealt out", "heads interleaved"):
            return x.view(*x.shape[:2], -1, self.heads).permute(0, 3, 1, 2)
        return x.view(*x.shape[:2], self.heads, -1).transpose(1, 2)

    def weights(self, q: torch.Tensor, k: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
        """(batch, head, query, key), of rows that sum to 1."""
        size, seen = q.shape[-1], keep[:, None, None, :].to(q.dtype)
        lowest, scores = torch.finfo(q.dtype).min, q @ k.transpose(-1, -2)
        match self.fault:
            case "mask of -20 before scaling":
                return ((scores + (1 - seen) * -20) / math.sqrt(size)).softmax(-1)
            case "mask of -1e4 before scaling":
                return ((scores + (1 - seen) * -1e4) / math.sqrt(size)).softmax(-1)
            case "scale missing":
                scaled = scores
            case "scale twice":
                scaled = scores / math.sqrt(size) / math.sqrt(size)
            case "scale by head_dim":
                scaled = scores / size
            case "scale by hidden":
                scaled = scores / math.sqrt(size * self.heads)
            case "scores in half":
                scaled = (scores / math.sqrt(size)).half().float()
            case _:
                scaled = scores / math.sqrt(size)
        match self.fault:
            case "no mask":
                return scaled.softmax(-1)
            case "mask inverted":
                masked = scaled + seen * lowest
            case "mask on queries":
                masked = scaled + (1 - seen).transpose(-1, -2) * lowest
            case "mask too small":
                masked = scaled + (1 - seen) * -5
            case "mask of ones":
                masked = scaled + seen
            case "mask after softmax":
                return scaled.softmax(-1) * seen
            case "mask twice":
                mask = (1 - seen) * -1e4
                masked = scaled + mask + mask
            case "rows hidden by -inf":
                masked = scaled.masked_fill(seen * seen.transpose(-1, -2) == 0, -math.inf)
            case "rows hidden by adding -inf":
                masked = scaled + torch.zeros_like(scaled).masked_fill(seen * seen.transpose(-1, -2) == 0, -math.inf)
            case "keys hidden by -inf":  # right
                masked = scaled.masked_fill(seen == 0, -math.inf)
            case "causal":
                later = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
                masked = (scaled + (1 - seen) * lowest).masked_fill(later, lowest)
            case _:
                masked = scaled + (1 - seen) * lowest
        if self.fault == "softmax over queries":
            return masked.softmax(-2)
        return self.drop(masked.softmax(-1)) if self.fault == "dropout of weights" else masked.softmax(-1)


class Norm(nn.Module):
    """A layer norm, written out where it is at fault."""

    def __init__(self, known: Ported) -> None:
        super().__init__()
        self.fault = known.fault
        self.gamma, self.beta = (nn.Parameter(torch.ones(known.hidden)) for _ in range(2))
        self.epsilon = 1e-3 if self.fault == "epsilon" else known.epsilon

    def load(self, weights: Weights, name: str) -> Norm:
        """The checkpoint's weights under this module's names."""
        swapped = self.fault == "gamma and beta" and name.endswith("1.attention.output.LayerNorm")
        self.gamma.data = weights[f"{name}.{'bias' if swapped else 'weight'}"].clone()
        self.beta.data = weights[f"{name}.{'weight' if swapped else 'bias'}"].clone()
        return self

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.fault == "norm by hand":  # right, and rounded otherwise
            centred = x - x.mean(-1, keepdim=True)
            return centred / torch.sqrt(centred.pow(2).mean(-1, keepdim=True) + self.epsilon) * self.gamma + self.beta
        if self.fault == "not centred":
            return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.epsilon) * self.gamma + self.beta
        if self.fault == "deviation of a sample":
            return (x - x.mean(-1, keepdim=True)) / (x.std(-1, keepdim=True) + self.epsilon) * self.gamma + self.beta
        return functional.layer_norm(x, x.shape[-1:], self.gamma, self.beta, self.epsilon)


class Layer(nn.Module):
    """Attention and feed-forward, each with what goes round it and a norm."""

    def __init__(self, known: Ported, number: int) -> None:
        super().__init__()
        self.fault = known.fault
        self.attend, self.norm_1, self.norm_2 = Attention(known, number), Norm(known), Norm(known)
        self.lift, self.lower = nn.Linear(known.hidden, known.wide), nn.Linear(known.wide, known.hidden)
        self.drop = nn.Dropout(0.1)

    def load(self, weights: Weights, name: str) -> None:
        """The checkpoint's weights under this module's names."""
        self.attend.load(weights, f"{name}.attention")
        self.norm_1.load(weights, f"{name}.attention.output.LayerNorm")
        self.norm_2.load(weights, f"{name}.output.LayerNorm")
        for own, part in ((self.lift, "intermediate"), (self.lower, "output")):
            own.load_state_dict({of: weights[f"{name}.{part}.dense.{of}"] for of in ("weight", "bias")})

    def forward(self, x: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
        if self.fault == "norm before":
            x = x + self.attend(self.norm_1(x), keep)
            return x + self.feed(self.norm_2(x))
        if self.fault == "nothing goes round":
            x = self.norm_1(self.attend(x, keep))
        else:
            x = self.norm_1(x + self.drop(self.attend(x, keep)))
        if self.fault == "norm once":
            return x + self.feed(x)
        return self.norm_2(x + self.drop(self.feed(x)))

    def feed(self, x: torch.Tensor) -> torch.Tensor:
        """The feed-forward."""
        up = self.lift(x)
        match self.fault:
            case "tanh gelu":
                return self.lower(functional.gelu(up, approximate="tanh"))
            case "gelu by hand":  # right, and rounded otherwise
                return self.lower(up * 0.5 * (1 + torch.erf(up / math.sqrt(2))))
            case "tanh gelu by hand":
                return self.lower(0.5 * up * (1 + torch.tanh(math.sqrt(2 / math.pi) * (up + 0.044715 * up**3))))
            case "quick gelu":
                return self.lower(up * torch.sigmoid(1.702 * up))
            case "relu":
                return self.lower(functional.relu(up))
            case "silu":
                return self.lower(functional.silu(up))
            case "bias of down missing":
                return functional.linear(functional.gelu(up), self.lower.weight)
            case "half on the way":
                return self.lower(functional.gelu(up).bfloat16().float())
            case _:
                return self.lower(functional.gelu(up))


class Port(nn.Module):
    """BERT, or RoBERTa, by hand."""

    def __init__(self, known: Ported) -> None:
        super().__init__()
        self.known, self.fault = known, known.fault
        self.words, self.places, self.types = (
            nn.Embedding(n, known.hidden) for n in (known.words, known.places, known.types)
        )
        self.norm, self.drop = Norm(known), nn.Dropout(0.1)
        self.blocks = nn.ModuleList(Layer(known, number) for number in range(known.layers))

    @classmethod
    def of(cls, weights: Weights, known: Ported) -> Port:
        """A port with the checkpoint's weights, in evaluation mode but where dropout is left on."""
        self = cls(known)
        names = ("word", "position", "token_type")
        for own, name in zip((self.words, self.places, self.types), names, strict=True):
            own.weight.data = weights[f"embeddings.{name}_embeddings.weight"].clone()
        self.norm.load(weights, "embeddings.LayerNorm")
        for number, block in enumerate(self.blocks):
            other = number + 1 if known.fault == "layers off by one" and number + 1 < known.layers else number
            other = {0: 1, 1: 0}.get(number, number) if known.fault == "layers exchanged" else other
            cast("Layer", block).load(weights, f"encoder.layer.{other}")
        return self.train(known.fault.startswith("dropout"))

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        x = self.embed(input_ids, attention_mask)
        for block in self.blocks:
            x = cast("Layer", block)(x, attention_mask)
        return x

    def positions(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """(batch, token)."""
        counted = torch.arange(ids.shape[1]).expand(ids.shape)
        if self.fault == "positions skip padding":
            return (mask.cumsum(-1) - 1).clamp_min(0)
        if self.fault == "positions from one":
            return counted + 1
        if self.known.padding is None:
            return counted
        if self.fault == "positions without offset":
            return counted
        if self.fault == "positions count padding":
            return counted + self.known.padding + 1
        stands = ids.ne(self.known.padding).long()
        return stands.cumsum(-1) * stands + self.known.padding

    def embed(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """(batch, token, hidden)."""
        if self.fault == "ids shifted":
            ids = ids + 1
        words, places = self.words(ids), self.places(self.positions(ids, mask))
        types = self.types(torch.zeros_like(ids))
        match self.fault:
            case "token types left out":
                x = words + places
            case "positions left out":
                x = words + types
            case "embedding scale":
                x = words * math.sqrt(words.shape[-1]) + places + types
            case _:
                x = words + places + types
        if self.fault == "embeddings not normed":
            return x
        return self.drop(self.norm(x))
