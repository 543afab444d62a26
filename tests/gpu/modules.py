"""Modules of one's own that lie on the device: attached to, recorded, stopped inside of; in training mode as well."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scratch import scratch

from .counting import Copied, waiting_stages
from .findings import Findings
from .scenes import book

# torch's fast path for encoders makes nested tensors, which no wrapper can stand for.
NOT_PRETENDED = {("torch's encoder", False)}
EXACT = "each equal to the module's own to the last bit"


def check(found: Findings, device: torch.device) -> None:
    """Each way in, for each module."""
    for name, make in makers().items():
        for training in (False, True):
            what = f"{name}{', training' * training}"
            found.attempt(f"{what}, attached", lambda w=what, m=make, t=training: _attached(found, w, m(t, device)))
            if device.type == "pretend" and (name, training) in NOT_PRETENDED:
                continue
            found.attempt(f"{what}, recorded", lambda w=what, m=make, t=training: _recorded(found, w, m(t, device)))
    found.attempt("random numbers", lambda: random_numbers(found, device))
    found.attempt("a budget", lambda: _budget(found, device))
    found.attempt("debug(module)", lambda: _debug(found, device))
    found.attempt("waits", lambda: _waits(found, device))


Made = tuple[Any, tuple[torch.Tensor, ...]]  # a module and what it is called with


def makers() -> dict[str, Callable[[bool, torch.device], Made]]:
    """Modules in many styles: name -> (training, device) -> the module there, and its inputs."""
    import own_modules
    import recorded_modules as known

    kinds: dict[str, Callable[[], Any]] = {
        "a book's": own_modules.BookEncoder, "einsum": known.Einsum, "torch's encoder": known.Inverted, "MultiheadAttention": known.Multihead, "RMSNorm": known.PreNorm,
        "LoRA": known.adapted,
    }  # fmt: skip

    def maker(kind: Callable[[], Any]) -> Callable[[bool, torch.device], Made]:
        def make(training: bool, device: torch.device) -> Made:
            torch.manual_seed(0)
            module = kind().train(training).to(device)
            torch.manual_seed(1)
            return module, (own_modules.IDS.to(device), own_modules.MASK.to(device))

        return make

    return {name: maker(kind) for name, kind in kinds.items()}


def _attached(found: Findings, what: str, made: Made) -> None:
    """What is computed stage by stage is the module's own, where the module lies, and the cursor and patches work there."""
    from encoder_tui.engine import attach
    from encoder_tui.engine.models.notes import silent

    module, inputs = made
    encoder: Any = attach(module, *inputs, tell=silent)
    run = encoder.first
    exact = next((note for note in run.notes if EXACT in note), "; ".join(run.notes))
    places = {run.tensor(stage.name).device for stage in run.program if not run.is_windowed(stage.name)}
    found.holds(f"{what}: attached, exact", EXACT in exact, exact)
    found.holds(f"{what}: attached, on its device", inputs[0].device in places, str(places))
    fork = run.fork()
    last = fork["output"]
    fork.override(last.name, torch.zeros(last.shape))
    found.holds(f"{what}: patched", not fork["output"].read().any() and bool(run["output"].read().any()))


def _recorded(found: Findings, what: str, made: Made) -> None:
    """Watching changes nothing: the result is what the module gives from the same random numbers; all that was kept is finite."""
    from encoder_tui.engine import open_snapshot, record, save
    from encoder_tui.engine.program.torch_calls import without_fast_path

    module, inputs = made
    with torch.no_grad():
        torch.manual_seed(5)
        alone = module(*inputs)
        torch.manual_seed(5)
        with without_fast_path():  # whose one operation a layer shows nothing of what is inside
            shown = module(*inputs)
        torch.manual_seed(5)
        run = record(module, *inputs)
    same = torch.equal(alone, run.result) and run.result.device == inputs[0].device
    found.holds(f"{what}: recorded, as without", same and np.array_equal(run["output"].read(), shown.cpu().numpy()))
    path = scratch("gpu") / "passage.safetensors"
    save(run, path)
    again = open_snapshot(path)
    apart = [
        stage.name
        for stage in run.program
        if again.has(stage.name)
        and not np.array_equal(again[stage.name].read(), run[stage.name].read(), equal_nan=True)
    ]
    found.holds(
        f"{what}: saved and opened",
        not apart and len(again.program) == len(run.program),
        f"{len(again.program)} stages",
    )


def random_numbers(found: Findings, device: torch.device) -> None:
    """Dropout draws from the device's own random numbers: they are noted, drawn again, and go on as if nobody had looked."""
    from encoder_tui.engine import attach, record
    from encoder_tui.engine.models.notes import silent
    from encoder_tui.engine.program.generators import state_of

    module, ids, mask = book(str(device), training=True)
    place = ids.device
    before = state_of(place)
    encoder: Any = attach(module, ids, mask, tell=silent)
    found.holds("attaching leaves the random numbers alone", torch.equal(before, state_of(place)))
    run = encoder.first
    drawn = [note for note in run.notes if "dropout draws" in note]
    first = {name: run[name].read() for name in ("output", "layers.0.ffn.up")}
    run.computation.cache.clear()
    again = all(np.array_equal(run[name].read(), value) for name, value in first.items())
    found.holds("what dropout drew is drawn again", bool(drawn) and again, "; ".join(drawn))
    with torch.no_grad():
        recording = record(module, ids, mask)
    told = next((note for note in recording.notes if note.startswith("random numbers")), "")
    found.holds("a recording says what drew", "operations drew: dropout" in told, told)
    found.holds("a passage draws on", not torch.equal(before, state_of(place)))


def _budget(found: Findings, device: torch.device) -> None:
    """What a recording brings to the host is what it keeps, and a corner of the rest."""
    from encoder_tui.engine import record

    module, ids, mask = book(str(device))
    for budget in (0, 20_000):
        with Copied() as copied, torch.no_grad():
            record(module, ids, mask, budget=budget)["output"].stats()
        found.holds(
            f"a recording within {budget:,} bytes",
            copied.bytes <= budget + 200_000,
            f"{copied.bytes:,} bytes in {copied.times} copies",
        )


def _waits(found: Findings, device: torch.device) -> None:
    """Stepping through an attached module waits for nothing."""
    from encoder_tui.engine import attach
    from encoder_tui.engine.models.notes import silent

    for training in (False, True):
        module, ids, mask = book(str(device), training)
        encoder: Any = attach(module, ids, mask, tell=silent)
        run = encoder.first.fork()
        run.computation.cache.clear()
        told = waiting_stages(run)
        seen = ", ".join(f"{name} {count}" for name, count in told.items()) or "none"
        found.holds(f"stages of an attached module that wait{', training' * training}", not told, seen)


def _debug(found: Findings, device: torch.device) -> None:
    """Where there is no terminal, `debug(module)` writes the passage down."""
    from encoder_tui.engine import debug, open_snapshot
    from encoder_tui.engine.commands import stop_inside

    module, ids, mask = book(str(device))
    has_screen, stop_inside.has_screen = stop_inside.has_screen, lambda: False
    try:
        with _elsewhere() as folder, torch.no_grad():
            debug(module, ids, mask)
            written = list(folder.glob("*.safetensors"))
            same = len(written) == 1 and np.array_equal(
                open_snapshot(written[0])["output"].read(), module(ids, mask).cpu().numpy()
            )
    finally:
        stop_inside.has_screen = has_screen
    found.holds("debug(module) writes its passage", same, ", ".join(path.name for path in written))


@contextmanager
def _elsewhere() -> Generator[Path]:
    """Work in a folder that is empty."""
    before, folder = Path.cwd(), scratch("gpu")
    os.chdir(folder)
    try:
        yield folder
    finally:
        os.chdir(before)
