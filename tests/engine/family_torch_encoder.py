"""`torch.nn.TransformerEncoder` for the tests that every family passes."""

import copy
import json
import warnings
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from encoder_tui.engine import Encoder, Run, Tokens, load
from encoder_tui.engine.models.torch_module.reading import config_of
from encoder_tui.engine.models.vectors import vector_tokens
from encoder_tui.engine.program.torch_calls import without_fast_path
from family_kit import Sample, Values
from hypothesis import strategies as st
from safetensors.torch import save_file
from scratch import scratch
from torch import nn
from torch.nn import functional

ACTIVATIONS = {
    "relu": "relu", "gelu": "gelu", "silu": functional.silu, "tanh": torch.tanh, "GELU": nn.GELU(),
    "GELU tanh": nn.GELU(approximate="tanh"), "ReLU": nn.ReLU(), "SiLU": nn.SiLU(),
}  # fmt: skip


class Reference(nn.Module):
    """The module on its slow path, asked for its attention weights; batch first whatever the module is.

    Attributes:
        causal: whether it is given the causal mask of `nn.Transformer.generate_square_subsequent_mask`.
    """

    encoder: Any  # of whose layers torch says only that they are modules

    def __init__(self, module: nn.TransformerEncoder, *, causal: bool = False) -> None:
        super().__init__()
        self.encoder, self.causal = module, causal

    def forward(self, vectors: torch.Tensor, mask: torch.Tensor, **_: Any) -> dict[str, torch.Tensor]:
        first = self.encoder.layers[0].self_attn.batch_first
        x = vectors.to(next(self.encoder.parameters()).dtype)
        future = nn.Transformer.generate_square_subsequent_mask(x.shape[1], dtype=x.dtype) if self.causal else None
        y = self.encoder(x if first else x.transpose(0, 1).contiguous(), mask=future, src_key_padding_mask=mask == 0)
        return {"y": y if first else y.transpose(0, 1)}


def model(final: bool = True, **options: Any) -> Reference:
    """A small encoder."""
    usual = {"d_model": 32, "nhead": 4, "dim_feedforward": 40, "batch_first": True, "num_layers": 2}
    settings: dict[str, Any] = usual | options
    layers = settings.pop("num_layers")
    settings["activation"] = ACTIVATIONS[settings.get("activation", "relu")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        layer = nn.TransformerEncoderLayer(**settings)
        norm = nn.LayerNorm(settings["d_model"]) if final else None
        return Reference(nn.TransformerEncoder(layer, layers, norm=norm).eval())


@st.composite
def options(draw: st.DrawFn) -> dict[str, Any]:
    """Any small encoder."""
    size, heads = draw(st.sampled_from([(8, 1), (12, 3), (32, 4), (66, 6), (64, 2), (48, 1)]))
    return {
        "d_model": size,
        "nhead": heads,
        "num_layers": draw(st.integers(1, 3)),
        # not 1: a product with a matrix of one row depends, in its last bits, on where that lies in memory (MKL)
        "dim_feedforward": draw(st.integers(2, 50)),
        "activation": draw(st.sampled_from(sorted(ACTIVATIONS))),
        "norm_first": draw(st.booleans()),
        "batch_first": draw(st.booleans()),
        "bias": draw(st.booleans()),
        "layer_norm_eps": draw(st.sampled_from([1e-12, 1e-5, 0.1])),
        "final": draw(st.booleans()),
    }


def save(module: nn.TransformerEncoder) -> Path:
    """A directory with its state dict and its sizes."""
    directory = scratch("torch-encoder")
    save_file(
        {name: value.clone().contiguous() for name, value in module.state_dict().items()},
        directory / "model.safetensors",
    )
    (directory / "config.json").write_text(json.dumps(config_of(module)))
    return directory


def opener(theirs: Reference, dtype: str = "float32", *, device: str = "cpu", **more: Any) -> tuple[Encoder, Reference]:
    """The same module, saved and opened by us, and in the same dtype by torch."""
    same = copy.deepcopy(theirs).to(device, getattr(torch, dtype))
    same.causal = bool(more.get("causal"))
    return load(save(theirs.encoder), device, dtype, **more), same


def tokens(lengths: Sequence[int], random: np.random.Generator, encoder: Encoder) -> Tokens:
    """Rows of random vectors, padded at the end."""
    size = encoder.checkpoint.vector_size
    assert size is not None
    vectors = random.normal(size=(len(lengths), max(lengths), size)).astype(np.float32)
    return vector_tokens(
        vectors, [[int(place < length) for place in range(max(lengths))] for length in lengths], size=size
    )


def inputs(given: Tokens) -> dict[str, torch.Tensor]:
    """Vectors and mask."""
    return {"vectors": torch.from_numpy(given.arrays["input.vectors"]), "mask": torch.from_numpy(given.mask)}


@contextmanager
def record(theirs: Reference, run: Run, found: Values) -> Generator[None]:
    """What goes in and out of torch's products within `multi_head_attention_forward`, by our names."""
    layers: list[Any] = list(theirs.encoder.layers)
    heads, batch = layers[0].self_attn.num_heads, run.tokens.shape[0]
    packed = {id(layer.self_attn.in_proj_weight): f"layers.{at}.attention.qkv" for at, layer in enumerate(layers)}
    out = {id(layer.self_attn.out_proj.weight): f"layers.{at}.attention.output" for at, layer in enumerate(layers)}
    linear, bmm, baddbmm = functional.linear, torch.bmm, torch.baddbmm
    forwards, block = [layer.self_attn.forward for layer in layers], [""]

    def apart(x: torch.Tensor) -> torch.Tensor:  # (batch · head, ...) -> (batch, head, ...)
        return x.clone().view(batch, heads, *x.shape[1:])

    def project(x: Any, weight: Any, bias: Any = None) -> Any:
        y = linear(x, weight, bias)
        if id(weight) in packed:
            found[packed[id(weight)]] = y.transpose(0, 1).clone()
            block[0] = packed[id(weight)].removesuffix("qkv")
            for part, role in zip(y.chunk(3, -1), ("query", "key", "value"), strict=True):
                found[block[0] + role] = part.transpose(0, 1).clone()
        if id(weight) in out:
            found[out[id(weight)]] = y.view(-1, batch, y.shape[-1]).transpose(0, 1).clone()
        return y

    def product(left: Any, right: Any) -> Any:
        y = bmm(left, right)
        if block[0] + "masked" in found:
            steps = {"weights": left, "value_heads": right, "context": y}
            found.update({block[0] + name: apart(value) for name, value in steps.items()})
        return y

    def masked(mask: Any, query: Any, key: Any) -> Any:
        y = baddbmm(mask, query, key)
        steps = {"query_scaled": query, "key_heads": key.transpose(1, 2), "masked": y, "scores": bmm(query, key)}
        found.update({block[0] + name: apart(value) for name, value in steps.items()})
        square = (batch * heads, *y.shape[1:])
        found.setdefault("mask.additive", apart(mask.expand(square))[:, :1])
        return y

    functional.linear, torch.bmm, torch.baddbmm = project, product, masked  # type: ignore[assignment]
    for layer, forward in zip(layers, forwards, strict=True):
        layer.self_attn.forward = _weighing(forward)
    try:
        with without_fast_path():
            yield
    finally:
        functional.linear, torch.bmm, torch.baddbmm = linear, bmm, baddbmm
        for layer in layers:
            del layer.self_attn.forward
        if not layers[0].self_attn.batch_first:
            hooked = [stage.name for stage in run.program if stage.module]
            found.update({name: found[name].transpose(0, 1) for name in hooked})


def _weighing(forward: Any) -> Any:
    def attend(*args: Any, **more: Any) -> Any:
        return forward(*args, **(more | {"need_weights": True, "average_attn_weights": False, "is_causal": False}))

    return attend


SAMPLE = Sample(
    family="torch.nn.TransformerEncoder",
    example="a module of your own",
    model=model,
    options=options(),
    record=record,
    outputs={"y": "output"},
    inputs=inputs,
    tokens=tokens,
    not_compared=(
        "input.vectors", "*.attention.query_heads", "*.attention.concat", "*.residual",  # seen as what they become
        "*.ffn.activation",  # a function, or a module that all layers share
    ),
    opener=opener,
)  # fmt: skip
