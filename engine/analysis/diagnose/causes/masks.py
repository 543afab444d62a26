"""A mask that is read the wrong way round, stands on the wrong axis, hides too little, comes too early, too late, or never."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ....program.stage import Stage
from ..case import Case, Float64s
from ..edit import Edit
from ..hypothesis import Hypothesis
from ..otherwise import Otherwise, op_of, plainly, with_options
from ..settings import config_line

if TYPE_CHECKING:
    import torch

WINDOWS = (-1, 1, -2, 2)
HIDDEN = -1e3  # what is below this in our mask hides
SIZES = (-1e4, -1e9, -100.0, -20.0, -10.0, -1.0)


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
    window: int | None = suspect.options.get("window")
    if window is not None:
        yield from _of_another_width(case, suspect, window)
    if not suspect.options.get("causal"):

        def causal(stage: Stage) -> Edit | None:
            if stage.kind != "AdditiveMask":
                return None
            return Edit({stage.name: with_options(stage, causal=True)})

        yield Hypothesis(
            "causal", "theirs hides the keys after each query (causal), ours does not", suspect.name, causal,
            ours="--causal", theirs="no causal mask",
        )  # fmt: skip


def _of_another_width(case: Case, suspect: Stage, window: int) -> Iterator[Hypothesis]:
    longest = case.ours.tokens.shape[1]
    for other in (*(window + by for by in WINDOWS), window * 2, window // 2, None):
        if other is not None and not 0 <= other < longest:
            continue

        def edit(stage: Stage, other: int | None = other) -> Edit | None:
            if stage.kind != "AdditiveMask" or stage.options.get("window") != window:
                return None
            return Edit({stage.name: with_options(stage, window=other)})

        says = f"keys up to {other} places away" if other is not None else "every key"
        yield Hypothesis(
            "window", f"theirs sees {says}, ours up to {window}", suspect.name, edit,
            ours=_window_line(case, window, other), theirs=f"|query − key| ≤ {window}",
        )  # fmt: skip


def _window_line(case: Case, window: int, other: int | None) -> str:
    """Where a config says how far is seen to either side, or to both together."""
    if other is not None and "sliding_window" in case.settings:
        return config_line(case.settings, ("sliding_window",), window, other)
    if other is not None and "local_attention" in case.settings:
        return config_line(case.settings, ("local_attention",), 2 * window, 2 * other)
    return f"a window of {other} places to either side" if other is not None else "no window"


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


def _ones(mask: torch.Tensor) -> torch.Tensor:
    return (mask >= HIDDEN).to(mask.dtype)


WAYS: tuple[tuple[str, str, Callable[[Any], Any], str], ...] = (
    ("mask inverted", "theirs hides what ours sees: its mask is read the wrong way round", _inverted, "1 - mask, or ~mask"),
    ("mask on the wrong axis", "theirs hides padded queries (rows) in place of padded keys (columns)", _on_queries, "mask[:, None, None, :]"),
    ("no mask", "theirs hides nothing: padding is seen", _nothing, "add the mask to the scores before the softmax"),
    ("mask of ones and zeros", "theirs adds the mask of ones and zeros as it is, which hides nothing", _ones, "(1 - mask) * torch.finfo(dtype).min"),
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
    factor = _factor(case, suspect)
    for size, early in _sizes(case, suspect):
        if early and factor is not None:
            yield _too_early(case, suspect, size, *factor)
        else:
            yield _of_size(suspect, size)


def _sizes(case: Case, suspect: Stage) -> Iterator[tuple[float, bool]]:
    """What hides in theirs, and whether before scaling: where it can be read, else what is commonly written."""
    factor = _factor(case, suspect)
    if not (case.mine(suspect.name) < HIDDEN).any():
        return
    unscaled = (
        _measured(case, suspect, case.mine(factor[1])) if factor is not None and case.is_known(suspect.name) else None
    )
    if unscaled is not None:
        yield float(f"{unscaled:.3g}"), True
        return
    measured = _measured(case, suspect, case.mine(suspect.inputs[0]))
    if measured is None:
        yield from ((size, early) for size in SIZES for early in ((False, True) if factor is not None else (False,)))
        return
    late, early = (
        float(f"{size:.3g}") for size in (measured, measured / factor[0] if factor is not None else measured)
    )
    if factor is not None and _is_round(early) and not _is_round(late):
        yield early, True
    else:
        yield late, False


def _is_round(size: float) -> bool:
    """Whether it is a number that people write: -20, -1e4."""
    return abs(size / float(f"{size:.1g}") - 1) < 0.01


def _measured(case: Case, suspect: Stage, before: Float64s) -> float | None:
    """What is added to a hidden score, from the masked scores of theirs or from the weights that come of them."""
    mine = case.mine(suspect.name)
    user = next((case.ours.program[name] for name in case.ours.program.users(suspect.name)), None)
    hidden = mine < HIDDEN  # (batch, head, query, key)
    if (other := case.others(suspect.name)) is not None:
        added = other - before
    elif user is not None and user.kind == "Softmax" and (other := case.others(user.name)) is not None:
        with np.errstate(divide="ignore"):
            logits = np.log(other) - before
        best = np.where(hidden, -np.inf, other).argmax(-1)[..., None]  # of the keys that are seen
        added = logits - np.take_along_axis(logits, best, -1)
    else:
        return None
    real = case.real(suspect)
    there = added[hidden & real[..., None]] if real is not None else added[hidden]
    there = there[np.isfinite(there)]
    if not len(there):
        return None
    middle = float(np.median(there))
    return middle if middle < 0 and float(np.abs(there - middle).max()) <= 0.01 * abs(middle) + 1e-3 else None


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


def _too_early(case: Case, suspect: Stage, size: float, factor: float, scores: str) -> Hypothesis:
    part, program = scores.rpartition(".")[2], case.ours.program
    known = case.others(suspect.name) is not None  # theirs calls that masked which is not scaled yet

    def edit(stage: Stage) -> Edit | None:
        if not stage.card.hides or len(stage.inputs) != 2:
            return None
        by = 1.0 if known else factor
        put = Otherwise(
            op_of(stage), f"({part} {size:+g}) · {by:.4g}", lambda xs, _: (xs[0] + (xs[1] < HIDDEN).to(xs[0].dtype) * size) * by
        )  # fmt: skip
        edit = Edit({stage.name: replace(stage, op=put, inputs=(f"{stage.block}.{part}", stage.inputs[1]))})
        for user in (program[name] for name in program.users(stage.name) if known):
            op = op_of(user)

            def later(xs: Any, ws: Any, op: Any = op) -> Any:
                return plainly(op, (xs[0] * factor, *xs[1:]), ws)

            edit = edit | Edit({user.name: replace(user, op=Otherwise(op, f"of {factor:.4g} · masked", later))})
        return edit

    return Hypothesis(
        "mask before scaling", f"theirs adds a mask of {size:g} to the scores before they are scaled, so that {size * factor:.4g} is left of it",
        suspect.name, edit, theirs="scale first, then add the mask",
    )  # fmt: skip


def _after(case: Case, suspect: Stage) -> Iterator[Hypothesis]:
    """A mask upon the weights, and a softmax along the wrong axis."""
    program = case.ours.program
    masked = program[suspect.inputs[0]]
    if masked.card.hides and len(masked.inputs) == 2:
        for inside in (True, False):

            def edit(stage: Stage, inside: bool = inside) -> Edit | None:
                if stage.kind != "Softmax" or stage.axes != suspect.axes:
                    return None
                here = program[stage.inputs[0]]
                return _upon_weights(case, stage, here, inside) if here.card.hides and len(here.inputs) == 2 else None

            yield Hypothesis(
                "mask after the softmax", "theirs puts the mask upon the weights after the softmax, which then do not sum to 1", suspect.name,
                edit, theirs="add the mask to the scores, before the softmax",
            )  # fmt: skip

    def over_queries(stage: Stage) -> Edit | None:
        if stage.kind != "Softmax" or stage.axes != suspect.axes:
            return None
        put = Otherwise(op_of(stage), "softmax over queries", lambda xs, _: xs[0].softmax(-2))
        return Edit({stage.name: replace(stage, op=put)})

    if suspect.axes[-2:] == ("query", "key"):
        yield Hypothesis(
            "softmax over queries", "theirs takes the softmax over queries, ours over keys", suspect.name, over_queries, theirs="softmax(-1)"
        )  # fmt: skip


def _upon_weights(case: Case, stage: Stage, masked: Stage, inside: bool) -> Edit | None:
    """The mask as zeros and ones upon the weights: in the stage of the weights itself, or only where they are used."""
    op, (scores, mask) = op_of(stage), masked.inputs

    def seen(weights: Any, hides: Any) -> Any:
        return weights * (hides >= HIDDEN).to(weights.dtype)

    if inside:
        put = Otherwise(op, "softmax, then the mask", lambda xs, ws: seen(plainly(op, xs[:1], ws), xs[1]))
        return Edit({stage.name: replace(stage, op=put, inputs=(scores, mask))})
    edit = Edit({stage.name: replace(stage, inputs=(scores,))})
    for name in case.ours.program.users(stage.name):
        user = case.ours.program[name]
        op, at = op_of(user), user.inputs.index(stage.name)

        def use(xs: Any, ws: Any, op: Any = op, at: int = at) -> Any:
            return plainly(op, [seen(x, xs[-1]) if place == at else x for place, x in enumerate(xs[:-1])], ws)

        edit = edit | Edit(
            {name: replace(user, op=Otherwise(op, "of masked weights", use), inputs=(*user.inputs, mask))}
        )
    return edit
