"""How each tool is asked which of two encoders' operations is the first to differ, as its own documents say."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import torch
from encoder_tui.engine import Session
from encoder_tui.engine.commands.comparing import ComparedWith, CompareRequest, compare_against
from planted import Pair, Passage, Place

PORTS = "ports"  # our ports' files; a line of another file is the module's own
LINES_OF_TRANSFORMERS = "modeling_"


@dataclass(frozen=True)
class Answer:
    """What a tool says of a pair.

    Attributes:
        said: its first line, or what names the place.
        lines: how many lines, mismatches or entries the reader is given.
        place: where it says that they part; None where it says no place.
        differs: whether it says that they differ.
        refused: whether it says that it cannot compare them.
        stages: of ours alone: the first that is apart, and that at which the first cause stands.
        causes: of ours alone: the kind of each.
    """

    said: str
    lines: int
    place: Place | None = None
    differs: bool = True
    refused: bool = False
    stages: tuple[str, ...] = ()
    causes: tuple[str, ...] = ()


def passed(passage: Passage, *contexts: Any) -> None:
    """The module called once, from the same random numbers."""
    torch.manual_seed(0)
    with ExitStack() as stack:
        stack.enter_context(torch.no_grad())
        for context in contexts:
            stack.enter_context(context)
        passage.module(*passage.given)


def ours(pair: Pair) -> Answer:
    """`compare ... diagnose`, all that it prints."""
    run, theirs = pair.ours()
    request = CompareRequest("theirs", theirs, tolerance=None, everything=False, diagnosed=True)
    compared = compare_against(Session(run), request)
    assert isinstance(compared, ComparedWith)
    lines, diagnosis = compared.text.splitlines(), compared.diagnosis
    if diagnosis is None or diagnosis.nothing:
        return Answer(lines[-1], len(lines), differs=not compared.comparison.equal)
    first, left = next(iter(diagnosis.causes), None), diagnosis.left
    stages = (
        (left.name,)
        if first is None and left is not None
        else ()
        if first is None
        else (first.first, *first.stages[:1])
    )
    return Answer(lines[-1], len(lines), stages=stages, causes=tuple(one.kind for one in diagnosis.causes))


def debug_mode(pair: Pair) -> Answer:
    """torch's DebugMode: both passages with a hash of every result, then `check_hash_mismatches`."""
    from torch.utils._debug_mode import DebugMode

    logs: list[list[Any]] = []
    for passage in (pair.right, pair.wrong):
        mode: Any = DebugMode(record_nn_module=True, record_stack_trace=True)
        passed(passage, mode, DebugMode.log_tensor_hashes())
        logs.append(mode.logs)
    checked = cast(Any, DebugMode).check_hash_mismatches
    try:
        mismatches: list[Any] = checked(logs[0], logs[1])
    except ValueError as error:
        at = str(error).partition("at index ")[2].partition(":")[0]
        place = _place_in_log(logs[0], int(at)) if at.isdigit() else None
        return Answer(str(error), 1, place, refused=place is None)
    if not mismatches:
        return Answer("no mismatch", 0, differs=False)
    at = next(number for number, both in enumerate(zip(*logs, strict=True)) if _hash(both[0]) != _hash(both[1]))
    return Answer(f"{mismatches[0]['call']} is the first", len(mismatches), _place_in_log(logs[0], at))


def _hash(call: Any) -> Any:
    log: dict[str, Any] | None = getattr(call, "log", None)
    return (log or {}).get("hash")


def _place_in_log(log: Sequence[Any], at: int) -> Place:
    """The module that was entered last before a call, and the author's line that asked for it."""
    depth, module = log[at].call_depth, ""
    for call in reversed(log[:at]):
        tag, header = str(getattr(call, "tag", "")), str(getattr(call, "header", ""))
        if header == "nn.Mod" and call.call_depth < depth:
            module = tag.partition(".")[2]
            break
    trace = getattr(log[at], "stack_trace", "") or ""
    lines = trace.splitlines()
    own = [lines[i + 1].strip() for i, line in enumerate(lines[:-1]) if _is_own(line)]
    return Place(module, own[-1] if own else "")


def _is_own(file: str) -> bool:
    return f"{PORTS}.py" in file or f"{PORTS}_relative.py" in file or LINES_OF_TRANSFORMERS in file


def torchlens(pair: Pair) -> Answer:
    """torchlens: both passages traced, then `first_divergence`."""
    lens, debug = import_module("torchlens"), import_module("torchlens.debug")
    traces: list[Any] = []
    for passage in (pair.right, pair.wrong):
        torch.manual_seed(0)
        with torch.no_grad():
            traces.append(lens.trace(passage.module, passage.given))
    row = debug.first_divergence(*traces)
    if row is None:
        return Answer("None", 1, differs=False)
    trace = traces[1] if row["status"] == "only-b" else traces[0]
    operation = trace[row["op"]]
    module = str(operation.module or "").partition(":")[0]
    lines = [_line(frame.file, frame.line_number) for frame in operation.code_context if _is_own(str(frame.file))]
    return Answer(f"{row['op']} ({row['status']})", 1, Place(module.removeprefix("self"), lines[-1] if lines else ""))


def _line(file: str, number: int) -> str:
    return Path(file).read_text("utf-8").splitlines()[number - 1].strip()


def model_addition_debugger(pair: Pair) -> Answer:
    """transformers' `model_addition_debugger_context`: two files of JSON, which the reader compares."""
    debugger: Any = import_module("transformers.model_debugging_utils").model_addition_debugger_context
    entries: list[dict[str, str]] = []
    for passage in (pair.right, pair.wrong):
        with tempfile.TemporaryDirectory() as folder:
            passed(passage, debugger(passage.module, folder, do_prune_layers=False))
            (file,) = Path(folder).glob("*_FULL_TENSORS.json")
            entries.append(dict(_entries(json.loads(file.read_text()))))
    names = [*entries[0], *(name for name in entries[1] if name not in entries[0])]
    differing = [name for name in names if entries[0].get(name) != entries[1].get(name)]
    if not differing:
        return Answer("no entry differs", 0, differs=False)
    whole = all(name.startswith("/") for name in differing)  # nothing but the model's own inputs or outputs
    return Answer(f"{differing[0]} is the first", len(differing), None if whole else _place_of_entry(differing[0]))


def _entries(node: Any, known: dict[str, int] | None = None, top: bool = True) -> Iterator[tuple[str, str]]:
    """What goes into each call of a module and what comes out of it, in their order: `blocks.0.attend/inputs`."""
    known = {} if known is None else known
    path = "" if top else str(node["module_path"]).partition(".")[2]
    number = known[path] = known.get(path, -1) + 1
    name = f"{path}#{number}" if number else path
    yield f"{name}/inputs", json.dumps(node.get("inputs"))
    for child in node.get("children", ()):
        yield from _entries(child, known, top=False)
    yield f"{name}/outputs", json.dumps(node.get("outputs"))


def _place_of_entry(name: str) -> Place:
    """A module whose result differs is at fault; where what it is given does, the one that calls it."""
    path, _, which = name.partition("/")
    path = path.partition("#")[0]
    if not path:
        return Place("", which)
    return Place(path if which == "outputs" else path.rpartition(".")[0])


def version(package: str) -> str:
    return str(import_module(package).__version__)


# As the table calls it -> (its package, how it is asked)
TOOLS: dict[str, tuple[str, Callable[[Pair], Answer]]] = {
    "ours": ("", ours),
    "torch DebugMode": ("torch", debug_mode),
    "transformers model_addition_debugger": ("transformers", model_addition_debugger),
    "torchlens first_divergence": ("torchlens", torchlens),  # last: it replaces torch's functions
}


def missing() -> list[str]:
    return [name for name, (package, _) in TOOLS.items() if package and not find_spec(package)]
