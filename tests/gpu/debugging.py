"""Patches, forks, draws and values on the device, beside the same on the CPU."""

from __future__ import annotations

from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import torch

from .findings import Findings
from .scenes import TEXTS, bundled, samples


def check(found: Findings, device: torch.device) -> None:
    """What is the same on every device."""
    _stops(found, device)
    _like_the_cpu(found, device)
    _patches(found, device)
    _draws(found, device)
    found.attempt("a module of one's own", lambda: _module(found, device))
    found.attempt("the engine's thread", lambda: _thread(found, device))


def _session(device: str, **more: Any) -> Any:
    return bundled(device, Path(), **more)


def _stops(found: Findings, device: torch.device) -> None:
    """A NaN that was put there is found at once."""
    from encoder_tui.engine.commands import TABLE

    ours = _session(str(device))
    for line in ("patch layers.0.ffn.up[0, 1, 2] = nan", "break unexpected"):
        TABLE.execute(ours, line)
    stop = TABLE.execute(ours, "continue").stop
    told = f"{stop.stage.name if stop and stop.stage else ''}: {stop.held if stop else ''}"
    found.holds("break unexpected stops at a NaN", told.startswith("layers.0.ffn.up: 1 of"), told)


def _like_the_cpu(found: Findings, device: torch.device) -> None:
    """Every stage of the bundled models, in each dtype, against the CPU's."""
    from encoder_tui.engine import load
    from encoder_tui.engine.analysis.compare import compare

    words = ["the cat sat on the mat", "a dog"]
    for name, dtype in (
        (None, "float32"),
        (None, "float64"),
        (None, "bfloat16"),
        ("cbow", "float32"),
        ("skipgram", "float32"),
    ):
        model = None if name is None else str(samples() / name)
        here, there = load(model, str(device), dtype), load(model, "cpu", dtype)
        result = compare(here.run(words), there.run(words))
        first = result.first
        worst = max((row for row in result.rows if row.dtype), key=lambda row: row.relative)
        ids = [row.name for row in result.rows if not row.dtype and row.differing]
        seen = (
            f"at most {worst.relative:.2g} of the largest, at {worst.name}"
            + f"; whole numbers that differ: {ids}" * bool(ids)
        )
        found.holds(f"{name or 'the bundled encoder'} in {dtype} beside the CPU", first is None, seen)


def _patches(found: Findings, device: torch.device) -> None:
    """Numbers that are put there by hand are the same numbers; what follows from them is near."""
    from encoder_tui.engine.commands import TABLE

    ours, theirs = _session(str(device)), _session("cpu")
    lines = (
        "patch layers.0.attention.weights[head=1] = x * 0 + 0.25", "noise embeddings.norm[0] 0.5 7", "ablate layers.1.ffn.activation mean",
        "patch tokens.ids[0, 2] = 11",
    )  # fmt: skip
    for line in lines:
        for session in (ours, theirs):
            TABLE.execute(session, line)
    name = "layers.0.attention.weights"
    same = np.array_equal(ours.trace[name].read((0, 1)), theirs.trace[name].read((0, 1)))
    found.holds("a patched head is the same numbers", same)
    noise = [s.trace["embeddings.norm"].read((0,)) - _unpatched(s, "embeddings.norm") for s in (ours, theirs)]
    found.holds(
        "the same noise", np.abs(noise[0] - noise[1]).max() < 1e-5, f"{np.abs(noise[0] - noise[1]).max():.2g} apart"
    )
    out = [session.trace["output"].read() for session in (ours, theirs)]
    off = np.abs(out[0] - out[1]).max() / np.abs(out[1]).max()
    found.holds("what follows from four patches", off < 1e-4, f"{off:.2g} of the largest apart")
    fork = ours.trace.fork()
    shared = fork.tensor("embeddings.token").data_ptr() == ours.trace.tensor("embeddings.token").data_ptr()
    found.holds("a fork shares what lies before its patches", shared)


def _unpatched(session: Any, name: str) -> np.ndarray:
    fork = session.trace.fork()
    fork.set_patches([patch for patch in fork.patches if patch.stage != name])
    return fork[name].read((0,))


def _draws(found: Findings, device: torch.device) -> None:
    """Dropout and negative samples are drawn the same on every device."""
    from encoder_tui.engine import load

    runs = [load(None, where, train_seed=3, dropout=0.1).run(TEXTS) for where in (str(device), "cpu")]
    masks = [stage.name for stage in runs[0].program if stage.kind == "DropoutMask"]
    same = [name for name in masks if np.array_equal(runs[0][name].read(), runs[1][name].read())]
    found.holds("masks of dropout are the CPU's", bool(masks) and same == masks, f"{len(same)} of {len(masks)}")
    words = [load(str(samples() / "skipgram"), where).run(["the cat sat on the mat"]) for where in (str(device), "cpu")]
    drawn = [stage.name for stage in words[0].program if stage.kind == "Negatives"]
    same = [name for name in drawn if np.array_equal(words[0][name].read(), words[1][name].read())]
    found.holds("negative samples are the CPU's", bool(drawn) and same == drawn, f"{len(same)} of {len(drawn)}")


def _module(found: Findings, device: torch.device) -> None:
    """A module that lies on the device is run with its own weights, and takes vectors from there."""
    from encoder_tui.engine import load
    from encoder_tui.engine.program.torch_calls import without_fast_path

    torch.manual_seed(0)
    layer = torch.nn.TransformerEncoderLayer(32, 4, 64, batch_first=True)
    module = torch.nn.TransformerEncoder(layer, 2, enable_nested_tensor=False).eval().to(device)
    vectors = torch.randn(2, 9, 32, device=device)
    encoder = load(module, str(device))
    ours = encoder.run_vectors(vectors)["output"].tensor()
    with torch.no_grad(), without_fast_path():
        theirs = module(vectors)
    off = float((ours - theirs).abs().max())
    first: Any = module.layers[0]
    own = encoder.weights["layers.0.linear1.weight"].data_ptr() == first.linear1.weight.data_ptr()
    found.holds(
        "a module of one's own on the device", off < 1e-5 and own and ours.device == vectors.device, f"{off:.2g} off"
    )


def _thread(found: Findings, device: torch.device) -> None:
    """The screen's engine runs on a thread of its own."""
    here, there = _session(str(device)).trace, _session(str(device)).trace
    expected = here["output"].read()
    seen: list[Any] = []
    thread = Thread(target=lambda: seen.append(there["output"].read()))
    thread.start()
    thread.join()
    found.holds("the same bits on another thread", np.array_equal(seen[0], expected))
