"""A budget is kept on the device, and memory that is full makes room or is one line."""

from __future__ import annotations

from typing import Any, cast

import torch

from .counting import forget_peak, peak_bytes, settle
from .findings import Findings
from .models import MINILM, TINY, opened, tokens_of, walk

MIB = 1 << 20


def check(found: Findings, device: torch.device) -> None:
    """A budget, then memory that is full."""
    small = device.type != "cuda"
    encoder = opened(TINY if small else MINILM, device).encoder
    tokens = tokens_of(encoder, [128 if small else 4096])
    budget = MIB if small else 256 * MIB
    whole = walk(encoder.run(tokens))
    ends = {name: whole[name].tensor().cpu() for name in ("layers.0.output", "output")}
    square = whole["layers.1.attention.weights"].read((0, 1, slice(100, 110)))
    kept = whole.kept_bytes
    whole.release()
    settle(device)
    _budget(found, encoder, tokens, budget, ends, square)
    if device.type == "cuda":
        _full(found, encoder, tokens, ends, kept)


def _budget(found: Findings, encoder: Any, tokens: Any, budget: int, ends: Any, square: Any) -> None:
    encoder.budget = budget
    run = encoder.run(tokens)
    encoder.budget = None
    before, most = forget_peak(run.device), 0
    for position in range(len(run.program)):
        run.reach(position)
        most = max(most, run.kept_bytes)
    read = run["layers.1.attention.weights"].read((0, 1, slice(100, 110)))
    settle(run.device)
    peak = peak_bytes(run.device) - before
    found.holds("a budget is kept", most <= budget * 1.1, f"{most / MIB:,.0f} MiB kept at most, of {budget / MIB:,.0f}")
    found.holds(
        "beside it", peak <= budget + 512 * MIB, f"{peak / MIB:,.0f} MiB of the device in use at the worst moment"
    )
    for name, expected in ends.items():
        off = float((run[name].tensor().cpu() - expected).abs().max())
        found.holds(
            f"{name} through rows of squares",
            off <= 1e-4 * float(expected.abs().max()),
            f"{off:.2g} off what is computed whole",
        )
    off = float(abs(read - square).max())
    found.holds("rows of a square that is never whole", off <= 1e-5, f"{off:.2g} off")
    again = run["layers.1.attention.weights"].read((0, 1, slice(100, 110)))
    found.holds("and the same once more, to the last bit", bool((again == read).all()))


def _full(found: Findings, encoder: Any, tokens: Any, ends: Any, kept: int) -> None:
    """torch is allowed less than the run would keep, then less than one square."""
    from encoder_tui.engine import InputError

    device = encoder.device
    torch.cuda.empty_cache()
    total: int = cast(Any, torch.cuda).get_device_properties(device).total_memory
    base = torch.cuda.memory_reserved(device)
    square = encoder.run(tokens).shapes["layers.0.attention.scores"]
    size = 4 * int(torch.tensor(square).prod())
    try:
        torch.cuda.set_per_process_memory_fraction((base + kept // 2) / total, device)
        run = walk(encoder.run(tokens))
        same = all(torch.equal(run[name].tensor().cpu(), expected) for name, expected in ends.items())
        seen = f"{kept / MIB:,.0f} MiB through {kept / 2 / MIB:,.0f}, {run.computation.cache.pool.evictions} values given up"
        found.holds("what was given up comes out the same", same and run.computation.cache.pool.evictions > 0, seen)
        run.release()
        del run
        torch.cuda.empty_cache()
        torch.cuda.set_per_process_memory_fraction((base + size // 2 + 64 * MIB) / total, device)
        run = encoder.run(tokens)
        line = ""
        try:
            walk(run)
        except InputError as error:
            line = str(error)
        found.holds(
            "what does not fit is one line", "is full at layers.0.attention." in line and "\n" not in line, line
        )
        torch.cuda.set_per_process_memory_fraction(1.0, device)
        walk(run)
        found.holds("and the run goes on", torch.equal(run["output"].tensor().cpu(), ends["output"]))
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, device)
        torch.cuda.empty_cache()
