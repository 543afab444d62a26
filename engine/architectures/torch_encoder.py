"""`torch.nn.TransformerEncoder`: vectors in, vectors out; the operations of its slow path, attention weights and all, in their order.

torch has three ways to compute one: this one, which `need_weights=True` takes and which alone has scores and weights to
look at; `scaled_dot_product_attention`, which the module takes by itself; and the fused fast path of `eval` mode. They differ
in their last bits; `tests/benchmarks/torch_encoder.py` measures by how much.

A saved one is a directory with the state dict as model.safetensors and a config.json:

    {"model_type": "torch_transformer_encoder", "d_model": 512, "nhead": 8, "num_layers": 6, "dim_feedforward": 2048,
     "activation": "relu", "norm_first": false, "layer_norm_eps": 1e-05, "bias": true, "batch_first": true}
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

from ..config import Config
from ..errors import InputError
from ..ops import (
    Activation,
    AdditiveMask,
    AddMask,
    Given,
    GivenNumbers,
    Part,
    ScaleQuery,
    Scores,
    Sum,
    TokenFirstActivation,
    TokenFirstLinear,
)
from ..program import Program
from . import parts
from .builder import HIDDEN, Builder
from .family import Limits, Options

MODEL_TYPE = "torch_transformer_encoder"
PREFIXES: tuple[str, ...] = ()
TIED: dict[str, str] = {}
WIDE = ("batch", "token", "intermediate")
VECTORS = "input.vectors"
MOST_LAYERS = 1000


@dataclass(frozen=True, slots=True)
class TorchEncoder:
    """Sizes and options of a `torch.nn.TransformerEncoder` and its layers, by the names of their arguments."""

    d_model: int
    nhead: int
    num_layers: int
    dim_feedforward: int
    activation: str
    norm_first: bool
    epsilon: float
    norm_epsilon: float
    bias: bool
    batch_first: bool

    @classmethod
    def of(cls, config: Config) -> TorchEncoder:
        """Read the sizes from a config.json; what is left out is what torch takes, but for the sizes, which must be said.

        Raises:
            InputError: a size that is missing, or an option that is not implemented, by its name.
        """
        for name in ("d_model", "nhead", "num_layers"):
            if name not in config.values:
                raise InputError(f"{config.where}: {name} is missing; it must be a whole number of 1 or more")
        epsilon = config.number("layer_norm_eps", 1e-5)
        sizes = cls(
            d_model=config.size("d_model", 0),
            nhead=config.size("nhead", 0),
            num_layers=config.size("num_layers", 0, most=MOST_LAYERS),
            dim_feedforward=config.size("dim_feedforward", 2048),
            activation=config.activation("activation", "relu"),
            norm_first=config.flag("norm_first", False),
            epsilon=epsilon,
            norm_epsilon=config.number("norm_eps", 1e-5),
            bias=config.flag("bias", True),
            batch_first=config.flag("batch_first", False),
        )
        config.divides("nhead", sizes.nhead, "d_model", sizes.d_model)
        return sizes


def limits(config: Config) -> Limits:
    """It takes no text, and vectors of any number of tokens."""
    TorchEncoder.of(config)
    return Limits(0, None)


def vectors(config: Config) -> int:
    """How many numbers each of the vectors has that go in."""
    return TorchEncoder.of(config).d_model


def build(config: Config, stored: Container[str], options: Options) -> Program:
    """The program of a state dict, with the norm after the last layer where there is one."""
    sizes, b = TorchEncoder.of(config), Builder()
    b.add("tokens.mask", Given("mask"), axes=parts.TOKENS)
    x = b.add(VECTORS, GivenNumbers("vectors", (sizes.d_model,), by_token=True), axes=HIDDEN)
    b.alias("embeddings.output", x)
    hides = AdditiveMask(options.dtype, options.causal, infinite=True)
    mask = b.add("mask.additive", hides, ("tokens.mask",), parts.SQUARE)
    for layer in range(sizes.num_layers):
        x = _layer(b, sizes, layer, x, mask)
    if "norm.weight" in stored:
        x = b.norm("final.norm", x, "norm", sizes.d_model, sizes.norm_epsilon, bias="norm.bias" in stored)
    b.alias("output", x)
    return b.program()


def _layer(b: Builder, sizes: TorchEncoder, layer: int, x: str, mask: str) -> str:
    size, bias, module = sizes.d_model, sizes.bias, f"layers.{layer}"
    attention, ffn = f"layers.{layer}.attention", f"layers.{layer}.ffn"

    def norm(block: str, x: str, number: int) -> str:
        return b.norm(f"{block}.norm", x, f"{module}.norm{number}", size, sizes.epsilon, bias=bias)

    inside = norm(attention, x, 1) if sizes.norm_first else x
    output = _attention(b, sizes, attention, f"{module}.self_attn", inside, mask)
    x = b.add(f"{attention}.residual", Sum(), (x, output))
    x = inside = norm(attention, x, 1) if not sizes.norm_first else x

    inside = norm(ffn, x, 2) if sizes.norm_first else x
    up = _linear(b, sizes, f"{ffn}.up", inside, f"{module}.linear1", size, sizes.dim_feedforward, WIDE)
    activation = (Activation if sizes.batch_first else TokenFirstActivation)(sizes.activation)
    active = b.add(f"{ffn}.activation", activation, (up,), WIDE)
    down = _linear(b, sizes, f"{ffn}.down", active, f"{module}.linear2", sizes.dim_feedforward, size, HIDDEN)
    x = b.add(f"{ffn}.residual", Sum(), (x, down))
    return b.alias(f"layers.{layer}.output", norm(ffn, x, 2) if not sizes.norm_first else x)


def _linear(
    b: Builder, sizes: TorchEncoder, name: str, x: str, module: str, fan_in: int, fan_out: int, axes: tuple[str, ...]
) -> str:
    """A product over rows in the order in which the module has them: batch first or tokens first."""
    if sizes.batch_first:
        return b.linear(name, x, module, fan_in, fan_out, axes, bias=sizes.bias)
    weights = [(f"{module}.weight", (fan_out, fan_in)), (f"{module}.bias", (fan_out,))]
    return b.add(name, TokenFirstLinear(together=True), (x,), axes, weights[: 1 + sizes.bias], module)


def _attention(b: Builder, sizes: TorchEncoder, block: str, module: str, x: str, mask: str) -> str:
    """`multi_head_attention_forward` of torch.nn.functional: the query is scaled before the product, not the scores after."""
    size = sizes.d_model
    fused = [(f"{module}.in_proj_weight", (3 * size, size)), (f"{module}.in_proj_bias", (3 * size,))]
    axes = ("batch", "token", "projections")
    project = TokenFirstLinear(together=not sizes.batch_first)
    qkv = b.add(f"{block}.qkv", project, (x,), axes, fused[: 1 + sizes.bias])
    split = [
        b.add(f"{block}.{role}", Part(number, 3, copied=True), (qkv,))
        for number, role in enumerate(("query", "key", "value"))
    ]
    query, key, value = (
        parts.split_heads(b, block, role, x, sizes.nhead)
        for role, x in zip(("query", "key", "value"), split, strict=True)
    )
    scaled = b.add(f"{block}.query_scaled", ScaleQuery(size // sizes.nhead), (query,), parts.PER_HEAD)
    scores = b.add(f"{block}.scores", Scores(), (scaled, key), parts.SQUARE)
    masked = b.add(f"{block}.masked", AddMask(), (scores, mask), parts.SQUARE)
    concat = parts.attend(b, block, masked, value)
    out = [(f"{module}.out_proj.weight", (size, size)), (f"{module}.out_proj.bias", (size,))]
    return b.add(f"{block}.output", TokenFirstLinear(together=True), (concat,), HIDDEN, out[: 1 + sizes.bias])
