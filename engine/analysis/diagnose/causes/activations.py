"""Another nonlinearity: gelu by erf, by tanh or by a sigmoid, relu, silu, tanh."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ....ops.activations import ACTIVATIONS, Activation
from ....program.stage import Stage
from ..case import Case
from ..edit import Edit
from ..hypothesis import Hypothesis
from ..otherwise import Otherwise, op_of
from ..settings import config_line

# In the order of how often they are met; what differs only in the last bits comes after the other.
TRIED = ("gelu", "gelu_pytorch_tanh", "gelu_new", "relu", "silu", "quick_gelu", "tanh", "gelu_python", "sigmoid")
CODE = {
    "gelu": "functional.gelu(x)",
    "gelu_python": "x * 0.5 * (1 + erf(x / sqrt(2)))",
    "gelu_pytorch_tanh": 'functional.gelu(x, approximate="tanh")',
    "gelu_new": "0.5 * x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3)))",
    "quick_gelu": "x * sigmoid(1.702 * x)",
    "relu": "relu(x)",
    "silu": "functional.silu(x)",
    "tanh": "tanh(x)",
    "sigmoid": "sigmoid(x)",
}
KEYS = ("hidden_act", "hidden_activation", "activation_function", "dense_act_fn", "feed_forward_proj", "activation")


def activations(case: Case) -> Iterator[Hypothesis]:
    """Every other function in the place of an activation."""
    for suspect in case.suspected("Activation"):
        kind = str(suspect.options["kind"])
        for other in TRIED:
            if ACTIVATIONS[other][0] is ACTIVATIONS.get(kind, (None,))[0]:
                continue

            def edit(stage: Stage, kind: str = kind, other: str = other) -> Edit | None:
                if stage.kind != "Activation" or stage.options["kind"] != kind:
                    return None
                return Edit({stage.name: replace(stage, op=Activation(other))})

            yield Hypothesis(
                "activation", f"theirs computes {other}, ours {kind}", suspect.name, edit,
                ours=config_line(case.settings, KEYS, kind, other), theirs=f"{CODE.get(kind, kind)} in the place of {CODE[other]}",
            )  # fmt: skip

        def none(stage: Stage, kind: str = kind) -> Edit | None:
            if stage.kind != "Activation" or stage.options["kind"] != kind:
                return None
            return Edit({stage.name: replace(stage, op=Otherwise(op_of(stage), "as it is", lambda xs, _: xs[0] * 1))})

        yield Hypothesis(
            "activation", f"theirs computes no activation, ours {kind}", suspect.name, none, theirs=f"apply {CODE.get(kind, kind)}"
        )  # fmt: skip
