"""Keeping every value against transformers on the same card, in turns: eager returning all it can, and SDPA."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from typing import Any, cast

import torch

from .counting import forget_peak, peak_bytes, settle
from .findings import Findings
from .models import BASE, MINILM, TINY, Opened, Size, opened, tokens_of, walk

LENGTHS = (128, 512, 4096)
MOST = 1.0
PAIRS = {128: 60, 512: 60, 4096: 12}


def check(found: Findings, device: torch.device) -> None:
    """A row for each size, dtype and length."""
    small = device.type != "cuda"
    for size in (TINY,) if small else (MINILM, BASE):
        for dtype in ("float32",) if small else ("float32", "bfloat16"):
            models = opened(size, device, dtype)
            for length in (16, 64) if small else LENGTHS:
                found.attempt(
                    f"{size.name} at {length}", lambda m=models, n=length, d=dtype: _row(found, m, n, d, device)
                )
            del models
            gc.collect()


def _row(found: Findings, models: Opened, length: int, dtype: str, device: torch.device) -> None:
    works = _works(models, length)
    times: dict[str, list[float]] = {name: [] for name in works}
    peaks: dict[str, float] = {}
    gc.collect()
    before = forget_peak(device)
    for name, work in works.items():
        for _ in range(3):
            work()
        settle(device)
        forget_peak(device)
        _timed(work, device)
        peaks[name] = (peak_bytes(device) - before) / 2**20
    gc.collect()
    gc.disable()
    try:
        for _ in range(PAIRS.get(length, 10)):
            for name, work in works.items():
                times[name].append(_timed(work, device))
    finally:
        gc.enable()
    ratios = {
        other: statistics.median(a / b for a, b in zip(times["ours"], times[other], strict=True))
        for other in ("eager", "sdpa")
    }
    itself = statistics.median(a / b for a, b in zip(times["eager_again"], times["eager"], strict=True))
    figures = {f"{name}_ms": round(1000 * statistics.median(each), 3) for name, each in times.items()}
    found.row(
        model=models.size.name, dtype=dtype, tokens=length, to_eager=round(ratios["eager"], 3), to_sdpa=round(ratios["sdpa"], 3), eager_to_itself=round(itself, 3),
        **figures, ours_mib=round(peaks["ours"]), eager_mib=round(peaks["eager"]),
        kernels={name: _kernels(work, device) for name, work in works.items()},
    )  # fmt: skip
    if device.type == "cuda":
        what = f"{models.size.name}, {dtype}, {length} tokens: at most {MOST}x of eager"
        found.holds(what, round(ratios["eager"], 2) <= MOST, f"{ratios['eager']:.3f}x")


def _works(models: Opened, length: int) -> dict[str, Callable[[], Any]]:
    """A pass of each, from what the tokenizer gives, on the host; it returns all that it keeps."""
    encoder = models.encoder
    tokens = tokens_of(encoder, [length])
    ids = torch.from_numpy(tokens.ids)
    mask = torch.from_numpy(tokens.mask)

    def ours() -> Any:
        return walk(encoder.run(tokens))

    def eager() -> Any:
        with torch.no_grad():
            given = {"input_ids": ids.to(encoder.device), "attention_mask": mask.to(encoder.device)}
            return models.eager(**given, output_attentions=True, output_hidden_states=True)

    def sdpa() -> Any:
        with torch.no_grad():
            given = {"input_ids": ids.to(encoder.device), "attention_mask": mask.to(encoder.device)}
            return models.sdpa(**given, output_hidden_states=True)

    # eager a second time, so that one sees what a ratio is good to
    return {"ours": ours, "eager": eager, "sdpa": sdpa, "eager_again": eager}


def _timed(work: Callable[[], object], device: torch.device) -> float:
    """Seconds until all is computed; what was kept is let go afterwards."""
    settle(device)
    begin = time.perf_counter()
    kept = work()
    settle(device)
    taken = time.perf_counter() - begin
    del kept
    return taken


def _kernels(work: Callable[[], object], device: torch.device) -> int:
    """How many kernels and copies one pass gives the device."""
    if device.type != "cuda":
        return 0
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as seen:
        work()
        settle(device)
    return sum(1 for event in cast(Any, seen).events() if event.device_type == torch.autograd.DeviceType.CUDA)


def where_time_goes(device: torch.device, size: Size = MINILM, length: int = 128) -> None:
    """Print what the host does in passes whose kernels are short: ours and transformers'."""
    import cProfile
    import pstats

    models = opened(TINY if device.type != "cuda" else size, device)
    for name, work in _works(models, 16 if device.type != "cuda" else length).items():
        for _ in range(5):
            work()
        settle(device)
        profiler = cProfile.Profile()
        profiler.enable()
        for _ in range(40):
            work()
        settle(device)
        profiler.disable()
        print(f"-- {name}, 40 passes")
        pstats.Stats(profiler).sort_stats("tottime").print_stats(22)
