"""Somebody's own BERT in plain torch, right but for a fault, and what it dumps under names and in layouts of its own."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from encoder_tui.engine import Run
from encoder_tui.engine.program.arrays import Array

FAULTS = ("", "tanh from layer 1", "gamma and beta of layer 2", "scores not scaled", "bias of layer 1 missing")


@dataclass
class Port:
    """A passage of a BERT over the ids of a run of ours, with the same weights.

    Args:
        ours: the run.
        fault: one of `FAULTS`.
    """

    ours: Run
    fault: str = ""
    values: dict[str, torch.Tensor] = field(default_factory=dict[str, torch.Tensor])

    def __post_init__(self) -> None:
        w, tokens = self.ours.weights, self.ours.tokens
        ids, positions, segments = (torch.from_numpy(each) for each in (tokens.ids, tokens.positions, tokens.segments))
        at = "embeddings."
        x = w[f"{at}word_embeddings.weight"][ids] + w[f"{at}token_type_embeddings.weight"][segments]
        x = self.keep(
            "embeddings.norm", self.norm(x + w[f"{at}position_embeddings.weight"][positions], f"{at}LayerNorm")
        )
        hidden = torch.from_numpy(tokens.mask)[:, None, None, :] == 0
        for number in range(self.ours.program.layers):
            x = self.layer(number, x, hidden)

    def keep(self, name: str, value: torch.Tensor) -> torch.Tensor:
        self.values[name] = value
        return value

    def linear(self, x: torch.Tensor, module: str, bias: bool = True) -> torch.Tensor:
        result: torch.Tensor = x @ self.ours.weights[f"{module}.weight"].T
        return result + self.ours.weights[f"{module}.bias"] if bias else result

    def norm(self, x: torch.Tensor, module: str, swapped: bool = False) -> torch.Tensor:
        gamma, beta = (self.ours.weights[f"{module}.{part}"] for part in ("weight", "bias"))
        gamma, beta = (beta, gamma) if swapped else (gamma, beta)
        centred = x - x.mean(-1, keepdim=True)
        return centred / (centred.pow(2).mean(-1, keepdim=True) + 1e-12).sqrt() * gamma + beta

    def layer(self, number: int, x: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
        at, to = f"encoder.layer.{number}", f"layers.{number}"
        heads, size = self.ours.shapes[f"{to}.attention.query_heads"][1::2]
        q, k, v = (
            self.keep(
                f"{to}.attention.{part}_heads",
                self.linear(x, f"{at}.attention.self.{part}").reshape(*x.shape[:2], heads, size).transpose(1, 2),
            )
            for part in ("query", "key", "value")
        )
        scores = self.keep(f"{to}.attention.scores", q @ k.transpose(-1, -2))
        scores = scores if self.fault == "scores not scaled" else scores / size**0.5
        scores = self.keep(f"{to}.attention.scaled", scores)
        weights = self.keep(f"{to}.attention.weights", scores.masked_fill(hidden, -1e9).softmax(-1))
        context = self.keep(f"{to}.attention.concat", (weights @ v).transpose(1, 2).flatten(-2))
        bias = not (number == 1 and self.fault == "bias of layer 1 missing")
        residual = self.keep(f"{to}.attention.residual", self.linear(context, f"{at}.attention.output.dense", bias) + x)
        swapped = number == 2 and self.fault == "gamma and beta of layer 2"
        x = self.keep(f"{to}.attention.norm", self.norm(residual, f"{at}.attention.output.LayerNorm", swapped))
        up = self.keep(f"{to}.ffn.up", self.linear(x, f"{at}.intermediate.dense"))
        form = "tanh" if self.fault == "tanh from layer 1" and number > 0 else "none"
        activation = self.keep(f"{to}.ffn.activation", torch.nn.functional.gelu(up, approximate=form))
        down = self.keep(f"{to}.ffn.down", self.linear(activation, f"{at}.output.dense"))
        return self.keep(f"{to}.ffn.norm", self.norm(down + x, f"{at}.output.LayerNorm"))

    def arrays(self) -> dict[str, Array]:
        return {name: np.ascontiguousarray(value.numpy()) for name, value in self.values.items()}


# Where each fault is first to be seen, of what is dumped.
SEEN = {
    "tanh from layer 1": "layers.1.ffn.activation", "gamma and beta of layer 2": "layers.2.attention.norm",
    "scores not scaled": "layers.0.attention.scaled", "bias of layer 1 missing": "layers.1.attention.residual",
}  # fmt: skip
