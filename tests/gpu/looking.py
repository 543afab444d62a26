"""Windows copy what is looked at and no more, and stepping waits for nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from .counting import Copied, settle, waiting_stages, waits
from .findings import Findings
from .models import MINILM, TINY, opened, tokens_of, walk

WEIGHTS = "layers.1.attention.weights"


def check(found: Findings, device: torch.device) -> None:
    """Windows, figures, explanations, waits."""
    small = device.type != "cuda"
    size, length = (TINY, 64) if small else (MINILM, 4096)
    encoder = opened(size, device).encoder
    run = walk(encoder.run(tokens_of(encoder, [length])))
    settle(device)
    _windows(found, run, length)
    _explanations(found, run)
    _waits(found, encoder, length)


def _windows(found: Findings, run: Any, length: int) -> None:
    step, last = length // 32, length - 1
    windows: dict[str, tuple[str, tuple[Any, ...], int]] = {
        "a window of one head": (WEIGHTS, (0, 3, slice(0, 40), slice(0, 80)), 40 * 80 * 4),
        "every so-manieth": (WEIGHTS, (0, 1, slice(None, None, step), slice(None, None, step)), 32 * 32 * 4),
        "backwards": (WEIGHTS, (0, 1, slice(last, last - 16, -1), slice(0, 8)), 16 * 8 * 4),
        "one number": (WEIGHTS, (0, 0, last, last), 4),
        "one-hot rows": ("tokens.one_hot", (0, slice(0, 10), slice(0, 50)), 10 * 50 * 8),
        "a view of another": ("layers.0.attention.query_heads", (0, 2, slice(0, 5), slice(0, 8)), 5 * 8 * 4),
    }
    for what, (name, index, most) in windows.items():
        with Copied() as copied:
            read = run[name].read(index)
        same = np.array_equal(read, run[name].tensor().cpu().numpy()[index])
        found.holds(
            f"read {what} of {name}", same and copied.bytes <= most, f"{copied.bytes:,} bytes of {run[name].size * 4:,}"
        )
    with Copied() as copied:
        figures = [run[WEIGHTS].quick(word) for word in ("min", "max", "absmax", "nan", "inf")]
    whole = run[WEIGHTS].numpy()
    right = figures == [float(whole.min()), float(whole.max()), float(np.abs(whole).max()), 0.0, 0.0]
    found.holds("its least and greatest", right and copied.bytes <= 64, f"{copied.bytes} bytes")
    with Copied() as copied:
        stats = run[WEIGHTS].stats((0, 0, slice(0, 64)))
    found.holds("statistics of some rows", abs(stats.mean - whole[0, 0, :64].mean()) < 1e-6, f"{copied.bytes:,} bytes")


def _explanations(found: Findings, run: Any) -> None:
    from encoder_tui.engine.analysis.why import explain

    for part in ("attention.scores", "attention.weights", "ffn.up", "ffn.norm", "attention.context"):
        name = f"layers.1.{part}"
        with Copied() as copied:
            told = explain(run, name, tuple(size - 1 for size in run.shapes[name]))
        found.holds(
            f"why {name}", told.holds and copied.bytes < 1 << 20, f"{copied.bytes:,} bytes in {copied.times} copies"
        )


def _waits(found: Findings, encoder: Any, length: int) -> None:
    from encoder_tui.engine import Debugger
    from encoder_tui.engine.debugger.unexpected import Unexpected

    for what, lengths in (("one text", [length]), ("a padded batch", [length // 8, length // 16])):
        told = waiting_stages(encoder.run(tokens_of(encoder, lengths)))
        seen = ", ".join(f"{name} {count}" for name, count in told.items()) or "none"
        found.holds(
            f"stages that wait for the device, {what}", all(not name.startswith("layers.") for name in told), seen
        )
    tokens = tokens_of(encoder, [length])
    for time in ("first", "second"):  # how large the weights are is looked at once for all runs
        run = encoder.run(tokens)
        debugger = Debugger(run)
        debugger.add("*", Unexpected())
        with waits(run.device) as told:
            stop = debugger.cont()
        found.row(scan=f"break unexpected, {time} run", stages=len(run.program), waits=len(told), stopped=stop.reason)
    found.holds("break unexpected finds nothing in a sound model", stop.reason == "end", stop.held)
