"""What a program costs: parameters, multiply-adds and bytes of every stage, and the time each takes on this machine.

Multiply-adds count products of matrices alone (the convention of the literature); what is done to each element once is
small beside them. Nothing is computed for all but the times.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..messages.translation import tr
from ..program.dtypes import DTYPES
from ..program.kinds import Products
from ..program.stage import Stage
from ..program.trace import LiveTrace, Trace
from ..program.writing import cells

if TYPE_CHECKING:
    from ..models.encoder import Encoder

PASSES = 3


@dataclass(frozen=True, slots=True)
class Cost:
    """What a stage, or several together, cost.

    Attributes:
        name: of the stage or of the part.
        parameters: numbers in its weights, each weight counted once in the whole program.
        multiply_adds: of products of matrices.
        bytes: of its value.
        seconds: how long it took to compute; NaN where that was not measured.
    """

    name: str
    parameters: int
    multiply_adds: int
    bytes: int
    seconds: float = math.nan


def costs(
    trace: Trace,
    seconds: Mapping[str, float] | None = None,
    source: Callable[[str], str | None] = lambda name: name,
) -> list[Cost]:
    """The cost of every stage, in program order.

    Args:
        trace: a run, a recording or an outline.
        seconds: what `times` measured.
        source: what holds a weight: the same for weights that are tied (`Source.holder`). A recording does not know.
    """
    counted: set[str | None] = set()
    each: list[Cost] = []
    for stage in trace.program:
        new = [name for name in stage.weights if source(name) not in counted]
        counted.update(map(source, new))
        shape = trace.shapes[stage.name]
        size = 0 if _is_there_already(stage) else math.prod(shape) * DTYPES[trace.value(stage.name).dtype].size
        parameters = sum(math.prod(trace.weight_shapes[name]) for name in new)
        time_taken = (seconds or {}).get(stage.name, math.nan)
        each.append(Cost(stage.name, parameters, _multiply_adds(trace, stage), size, time_taken))
    return each


def _is_there_already(stage: Stage) -> bool:
    """Whether its numbers take no memory of their own."""
    copied = stage.options.get("apart") or stage.options.get("copied")
    return stage.card.takes_no_memory and not copied


def _multiply_adds(trace: Trace, stage: Stage) -> int:
    """Each element of the result is a sum of products: over a row of the weight, or over the last axis of the input."""
    products = stage.card.products
    if products is None:
        return 0
    over_weight = products is Products.WEIGHT
    terms = trace.weight_shapes[stage.weights[0]][1:] if over_weight else trace.shapes[stage.inputs[0]][-1:]
    return math.prod(trace.shapes[stage.name]) * math.prod(terms)


def total(name: str, parts: Iterable[Cost]) -> Cost:
    """Several costs as one."""
    listed = list(parts)
    return Cost(
        name, sum(part.parameters for part in listed), sum(part.multiply_adds for part in listed),
        sum(part.bytes for part in listed), math.fsum(part.seconds for part in listed if not math.isnan(part.seconds))
        if any(not math.isnan(part.seconds) for part in listed) else math.nan,
    )  # fmt: skip


def never_whole(trace: Trace, each: Sequence[Cost]) -> str:
    """How much of all that is too large for the budget, in a sentence; "" where nothing is."""
    if not isinstance(trace, LiveTrace) or trace.budget is None:
        return ""
    size = sum(cost.bytes for cost in each if trace.is_windowed(cost.name))
    if not size:
        return ""
    return tr(
        "{size} of this memory is never taken: a value larger than a quarter of --memory ({budget}) is computed where it is looked at",
        size=_size(size), budget=_size(trace.budget),
    )  # fmt: skip


def by_room(trace: Trace, each: Sequence[Cost]) -> list[Cost]:
    """Costs of the embeddings, each layer and the head."""
    rooms: dict[str, list[Cost]] = {}
    for stage, cost in zip(trace.program, each, strict=True):
        rooms.setdefault(stage.room, []).append(cost)
    return [total(room, parts) for room, parts in rooms.items()]


def times(encoder: Encoder, trace: Trace, stopped: Callable[[], bool] = lambda: False) -> dict[str, float]:
    """Seconds each stage takes: the least of three passes over the same tokens, each computing every stage anew.

    Stages that are only read in windows have no time of their own.
    """
    import torch

    best: dict[str, float] = {}
    run = None
    for _ in range(PASSES):
        run = encoder.run(trace.original_inputs, instead_of=run)
        for position, stage in enumerate(run.program):
            if stopped():
                return best
            begin = time.perf_counter()
            run.reach(position)
            if encoder.device.type == "cuda":
                torch.cuda.synchronize(encoder.device)
            taken = time.perf_counter() - begin
            if not run.is_windowed(stage.name):
                best[stage.name] = min(taken, best.get(stage.name, math.inf))
    return best


def write_costs(title: str, listed: Sequence[Cost], whole: Cost, within: str = "") -> str:
    """A table of costs: counts, and what share of the time goes where (of the multiply-adds where no time is known).

    Args:
        title: of the column of names.
        listed, whole: a line each; shares are of the last.
        within: what the names of those listed begin with and need not say, since the title does.
    """
    timed = not math.isnan(whole.seconds)
    heads = [title, tr("parameters"), tr("mult-adds"), tr("memory"), *[tr("time")] * timed]
    rows = [heads]
    for cost in [*listed, whole]:
        counts = [f"{cost.parameters:,}" if cost.parameters else "", _short(cost.multiply_adds), _size(cost.bytes)]
        rows.append([cost.name.removeprefix(within), *counts, *[_time(cost.seconds)] * timed])
    wide = [max(map(cells, column)) for column in zip(*rows, strict=True)]
    wide = [max(pair) for pair in zip(wide, LEAST, strict=False)]
    head = tr("share") if timed else tr("of mult-adds")  # beside the time it is clear what of
    share_wide = max(len("100.0%"), cells(tr("share")))
    room = SCREEN - sum(wide) - len(wide) - share_wide - 1
    bars = min(MOST_BARS, room) if room >= LEAST_BARS else 0  # a bar that is cut would say something else
    lines = [f"{_row(heads, wide)} {' ' * (share_wide - cells(head))}{head}"]
    for row, cost in zip(rows[1:], [*listed, whole], strict=True):
        share = _share(cost, whole, timed)
        lines.append(f"{_row(row, wide)} {share:>{share_wide}.1%} {_bar(share, bars)}".rstrip())
    return "\n".join(lines)


SCREEN = 76  # cells there are for a line on a screen of 80, less the frame of the page
# Cells of a name, a stage's within its layer, and of the numbers: tables are in line with each other.
LEAST = (21, 10, 9, 8, 8)
LEAST_BARS, MOST_BARS = 4, 16  # cells of the longest bar


def _row(texts: Sequence[str], wide: Sequence[int]) -> str:
    """A name, and numbers that end below one another."""
    name, *numbers = texts
    padded = (" " * (width - cells(text)) + text for text, width in zip(numbers, wide[1:], strict=True))
    return " ".join([name + " " * (wide[0] - cells(name)), *padded])


def _share(cost: Cost, whole: Cost, timed: bool) -> float:
    part, all_ = (cost.seconds, whole.seconds) if timed else (cost.multiply_adds, whole.multiply_adds)
    return part / all_ if all_ and not math.isnan(part) else 0.0


def _bar(share: float, cells: int) -> str:
    eighths = round(share * cells * 8)
    return "█" * (eighths // 8) + ("", *"▏▎▍▌▋▊▉")[eighths % 8]


def _short(count: int) -> str:
    """`1.21 G` multiply-adds; nothing where there are none."""
    for unit, size in (("T", 10**12), ("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return str(count) if count else ""


def _size(count: int) -> str:
    for unit, size in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count} B" if count else ""


def _time(seconds: float) -> str:
    if math.isnan(seconds):
        return ""
    return (
        f"{seconds * 1e6:.0f} µs"
        if seconds < 1e-3
        else f"{seconds * 1e3:.2f} ms"
        if seconds < 1
        else f"{seconds:.2f} s"
    )
