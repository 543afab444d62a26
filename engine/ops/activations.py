"""Functions of each element alone: what computes them, how they are written, and what they give and their slope in closed form."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from ..program.explanation import Explanation, Term, Terms
from ..program.kinds import Card
from . import rounding
from .base import Op, Out, Tensors
from .element import Element, at
from .lazy import functional, torch
from .sizes import NO_RULE, ROOM, Sizes, largest


def _gelu(approximate: str) -> Callable[..., torch.Tensor]:
    def gelu(x: torch.Tensor, out: torch.Tensor | None) -> torch.Tensor:
        if out is None:
            return functional.gelu(x, approximate=approximate)
        return torch.ops.aten.gelu.out(x, approximate=approximate, out=out)

    return gelu


def _gelu_new(x: torch.Tensor, out: torch.Tensor | None) -> torch.Tensor:
    # transformers' NewGELUActivation, operation by operation: torch's own tanh form differs in the last bits.
    return torch.mul(0.5 * x, 1.0 + torch.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * torch.pow(x, 3.0))), out=out)


def _gelu_python(x: torch.Tensor, out: torch.Tensor | None) -> torch.Tensor:
    return torch.mul(x * 0.5, 1.0 + torch.erf(x / math.sqrt(2.0)), out=out)


def _quick_gelu(x: torch.Tensor, out: torch.Tensor | None) -> torch.Tensor:
    return torch.mul(x, torch.sigmoid(1.702 * x), out=out)


def _relu(x: torch.Tensor, out: torch.Tensor | None) -> torch.Tensor:
    return torch.relu(x) if out is None else torch.clamp_min(x, 0, out=out)


def _silu(x: torch.Tensor, out: torch.Tensor | None) -> torch.Tensor:
    return functional.silu(x) if out is None else torch.ops.aten.silu.out(x, out=out)


def _logistic(x: torch.Tensor, out: torch.Tensor | None) -> torch.Tensor:
    return torch.sigmoid(x, out=out)


def _tanh(x: torch.Tensor, out: torch.Tensor | None) -> torch.Tensor:
    return torch.tanh(x, out=out)


# Name in a config -> (what computes it, how it is written).
ACTIVATIONS: dict[str, tuple[Callable[..., Any], str]] = {
    "gelu": (_gelu("none"), "gelu({x}) = {x} · Φ({x})"),
    "gelu_python": (_gelu_python, "gelu({x}) = {x} · Φ({x})"),
    "gelu_pytorch_tanh": (_gelu("tanh"), "gelu_tanh({x})"),
    "gelu_new": (_gelu_new, "gelu_tanh({x})"),
    "quick_gelu": (_quick_gelu, "{x} · sigmoid(1.702 {x})"),
    "relu": (_relu, "max(0, {x})"),
    "sigmoid": (_logistic, "sigmoid({x})"),
    "silu": (_silu, "{x} · sigmoid({x})"),
    "swish": (_silu, "{x} · sigmoid({x})"),
    "tanh": (_tanh, "tanh({x})"),
}


# |f(x)| is at most |x| for every x.
NO_LARGER = frozenset({"gelu", "gelu_python", "gelu_pytorch_tanh", "gelu_new", "relu", "silu", "swish", "tanh"})


def activation_bound(kind: str, sizes: Sizes) -> float:
    """No larger than what it is of; some cube that on the way, so that may not overflow either."""
    most = sizes.most(0)
    small = kind in NO_LARGER and most <= largest(sizes.dtype) ** (1 / 4)
    return ROOM * most if small else NO_RULE


@dataclass(frozen=True, slots=True)
class Curve:
    """A function of one number.

    Attributes:
        written: `x · Φ(x)`, with `{x}` for the input.
        gate: what the input is multiplied by, and how that is written; None where the function is no such product.
        output, slope: the function and its derivative.
        steps: how many roundings, of the input's magnitude, may lie between it and what is stored.
        least: the magnitude that is rounded even where the input is smaller.
    """

    written: str
    output: Callable[[float], float]
    slope: Callable[[float], float]
    gate: Callable[[float], float] | None = None
    gate_written: str = ""
    steps: int = 16
    least: float = 0.0


def _normal(x: float) -> float:
    """Φ, the share of the standard normal distribution below x."""
    return 0.5 * math.erfc(-x / math.sqrt(2.0))


def _density(x: float) -> float:
    return math.exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi)


def _sigmoid(x: float) -> float:
    if x >= 0:
        return 1.0 / (1.0 + math.exp(-x))
    return math.exp(x) / (1.0 + math.exp(x))


_TANH_SCALE, _TANH_CUBE = math.sqrt(2.0 / math.pi), 0.044715


def _tanh_gate(x: float) -> float:
    return _sigmoid(2 * _TANH_SCALE * (x + _TANH_CUBE * x * x * x))


def _tanh_slope(x: float) -> float:
    gate = _tanh_gate(x)
    steep = 2 * _TANH_SCALE * (1 + 3 * _TANH_CUBE * x * x)
    return gate + (x * gate * (1 - gate) * steep if gate * (1 - gate) else 0.0)


# Hendrycks and Gimpel 2016: the exact form, and the one by tanh.
GELU = Curve(
    "{x} · Φ({x})", lambda x: x * _normal(x), lambda x: _normal(x) + (x * _density(x) if math.isfinite(x) else 0.0),
    _normal, "Φ(x)",
)  # fmt: skip
GELU_TANH = Curve(
    "{x} · ½(1 + tanh(√(2/π) ({x} + 0.044715 {x}³)))", lambda x: x * _tanh_gate(x), _tanh_slope,
    _tanh_gate, "½(1 + tanh ...)",
)  # fmt: skip
RELU = Curve("max(0, {x})", lambda x: x if x > 0 or math.isnan(x) else 0.0, lambda x: math.nan if math.isnan(x) else float(x > 0), steps=0)  # fmt: skip
SILU = Curve(
    "{x} · sigmoid({x})", lambda x: x * _sigmoid(x), lambda x: _sigmoid(x) * (1 + x * (1 - _sigmoid(x)) if x < 40 else 1),
    _sigmoid, "sigmoid(x)",
)  # fmt: skip
SIGMOID = Curve("sigmoid({x})", _sigmoid, lambda x: _sigmoid(x) * (1 - _sigmoid(x)), least=1.0)
QUICK_GELU = Curve(
    "{x} · sigmoid(1.702 {x})", lambda x: x * _sigmoid(1.702 * x),
    lambda x: _sigmoid(1.702 * x) * (1 + 1.702 * x * (1 - _sigmoid(1.702 * x)) if x < 40 else 1),
    lambda x: _sigmoid(1.702 * x), "sigmoid(1.702 x)",
)  # fmt: skip
TANH = Curve("tanh({x})", math.tanh, lambda x: 1 - math.tanh(x) ** 2)

CURVES: dict[str, Curve] = {
    "gelu": GELU, "gelu_python": GELU, "gelu_new": GELU_TANH, "gelu_pytorch_tanh": GELU_TANH,
    "quick_gelu": QUICK_GELU, "relu": RELU, "sigmoid": SIGMOID, "silu": SILU, "swish": SILU, "tanh": TANH,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Activation(Op):
    """A function of each element alone, named as in transformers' `ACT2FN`."""

    kind: str
    card: ClassVar[Card] = Card(elementwise=True)

    def compute(self, inputs: Tensors, weights: Tensors, out: Out) -> torch.Tensor:
        return ACTIVATIONS[self.kind][0](inputs[0], out=out())

    def bound(self, sizes: Sizes) -> float:
        return activation_bound(self.kind, sizes)

    def write(self, *operands: str) -> str:
        return ACTIVATIONS[self.kind][1].format(x=operands[0])

    @staticmethod
    def explain(element: Element) -> Explanation:
        """y = f(x), and f′(x): how much of a small change of the input comes through."""
        kind = str(element.options["kind"])
        x = element.one(0, element.index)
        place = f"{element.input_name(0)}{at(*element.index)}"
        curve = CURVES.get(kind)
        if curve is None:
            note = f"the slope of {kind!r} is not known here"
            terms = Terms([element.stored], lambda _: Term(element.stored, (x,), kind))
            return element.explain(f"{kind}({place})", terms, facts={"input": x.value}, notes=[note])
        value = curve.output(x.value)
        factors = (x,)
        if curve.gate is not None:
            factors = (x, element.constant(curve.gate_written, curve.gate(x.value)))
        how = "" if curve.gate is not None else curve.written.format(x="x")
        terms = Terms([value], lambda _: Term(value, factors, how))
        facts = {"input": x.value, "output": value, "slope": curve.slope(x.value)}
        return element.explain(
            curve.written.format(x=place) if len(place) < 24 else curve.written.format(x="x") + f" at x = {place}",
            terms, facts=facts, bound=rounding.of_steps(element.value.dtype, curve.steps, max(abs(x.value), curve.least)),
        )  # fmt: skip
