"""A mask that is read the wrong way round, stands on the wrong axis, hides too little, comes too early, too late, or never."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ....program.stage import Stage
from ..case import Case
from ..edit import Edit
from ..hypothesis import Hypothesis
from ..otherwise import Otherwise, op_of, plainly, with_options

if TYPE_CHECKING:
    import torch

WINDOWS = (-1, 1, -2, 2)
HIDDEN = -1e3  # what is below this in our mask hides
SIZES = (-1e4, -1e9, -100.0, -20.0, -10.0, -1.0)
MASK = "the mask"


def masks(case: Case) -> Iterator[Hypothesis]:
    """What may be wrong about a mask."""
    for suspect in case.suspected("AdditiveMask"):
        yield from _windows(case, suspect)
    for suspect in case.suspects:
        if suspect.card.hides and len(suspect.inputs) == 2:
            yield from _added(case, suspect)
        elif suspect.kind == "AdditiveMask":
            yield from _made(suspect)
        elif suspect.kind == "Softmax":
            yield from _after(case, suspect)


# -- the mask itself ---------------------------------------------------------------------------------------------------


def _windows(case: Case, suspect: Stage) -> Iterator[Hypothesis]:
    window = suspect.options.get("window")
    longest = case.ours.tokens.shape[1]
    others: list[int | None] = []
    if window is not None:
        others = [window + by for by in WINDOWS] + [window * 2, window // 2, None]
    for other in others:
        if other is not None and not 0 <= other < longest:
            continue

        def edit(stage: Stage, other: int | None = other) -> Edit | None:
            if stage.kind != "AdditiveMask" or stage.options.get("window") != window:
                return None
            return Edit({stage.name: with_options(stage, window=other)})

        says = f"keys up to {other} places away" if other is not None else "every key"
        yield Hypothesis(
            "window", f"theirs sees {says}, ours up to {window}", suspect.name, edit,
            ours=f"a window of {other} places to either side", theirs=f"|query − key| ≤ {window}",
        )  # fmt: skip
    if not suspect.options.get("causal"):

        def causal(stage: Stage) -> Edit | None:
            if stage.kind != "AdditiveMask":
                return None
            return Edit({stage.name: with_options(stage, causal=True)})

        yield Hypothesis(
            "causal", "theirs hides the keys after each query (causal), ours does not", suspect.name, causal,
            ours="--causal", theirs="no causal mask",
        )  # fmt: skip


def _made(suspect: Stage) -> Iterator[Hypothesis]:
    for kind, cause, function, theirs in WAYS:

        def edit(
            stage: Stage, function: Callable[[torch.Tensor], torch.Tensor] = function, kind: str = kind
        ) -> Edit | None:
            if stage.kind != "AdditiveMask":
                return None
            op = op_of(stage)
            return Edit(
                {stage.name: replace(stage, op=Otherwise(op, kind, lambda xs, ws: function(plainly(op, xs, ws))))}
            )

        yield Hypothesis(kind, cause, suspect.name, edit, theirs=theirs)


def _inverted(mask: torch.Tensor) -> torch.Tensor:
    import torch

    lowest = torch.finfo(mask.dtype).min
    return torch.where(mask < HIDDEN, 0.0, lowest).to(mask.dtype)


def _on_queries(mask: torch.Tensor) -> torch.Tensor:
    return mask.transpose(-1, -2).contiguous() if mask.shape[-1] == mask.shape[-2] else mask


def _nothing(mask: torch.Tensor) -> torch.Tensor:
    return mask.clone() * 0


WAYS: tuple[tuple[str, str, Callable[[Any], Any], str], ...] = (
    ("mask inverted", "theirs hides what ours sees: its mask is read the wrong way round", _inverted, "1 - mask, or ~mask"),
    ("mask on the wrong axis", "theirs hides padded queries (rows) in place of padded keys (columns)", _on_queries, "mask[:, None, None, :]"),
    ("no mask", "theirs hides nothing: padding is seen", _nothing, "add the mask to the scores before the softmax"),
)  # fmt: skip


# -- how it is put upon the scores -------------------------------------------------------------------------------------


def _added(case: Case, suspect: Stage) -> Iterator[Hypothesis]:
    for kind, cause, function, theirs in WAYS:

        def edit(stage: Stage, function: Callable[[Any], Any] = function, kind: str = kind) -> Edit | None:
            if not stage.card.hides or len(stage.inputs) != 2:
                return None
            op = op_of(stage)
            return Edit({stage.name: replace(stage, op=Otherwise(op, kind, lambda xs, ws: xs[0] + function(xs[1])))})

        yield Hypothesis(kind, cause, suspect.name, edit, theirs=theirs)
    for size in _sizes(case, suspect):
        yield _of_size(suspect, size)
        if (factor := _factor(case, suspect)) is not None:
            yield _too_early(suspect, size, *factor)


def _sizes(case: Case, suspect: Stage) -> Iterator[float]:
    """What hides in theirs where it can be read, else what is commonly written."""
    other = case.others(suspect.name)
    mine = case.mine(suspect.name)
    hidden = mine < HIDDEN
    if not hidden.any():
        return
    if other is not None:
        before = case.mine(suspect.inputs[0])
        there = (other - before)[hidden & np.isfinite(other)]
        if len(there) and there.std() <= 0.05 * abs(float(np.median(there))) + 1e-3:
            yield float(f"{float(np.median(there)):.3g}")
        if (factor := _factor(case, suspect)) is not None and len(there):
            yield float(f"{float(np.median(there)) / factor[0]:.3g}")
        if len(there):
            return
    yield from SIZES


def _of_size(suspect: Stage, size: float) -> Hypothesis:
    def edit(stage: Stage) -> Edit | None:
        if not stage.card.hides or len(stage.inputs) != 2:
            return None
        put = Otherwise(op_of(stage), f"+ {size:g}", lambda xs, _: xs[0] + (xs[1] < HIDDEN).to(xs[0].dtype) * size)
        return Edit({stage.name: replace(stage, op=put)})

    return Hypothesis(
        "mask too small", f"theirs hides by adding {size:g}, which a softmax still sees", suspect.name, edit,
        theirs="torch.finfo(scores.dtype).min",
    )  # fmt: skip


def _factor(case: Case, suspect: Stage) -> tuple[float, str] | None:
    """The factor that scores are scaled by before the mask, and the scores' stage."""
    before = case.ours.program[suspect.inputs[0]]
    size = before.options.get("head_dim") or before.options.get("size")
    return (float(size) ** -0.5, before.inputs[0]) if before.kind in ("Scale", "DivideByRoot") and size else None


def _too_early(suspect: Stage, size: float, factor: float, scores: str) -> Hypothesis:
    part = scores.rpartition(".")[2]

    def edit(stage: Stage) -> Edit | None:
        if not stage.card.hides or len(stage.inputs) != 2:
            return None
        put = Otherwise(
            op_of(stage), f"({part} {size:+g}) · {factor:.4g}",
            lambda xs, _: (xs[0] + (xs[1] < HIDDEN).to(xs[0].dtype) * size) * factor,
        )  # fmt: skip
        return Edit({stage.name: replace(stage, op=put, inputs=(f"{stage.block}.{part}", stage.inputs[1]))})

    return Hypothesis(
        "mask before scaling", f"theirs adds a mask of {size:g} to the scores before they are scaled, so that {size * factor:.4g} is left of it",
        suspect.name, edit, theirs="scale first, then add the mask",
    )  # fmt: skip


def _after(case: Case, suspect: Stage) -> Iterator[Hypothesis]:
    masked = case.ours.program[suspect.inputs[0]]
    if not masked.card.hides or len(masked.inputs) != 2:
        return
    part = masked.inputs[0].rpartition(".")[2]
    for again in (False, True):

        def edit(stage: Stage, again: bool = again) -> Edit | None:
            if stage.kind != "Softmax":
                return None
            here = case.ours.program[stage.inputs[0]]
            if not here.card.hides or len(here.inputs) != 2 or not here.inputs[0].endswith(part):
                return None
            op = op_of(stage)

            def weights(xs: Any, ws: Any) -> Any:
                shares = plainly(op, xs[:1], ws) * (xs[1] >= HIDDEN).to(xs[0].dtype)
                return shares / shares.sum(-1, keepdim=True) if again else shares

            put = Otherwise(op, "softmax, then the mask", weights)
            return Edit({stage.name: replace(stage, op=put, inputs=(here.inputs[0], here.inputs[1]))})

        if not again:
            yield Hypothesis(
                "mask after the softmax", "theirs puts the mask upon the weights after the softmax, which then do not sum to 1", suspect.name,
                edit, theirs="add the mask to the scores, before the softmax",
            )  # fmt: skip
