"""A norm that is computed otherwise: another epsilon, gain and shift exchanged or left out, not centred, the deviation of a sample."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ....program.stage import Stage
from ..case import Case
from ..edit import Edit
from ..hypothesis import Hypothesis
from ..otherwise import Otherwise, op_of, with_options
from ..settings import config_line

if TYPE_CHECKING:
    import torch

    from ..otherwise import Function

EPSILONS = (1e-12, 1e-6, 1e-5, 1e-8, 1e-7, 1e-3, 1e-9, 0.0)
KEYS = ("layer_norm_eps", "norm_eps", "layer_norm_epsilon", "rms_norm_eps")
NORMS = ("LayerNorm", "RMSNorm")


def norms(case: Case) -> Iterator[Hypothesis]:
    """What a norm may do otherwise."""
    for suspect in case.suspected(*NORMS):
        yield from _weights(case, suspect)
        yield from _epsilons(case, suspect)
        yield from _computed_otherwise(suspect)


def _weights(case: Case, suspect: Stage) -> Iterator[Hypothesis]:
    def exchanged(stage: Stage) -> Edit | None:
        if stage.kind != "LayerNorm" or len(stage.weights) != 2:
            return None
        gain, shift = stage.weights
        return Edit(weights={gain: case.ours.weights[shift], shift: case.ours.weights[gain]})

    def without_gain(stage: Stage) -> Edit | None:
        gain = stage.weights[0] if stage.kind in NORMS and stage.weights else None
        return Edit(weights={gain: case.ours.weights[gain] * 0 + 1}) if gain else None

    def without_shift(stage: Stage) -> Edit | None:
        shift = stage.weights[1] if stage.kind == "LayerNorm" and len(stage.weights) == 2 else None
        return Edit(weights={shift: case.ours.weights[shift] * 0}) if shift else None

    if suspect.kind == "LayerNorm" and len(suspect.weights) == 2:
        gain, shift = suspect.weights
        yield Hypothesis(
            "gain and shift exchanged", "theirs has gamma where ours has beta, and beta where ours has gamma", suspect.name, exchanged,
            ours=f"exchange {gain} and {shift}", theirs="exchange gamma (weight) and beta (bias) of the norm",
        )  # fmt: skip
    for edit, what, kind in ((without_gain, "gamma", "gain"), (without_shift, "beta", "shift")):
        if edit(suspect) is not None:
            yield Hypothesis(
                f"{kind} left out", f"theirs leaves out {what}, the {kind} of the norm", suspect.name, edit,
                theirs=f"load and use {what}, {'1' if kind == 'gain' else '0'} there as after initialisation",
            )  # fmt: skip


def _epsilons(case: Case, suspect: Stage) -> Iterator[Hypothesis]:
    now = float(suspect.options["epsilon"])
    for other in EPSILONS:
        if other == now:
            continue

        def edit(stage: Stage, other: float = other) -> Edit | None:
            if stage.kind not in NORMS or float(stage.options["epsilon"]) != now:
                return None
            return Edit({stage.name: with_options(stage, epsilon=other)})

        yield Hypothesis(
            "epsilon", f"theirs adds epsilon {other:g} to the variance, ours {now:g}", suspect.name, edit,
            ours=config_line(case.settings, KEYS, now, other), theirs=f"eps={now:g}",
        )  # fmt: skip


def _computed_otherwise(suspect: Stage) -> Iterator[Hypothesis]:
    epsilon = float(suspect.options["epsilon"])
    ways: tuple[tuple[str, str, Function], ...] = (
        ("norm left out", f"theirs does not norm: it has no {suspect.part} of {suspect.block}", lambda xs, ws: xs[0] * 1),
        ("not centred", "theirs does not subtract the mean (RMSNorm), ours does (LayerNorm)", _by_root_mean_square(epsilon)),
        ("deviation of a sample", "theirs divides the variance by n − 1, ours by n", _standardised(lambda x: x.var(-1, keepdim=True), epsilon)),
        (
            "epsilon beside the deviation", "theirs adds epsilon to the deviation (n − 1) after the root, ours to the variance",
            _beside(1, epsilon),
        ),
        ("epsilon beside the deviation", "theirs adds epsilon to the deviation after the root, ours to the variance", _beside(0, epsilon)),
    )  # fmt: skip
    if suspect.kind == "RMSNorm":
        ways = (
            ("norm left out", f"theirs does not norm: it has no {suspect.part} of {suspect.block}", lambda xs, ws: xs[0] * 1),
            ("centred", "theirs subtracts the mean (LayerNorm), ours does not (RMSNorm)",
             _standardised(lambda x: x.var(-1, keepdim=True, correction=0), epsilon)),
        )  # fmt: skip
    for kind, cause, function in ways:

        def edit(stage: Stage, function: Function = function) -> Edit | None:
            if stage.kind != suspect.kind:
                return None
            return Edit({stage.name: replace(stage, op=Otherwise(op_of(stage), "a norm otherwise", function))})

        yield Hypothesis(kind, cause, suspect.name, edit, theirs=f"torch.nn.{suspect.kind}")


def _standardised(variance: Callable[[torch.Tensor], torch.Tensor], epsilon: float) -> Function:
    def norm(inputs: Any, weights: Any) -> torch.Tensor:
        (x,) = inputs
        return _with_weights((x - x.mean(-1, keepdim=True)) / (variance(x) + epsilon).sqrt(), weights)

    return norm


def _by_root_mean_square(epsilon: float) -> Function:
    def norm(inputs: Any, weights: Any) -> torch.Tensor:
        (x,) = inputs
        return _with_weights(x / ((x * x).mean(-1, keepdim=True) + epsilon).sqrt(), weights)

    return norm


def _beside(correction: int, epsilon: float) -> Function:
    def norm(inputs: Any, weights: Any) -> torch.Tensor:
        (x,) = inputs
        deviation = x.std(-1, keepdim=True, correction=correction)
        return _with_weights((x - x.mean(-1, keepdim=True)) / (deviation + epsilon), weights)

    return norm


def _with_weights(normed: torch.Tensor, weights: Sequence[torch.Tensor]) -> torch.Tensor:
    for at, weight in enumerate(weights):
        normed = normed * weight if at == 0 else normed + weight
    return normed
