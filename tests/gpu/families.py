"""Every family against transformers on the same device, and what the debugger says of it there."""

from __future__ import annotations

import math
import random
from typing import Any

import torch

from .checkout import family_samples
from .counting import waiting_stages
from .findings import Findings

DTYPES = ("float32", "bfloat16", "float16")


def check(found: Findings, device: torch.device) -> None:
    """A row for each family: how far each dtype is from the reference, and whether the debugger's own promises hold."""
    samples, missing = family_samples()
    for name, why in missing.items():
        found.holds(f"{name} is left out", True, f"this transformers lacks it: {why}")
    for sample in samples:
        found.attempt(str(sample), lambda sample=sample: _family(found, sample, device))


def _family(found: Findings, sample: Any, device: torch.device) -> None:
    from family_kit import open_pair, random_model, tokens_for

    model = random_model(sample)
    row: dict[str, Any] = {"family": str(sample)}
    for dtype in DTYPES:
        if dtype != "float32" and dtype not in sample.dtypes:
            row[dtype] = "not run"
            continue
        encoder, theirs = open_pair(sample, model, dtype, device=str(device))
        lengths = [[17], [sample.longest], [9, sample.shortest, 4]] if dtype == "float32" else [[8, 5], [17]]
        row[dtype] = _difference(found, sample, encoder, theirs, lengths)
        if dtype == "float32":
            row["stages"] = len(encoder.program)
            tokens = tokens_for(sample, encoder, [7, 5])
            _promises(found, sample, encoder, tokens)
            row["waits"] = _waits(found, sample, encoder, tokens)
    found.row(**row)


def _difference(found: Findings, sample: Any, encoder: Any, theirs: Any, lengths: list[list[int]]) -> str:
    """The largest difference of any stage in units of rounding: 0.0 or `2.1 eps at STAGE`."""
    from family_kit import differences, reference_values, tokens_for

    worst, at, beyond = 0.0, "", ""
    for batch in lengths:
        run = encoder.run(tokens_for(sample, encoder, batch))
        expected = reference_values(sample, theirs, run)
        for name, off in differences(run, expected).items():
            dtype = str(run.dtype(name)).removeprefix("torch.")
            top = _largest(expected[name], dtype)
            relative = off / top if top else math.inf
            if not relative <= worst:
                worst, at = relative, name
            if not relative <= _allowed(run, name, dtype):
                beyond = beyond or f"{name} of {batch} is {off:.3g} off where the largest is {top:.3g}"
    kind = str(encoder.dtype).removeprefix("torch.")
    found.holds(
        f"{sample} in {kind}", not beyond, beyond or ("0.0" if not worst else f"{worst:.2g} of the largest at {at}")
    )
    return "0.0" if not worst else f"{worst:.1e} at {at}"


def _largest(values: torch.Tensor, dtype: str) -> float:
    """The largest magnitude of what no mask hides."""
    from encoder_tui.engine.program.dtypes import FLOATS

    lowest = FLOATS[dtype].lowest / 2 if dtype in FLOATS else -math.inf
    seen = values[values > lowest].double()
    return float(seen.abs().max()) if seen.numel() else 0.0


def _allowed(run: Any, name: str, dtype: str) -> float:
    """What rounding may do, relative to the largest; what is computed in float32 from half precision is good to half precision."""
    from encoder_tui.engine.analysis.compare.rounding import PER_LAYER, allowed

    if dtype not in PER_LAYER:
        return 0.0
    coarser = run.about["dtype"] if dtype in ("float32", "float64") else dtype
    return allowed(run.program[name], run.program.layers, coarser)


def _promises(found: Findings, sample: Any, encoder: Any, tokens: Any) -> None:
    """What is evicted comes out the same; one number of each stage is the sum of its terms; nothing is unexpected."""
    from encoder_tui.engine import Debugger
    from encoder_tui.engine.analysis.why import explain
    from encoder_tui.engine.debugger.unexpected import Unexpected

    whole = encoder.run(tokens)
    encoder.budget = 40_000
    small = encoder.run(tokens)
    encoder.budget = None
    Debugger(small).cont()
    apart = [
        s.name
        for s in reversed(whole.program.stages)
        if not torch.equal(small[s.name].tensor(), whole[s.name].tensor())
    ]
    if apart:
        found.holds(f"{sample}: evicted values come out the same", False, f"{len(apart)} do not, the first {apart[-1]}")
    chance = random.Random(0)
    unsaid: list[str] = []
    odd: list[str] = []
    for stage in whole.program:
        index = tuple(chance.randrange(size) for size in whole.shapes[stage.name])
        told = explain(whole, stage.name, index)
        unsaid += [] if told.holds else [f"{stage.name}{list(index)}: {told.total} for {told.stored}"]
        odd += [f"{stage.name}: {said}"] if (said := Unexpected().holds(whole, stage)) else []
    if unsaid:
        found.holds(f"{sample}: why adds up", False, f"{len(unsaid)} do not: {unsaid[0]}")
    if odd:
        found.holds(f"{sample}: nothing is unexpected", False, odd[0])


def _waits(found: Findings, sample: Any, encoder: Any, tokens: Any) -> str:
    """Which stages wait for the device in a run stepped through."""
    told = waiting_stages(encoder.run(tokens))
    layers = [name for name in told if name.startswith("layers.")]
    if layers:
        found.holds(f"{sample}: no stage of a layer waits for the device", False, f"{len(layers)} do: {layers[0]}")
    return ", ".join(f"{name} {count}" for name, count in told.items()) or "none"
