"""The debugger's commands, patches, forks and comparisons on the device, beside the same on the CPU."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import torch

from .findings import Findings

TEXTS = ["The animal didn't cross the street because it was too tired", "The cat sat."]
SNAPSHOT = "SNAPSHOT"
COMMANDS = (
    "info model", "step 12", "finish", "next", "print layers.0.attention.weights[0, head=0]", "stats layers.0.attention.scores",
    "why layers.0.attention.scores[0, 1, 2, 3]", "why layers.1.ffn.up[0, 2, 5]", "explain layers.0.attention.weights",
    "break *.weights if max > 2", "break * if absmax > 1e9 or nan", "watch layers.0.output[0, 1, 2]", "break unexpected", "continue",
    "delete", "goto end", "reverse-finish", "continue", "patch layers.0.attention.weights[head=1] = 0", "undo", "redo", "goto end",
    "fork", "ablate layers.1.ffn.activation", "ablate layers.0.attention.context[head=0] mean", "noise layers.0.output 0.1 3",
    "scale layers.1.attention.output 0.5", "swap layers.0.attention.query_heads[head=0] [head=1]",
    "patch layers.1.output[0] = x * 2", "undo", "goto end", "compare fork 0", "difference", "switch 0", "undo", "goto end",
    f"export {SNAPSHOT}", f"compare snapshot {SNAPSHOT}", "compare dtype bfloat16", "compare device cpu", "check masks",
    "check padding", "cost", 'compare text "The animal crossed the street"', "nearest cat 3",
)  # fmt: skip
EQUAL = {"compare device cpu": "equal within rounding", "compare snapshot": "equal to the last bit"}


def check(found: Findings, device: torch.device) -> None:
    """Commands, then what is the same on every device."""
    _commands(found, device)
    _like_the_cpu(found, device)
    _patches(found, device)
    _draws(found, device)
    found.attempt("a module of one's own", lambda: _module(found, device))
    found.attempt("the engine's thread", lambda: _thread(found, device))


def _session(device: str, **more: Any) -> Any:
    from encoder_tui.engine import load
    from encoder_tui.engine.commands.session import Session

    encoder = load(None, device, **more)
    return Session(encoder.run(TEXTS), encoder)


def _commands(found: Findings, device: torch.device) -> None:
    """Each command does what it does on the CPU, in the same words."""
    from encoder_tui.engine.commands import TABLE

    ours, theirs = _session(str(device)), _session("cpu")
    folder = Path(tempfile.mkdtemp(prefix="gpu-"))
    otherwise: list[str] = []
    for line in COMMANDS:
        replies: list[tuple[str, str]] = []
        for session, name in ((ours, "device"), (theirs, "cpu")):
            given = line.replace(SNAPSHOT, str(folder / f"{name}.safetensors"))
            reply = found.attempt(f"`{given}` on {name}", lambda s=session, g=given: TABLE.execute(s, g))
            replies.append((reply.text or "", str(reply.stop and reply.stop.reason)) if reply is not None else ("", ""))
        words = [(re.sub(r"[-−+]?\d[\d.,e+-]*|inf|\s+", "#", text), stop) for text, stop in replies]
        if words[0] != words[1] and not line.startswith(("compare", "cost", "info", "difference", "export")):
            found.row(command=line, on_the_device=replies[0][0][:300], on_the_cpu=replies[1][0][:300])
            otherwise.append(line)
        said = replies[0][0].splitlines()
        if line.startswith(("compare device", "compare snapshot", "check")):
            print("\n".join(f"       | {each}" for each in said[:14]))
        for begins, what in EQUAL.items():
            if line.startswith(begins):
                found.holds(f"`{begins}`: {what}", any(each.startswith("equal") for each in said), _verdict(said))
    found.holds(
        "commands", not otherwise, f"{len(COMMANDS)} tried" + f"; in other words: {otherwise}" * bool(otherwise)
    )
    ours.trace.set_patches([])
    for line in ("goto start", "patch layers.0.ffn.up[0, 1, 2] = nan", "break unexpected"):
        TABLE.execute(ours, line)
    stop = TABLE.execute(ours, "continue").stop
    told = f"{stop.stage.name if stop and stop.stage else ''}: {stop.held if stop else ''}"
    found.holds("break unexpected stops at a NaN", told.startswith("layers.0.ffn.up: 1 of"), told)


def _verdict(lines: list[str]) -> str:
    return next((line for line in lines if line.startswith(("equal", "different"))), "no verdict")


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
        model = None if name is None else str(_samples() / name)
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


def _samples() -> Path:
    from encoder_tui import samples  # pyright: ignore[reportMissingTypeStubs] # files, no interface

    return Path(samples.__file__).parent


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
    words = [
        load(str(_samples() / "skipgram"), where).run(["the cat sat on the mat"]) for where in (str(device), "cpu")
    ]
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
    encoder = load(module)
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
