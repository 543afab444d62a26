"""Values that are the same up to one factor: a scale that is missing, stands twice, or is another."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from ....program.stage import Stage
from ..case import Case, Float64s
from ..edit import Edit
from ..hypothesis import Hypothesis, only_at
from ..otherwise import Otherwise, followed_by, op_of, plainly

SCALES = ("Scale", "DivideByRoot", "Multiply")
ALIKE = 1e-3  # of the largest number: how far two may be apart, up to a factor


def scales(case: Case) -> Iterator[Hypothesis]:
    """A factor of ours that theirs lacks or has twice; one that theirs has besides."""
    for suspect in case.suspected(*SCALES):
        yield from _known(suspect)
    for suspect in case.suspects:
        if suspect.kind in ("AddBias", "AddMask"):
            yield from _before_what_is_added(case, suspect)
        pair = case.both(suspect.name) if suspect.inputs and not suspect.card.whole_numbers else None
        factor = constant_ratio(*pair) if pair is not None else None
        if factor is not None:
            yield from _another(case, suspect, factor)


def _known(suspect: Stage) -> Iterator[Hypothesis]:
    def missing(stage: Stage) -> Edit | None:
        if stage.kind != suspect.kind:
            return None
        return Edit({stage.name: replace(stage, op=Otherwise(op_of(stage), stage.inputs[0], lambda xs, _: xs[0] * 1))})

    def twice(stage: Stage) -> Edit | None:
        if stage.kind != suspect.kind:
            return None
        op = op_of(stage)
        return Edit(
            {stage.name: replace(stage, op=followed_by(stage, "scaled twice", lambda x: plainly(op, (x, x), ())))}
        )

    written = suspect.formula().partition(" = ")[2]
    yield Hypothesis(
        "scale missing", f"theirs does not scale: ours computes {written}", suspect.name, missing,
        theirs=f"scale as in {suspect.part} = {written}",
    )  # fmt: skip
    yield Hypothesis(
        "scale twice",
        f"theirs scales twice, ours once: {written}",
        suspect.name,
        twice,
        theirs=f"scale once{_size(suspect)}",
    )


def _size(suspect: Stage) -> str:
    """What scaling twice by a root is as well."""
    size = suspect.options.get("head_dim") or suspect.options.get("size")
    return f", by √{size} and not by {size}" if size else ""


def _factor_of(suspect: Stage) -> float | None:
    """What a stage that scales multiplies by."""
    size = suspect.options.get("head_dim") or suspect.options.get("size")
    if suspect.kind in ("Scale", "DivideByRoot") and size:
        return float(size) ** -0.5
    return None


def _before_what_is_added(case: Case, suspect: Stage) -> Iterator[Hypothesis]:
    """Theirs scales the scores where ours has no such stage."""
    if any(case.ours.program[name].kind in SCALES for name in (suspect.name, *case.ours.program.upstream(suspect.name))
           if case.ours.program[name].layer == suspect.layer):  # fmt: skip
        return
    heads = next((stage for stage in case.ours.program if stage.part == "query_heads"), None)
    if heads is None:
        return
    size = case.ours.shapes[heads.name][-1]
    for factor, written in ((size**-0.5, f"1/√{size}"), (1 / size, f"1/{size}"), (size**0.5, f"√{size}")):

        def edit(stage: Stage, factor: float = factor, written: str = written) -> Edit | None:
            if stage.part != suspect.part or stage.kind != suspect.kind:
                return None
            op = op_of(stage)
            function = Otherwise(op, f"scores · {written}", lambda xs, ws: plainly(op, (xs[0] * factor, *xs[1:]), ws))
            return Edit({stage.name: replace(stage, op=function)})

        yield Hypothesis(
            "scale ours has not", f"theirs multiplies the scores by {written}, ours by nothing", suspect.name, edit,
            theirs=f"without the factor {written}",
        )  # fmt: skip


def _another(case: Case, suspect: Stage, factor: float) -> Iterator[Hypothesis]:
    written, own = tidy(case, factor), _factor_of(suspect)

    def edit(stage: Stage) -> Edit | None:
        if stage.part != suspect.part or stage.kind != suspect.kind:
            return None
        return Edit({stage.name: replace(stage, op=followed_by(stage, f"· {factor:g}", lambda x: x * factor))})

    if own is not None:
        there, here = tidy(case, factor * own), tidy(case, own)
        yield Hypothesis(
            "scale of another size", f"theirs multiplies by {there}, ours by {here}", suspect.name, edit, theirs=f"multiply by {here}",
        )  # fmt: skip
        return
    yield Hypothesis(
        "a factor", f"theirs is ours times {written}", suspect.name, edit, ours=f"multiply by {written}", theirs=f"divide by {written}",
    )  # fmt: skip
    if suspect.weights and suspect.kind == "Linear":
        weights = {name: case.ours.weights[name] * factor for name in suspect.weights}
        yield Hypothesis(
            "weights times a factor", f"theirs has the weights of ours times {written}", suspect.name,
            only_at(suspect.name, Edit(weights=weights)), theirs=f"divide {' and '.join(suspect.weights)} by {written}", spreads=False,
        )  # fmt: skip


def constant_ratio(mine: Float64s, other: Float64s) -> float | None:
    """By how much theirs is larger, where it is everywhere the same; None elsewhere."""
    told = np.isfinite(mine) & np.isfinite(other) & (np.abs(mine) < 1e30) & (np.abs(other) < 1e30)
    a, b = mine[told], other[told]
    square = float(a @ a)
    if len(a) < 8 or not square:
        return None
    factor = float(a @ b) / square
    if not math.isfinite(factor) or not factor or np.abs(b - factor * a).max() > ALIKE * np.abs(b).max():
        return None
    return factor


def tidy(case: Case, factor: float) -> str:
    """The factor as one would write it: 1/√64, √768, 2."""
    heads = next((stage for stage in case.ours.program if stage.part == "query_heads"), None)
    sizes = list(case.ours.shapes[heads.name][::-2]) if heads is not None else []  # of a head, and how many there are
    sizes += [shape[-1] for name, shape in case.ours.shapes.items() if name.endswith("embeddings.token")]
    known = {f"√{size}": math.sqrt(size) for size in sizes} | {f"{size}": float(size) for size in sizes} | {"2": 2.0}
    for written, number in known.items():
        for text, value in ((written, number), (f"1/{written}", 1 / number)):
            if abs(factor / value - 1) < ALIKE:
                return text
    return f"{factor:.4g}"
