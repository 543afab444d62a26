"""Rotary embeddings by another base, of other pairs, the other way round, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ....program.stage import Stage
from ..case import Case
from ..edit import Edit
from ..hypothesis import Hypothesis
from ..otherwise import Otherwise, op_of, plainly, with_options
from ..settings import config_line

BASES = (10_000.0, 160_000.0, 500_000.0, 1_000_000.0, 100_000.0, 1_000.0)
KEYS = ("rope_theta", "global_rope_theta", "local_rope_theta", "rotary_emb_base")
Complex = npt.NDArray[np.complex128]
SIGNIFICANT = 3  # digits of a base that was measured


def rotations(case: Case) -> Iterator[Hypothesis]:
    """Other tables of angles, and other ways to turn by them."""
    for suspect in case.suspected("RotaryTable"):
        yield from _bases(case, suspect)
    for suspect in case.suspected("Rotate"):
        yield from _turned(suspect)


def _bases(case: Case, suspect: Stage) -> Iterator[Hypothesis]:
    now = float(suspect.options["theta"])
    measured = _measured(case, suspect)
    said = [float(value) for value in case.settings.values() if isinstance(value, int | float) and value > 999]
    for base in _once([*([measured] if measured else []), *BASES, *said]):
        if base == now:
            continue

        def edit(stage: Stage, base: float = base) -> Edit | None:
            if stage.kind != "RotaryTable" or stage.options["theta"] != now:
                return None
            return Edit({
                each.name: with_options(each, theta=base)
                for each in case.ours.program
                if each.kind == "RotaryTable" and each.block == stage.block
            })  # fmt: skip

        yield Hypothesis(
            "rotary base", f"theirs turns by the base {base:g}, ours by {now:g}", suspect.name, edit,
            ours=config_line(case.settings, KEYS, now, base), theirs=f"theta = {now:g}",
        )  # fmt: skip


def _once(bases: list[float]) -> list[float]:
    return list(dict.fromkeys(bases))


def _measured(case: Case, suspect: Stage) -> float | None:
    """The base that theirs turns by, from angles of tokens at position 1: pair i turns by theta^(−2i / head_dim)."""
    users = [stage for stage in case.ours.program if stage.kind == "Rotate" and suspect.name in stage.inputs]
    for stage in users[:2]:
        turned, x = case.others(stage.name), case.mine(stage.inputs[0])
        if turned is None:
            continue
        places = np.asarray(case.ours.value(suspect.inputs[0]).read())  # (batch, token)
        at = np.argwhere(places == 1)
        if not len(at):
            return None
        half = x.shape[-1] // 2
        before = np.stack([x[batch, :, token] for batch, token in at])  # (token, head, head_dim)
        after = np.stack([turned[batch, :, token] for batch, token in at])
        return _base_of(before[..., :half] + 1j * before[..., half:], after[..., :half] + 1j * after[..., half:])
    return None


def _base_of(before: Complex, after: Complex) -> float | None:
    half = before.shape[-1]
    angles = np.angle((after * before.conj()).reshape(-1, half).sum(0))  # of all heads together, each by its size
    bases = [angles[i] ** (-half / i) for i in range(1, half) if 0 < angles[i] < 1]
    if not bases:
        return None
    base = float(np.median(bases))
    return float(f"{base:.{SIGNIFICANT}g}") if 1 < base < 1e12 else None


def _turned(suspect: Stage) -> Iterator[Hypothesis]:
    for kind, cause, function in (
        ("rotary pairs", "theirs turns pairs of neighbours (interleaved), ours halves of a head", _interleaved),
        ("rotary direction", "theirs turns the other way round", _backwards),
        ("not rotated", "theirs does not turn by positions here", _not_at_all),
    ):  # fmt: skip

        def edit(stage: Stage, function: Callable[..., Any] = function, kind: str = kind) -> Edit | None:
            if stage.kind != "Rotate":
                return None
            op = op_of(stage)
            return Edit({stage.name: replace(stage, op=Otherwise(op, kind, lambda xs, ws: function(op, xs, ws)))})

        yield Hypothesis(
            kind, cause, suspect.name, edit, theirs="x · cos + (−x₂, x₁) · sin, of halves x₁, x₂ of a head"
        )


def _backwards(op: Any, xs: Any, ws: Any) -> Any:
    return plainly(op, (xs[0], xs[1], -xs[2]), ws)


def _not_at_all(op: Any, xs: Any, ws: Any) -> Any:
    return xs[0] * 1


def _interleaved(op: Any, xs: Any, ws: Any) -> Any:
    import torch

    x, cos, sin = xs
    half = x.shape[-1] // 2
    cos, sin = cos[..., :half].unsqueeze(1), sin[..., :half].unsqueeze(1)  # (batch, 1, token, head_dim / 2)
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack((even * cos - odd * sin, odd * cos + even * sin), dim=-1).flatten(-2)
